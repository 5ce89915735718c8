"""Bodies of objects that are as large as recordings, passed on piece by piece: never as a whole in memory, or on disk.

Requests are signed and addressed as those of shared/tencent/client.py, but their bodies are asynchronous.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

import httpx

from shared.tencent.client import (
    CONNECT_TIMEOUT_S,
    Request,
    TencentClient,
    build_request_target,
    map_transport_error,
    read_head,
)
from shared.tencent.hosts import build_cos_host
from shared.tencent.transport import build_request, get_tls_context

SILENCE_TIMEOUT_S = 60.0  # of either side; the whole may take hours
_FIRST_ERROR_STATUS = 300
_MAX_ERROR_BYTES = 65_536
_READ_STATUSES = frozenset({200, 206, 416})  # the last: a range that begins after the end
_ACTIONS = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}


class _Pieces(httpx.AsyncByteStream):
    """The body of a request, as it arrives."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


class ObjectStreams:
    """Writes and reads objects piece by piece. It belongs to one event loop. `transport` is for tests."""

    def __init__(self, client: TencentClient, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = client
        self._transport = transport
        self._http: httpx.AsyncClient | None = None

    async def put(
        self,
        bucket: str,
        region: str,
        key: str,
        *,
        size: int,
        pieces: AsyncIterator[bytes],
        content_type: str,
        create_only: bool,
    ) -> str:
        """Write an object of exactly this size in bytes, and return its ETag. Raises CloudError.

        If `pieces` ends early or raises, the connection is closed, and COS keeps nothing.
        """
        headers = {"Content-Type": content_type}
        if create_only:
            headers["x-cos-forbid-overwrite"] = "true"
        request = _build_request("PUT", bucket, region, key, headers)
        async with self._send(request, size, pieces) as response:
            if response.status_code >= _FIRST_ERROR_STATUS:
                raise await self._build_error(request, response)
            await response.aread()
            return str(response.headers.get("etag", "")).strip('"')

    @asynccontextmanager
    async def get(
        self,
        bucket: str,
        region: str,
        key: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncIterator[httpx.Response]:
        """Open an object, or a range of it, whose bytes `aiter_raw` of the response yields. Raises CloudError."""
        request = _build_request(method, bucket, region, key, headers)
        async with self._send(request, None, None) as response:
            if response.status_code not in _READ_STATUSES:
                raise await self._build_error(request, response)
            yield response

    async def close(self) -> None:
        """Close all connections."""
        if self._http:
            await self._http.aclose()

    @asynccontextmanager
    async def _send(
        self, request: Request, size: int | None, pieces: AsyncIterator[bytes] | None
    ) -> AsyncIterator[httpx.Response]:
        try:
            sent = build_request(
                request.method,
                self._client.endpoint or f"https://{request.host}",
                build_request_target(request.path, request.parameters),
                self._client.build_headers(request, size),
                b"",
                connect_timeout_s=CONNECT_TIMEOUT_S,
                read_timeout_s=SILENCE_TIMEOUT_S,
                total_timeout_s=SILENCE_TIMEOUT_S,
            )
            if pieces is not None:
                sent.stream = _Pieces(pieces)
            response = await self._open().send(sent, stream=True)
        except httpx.TransportError as error:
            raise map_transport_error(request, error) from None
        try:
            yield response
        except httpx.TransportError as error:  # the connection broke within the response
            raise map_transport_error(request, error) from None
        finally:
            await response.aclose()

    async def _build_error(self, request: Request, response: httpx.Response) -> Exception:
        body = b""
        async for piece in response.aiter_raw():
            body += piece
            if len(body) >= _MAX_ERROR_BYTES:
                break
        return self._client.build_error(request, read_head(response)._replace(body=body))

    def _open(self) -> httpx.AsyncClient:
        if self._http is None:
            transport = self._transport or httpx.AsyncHTTPTransport(
                # The local cloud is plain HTTP, and needs no TLS context.
                verify=False if self._client.endpoint else get_tls_context(),
                trust_env=False,
                limits=httpx.Limits(max_connections=None),
            )
            self._http = httpx.AsyncClient(transport=transport, trust_env=False)
        return self._http


def _build_request(method: str, bucket: str, region: str, key: str, headers: Mapping[str, str]) -> Request:
    return Request(
        method,
        build_cos_host(bucket, region),
        f"/{key}",
        resource=f"{bucket}/{key}",
        headers=headers,
        action=f"cos:{_ACTIONS[method]}",
    )
