"""Contexts in the test's own process, which can pause before a request while something else happens in the cloud."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import httpx

from cli.local.emulator import SETTINGS
from shared.logger import Logger
from shared.recordings.context import Context, build_context
from shared.settings import load_settings
from shared.tencent.client import TencentClient
from shared.tencent.transport import Transport, create_http_client
from tests.helpers.flow import Flow


class _PausingTransport(Transport):
    """The real transport. Runs `action` before each of the first `times` matching requests."""

    def __init__(self, method: str, part: str, action: Callable[[], object], times: int) -> None:
        super().__init__()
        self._pattern = (method, part)
        self._action = action
        self._remaining = times

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        method, part = self._pattern
        if self._remaining and request.method == method and part in get_target(request):
            self._remaining -= 1
            self._action()
        return super().handle_request(request)


def get_target(request: httpx.Request) -> str:
    """Return the decoded path and query."""
    return unquote(request.extensions["target"].decode())


class ContextFactory:
    """Creates contexts in the flow's cloud that never wait between retries."""

    def __init__(self, flow: Flow) -> None:
        self._client: TencentClient = flow.pipeline.clients.cos.client
        self._stack = ExitStack()

    def close(self) -> None:
        """Close all connections."""
        self._stack.close()

    def create(self, transport: Transport | None = None, **settings: Any) -> Context:
        """Create a context with its own transport unless one is passed; `settings` override the pipeline's."""
        client = create_http_client(transport or Transport())
        self._stack.callback(client.close)
        tencent_client = TencentClient(
            self._client.credentials, self._client.endpoint, http_client=lambda: client, sleep=lambda _: None
        )
        return build_context(tencent_client, replace(load_settings(SETTINGS), **settings), Logger({}))

    def pausing(
        self, method: str, part: str, action: Callable[[], object], *, times: int = 1, **settings: Any
    ) -> Context:
        """Create a context that runs `action` before a request whose decoded path and query contain `part`."""
        return self.create(_PausingTransport(method, part, action, times), **settings)
