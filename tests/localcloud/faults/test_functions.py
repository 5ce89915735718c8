"""Events are lost, late and duplicated, and instances are killed at exact requests; the platform retries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.localcloud.clients import MakeRaw, RawClient
from tests.localcloud.functions import build_trigger, write_functions
from tests.localcloud.stand_in import StartCloud

pytestmark = pytest.mark.process

# Five signed writes one after the other, each tried once, without a library.
WRITER = """
import os
from signed_requests import send


def main_handler(event, context):
    key = event["Records"][0]["cos"]["cosObject"]["key"].rpartition("/")[2]
    host = f"audio-{os.environ['TENCENTCLOUD_APPID']}.cos.{os.environ['TENCENTCLOUD_REGION']}.myqcloud.com"
    return [send("PUT", host, f"/out/{key}-{number}", b"x") for number in range(1, 6)]
"""


class WriterFunctions:
    """Two functions that write five objects each: one for every upload below in/, one that tests invoke."""

    def __init__(self, raw: RawClient) -> None:
        self.raw, self.cloud = raw, raw.cloud
        self.host = self.cloud.bucket_host(f"audio-{self.cloud.appid}")
        raw.send("PUT", self.host)

    def upload(self, *names: str) -> list[dict[str, Any]]:
        """Upload, wait until all is idle, and return the invocations of these uploads."""
        before = max((row["number"] for row in self.cloud.admin("GET", "invocations")), default=0)
        for name in names:
            assert self.raw.send("PUT", self.host, f"/in/{name}", body=b"speech").status_code == 200
        self.cloud.wait_idle()
        return list(self.cloud.admin("GET", f"invocations?since={before}"))

    def list_written(self, name: str) -> list[int]:
        """The numbers of the objects that the function wrote for this upload."""
        listing = self.raw.send("GET", self.host, query={"prefix": f"out/{name}-"}).text
        return [int(part.partition("<")[0]) for part in listing.split(f"<Key>out/{name}-")[1:]]

    def invoke_other(self, name: str) -> dict[str, Any]:
        event = {"Records": [{"cos": {"cosObject": {"key": f"/bucket/in/{name}"}}}]}
        return dict(self.cloud.send_admin("POST", "functions/other/invoke", json=event).json())


class StartWriters(Protocol):
    """Starts a stand-in cloud with these functions."""

    def __call__(self, *options: str, folder: str = "data") -> WriterFunctions: ...


@pytest.fixture
def start_writers(tmp_path: Path, start_cloud: StartCloud, make_raw: MakeRaw) -> StartWriters:
    def start(*options: str, folder: str = "data") -> WriterFunctions:
        trigger = build_trigger(
            "cos",
            "upload",
            bucket="audio-1250000000.cos.ap-guangzhou.myqcloud.com",
            events="cos:ObjectCreated:*",
            filter={"prefix": "in/"},
            enable=True,
        )
        code_folder = tmp_path / "functions"
        write_functions(code_folder, {"upload": WRITER, "other": WRITER}, [trigger])
        return WriterFunctions(
            make_raw(start_cloud("--functions", str(code_folder), *options, folder=folder))
        )

    return start


@pytest.fixture
def writers(start_writers: StartWriters) -> WriterFunctions:
    return start_writers()


def get_outcomes(invocations: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["outcome"], row["attempt"]) for row in invocations]


@pytest.mark.parametrize(("when", "written"), [("before", [1, 2]), ("after", [1, 2, 3])])
def test_instance_is_killed_at_the_request_of_the_rule(
    writers: WriterFunctions, when: str, written: list[int]
) -> None:
    writers.cloud.set_faults(kill={"function": "upload", "request": 3, "when": when})
    first, second = writers.upload("a.mp3")
    assert get_outcomes([first, second]) == [("crash", 1), ("ok", 2)]
    assert "signal 9" in first["error"]
    assert [line.rpartition("-> ")[2] for line in first["requests"]] == ["200", "200", "0"]
    assert second["result"] == [200] * 5
    assert writers.cloud.injected_faults() == {f"killed_{when}_request": 1}
    assert writers.list_written("a.mp3") == [1, 2, 3, 4, 5]
    writers.cloud.set_faults(kill={"function": "upload", "request": 3, "when": when, "times": 9})
    assert get_outcomes(writers.upload("b.mp3")) == [("crash", 1), ("crash", 2), ("crash", 3)]
    assert writers.list_written("b.mp3") == written
    assert writers.cloud.admin("GET", "invocations")[-1]["dropped"] is True


def test_kill_rule_affects_only_its_function_and_times(writers: WriterFunctions) -> None:
    writers.cloud.set_faults(kill={"function": "upload", "request": 1, "times": 2})
    assert writers.invoke_other("x")["result"] == [200] * 5
    assert get_outcomes(writers.upload("a.mp3")) == [("crash", 1), ("crash", 2), ("ok", 3)]
    assert get_outcomes(writers.upload("b.mp3")) == [("ok", 1)]
    writers.cloud.set_faults(kill={"function": "upload", "request": 6})
    assert get_outcomes(writers.upload("c.mp3")) == [("ok", 1)]
    assert writers.cloud.injected_faults() == {}


@pytest.mark.parametrize(("when", "written"), [("before", []), ("after", [1])])
def test_instances_are_killed_by_rate(writers: WriterFunctions, when: str, written: list[int]) -> None:
    writers.cloud.set_faults(rates={f"killed_{when}_request": 1.0})
    assert get_outcomes(writers.upload("a.mp3")) == [("crash", 1), ("crash", 2), ("crash", 3)]
    assert writers.list_written("a.mp3") == written
    assert writers.cloud.injected_faults() == {f"killed_{when}_request": 3}
    writers.cloud.set_faults(rates={f"killed_{when}_request": 0.0})
    assert get_outcomes(writers.upload("b.mp3")) == [("ok", 1)]


def test_requests_of_functions_get_faults(writers: WriterFunctions) -> None:
    writers.cloud.set_faults(rates={"throttled": 1.0})
    (row,) = writers.upload("a.mp3")
    assert set(row["result"]) <= {429, 503}
    assert (len(row["result"]), writers.list_written("a.mp3"), writers.cloud.injected_faults()) == (
        5,
        [],
        {"throttled": 5},
    )


def test_lost_event_starts_no_function(writers: WriterFunctions) -> None:
    writers.cloud.set_faults(rates={"lost_event": 1.0})
    assert writers.upload("a.mp3") == []
    assert writers.cloud.injected_faults() == {"lost_event": 1}, (
        "objects without a matching trigger have no event"
    )


def test_duplicate_event_is_two_events(writers: WriterFunctions) -> None:
    writers.cloud.set_faults(rates={"duplicate_event": 1.0}, delay_ms=[10, 20])
    first, second = writers.upload("a.mp3")
    assert get_outcomes([first, second]) == [("ok", 1), ("ok", 1)]
    assert first["request_id"] != second["request_id"]


def test_late_event_is_overtaken_and_keeps_the_cloud_busy(writers: WriterFunctions) -> None:
    writers.cloud.set_faults(rates={"late_event": 1.0}, delay_ms=[1500, 1500], until=1)
    writers.raw.send("PUT", writers.host, "/in/late", body=b"speech")
    assert writers.cloud.admin("GET", "idle?timeout=0.1") is False
    rows = writers.upload("punctual")
    assert ["late" in row["requests"][0] for row in rows] == [False, True]


def test_delayed_event_does_not_block_the_stop(writers: WriterFunctions) -> None:
    writers.cloud.set_faults(rates={"late_event": 1.0}, delay_ms=[60_000, 60_000])
    writers.raw.send("PUT", writers.host, "/in/late", body=b"speech")
    assert writers.cloud.stop() == 0
    assert writers.cloud.log() == ""


def test_same_seed_affects_the_same_uploads(start_writers: StartWriters) -> None:
    rates = {"lost_event": 0.3, "killed_before_request": 0.1, "cut_after": 0.1, "throttled": 0.1}
    names = [f"{number}.mp3" for number in range(10)]
    results = []
    for folder, order in (("a", names), ("b", names[::-1])):
        writers = start_writers("--faults", json.dumps({"seed": 2, "rates": rates}), folder=folder)
        # Ids and order differ from run to run; the faults of each request do not.
        rows = [line for row in writers.upload(*order) for line in row["requests"]]
        results.append((sorted(rows), writers.cloud.injected_faults()))
    assert results[0] == results[1]
    assert len(results[0][1]) >= 3


def test_events_wait_for_a_free_instance(start_writers: StartWriters) -> None:
    writers = start_writers("--max-instances", "1")
    rows = writers.upload(*(f"{number}.mp3" for number in range(5)))
    assert get_outcomes(rows) == [("ok", 1)] * 5
    assert [row["cold"] for row in rows] == [True] + [False] * 4
