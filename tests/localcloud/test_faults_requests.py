"""Requests signed with temporary keys suffer what the plan says; the operator's own never do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
CUT = (httpx.RemoteProtocolError, httpx.ReadError)


class Visitor:
    """Asks COS with a temporary key, as a function does."""

    def __init__(self, cloud: Any, raw: Any) -> None:
        self.cloud, self.raw = cloud, raw
        self.host = cloud.bucket_host(f"b-{cloud.appid}")
        raw.send("PUT", self.host)
        self.key = cloud.admin("POST", "keys")

    def plan(self, rates: dict[str, float], **members: Any) -> None:
        self.cloud.admin("PUT", "faults", {"rates": rates, **members})

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
        answer: httpx.Response = self.raw.send(
            method,
            self.host,
            path,
            headers={"x-cos-security-token": self.key["token"], **headers},
            body=body,
            secret_id=self.key["secret_id"],
            secret_key=self.key["secret_key"],
        )
        return answer

    def status(self, method: str, path: str, body: bytes = b"") -> int:
        """0 for a connection that was cut."""
        try:
            return self.ask(method, path, body).status_code
        except CUT:
            return 0

    def exists(self, path: str) -> bool:
        """As the operator sees it."""
        return bool(self.raw.send("HEAD", self.host, path).status_code == 200)

    def struck(self) -> dict[str, int]:
        return dict(self.cloud.admin("GET", "faults")["struck"])


@pytest.fixture
def visitor(start_cloud: Callable[..., Any], raw_of: Callable[..., Any]) -> Visitor:
    cloud = start_cloud()
    return Visitor(cloud, raw_of(cloud))


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
def test_a_request_is_struck_with_or_without_effect(
    visitor: Visitor, kind: str, statuses: set[int], has_effect: bool
) -> None:
    visitor.plan({kind: 1.0}, delay_ms=[100, 120])
    began = time.monotonic()
    found = {visitor.status("PUT", f"/{number}", b"words") for number in range(12)}
    assert found == statuses
    assert kind != "slow_answer" or time.monotonic() - began > 12 * 0.1
    assert {visitor.exists(f"/{number}") for number in range(12)} == {has_effect}
    assert visitor.struck() == {kind: 12}
    rows = [row for row in visitor.cloud.admin("GET", "requests") if row["fault"]]
    assert {(row["fault"], row["status"]) for row in rows} == {(kind, status) for status in statuses}
    assert visitor.cloud.log() == "", "a fault that was asked for is no error of the stand-in"


def test_errors_carry_the_codes_of_the_service(visitor: Visitor) -> None:
    visitor.plan({"throttled": 1.0})
    assert "<Code>SlowDown</Code>" in visitor.ask("PUT", "/a", b"x").text
    assert visitor.ask("HEAD", "/a").content == b""
    visitor.plan({"server_error_after": 1.0})
    assert "<Code>InternalError</Code>" in visitor.ask("PUT", "/a", b"x").text


def test_reads_and_refusals_are_struck_too(visitor: Visitor) -> None:
    visitor.raw.send("PUT", visitor.host, "/there", body=b"x" * 300_000)
    visitor.plan({"cut_after": 1.0})
    assert [visitor.status("GET", path) for path in ("/there", "/missing")] == [0, 0]
    visitor.plan({"server_error_after": 1.0})
    assert [visitor.status("GET", path) for path in ("/there", "/missing")] == [500, 500]


def test_a_large_body_is_refused_without_breaking_the_cloud(visitor: Visitor) -> None:
    visitor.plan({"server_error_before": 1.0}, until=1)
    assert visitor.status("PUT", "/large", b"x" * 3_000_000) in (0, 500, 503)
    assert visitor.status("PUT", "/large", b"x" * 3_000_000) == 200


def test_the_operators_own_key_is_never_struck(visitor: Visitor) -> None:
    kinds: tuple[str, ...] = (
        "throttled",
        "server_error_before",
        "server_error_after",
        "cut_before",
        "cut_after",
        "slow_answer",
    )
    kinds += ("killed_before_request", "killed_after_request", "queue_full", "early_notification")
    visitor.plan(dict.fromkeys(kinds, 1.0), delay_ms=[5000, 5000])
    for number in range(5):
        assert visitor.raw.send("PUT", visitor.host, f"/{number}", body=b"x").status_code == 200
        assert visitor.raw.send("GET", visitor.host, f"/{number}").content == b"x"
    assert visitor.raw.send("GET", visitor.host, secret_key="wrong").status_code == 403
    assert visitor.struck() == {}


def test_nothing_is_struck_at_rate_zero_or_without_a_plan(visitor: Visitor) -> None:
    visitor.plan({"throttled": 0.0, "cut_after": 0.0})
    assert {visitor.status("PUT", "/a", b"x") for _ in range(5)} == {200}
    assert visitor.cloud.admin("PUT", "faults", {}) == {"plan": {}, "struck": {}}
    assert {visitor.status("PUT", "/a", b"x") for _ in range(5)} == {200}


def test_the_same_seed_strikes_the_same_requests_in_another_cloud_and_order(
    start_cloud: Callable[..., Any], raw_of: Callable[..., Any]
) -> None:
    plan = '{"seed": %d, "rates": {"throttled": 0.3, "cut_after": 0.2}}'
    keys = [f"/{number}" for number in range(30)]
    seen = []
    for name, seed, order in (("a", 1, keys), ("b", 1, keys[::-1]), ("c", 2, keys)):
        cloud = start_cloud("--faults", plan % seed, folder=name)
        visitor = Visitor(cloud, raw_of(cloud))
        found = {key: visitor.status("PUT", key, b"x") for key in order}
        assert sum(visitor.struck().values()) == sum(status != 200 for status in found.values())
        seen.append({key: status for key, status in found.items() if status != 200})
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]
    assert 5 < len(seen[0]) < 25


def test_a_clock_that_runs_ahead_shows_in_dates_and_in_signatures(visitor: Visitor) -> None:
    visitor.cloud.admin("PUT", "faults", {"clock_skew_s": 300})
    visitor.raw.send("PUT", visitor.host, "/a", body=b"x")
    answer = visitor.raw.send("GET", visitor.host, "/a")
    for name in ("date", "last-modified"):
        ahead_s = parsedate_to_datetime(answer.headers[name]).timestamp() - time.time()
        assert 290 < ahead_s < 301, name
    now = int(time.time())
    for window, status in (((now, now + 200), 403), ((now, now + 400), 200), ((now + 1000, now + 1400), 200)):
        assert visitor.raw.send("GET", visitor.host, "/a", window=window).status_code == status
    assert visitor.ask("GET", "/a").status_code == 200
    visitor.cloud.admin("PUT", "faults", {})
    assert visitor.raw.send("GET", visitor.host, "/a", window=(now + 1000, now + 1400)).status_code == 403


def test_a_create_only_write_may_overlook_an_object_that_is_quite_new(visitor: Visitor) -> None:
    headers = {"x-cos-forbid-overwrite": "true"}

    def race(path: str) -> list[int]:
        return [visitor.ask("PUT", path, b"x", **headers).status_code for _ in range(2)]

    assert race("/calm") == [200, 409]
    visitor.plan({"racy_create_only": 1.0})
    # Two requests one after the other take a few milliseconds; a busy machine may need several tries.
    deadline, number = time.monotonic() + 20, 0
    while race(f"/{number}") != [200, 200]:
        number += 1
        assert time.monotonic() < deadline
    assert visitor.struck() == {"racy_create_only": 1}
    time.sleep(0.06)  # the race is over after 50 ms
    assert visitor.ask("PUT", "/0", b"x", **headers).status_code == 409


def test_a_plan_with_mistakes_is_refused_with_all_of_them(visitor: Visitor, tmp_path: Path) -> None:
    visitor.plan({"throttled": 1.0})
    wrong = {"rates": {"thrott": 1, "cut_after": 7}, "sed": 1}
    answer = httpx.put(f"{visitor.cloud.endpoint}/-/faults", json=wrong, trust_env=False)
    assert answer.status_code == 400
    assert all(word in answer.json()["error"] for word in ("rates.thrott", "rates.cut_after", "sed:"))
    assert httpx.put(f"{visitor.cloud.endpoint}/-/faults", content=b"{", trust_env=False).status_code == 400
    assert visitor.cloud.admin("GET", "faults")["plan"]["rates"] == {"throttled": 1.0}
    words = [sys.executable, "-m", "localcloud", "--data", str(tmp_path), "--faults", '{"sed": 1}']
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "localcloud cannot start: the plan of faults is wrong: the plan has no member 'sed'" in done.stderr
