from __future__ import annotations

import httpx
import pytest

from shared.tencent.auth import Credentials
from shared.tencent.client import TencentClient
from shared.tencent.clock import ServerClock
from tests.helpers.fake_server import FakeServer, MakeClient


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def make_client(server: FakeServer) -> MakeClient:
    http_client = httpx.Client(transport=httpx.MockTransport(server))

    def make(token: str = "", endpoint: str = "") -> TencentClient:
        return TencentClient(
            Credentials("AKIDEXAMPLE", "example-key", token),
            endpoint=endpoint,
            remaining_s=lambda: server.remaining_s,
            http_client=lambda: http_client,
            machine_now=lambda: 1_700_000_000.0,
            clock=ServerClock(),
            sleep=server.pauses.append,
            random=lambda: 0.5,
        )

    return make


@pytest.fixture
def client(make_client: MakeClient) -> TencentClient:
    return make_client()
