"""`scribe console`: start the server on 127.0.0.1, print its address, open the browser, and end at Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn
from rich.console import Console

from cli.config import CliContext
from cli.console.app import Services, build_app
from cli.console.security import Session
from cli.errors import OperatorError
from cli.language import _
from cli.operate.workspace import open_workspace
from cli.output import CleanText

SHUTDOWN_TIMEOUT_S = 1  # for requests that are being handled


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """The arguments. `port` 0 is any free one."""

    port: int = 0
    can_write: bool = False
    opens_browser: bool = True


class _Server(uvicorn.Server):
    """A server that reports when it listens; `serve` handles the signals."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then call `on_ready`."""
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def run_console(console: Console, context: CliContext, options: ConsoleOptions) -> bool:
    """Serve the console until Ctrl-C or SIGTERM. True. Raises OperatorError, SettingsError."""
    workspace = open_workspace(context)
    with _listen(options.port) as listener:
        session = Session(listener.getsockname()[1])
        services = Services.create(context, workspace, can_write=options.can_write)

        def announce() -> None:
            _print_introduction(console, services, session)
            if options.opens_browser:
                # A browser in a terminal would not return.
                threading.Thread(target=webbrowser.open, args=(session.address,), daemon=True).start()

        asyncio.run(_serve(services, session, listener, announce))
    return True


def end_process() -> None:
    """End this process now, whatever its threads wait for: a request to the cloud may take a minute."""
    os._exit(0)


def _listen(port: int) -> socket.socket:
    """Open the socket. Raises OperatorError for a port that is taken."""
    # asyncio disables Nagle's algorithm only if the protocol is IPPROTO_TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise OperatorError(
            _(
                "port {port} cannot be used ({reason}): choose another one with --port, or none",
                port=port,
                reason=error.strerror,
            )
        ) from None
    return listener


async def _serve(
    services: Services, session: Session, listener: socket.socket, announce: Callable[[], None]
) -> None:
    """Serve until a signal. Streams of events end at once."""
    logger = logging.getLogger("uvicorn")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    server = _Server(
        uvicorn.Config(
            build_app(services, session),
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
        ),
        announce,
    )
    loop = asyncio.get_running_loop()

    def stop(*_arguments: object) -> None:
        server.should_exit = True
        loop.call_soon_threadsafe(services.events.stop)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        await server.serve([listener])
    finally:
        await services.streams.close()


def _print_introduction(console: Console, services: Services, session: Session) -> None:
    console.file.write(CleanText(f"{session.address}\n"))
    hint = services.read_only_hint
    lines = [_("The address works once, in one browser on this machine; then the browser is known.")]
    if not services.can_write:
        lines.append(_("Read only: `{command}` can also upload and retry.", command=hint))
    lines.append(_("Ctrl-C ends it."))
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    console.file.flush()
