"""Events are lost, late and doubled, and instances are killed at exact requests; the platform tries again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.process

# Five signed writes one after the other, each tried once; no library is at hand.
WRITER = """
import hashlib, hmac, http.client, os, time
from urllib.parse import quote


def put(host, path, body):
    headers = {"host": host, "x-cos-security-token": os.environ["TENCENTCLOUD_SESSIONTOKEN"]}
    times = f"{int(time.time()) - 60};{int(time.time()) + 600}"
    line = "&".join(f"{name}={quote(value, safe='-_~.')}" for name, value in sorted(headers.items()))
    text = hashlib.sha1(f"put\\n{path}\\n\\n{line}\\n".encode()).hexdigest()
    key = hmac.new(os.environ["TENCENTCLOUD_SECRETKEY"].encode(), times.encode(), "sha1").hexdigest()
    sign = hmac.new(key.encode(), f"sha1\\n{times}\\n{text}\\n".encode(), "sha1").hexdigest()
    headers["authorization"] = (
        f"q-sign-algorithm=sha1&q-ak={os.environ['TENCENTCLOUD_SECRETID']}&q-sign-time={times}&q-key-time={times}"
        f"&q-header-list={';'.join(sorted(headers))}&q-url-param-list=&q-signature={sign}"
    )
    connection = http.client.HTTPConnection(os.environ["CLOUD_ENDPOINT"].removeprefix("http://"), timeout=10)
    connection.request("PUT", quote(path), body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def main_handler(event, context):
    key = event["Records"][0]["cos"]["cosObject"]["key"].rpartition("/")[2]
    host = f"audio-{os.environ['TENCENTCLOUD_APPID']}.cos.{os.environ['TENCENTCLOUD_REGION']}.myqcloud.com"
    return [put(host, f"/out/{key}-{number}", b"x") for number in range(1, 6)]
"""


class House:
    """Two functions that write five objects each: one for every upload below in/, one that is called by hand."""

    def __init__(self, cloud: Any, raw: Any) -> None:
        self.cloud, self.raw = cloud, raw
        self.host = cloud.bucket_host(f"audio-{cloud.appid}")
        raw.send("PUT", self.host)

    def plan(self, **members: Any) -> None:
        self.cloud.admin("PUT", "faults", members)

    def upload(self, *names: str) -> list[dict[str, Any]]:
        """Upload, wait until all is quiet, and give the invocations of these uploads."""
        before = max((row["number"] for row in self.cloud.admin("GET", "invocations")), default=0)
        for name in names:
            assert self.raw.send("PUT", self.host, f"/in/{name}", body=b"speech").status_code == 200
        assert self.cloud.admin("GET", "idle?timeout=20") is True
        return list(self.cloud.admin("GET", f"invocations?since={before}"))

    def written(self, name: str) -> list[int]:
        listing = self.raw.send("GET", self.host, query={"prefix": f"out/{name}-"}).text
        return [int(part.partition("<")[0]) for part in listing.split(f"<Key>out/{name}-")[1:]]

    def call_by_hand(self, name: str) -> dict[str, Any]:
        event = {"Records": [{"cos": {"cosObject": {"key": f"/by/hand/{name}"}}}]}
        url = f"{self.cloud.endpoint}/-/functions/other/invoke"
        return dict(httpx.post(url, json=event, trust_env=False, timeout=20).json())

    def struck(self) -> dict[str, int]:
        return dict(self.cloud.admin("GET", "faults")["struck"])


@pytest.fixture
def open_house(
    tmp_path: Path, start_cloud: Callable[..., Any], raw_of: Callable[..., Any]
) -> Callable[..., House]:
    def open_it(*options: str, folder: str = "data") -> House:
        place = tmp_path / "functions"
        place.mkdir(exist_ok=True)
        for name in ("upload", "other"):
            (place / f"{name}.py").write_text(WRITER)
        host = "audio-1250000000.cos.ap-guangzhou.myqcloud.com"
        on = {"bucket": host, "events": "cos:ObjectCreated:*", "filter": {"prefix": "in/"}, "enable": True}
        inputs = {
            "region": "ap-guangzhou",
            "runtime": "Python3.10",
            "role": "scribe",
            "functions": {name: {"handler": f"{name}.main_handler"} for name in ("upload", "other")},
            "triggers": [{"type": "cos", "function": "upload", "parameters": on}],
        }
        document = {"app": "t", "stage": "t", "component": "multi-scf", "name": "t", "inputs": inputs}
        (place / "serverless.yml").write_text(json.dumps(document))
        cloud = start_cloud("--functions", str(place), *options, folder=folder)
        return House(cloud, raw_of(cloud))

    return open_it


@pytest.fixture
def house(open_house: Callable[..., House]) -> House:
    return open_house()


def outcomes(invocations: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["outcome"], row["attempt"]) for row in invocations]


@pytest.mark.parametrize(("when", "written"), [("before", [1, 2]), ("after", [1, 2, 3])])
def test_an_instance_is_killed_at_exactly_that_request(house: House, when: str, written: list[int]) -> None:
    house.plan(kill={"function": "upload", "request": 3, "when": when})
    first, second = house.upload("a.mp3")
    assert outcomes([first, second]) == [("crash", 1), ("ok", 2)]
    assert "signal 9" in first["error"]
    assert [line.rpartition("-> ")[2] for line in first["requests"]] == ["200", "200", "0"]
    assert second["result"] == [200] * 5
    assert house.struck() == {f"killed_{when}_request": 1}
    assert house.written("a.mp3") == [1, 2, 3, 4, 5]
    house.plan(kill={"function": "upload", "request": 3, "when": when, "times": 9})
    assert outcomes(house.upload("b.mp3")) == [("crash", 1), ("crash", 2), ("crash", 3)]
    assert house.written("b.mp3") == written
    assert house.cloud.admin("GET", "invocations")[-1]["dropped"] is True


def test_an_exact_kill_strikes_so_often_and_that_function_only(house: House) -> None:
    house.plan(kill={"function": "upload", "request": 1, "times": 2})
    assert house.call_by_hand("x")["result"] == [200] * 5
    assert outcomes(house.upload("a.mp3")) == [("crash", 1), ("crash", 2), ("ok", 3)]
    assert outcomes(house.upload("b.mp3")) == [("ok", 1)]
    house.plan(kill={"function": "upload", "request": 6})
    assert outcomes(house.upload("c.mp3")) == [("ok", 1)]
    assert house.struck() == {}


@pytest.mark.parametrize(("when", "written"), [("before", []), ("after", [1])])
def test_instances_are_killed_by_rate_too(house: House, when: str, written: list[int]) -> None:
    house.plan(rates={f"killed_{when}_request": 1.0})
    assert outcomes(house.upload("a.mp3")) == [("crash", 1), ("crash", 2), ("crash", 3)]
    assert house.written("a.mp3") == written
    assert house.struck() == {f"killed_{when}_request": 3}
    house.plan(rates={f"killed_{when}_request": 0.0})
    assert outcomes(house.upload("b.mp3")) == [("ok", 1)]


def test_requests_of_functions_are_struck(house: House) -> None:
    house.plan(rates={"throttled": 1.0})
    (row,) = house.upload("a.mp3")
    assert set(row["result"]) <= {429, 503}
    assert (len(row["result"]), house.written("a.mp3"), house.struck()) == (5, [], {"throttled": 5})


def test_a_lost_event_calls_nobody(house: House) -> None:
    house.plan(rates={"lost_event": 1.0})
    assert house.upload("a.mp3") == []
    assert house.struck() == {"lost_event": 1}, "what no trigger waits for is no opportunity"


def test_a_doubled_event_is_two_events(house: House) -> None:
    house.plan(rates={"duplicate_event": 1.0}, delay_ms=[10, 20])
    first, second = house.upload("a.mp3")
    assert outcomes([first, second]) == [("ok", 1), ("ok", 1)]
    assert first["request_id"] != second["request_id"]


def test_a_late_event_is_overtaken_and_keeps_the_cloud_busy(house: House) -> None:
    house.plan(rates={"late_event": 1.0}, delay_ms=[1500, 1500], until=1)
    house.raw.send("PUT", house.host, "/in/late", body=b"speech")
    assert house.cloud.admin("GET", "idle?timeout=0.1") is False
    rows = house.upload("punctual")
    assert ["late" in row["requests"][0] for row in rows] == [False, True]


def test_an_event_that_is_held_back_does_not_keep_the_cloud_from_stopping(house: House) -> None:
    house.plan(rates={"late_event": 1.0}, delay_ms=[60_000, 60_000])
    house.raw.send("PUT", house.host, "/in/late", body=b"speech")
    assert house.cloud.stop() == 0
    assert house.cloud.log() == ""


def test_the_same_seed_strikes_the_same_uploads(open_house: Callable[..., House]) -> None:
    rates = {"lost_event": 0.3, "killed_before_request": 0.1, "cut_after": 0.1, "throttled": 0.1}
    names = [f"{number}.mp3" for number in range(10)]
    seen = []
    for folder, order in (("a", names), ("b", names[::-1])):
        house = open_house("--faults", json.dumps({"seed": 2, "rates": rates}), folder=folder)
        # Ids differ from run to run, and the order: what each request met does not.
        rows = [line for row in house.upload(*order) for line in row["requests"]]
        seen.append((sorted(rows), house.struck()))
    assert seen[0] == seen[1]
    assert len(seen[0][1]) >= 3


def test_more_events_than_instances_wait(open_house: Callable[..., House]) -> None:
    house = open_house("--max-instances", "1")
    rows = house.upload(*(f"{number}.mp3" for number in range(5)))
    assert outcomes(rows) == [("ok", 1)] * 5
    assert [row["cold"] for row in rows] == [True] + [False] * 4
