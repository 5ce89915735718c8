"""A client over httpx.MockTransport: tests see each request and choose each response."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient

Reply = httpx.Response | Exception


@dataclass
class FarEnd:
    """Returns the replies in turn, the last one forever; keeps every request and every pause."""

    replies: list[Reply] = field(default_factory=lambda: [httpx.Response(200)])
    requests: list[httpx.Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    seconds_left: float = 60.0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]

    def target(self) -> str:
        target: bytes = self.last.extensions["target"]
        return target.decode()


@pytest.fixture
def far_end() -> FarEnd:
    return FarEnd()


@pytest.fixture
def make_wire(far_end: FarEnd) -> Callable[..., TencentClient]:
    client = httpx.Client(transport=httpx.MockTransport(far_end))

    def make(token: str = "", endpoint: str = "") -> TencentClient:
        return TencentClient(
            Credentials("AKIDEXAMPLE", "example-key", token),
            endpoint=endpoint,
            remaining_s=lambda: far_end.seconds_left,
            http_client=lambda: client,
            now=lambda: 1_700_000_000.0,
            sleep=far_end.pauses.append,
            random=lambda: 0.5,
        )

    return make


@pytest.fixture
def wire(make_wire: Callable[..., TencentClient]) -> TencentClient:
    return make_wire()
