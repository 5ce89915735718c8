"""Recordings on their way between the browser and COS: an upload, and the sound of a transcript."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from cli.console.answers import ApiError
from cli.console.streams import ObjectStreams
from cli.console.transcripts import Ticket, choose_media_type
from cli.language import _
from shared.errors import AlreadyExists, CloudError, NotFound

_PRECONDITION_FAILED = 412
_PASSED_HEADERS = ("content-length", "content-range", "accept-ranges")


async def receive_upload(
    streams: ObjectStreams, region: str, bucket: str, key: str, request: Request, overwrites: bool
) -> str:
    """Pass the body of a request on as a new object, and return its ETag. Raises ApiError, CloudError.

    Raises ClientDisconnect if the browser goes away before the end; COS keeps nothing then.
    """
    try:
        return await streams.put(
            bucket,
            region,
            key,
            size=int(request.headers["content-length"]),
            pieces=_iter_pieces(request),
            content_type=choose_media_type(key, request.headers.get("content-type", "")),
            create_only=not overwrites,
        )
    except AlreadyExists:
        raise ApiError(409, "exists", _("A recording with this name is there already.")) from None


async def _iter_pieces(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        if piece:
            yield piece


async def pass_sound_on(streams: ObjectStreams, ticket: Ticket, request: Request) -> Response:
    """Send the recording of a ticket, or the range that the browser asks for. Raises ApiError, CloudError."""
    gone = ApiError(404, "no_sound", _("The recording is not there any more, or was replaced."))
    if not ticket.has_sound:
        raise gone
    receipt = ticket.receipt
    headers = {"If-Match": f'"{receipt.etag}"'}
    if "range" in request.headers:
        headers["Range"] = request.headers["range"]
    stack = AsyncExitStack()
    try:
        opened = await stack.enter_async_context(
            streams.get(receipt.bucket, receipt.region, receipt.key, method=request.method, headers=headers)
        )
    except NotFound:
        raise gone from None
    except CloudError as error:
        raise gone if error.status == _PRECONDITION_FAILED else error from None
    return Sound(opened, stack, ticket.media_type)


class Sound(Response):
    """Passes a response of COS on, and closes it in the end."""

    def __init__(self, opened: httpx.Response, stack: AsyncExitStack, media_type: str) -> None:
        super().__init__(None, opened.status_code)
        self._opened = opened
        self._stack = stack
        names = [(name, opened.headers[name]) for name in _PASSED_HEADERS if name in opened.headers]
        # The sandboxed page of a recording has no origin, and loads its sound from here.
        names += [("content-type", media_type), ("cross-origin-resource-policy", "cross-origin")]
        self.raw_headers = [(name.encode(), value.encode("latin-1")) for name, value in names]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on until the end, or until the browser goes away, as it does to hear another part."""
        gone = asyncio.ensure_future(wait_until_gone(receive))
        async with self._stack:
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            try:
                async for piece in self._iter_pieces(scope["method"]):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    if gone.done():
                        return
            except httpx.TransportError:
                return  # the server closes the connection, so that the browser sees that something is missing
            finally:
                gone.cancel()
            await send({"type": "http.response.body", "body": b""})

    async def _iter_pieces(self, method: str) -> AsyncIterator[bytes]:
        if method != "HEAD":
            async for piece in self._opened.aiter_raw():
                yield piece


async def wait_until_gone(receive: Receive) -> None:
    """Return when the browser has closed the connection of a request."""
    while (await receive())["type"] != "http.disconnect":
        pass
