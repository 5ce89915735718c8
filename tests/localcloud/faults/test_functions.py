"""Events are lost, late and duplicated, and instances are killed at exact requests; the platform retries."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.process

# Five signed writes one after the other, each tried once, without a library.
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


class WriterFunctions:
    """Two functions that write five objects each: one for every upload below in/, one that tests invoke."""

    def __init__(self, cloud: Any, raw: Any) -> None:
        self.cloud, self.raw = cloud, raw
        self.host = cloud.bucket_host(f"audio-{cloud.appid}")
        raw.send("PUT", self.host)

    def plan(self, **members: Any) -> None:
        self.cloud.admin("PUT", "faults", members)

    def upload(self, *names: str) -> list[dict[str, Any]]:
        """Upload, wait until all is idle, and return the invocations of these uploads."""
        before = max((row["number"] for row in self.cloud.admin("GET", "invocations")), default=0)
        for name in names:
            assert self.raw.send("PUT", self.host, f"/in/{name}", body=b"speech").status_code == 200
        assert self.cloud.admin("GET", "idle?timeout=20") is True
        return list(self.cloud.admin("GET", f"invocations?since={before}"))

    def written(self, name: str) -> list[int]:
        listing = self.raw.send("GET", self.host, query={"prefix": f"out/{name}-"}).text
        return [int(part.partition("<")[0]) for part in listing.split(f"<Key>out/{name}-")[1:]]

    def invoke_other(self, name: str) -> dict[str, Any]:
        event = {"Records": [{"cos": {"cosObject": {"key": f"/bucket/in/{name}"}}}]}
        url = f"{self.cloud.endpoint}/-/functions/other/invoke"
        return dict(httpx.post(url, json=event, trust_env=False, timeout=20).json())

    def injected(self) -> dict[str, int]:
        return dict(self.cloud.admin("GET", "faults")["struck"])


@pytest.fixture
def start_writers(
    tmp_path: Path, start_cloud: Callable[..., Any], make_raw: Callable[..., Any]
) -> Callable[..., WriterFunctions]:
    def start(*options: str, folder: str = "data") -> WriterFunctions:
        code_folder = tmp_path / "functions"
        code_folder.mkdir(exist_ok=True)
        for name in ("upload", "other"):
            (code_folder / f"{name}.py").write_text(WRITER)
        host = "audio-1250000000.cos.ap-guangzhou.myqcloud.com"
        parameters = {
            "bucket": host,
            "events": "cos:ObjectCreated:*",
            "filter": {"prefix": "in/"},
            "enable": True,
        }
        inputs = {
            "region": "ap-guangzhou",
            "runtime": "Python3.10",
            "role": "scribe",
            "functions": {name: {"handler": f"{name}.main_handler"} for name in ("upload", "other")},
            "triggers": [{"type": "cos", "function": "upload", "parameters": parameters}],
        }
        document = {"app": "t", "stage": "t", "component": "multi-scf", "name": "t", "inputs": inputs}
        (code_folder / "serverless.yml").write_text(json.dumps(document))
        cloud = start_cloud("--functions", str(code_folder), *options, folder=folder)
        return WriterFunctions(cloud, make_raw(cloud))

    return start


@pytest.fixture
def writers(start_writers: Callable[..., WriterFunctions]) -> WriterFunctions:
    return start_writers()


def outcomes(invocations: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["outcome"], row["attempt"]) for row in invocations]


@pytest.mark.parametrize(("when", "written"), [("before", [1, 2]), ("after", [1, 2, 3])])
def test_instance_is_killed_at_the_request_of_the_rule(
    writers: WriterFunctions, when: str, written: list[int]
) -> None:
    writers.plan(kill={"function": "upload", "request": 3, "when": when})
    first, second = writers.upload("a.mp3")
    assert outcomes([first, second]) == [("crash", 1), ("ok", 2)]
    assert "signal 9" in first["error"]
    assert [line.rpartition("-> ")[2] for line in first["requests"]] == ["200", "200", "0"]
    assert second["result"] == [200] * 5
    assert writers.injected() == {f"killed_{when}_request": 1}
    assert writers.written("a.mp3") == [1, 2, 3, 4, 5]
    writers.plan(kill={"function": "upload", "request": 3, "when": when, "times": 9})
    assert outcomes(writers.upload("b.mp3")) == [("crash", 1), ("crash", 2), ("crash", 3)]
    assert writers.written("b.mp3") == written
    assert writers.cloud.admin("GET", "invocations")[-1]["dropped"] is True


def test_kill_rule_affects_only_its_function_and_times(writers: WriterFunctions) -> None:
    writers.plan(kill={"function": "upload", "request": 1, "times": 2})
    assert writers.invoke_other("x")["result"] == [200] * 5
    assert outcomes(writers.upload("a.mp3")) == [("crash", 1), ("crash", 2), ("ok", 3)]
    assert outcomes(writers.upload("b.mp3")) == [("ok", 1)]
    writers.plan(kill={"function": "upload", "request": 6})
    assert outcomes(writers.upload("c.mp3")) == [("ok", 1)]
    assert writers.injected() == {}


@pytest.mark.parametrize(("when", "written"), [("before", []), ("after", [1])])
def test_instances_are_killed_by_rate(writers: WriterFunctions, when: str, written: list[int]) -> None:
    writers.plan(rates={f"killed_{when}_request": 1.0})
    assert outcomes(writers.upload("a.mp3")) == [("crash", 1), ("crash", 2), ("crash", 3)]
    assert writers.written("a.mp3") == written
    assert writers.injected() == {f"killed_{when}_request": 3}
    writers.plan(rates={f"killed_{when}_request": 0.0})
    assert outcomes(writers.upload("b.mp3")) == [("ok", 1)]


def test_requests_of_functions_get_faults(writers: WriterFunctions) -> None:
    writers.plan(rates={"throttled": 1.0})
    (row,) = writers.upload("a.mp3")
    assert set(row["result"]) <= {429, 503}
    assert (len(row["result"]), writers.written("a.mp3"), writers.injected()) == (5, [], {"throttled": 5})


def test_lost_event_starts_no_function(writers: WriterFunctions) -> None:
    writers.plan(rates={"lost_event": 1.0})
    assert writers.upload("a.mp3") == []
    assert writers.injected() == {"lost_event": 1}, "objects without a matching trigger have no event"


def test_duplicate_event_is_two_events(writers: WriterFunctions) -> None:
    writers.plan(rates={"duplicate_event": 1.0}, delay_ms=[10, 20])
    first, second = writers.upload("a.mp3")
    assert outcomes([first, second]) == [("ok", 1), ("ok", 1)]
    assert first["request_id"] != second["request_id"]


def test_late_event_is_overtaken_and_keeps_the_cloud_busy(writers: WriterFunctions) -> None:
    writers.plan(rates={"late_event": 1.0}, delay_ms=[1500, 1500], until=1)
    writers.raw.send("PUT", writers.host, "/in/late", body=b"speech")
    assert writers.cloud.admin("GET", "idle?timeout=0.1") is False
    rows = writers.upload("punctual")
    assert ["late" in row["requests"][0] for row in rows] == [False, True]


def test_delayed_event_does_not_block_the_stop(writers: WriterFunctions) -> None:
    writers.plan(rates={"late_event": 1.0}, delay_ms=[60_000, 60_000])
    writers.raw.send("PUT", writers.host, "/in/late", body=b"speech")
    assert writers.cloud.stop() == 0
    assert writers.cloud.log() == ""


def test_same_seed_affects_the_same_uploads(start_writers: Callable[..., WriterFunctions]) -> None:
    rates = {"lost_event": 0.3, "killed_before_request": 0.1, "cut_after": 0.1, "throttled": 0.1}
    names = [f"{number}.mp3" for number in range(10)]
    seen = []
    for folder, order in (("a", names), ("b", names[::-1])):
        writers = start_writers("--faults", json.dumps({"seed": 2, "rates": rates}), folder=folder)
        # Ids and order differ from run to run; the faults of each request do not.
        rows = [line for row in writers.upload(*order) for line in row["requests"]]
        seen.append((sorted(rows), writers.injected()))
    assert seen[0] == seen[1]
    assert len(seen[0][1]) >= 3


def test_events_wait_for_a_free_instance(start_writers: Callable[..., WriterFunctions]) -> None:
    writers = start_writers("--max-instances", "1")
    rows = writers.upload(*(f"{number}.mp3" for number in range(5)))
    assert outcomes(rows) == [("ok", 1)] * 5
    assert [row["cold"] for row in rows] == [True] + [False] * 4
