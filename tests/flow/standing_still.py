"""A function's work, done here, that stands still before a request while something else happens in the same cloud."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import httpx

from cli.local import SETTINGS
from shared.logger import Logger
from shared.recordings.context import Context, build_context
from shared.settings import load_settings
from shared.tencent.client import TencentClient
from shared.tencent.transport import Transport, create_http_client


class _Watched(Transport):
    """The real transport. Before each of the first `times` requests of this kind, `meanwhile` runs."""

    def __init__(self, method: str, part: str, meanwhile: Callable[[], object], times: int) -> None:
        super().__init__()
        self._waited_for = (method, part)
        self._meanwhile = meanwhile
        self._left = times

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        method, part = self._waited_for
        if self._left and request.method == method and part in get_target(request):
            self._left -= 1
            self._meanwhile()
        return super().handle_request(request)


def get_target(request: httpx.Request) -> str:
    """Return the decoded path and query."""
    return unquote(request.extensions["target"].decode())


class Desks:
    """Desks in the flow's cloud, which never pause between tries."""

    def __init__(self, flow: Any) -> None:
        self._wire: TencentClient = flow.pipeline.operator.cos.client
        self._stack = ExitStack()

    def close(self) -> None:
        """Ends all connections."""
        self._stack.close()

    def plain(self, transport: Transport | None = None, **settings: Any) -> Context:
        """A desk on this transport, or its own; `settings` go over the pipeline's."""
        client = create_http_client(transport or Transport())
        self._stack.callback(client.close)
        wire = TencentClient(
            self._wire.credentials, self._wire.endpoint, http_client=lambda: client, sleep=lambda _: None
        )
        return build_context(wire, replace(load_settings(SETTINGS), **settings), Logger({}))

    def standing_still(
        self, method: str, part: str, meanwhile: Callable[[], object], *, times: int = 1, **settings: Any
    ) -> Context:
        """A desk where `meanwhile` runs before a request. `part` is looked for in its decoded path and query."""
        return self.plain(_Watched(method, part, meanwhile, times), **settings)
