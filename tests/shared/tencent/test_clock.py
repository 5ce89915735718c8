"""The clock of COS and CI, as their responses show it."""

from __future__ import annotations

from email.utils import formatdate

import httpx
import pytest

from shared.errors import CloudError
from shared.tencent.auth import Credentials
from shared.tencent.client import Request, TencentClient
from shared.tencent.clock import MAX_CORRECTION_S, PROCESS_CLOCK, ServerClock, parse_http_date
from shared.tencent.speech import SpeechClient
from tests.helpers.fake_cloud import FakeClock
from tests.helpers.fake_server import FakeServer

NOW_S = 1_700_000_000.25
GET = Request("GET", "media-1250000000.cos.ap-chengdu.myqcloud.com", "/k", "media-1250000000/k")


class Machine:
    """A machine whose clock is behind that of the cloud by `behind_s`. Each response takes `response_s`."""

    def __init__(self, behind_s: float, response_s: float = 0.0) -> None:
        self.clock = FakeClock(NOW_S)
        self.behind_s = behind_s
        self.response_s = response_s
        self.dates: list[str] = []
        self.status = 200
        self.headers = {"x-cos-request-id": "r1"}
        self.requests: list[httpx.Request] = []
        http_client = httpx.Client(transport=httpx.MockTransport(self.reply))
        self.client = TencentClient(
            Credentials("AKIDEXAMPLE", "example-key"),
            http_client=lambda: http_client,
            machine_now=self.clock.now,
            clock=ServerClock(),
        )

    def reply(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.clock.advance(self.response_s)
        date = formatdate(int(self.clock.now_s + self.behind_s), usegmt=True)
        self.dates.append(date)
        return httpx.Response(self.status, headers={"Date": date, **self.headers})

    @property
    def error_s(self) -> float:
        """How far the client's time is behind that of the cloud."""
        return self.clock.now_s + self.behind_s - self.client.now()


@pytest.mark.parametrize("behind_s", [-86_000.0, -240.0, -2.5, 2.5, 240.0, 86_000.0])
@pytest.mark.parametrize("response_s", [0.0, 0.8])
def test_clock_that_differs_is_corrected(behind_s: float, response_s: float) -> None:
    machine = Machine(behind_s, response_s)
    machine.client.send(GET)
    assert abs(machine.error_s) <= 1.0 + response_s


@pytest.mark.parametrize("behind_s", [-0.2, 0.0, 0.9])
@pytest.mark.parametrize("response_s", [0.0, 15.0])
def test_clock_that_agrees_is_not_changed(behind_s: float, response_s: float) -> None:
    machine = Machine(behind_s, response_s)
    machine.client.send(GET)
    assert machine.client.now() == machine.clock.now_s


def test_correction_ends_when_the_machine_is_set_right() -> None:
    machine = Machine(240.0)
    machine.client.send(GET)
    machine.clock.advance(machine.behind_s)
    machine.behind_s = 0.0
    machine.clock.advance(1.0)
    machine.client.send(GET)
    assert machine.client.now() == machine.clock.now_s


def test_next_request_is_signed_with_the_corrected_time() -> None:
    machine = Machine(3600.0)
    for _ in range(2):
        machine.client.send(GET)
    starts = [
        int(request.headers["authorization"].split("q-sign-time=")[1].split(";")[0])
        for request in machine.requests
    ]
    assert starts[1] - starts[0] in range(3599, 3602)


def test_first_request_of_a_clock_that_is_ahead_is_valid() -> None:
    """Nothing is known of the cloud's clock before its first response."""
    machine = Machine(-290.0)
    machine.client.send(GET)
    start = int(machine.requests[0].headers["authorization"].split("q-sign-time=")[1].split(";")[0])
    assert start <= NOW_S + machine.behind_s


@pytest.mark.parametrize("status", [403, 404, 500])
def test_error_response_shows_the_time_as_well(status: int) -> None:
    machine = Machine(240.0)
    machine.status = status
    machine.client.sleep = lambda _: None
    with pytest.raises(CloudError):
        machine.client.send(GET)
    assert abs(machine.error_s) <= 1.0


def test_response_of_the_speech_service_shows_the_time_as_well() -> None:
    machine = Machine(240.0)
    machine.headers = {"x-ci-request-id": "r1"}
    with pytest.raises(CloudError):
        SpeechClient(machine.client, "ap-chengdu").list_queues("media-1250000000")
    assert abs(machine.error_s) <= 1.0


def test_time_of_a_gateway_does_not_count() -> None:
    machine = Machine(240.0)
    machine.headers = {}
    machine.client.send(GET)
    assert machine.client.now() == machine.clock.now_s


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 99 Jan 2026 03:04:05 GMT"]
)
def test_unreadable_time_does_not_count(client: TencentClient, server: FakeServer, date: str) -> None:
    server.replies = [httpx.Response(200, headers={"Date": date, "x-cos-request-id": "r1"})]
    client.send(GET)
    assert client.now() == client.machine_now()


def test_time_of_another_day_does_not_count() -> None:
    machine = Machine(MAX_CORRECTION_S + 10)
    machine.client.send(GET)
    assert machine.client.now() == machine.clock.now_s


def test_same_date_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def parse(date: str) -> float:
        parsed.append(date)
        return parse_http_date(date)

    monkeypatch.setattr("shared.tencent.clock.parse_http_date", parse)
    machine = Machine(240.0)
    for _ in range(5):
        machine.client.send(GET)
    assert parsed == [machine.dates[0]]
    machine.clock.advance(1.0)
    machine.client.send(GET)
    assert parsed == [machine.dates[0], machine.dates[-1]]


def test_correction_belongs_to_the_process() -> None:
    clients = [TencentClient(Credentials("AKIDEXAMPLE", "example-key")) for _ in range(2)]
    assert {id(client.clock) for client in clients} == {id(PROCESS_CLOCK)}
