"""Requests with temporary credentials get the faults of the plan; those of the operator never do."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.localcloud.clients import MakeRaw, RawClient
from tests.localcloud.speech_queue import IssuedKey
from tests.localcloud.stand_in import StartCloud, get_start_error

pytestmark = pytest.mark.process

CUT = (httpx.RemoteProtocolError, httpx.ReadError)


class TemporaryClient:
    """Sends COS requests with a temporary credential, as a function does."""

    def __init__(self, raw: RawClient) -> None:
        self.raw, self.cloud = raw, raw.cloud
        self.host = self.cloud.bucket_host(f"b-{self.cloud.appid}")
        raw.send("PUT", self.host)
        self.key: IssuedKey = self.cloud.admin("POST", "keys")

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
        return self.raw.send(
            method,
            self.host,
            path,
            headers={"x-cos-security-token": self.key["token"], **headers},
            body=body,
            secret_id=self.key["secret_id"],
            secret_key=self.key["secret_key"],
        )

    def status(self, method: str, path: str, body: bytes = b"") -> int:
        """The status; 0 for an aborted connection."""
        try:
            return self.send(method, path, body).status_code
        except CUT:
            return 0

    def exists(self, path: str) -> bool:
        """Whether the object exists, as the operator sees it."""
        return self.raw.send("HEAD", self.host, path).status_code == 200


@pytest.fixture
def client(start_cloud: StartCloud, make_raw: MakeRaw) -> TemporaryClient:
    return TemporaryClient(make_raw(start_cloud()))


@pytest.mark.parametrize(
    ("kind", "statuses", "has_effect"),
    [
        ("throttled", {429, 503}, False),
        ("server_error_before", {500, 503}, False),
        ("server_error_after", {500}, True),
        ("cut_before", {0}, False),
        ("cut_after", {0}, True),
        ("slow_answer", {200}, True),
    ],
)
def test_fault_happens_before_or_after_the_effect(
    client: TemporaryClient, kind: str, statuses: set[int], has_effect: bool
) -> None:
    client.cloud.set_faults(rates={kind: 1.0}, delay_ms=[100, 120])
    started_s = time.monotonic()
    actual_statuses = {client.status("PUT", f"/{number}", b"words") for number in range(12)}
    assert actual_statuses == statuses
    assert kind != "slow_answer" or time.monotonic() - started_s > 12 * 0.1
    assert {client.exists(f"/{number}") for number in range(12)} == {has_effect}
    assert client.cloud.injected_faults() == {kind: 12}
    rows = [row for row in client.cloud.admin("GET", "requests") if row["fault"]]
    assert {(row["fault"], row["status"]) for row in rows} == {(kind, status) for status in statuses}
    assert client.cloud.log() == "", "an injected fault is not an error of the stand-in"


def test_injected_errors_have_service_codes(client: TemporaryClient) -> None:
    client.cloud.set_faults(rates={"throttled": 1.0})
    assert "<Code>SlowDown</Code>" in client.send("PUT", "/a", b"x").text
    assert client.send("HEAD", "/a").content == b""
    client.cloud.set_faults(rates={"server_error_after": 1.0})
    assert "<Code>InternalError</Code>" in client.send("PUT", "/a", b"x").text


def test_reads_and_errors_get_faults_too(client: TemporaryClient) -> None:
    client.raw.send("PUT", client.host, "/present", body=b"x" * 300_000)
    client.cloud.set_faults(rates={"cut_after": 1.0})
    assert [client.status("GET", path) for path in ("/present", "/missing")] == [0, 0]
    client.cloud.set_faults(rates={"server_error_after": 1.0})
    assert [client.status("GET", path) for path in ("/present", "/missing")] == [500, 500]


@pytest.mark.parametrize(
    ("kind", "name", "pattern"),
    [
        ("head_without_etag", "etag", ""),
        ("head_weak_etag", "etag", 'W/"[0-9a-f]{32}"'),
        ("head_upper_etag", "etag", '"[0-9A-F]{32}"'),
        ("head_without_last_modified", "last-modified", ""),
    ],
)
def test_head_of_an_object_has_odd_headers(
    client: TemporaryClient, kind: str, name: str, pattern: str
) -> None:
    client.raw.send("PUT", client.host, "/a", body=b"xyz")
    plain = client.send("HEAD", "/a")
    client.cloud.set_faults(rates={kind: 1.0})
    odd = client.send("HEAD", "/a")
    assert re.fullmatch(pattern, odd.headers.get(name, ""))
    assert odd.headers.get(name) != plain.headers[name]
    assert odd.headers.get(name, "").lower().removeprefix("w/") in {"", plain.headers[name]}
    assert odd.headers["content-length"] == "3"
    same = ("GET", client.send("GET", "/a")), ("HEAD", client.raw.send("HEAD", client.host, "/a"))
    assert [(method, other.headers[name]) for method, other in same] == [
        ("GET", plain.headers[name]),
        ("HEAD", plain.headers[name]),
    ]
    assert client.send("HEAD", "/missing").status_code == 404
    assert client.cloud.injected_faults() == {kind: 1}


def test_answer_drips(client: TemporaryClient) -> None:
    client.raw.send("PUT", client.host, "/a", body=b"xyz")
    client.cloud.set_faults(rates={"drip": 1.0})
    started_s = time.monotonic()
    assert client.send("GET", "/a").content == b"xyz"
    assert 1.9 < time.monotonic() - started_s < 10
    assert client.raw.send("GET", client.host, "/a").content == b"xyz"
    assert client.send("PUT", "/b", b"1").status_code == 200
    assert {row["fault"] for row in client.cloud.admin("GET", "requests")} == {"", "drip"}


def test_large_body_can_be_rejected(client: TemporaryClient) -> None:
    client.cloud.set_faults(rates={"server_error_before": 1.0}, until=1)
    assert client.status("PUT", "/large", b"x" * 3_000_000) in (0, 500, 503)
    assert client.status("PUT", "/large", b"x" * 3_000_000) == 200


def test_permanent_credential_gets_no_faults(client: TemporaryClient) -> None:
    kinds: tuple[str, ...] = (
        "throttled",
        "server_error_before",
        "server_error_after",
        "cut_before",
        "cut_after",
        "slow_answer",
    )
    kinds += ("killed_before_request", "killed_after_request", "queue_full", "early_notification")
    client.cloud.set_faults(rates=dict.fromkeys(kinds, 1.0), delay_ms=[5000, 5000])
    for number in range(5):
        assert client.raw.send("PUT", client.host, f"/{number}", body=b"x").status_code == 200
        assert client.raw.send("GET", client.host, f"/{number}").content == b"x"
    assert client.raw.send("GET", client.host, secret_key="wrong").status_code == 403
    assert client.cloud.injected_faults() == {}


def test_rate_zero_or_empty_plan_injects_nothing(client: TemporaryClient) -> None:
    client.cloud.set_faults(rates={"throttled": 0.0, "cut_after": 0.0})
    assert {client.status("PUT", "/a", b"x") for _ in range(5)} == {200}
    assert client.cloud.admin("PUT", "faults", {}) == {"plan": {}, "struck": {}}
    assert {client.status("PUT", "/a", b"x") for _ in range(5)} == {200}


def test_same_seed_affects_the_same_requests(start_cloud: StartCloud, make_raw: MakeRaw) -> None:
    plan = '{"seed": %d, "rates": {"throttled": 0.3, "cut_after": 0.2}}'
    keys = [f"/{number}" for number in range(30)]
    results = []
    for name, seed, order in (("a", 1, keys), ("b", 1, keys[::-1]), ("c", 2, keys)):
        cloud = start_cloud("--faults", plan % seed, folder=name)
        client = TemporaryClient(make_raw(cloud))
        statuses_by_key = {key: client.status("PUT", key, b"x") for key in order}
        assert sum(client.cloud.injected_faults().values()) == sum(
            status != 200 for status in statuses_by_key.values()
        )
        results.append({key: status for key, status in statuses_by_key.items() if status != 200})
    assert results[0] == results[1]
    assert results[0] != results[2]
    assert 5 < len(results[0]) < 25


def test_skewed_clock_affects_dates_and_signatures(client: TemporaryClient) -> None:
    client.cloud.set_faults(clock_skew_s=300)
    client.raw.send("PUT", client.host, "/a", body=b"x")
    response = client.raw.send("GET", client.host, "/a")
    for name in ("date", "last-modified"):
        ahead_s = parsedate_to_datetime(response.headers[name]).timestamp() - time.time()
        assert 290 < ahead_s < 301, name
    now = int(time.time())
    for window, status in (((now, now + 200), 403), ((now, now + 400), 200), ((now + 250, now + 700), 200)):
        assert client.raw.send("GET", client.host, "/a", window=window).status_code == status
    assert client.send("GET", "/a").status_code == 200
    client.cloud.set_faults()
    assert client.raw.send("GET", client.host, "/a", window=(now + 250, now + 700)).status_code == 403


def test_create_only_write_may_miss_a_new_object(client: TemporaryClient) -> None:
    headers = {"x-cos-forbid-overwrite": "true"}

    def race(path: str) -> list[int]:
        return [client.send("PUT", path, b"x", **headers).status_code for _ in range(2)]

    assert race("/calm") == [200, 409]
    client.cloud.set_faults(rates={"racy_create_only": 1.0})
    # Two requests one after the other take a few milliseconds; a busy machine may need several tries.
    deadline, number = time.monotonic() + 20, 0
    while race(f"/{number}") != [200, 200]:
        number += 1
        assert time.monotonic() < deadline
    assert client.cloud.injected_faults() == {"racy_create_only": 1}
    time.sleep(0.06)  # the race is over after 50 ms
    assert client.send("PUT", "/0", b"x", **headers).status_code == 409


def test_invalid_plan_is_rejected_with_all_errors(client: TemporaryClient, tmp_path: Path) -> None:
    client.cloud.set_faults(rates={"throttled": 1.0})
    wrong = {"rates": {"thrott": 1, "cut_after": 7}, "sed": 1}
    response = client.cloud.send_admin("PUT", "faults", json=wrong)
    assert response.status_code == 400
    assert all(word in response.json()["error"] for word in ("rates.thrott", "rates.cut_after", "sed:"))
    assert client.cloud.send_admin("PUT", "faults", content=b"{").status_code == 400
    assert client.cloud.admin("GET", "faults")["plan"]["rates"] == {"throttled": 1.0}
    assert (
        "localcloud cannot start: the fault plan is not valid: sed: Extra inputs are not permitted"
        in get_start_error(tmp_path, "--faults", '{"sed": 1}')
    )
