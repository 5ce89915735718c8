"""In place of the connections: a function answers, in values of httpx, which are handy to write and to look into."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from shared.tencent.connections import Answer, Connections, Outgoing


class FarConnections(Connections):
    """Opens no connection. What the function raises, the wire sees; real ones raise NotSent or NoAnswer."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        super().__init__()
        self._answer = answer

    def exchange(self, request: Outgoing) -> Answer:
        told = httpx.Request(
            request.method,
            request.origin + request.target,
            headers=request.headers,
            content=request.body,
            extensions={"outgoing": request},
        )
        reply = self._answer(told)
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return Answer(reply.status_code, headers, reply.read())
