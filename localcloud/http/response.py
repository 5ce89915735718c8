"""Responses that COS and CI share: XML documents, ranges of files, and the services' own headers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import BinaryIO

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from localcloud.http.request import Request
from localcloud.xml import Node, serialize

# Exactly this: the Python SDK parses some responses only when no charset follows the type.
XML_TYPE = "application/xml"
_CHUNK_BYTES = 256 * 1024
_DRIP_INTERVAL_S = 1.0
# The Python SDK returns headers as a plain dict, so its callers (and the SDK itself) depend on these spellings.
_HEADER_SPELLINGS = {
    name.lower().encode(): name.encode()
    for name in (
        "Accept-Ranges",
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Length",
        "Content-Range",
        "Content-Type",
        "Date",
        "ETag",
        "Expires",
        "Last-Modified",
        "Server",
    )
}


def xml_response(root: Node, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Build a response with an XML document as its body."""
    return Response(serialize(root), status, headers, XML_TYPE)


class FileRangeResponse(Response):
    """Sends part of an open file in chunks and closes the file afterwards, also after an error."""

    def __init__(
        self, file: BinaryIO, start: int, length: int, status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(None, status, {**headers, "content-length": str(length)})
        self._file = file
        self._start = start
        self._remaining_bytes = length

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response."""
        with self._file as file:
            file.seek(self._start)
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            while chunk := file.read(min(_CHUNK_BYTES, self._remaining_bytes)):
                self._remaining_bytes -= len(chunk)
                has_more = self._remaining_bytes > 0
                await send({"type": "http.response.body", "body": chunk, "more_body": has_more})
                if not has_more:
                    return
                # Let other requests run, and let the server notice that the client has disconnected.
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def close(self) -> None:
        """Close the file of a response that is not sent."""
        self._file.close()


class DrippingResponse(Response):
    """Sends another response with a second between any two bytes of its body, until the client disconnects."""

    def __init__(self, response: Response) -> None:
        super().__init__(None, response.status_code)
        self.raw_headers = response.raw_headers
        self.response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        self.response.raw_headers = self.raw_headers
        disconnect = asyncio.create_task(_wait_for_disconnect(receive))

        async def drip(message: Message) -> None:
            body = message.get("body", b"")
            for number in range(len(body) - 1):
                await send({**message, "body": body[number : number + 1], "more_body": True})
                await asyncio.wait([disconnect], timeout=_DRIP_INTERVAL_S)
                if disconnect.done():
                    raise ClientDisconnect
            await send({**message, "body": body[-1:]} if body else message)

        try:
            await self.response(scope, receive, drip)
        except ClientDisconnect:
            pass
        finally:
            disconnect.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def close_response(response: Response) -> None:
    """Release a response that will not be sent."""
    if isinstance(response, DrippingResponse):
        close_response(response.response)
    if isinstance(response, FileRangeResponse):
        response.close()


@lru_cache(maxsize=8)
def _format_date(now_s: int) -> bytes:
    return formatdate(now_s, usegmt=True).encode()


def add_service_headers(request: Request, response: Response, now_s: float) -> None:
    """Add the service's own headers (seeds: Date, Server, x-ci-request-id), and spell all names as it does."""
    service_headers = {b"date": _format_date(int(now_s))}
    if request.target.is_ci:
        service_headers |= {b"server": b"tencent-ci", b"x-ci-request-id": request.request_id.encode()}
    elif request.target.is_cos:
        service_headers |= {b"server": b"tencent-cos", b"x-cos-request-id": request.request_id.encode()}
    others = [pair for pair in response.raw_headers if pair[0] not in service_headers]
    response.raw_headers = [
        (_HEADER_SPELLINGS.get(name, name), value) for name, value in (*others, *service_headers.items())
    ]
