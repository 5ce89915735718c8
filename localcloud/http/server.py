"""The server's HTTP protocol: uvicorn's, with connections that the application can abort without a response."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_ABORT = "localcloud.abort"


class HttpProtocol(H11Protocol):
    """uvicorn's h11 protocol; httptools writes header names in lower case only (see response.py)."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, _ABORT: self._abort}, _loop)

    def data_received(self, data: bytes) -> None:
        """Process received bytes, and acknowledge them at once.

        Clients that send head and body separately through a proxy (urllib3 leaves Nagle's algorithm on there) wait for
        the acknowledgement of the head, which Linux delays for 40 ms.
        """
        client_socket: socket.socket | None = self.transport.get_extra_info("socket")
        if client_socket is not None and hasattr(socket, "TCP_QUICKACK"):
            client_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        super().data_received(data)

    def _abort(self) -> None:
        self.transport.abort()


async def abort_connection(scope: Scope) -> None:
    """Close the connection of a request without a response."""
    scope["state"][_ABORT]()
    # uvicorn notices the closed connection before the application returns, and does not report an error.
    await asyncio.sleep(0)
