"""A server in the place of COS and CI, behind httpx.MockTransport: a test chooses each reply and sees each request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import httpx

from shared.tencent.client import TencentClient


@dataclass
class FakeServer:
    """Gives the replies in turn, the last one forever; keeps every request, and every pause of the client.

    A reply that is an exception is raised. `remaining_s` is what is left of the function's time limit.
    """

    replies: list[httpx.Response | Exception] = field(default_factory=lambda: [httpx.Response(200)])
    requests: list[httpx.Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    remaining_s: float = 60.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    @property
    def last_request(self) -> httpx.Request:
        return self.requests[-1]

    @property
    def last_target(self) -> str:
        """Path and query of the last request, as they were sent."""
        target: bytes = self.last_request.extensions["target"]
        return target.decode()


class MakeClient(Protocol):
    """Creates a client of the server."""

    def __call__(self, token: str = "", endpoint: str = "") -> TencentClient: ...
