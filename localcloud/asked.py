"""One request as the services see it, and the error that ends one."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.requests import Request
from starlette.types import Receive, Scope

from localcloud.hosts import Place, Service, place_of, split_target, without_port
from localcloud.keys import Key
from localcloud.signature import SignedRequest

_MOST_PARAMETERS = 200


class Problem(Exception):
    """A request is refused with a status and a code of the real service."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status = status
        self.code = code
        self.message = message or code


class Undecodable(Exception):
    """The path, the query or a header is not UTF-8."""


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _place(host: str, headers: tuple[tuple[str, str], ...]) -> Place:
    """The place of a host; the stand-in's own address is the control plane too, for clients without a proxy setting."""
    place = place_of(host)
    if place.service is Service.OWN and any(name == "x-tc-action" for name, _ in headers):
        return Place(Service.CONTROL)
    return place


@dataclass(slots=False)
class Asked:
    """A request, decoded once. `path` is decoded and begins with `/`; header names are lower case.

    While it is carried out it learns whose key signed it, what it does in the words of CAM (`cos:PutObject` on
    `qcs::cos:...`), the code of its refusal, and the fault that struck it.
    """

    method: str
    place: Place
    host: str
    path: str
    raw_path: str
    raw_query: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    request_id: str
    _http: Request
    body_bytes: int = field(default=0)
    signer: Key | None = None
    action: str = ""
    resource: str = ""
    code: str = ""
    fault: str = ""

    @classmethod
    def read(cls, scope: Scope, receive: Receive) -> Asked:
        """Decode what the server hands over. Raises Undecodable."""
        headers = tuple((name.decode("latin-1").lower(), _text(value)) for name, value in scope["headers"])
        target_host, raw_path = split_target(scope["raw_path"])
        host = target_host.decode("latin-1") or next((value for name, value in headers if name == "host"), "")
        raw_query: bytes = scope["query_string"]
        try:
            path = unquote_to_bytes(raw_path).decode()
            # A plus in a query is a space, as every client library writes it; %2B is a plus.
            query = parse_qsl(
                raw_query.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_MOST_PARAMETERS,
            )
        except (UnicodeDecodeError, ValueError) as error:
            raise Undecodable(str(error)) from error
        return cls(
            method=scope["method"].upper(),
            place=_place(host, headers),
            host=host,
            path=path or "/",
            raw_path=raw_path.decode("latin-1") or "/",
            raw_query=raw_query.decode("latin-1"),
            query=tuple(query),
            headers=headers,
            # Request ids of the service look like base64 of underscore-joined hex (seeds).
            request_id="NjA" + secrets.token_hex(12),
            _http=Request(scope, receive),
        )

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The query; of repeated names the last one counts."""
        return dict(self.query)

    @cached_property
    def header_map(self) -> dict[str, str]:
        """The headers; of repeated names the last one counts."""
        return dict(self.headers)

    def header(self, name: str, default: str = "") -> str:
        """A header by its lower-case name."""
        return self.header_map.get(name, default)

    @property
    def key(self) -> str:
        """The object key that the path names; empty for the bucket itself."""
        return self.path[1:]

    @property
    def host_name(self) -> str:
        """The host without its port."""
        return without_port(self.host)

    def signed(self) -> SignedRequest:
        """What a signature can cover."""
        return SignedRequest(self.method, self.path, self.query, self.headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, piece by piece. Raises starlette's ClientDisconnect when it breaks off."""
        async for chunk in self._http.stream():
            self.body_bytes += len(chunk)
            if chunk:
                yield chunk

    async def read_ahead(self, most: int) -> bytes:
        """The body before it is read for good; nothing of one that is announced as longer than `most` bytes."""
        length = self.header("content-length", "0")
        return await self._http.body() if length.isdigit() and int(length) <= most else b""

    async def body(self, most: int) -> bytes | None:
        """The whole body, or None as soon as it is longer than `most` bytes."""
        parts: list[bytes] = []
        async for chunk in self.chunks():
            parts.append(chunk)
            if self.body_bytes > most:
                return None
        return b"".join(parts)
