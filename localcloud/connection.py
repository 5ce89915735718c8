"""One connection: what the server does, with three changes.

The application can break it off without an answer; what is written in one go leaves in one piece; what arrives is
acknowledged at once.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_HANG_UP = "localcloud.hang_up"


class _Gathering(asyncio.Transport):
    """A transport that sends the head and the body of a small answer together: one packet, one wake-up."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes | bytearray | memoryview] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not data:
            return
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        for data in list_of_data:
            self.write(data)

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces:
            self._transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._pieces.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)


class Connection(H11Protocol):
    """h11, because httptools writes header names in lower case only; see leaving.py."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, _HANG_UP: self._hang_up}, _loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the server types it
        """Begin."""
        super().connection_made(_Gathering(transport))

    def data_received(self, data: bytes) -> None:
        """Take in a piece.

        Clients that send head and body apart and reach this cloud as a proxy (urllib3 then leaves Nagle's algorithm on)
        wait for the acknowledgement of the head, which Linux would hold back for 40 ms.
        """
        connected: socket.socket | None = self.transport.get_extra_info("socket")
        if connected is not None and hasattr(socket, "TCP_QUICKACK"):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        super().data_received(data)

    def _hang_up(self) -> None:
        self.transport.abort()


async def hang_up(scope: Scope) -> None:
    """Break off the connection that a request came by."""
    scope["state"][_HANG_UP]()
    await asyncio.sleep(0)  # the server notices before the application returns, and does not call it an error
