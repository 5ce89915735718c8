"""One HTTP request as the services see it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.requests import Request as StarletteRequest
from starlette.types import Receive, Scope

from localcloud.auth.cos_signature import SignedRequest
from localcloud.auth.credentials import Credential
from localcloud.http.errors import InvalidEncoding
from localcloud.http.forms import Form
from localcloud.http.hosts import RequestTarget, ServiceName, parse_host, split_request_target, strip_port

_MAX_PARAMETERS = 200


def _decode_header(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _parse_target(host: str, headers: tuple[tuple[str, str], ...]) -> RequestTarget:
    """Parse a host; the stand-in's own address also serves API 3.0, for clients without a proxy setting."""
    target = parse_host(host)
    if target.service is ServiceName.ADMIN and any(name == "x-tc-action" for name, _ in headers):
        return RequestTarget(ServiceName.API3)
    return target


@dataclass(slots=False)
class Request:
    """A decoded request. `path` is decoded and begins with `/`; header names are lower case.

    These fields are set while the request is handled, for the access log: `signer` (the credential that signed it),
    `action` and `resource` (in CAM's terms: `cos:PutObject` on `qcs::cos:...`), `code` (of the error) and `fault` (the
    injected fault). `form` is the parsed body of POST Object.
    """

    method: str
    target: RequestTarget
    host: str
    path: str
    raw_path: str
    raw_query: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    request_id: str
    _http: StarletteRequest
    body_bytes: int = field(default=0)
    signer: Credential | None = None
    action: str = ""
    resource: str = ""
    code: str = ""
    fault: str = ""
    form: Form | None = None

    @classmethod
    def from_scope(cls, scope: Scope, receive: Receive) -> Request:
        """Decode a request of the ASGI server. Raises InvalidEncoding."""
        headers = tuple(
            (name.decode("latin-1").lower(), _decode_header(value)) for name, value in scope["headers"]
        )
        target_host, raw_path = split_request_target(scope["raw_path"])
        host = target_host.decode("latin-1") or next((value for name, value in headers if name == "host"), "")
        raw_query: bytes = scope["query_string"]
        try:
            path = unquote_to_bytes(raw_path).decode()
            # A plus in a query is a space, as every client library writes it; %2B is a plus.
            query = parse_qsl(
                raw_query.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_MAX_PARAMETERS,
            )
        except (UnicodeDecodeError, ValueError) as error:
            raise InvalidEncoding(str(error)) from error
        return cls(
            method=scope["method"].upper(),
            target=_parse_target(host, headers),
            host=host,
            path=path or "/",
            raw_path=raw_path.decode("latin-1") or "/",
            raw_query=raw_query.decode("latin-1"),
            query=tuple(query),
            headers=headers,
            # Request ids of the service look like base64 of underscore-joined hex (seeds).
            request_id="NjA" + secrets.token_hex(12),
            _http=StarletteRequest(scope, receive),
        )

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The query parameters; the last value of a repeated name."""
        return dict(self.query)

    @cached_property
    def header_map(self) -> dict[str, str]:
        """The headers; the last value of a repeated name."""
        return dict(self.headers)

    def header(self, name: str, default: str = "") -> str:
        """Return a header by its lower-case name."""
        return self.header_map.get(name, default)

    @property
    def key(self) -> str:
        """The object key in the path; empty for the bucket itself."""
        return self.path[1:]

    @property
    def host_name(self) -> str:
        """The host without its port."""
        return strip_port(self.host)

    def to_signed_request(self) -> SignedRequest:
        """Return the parts that a COS or CI signature can cover."""
        return SignedRequest(self.method, self.path, self.query, self.headers)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield the body in chunks. Raises starlette's ClientDisconnect when the client disconnects."""
        async for chunk in self._http.stream():
            self.body_bytes += len(chunk)
            if chunk:
                yield chunk

    async def peek_body(self, max_bytes: int) -> bytes:
        """Read the body so that it can be read again; empty if Content-Length is above `max_bytes`."""
        length = self.header("content-length", "0")
        return await self._http.body() if length.isdigit() and int(length) <= max_bytes else b""

    async def body(self, max_bytes: int) -> bytes | None:
        """Read the whole body; None as soon as it is longer than `max_bytes`."""
        chunks: list[bytes] = []
        async for chunk in self.stream():
            chunks.append(chunk)
            if self.body_bytes > max_bytes:
                return None
        return b"".join(chunks)
