"""The clocks of functions' processes, which may differ from the cloud's, and the cloud's own clock."""

from __future__ import annotations

import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from localcloud.runtime.registry import FunctionRegistry
from tests.localcloud.clients import RawClient
from tests.localcloud.functions import write_functions
from tests.localcloud.runtime.project import Project
from tests.localcloud.stand_in import ROOT, StandIn, StartCloud

pytestmark = pytest.mark.process

CLOCKS = """
import calendar, datetime, time
from datetime import date, datetime as moment, timezone
from time import time as current_time

MONOTONIC = time.monotonic()

def main_handler(event, context):
    aware = moment.now(timezone.utc)
    midnight = moment.combine(date.today(), datetime.time())
    return {
        "seconds": {
            "time": current_time(),
            "time_ns": time.time_ns() / 1e9,
            "clock_gettime": time.clock_gettime(time.CLOCK_REALTIME),
            "gmtime": calendar.timegm(time.gmtime()),
            "localtime": time.mktime(time.localtime()),
            "now": moment.now().timestamp(),
            "now with zone": aware.timestamp(),
            "utcnow": datetime.datetime.utcnow().replace(tzinfo=timezone.utc).timestamp(),
            "today": moment.today().timestamp(),
        },
        "day": date.today().isoformat(),
        "types": [
            isinstance(aware, datetime.datetime), isinstance(midnight, moment), isinstance(aware, date),
            isinstance(date.today(), moment), type(aware - aware) is datetime.timedelta,
            moment.fromisoformat(aware.isoformat()) == aware, isinstance(moment(2020, 1, 1), moment),
        ],
        "epoch": [time.gmtime(0)[0], moment.fromtimestamp(0, timezone.utc).year],
        "waited": time.monotonic() - MONOTONIC,
    }
"""


def read_clocks(functions: FunctionRegistry, count: int) -> Any:
    async def use() -> list[Any]:
        results = []
        for _ in range(count):
            results.append(((await functions.invoke("clocks", {})).result, time.time()))
            functions.stop_instances()
        return results

    return use()


def test_clocks_of_new_instances_are_ahead_in_turn(project: Project) -> None:
    project.add("clocks", CLOCKS)
    offsets_s = (-240.0, 0.0, 240.5)
    results = project.run(lambda functions: read_clocks(functions, 4), clock_offsets_s=offsets_s)
    for offset_s, (result, now_s) in zip((*offsets_s, offsets_s[0]), results, strict=True):
        for name, seconds in result["seconds"].items():
            assert -3 < seconds - now_s - offset_s < 1, name
        assert result["types"] == [True, True, True, False, True, True, True]
        assert result["epoch"] == [1970, 1970]
        assert 0 <= result["waited"] < 10


def test_clock_is_right_without_the_option(project: Project) -> None:
    project.add("clocks", CLOCKS)
    ((result, now_s),) = project.run(lambda functions: read_clocks(functions, 1))
    assert all(-3 < seconds - now_s < 1 for seconds in result["seconds"].values())


def test_day_follows_the_clock(project: Project) -> None:
    project.add("clocks", CLOCKS)
    days = project.run(lambda functions: read_clocks(functions, 1), clock_offsets_s=(86_400.0,))
    expected = {time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400 + more)) for more in (-60, 0)}
    assert days[0][0]["day"] in expected


SENDER = """
import time
from signed_requests import send

def main_handler(event, context):
    return [time.time(), send("GET", "b-1250000000.cos.ap-guangzhou.myqcloud.com", "/a")]
"""


def test_cloud_refuses_what_its_own_clock_does_not_allow(
    tmp_path: Path, start_cloud: StartCloud, make_raw: Any
) -> None:
    """The functions sign from a minute before their time until ten minutes after it."""
    write_functions(tmp_path / "functions", {"sender": SENDER})
    options = ("--functions", str(tmp_path / "functions"), "--function-clock-offsets", "-1200,-240,240")
    cloud = start_cloud(*options)
    raw = make_raw(cloud)
    host = cloud.bucket_host("b-1250000000")
    raw.send("PUT", host)
    raw.send("PUT", host, "/a", body=b"x")
    statuses = []
    for offset_s in (-1200, -240, 240):
        seconds, status = cloud.admin("POST", "functions/sender/invoke", {})["result"]
        assert abs(seconds - time.time() - offset_s) < 5
        statuses.append(status)
        cloud.admin("DELETE", "instances")
    assert statuses == [403, 200, 403]
    (row,) = [row for row in cloud.admin("GET", "requests") if row["code"] == "RequestTimeTooSkewed"]
    assert abs(row["time_s"] - time.time()) < 60
    seconds = parsedate_to_datetime(raw.send("GET", host, "/a").headers["date"]).timestamp()
    assert abs(seconds - time.time()) < 5


@pytest.mark.parametrize("value", ["x", "", "1,,2", "nan", "inf", "-1e30"])
def test_wrong_offset_is_an_error_of_the_option(tmp_path: Path, value: str) -> None:
    command = [sys.executable, "-m", "localcloud", "--data", str(tmp_path), "--function-clock-offsets", value]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert process.returncode == 2
    assert "--function-clock-offsets" in process.stderr.splitlines()[-1]


def test_every_response_of_cos_and_ci_has_a_date(cloud: StandIn, raw: RawClient, speech_bucket: str) -> None:
    cos, ci = cloud.bucket_host(speech_bucket), cloud.ci_host(speech_bucket)
    etag = raw.send("HEAD", cos, "/call.mp3").headers["etag"]
    responses = [
        *(raw.send(method, cos, "/call.mp3") for method in ("GET", "HEAD")),
        raw.send("GET", cos, "/call.mp3", headers={"range": "bytes=1-2"}),
        raw.send("GET", cos, "/call.mp3", headers={"if-none-match": etag}),
        raw.send("GET", cos, "/missing"),
        raw.send("HEAD", cos, "/missing"),
        raw.send("DELETE", cos, "/missing"),
        raw.send("GET", cos),
        raw.send("GET", cos, authorization=""),
        raw.send("GET", cos, window=(1, 2)),
        raw.send("GET", ci, window=(1, 2)),
        raw.target("GET", "/%ff", {"host": cos}),
        raw.send("GET", ci, "/asr_jobs"),
        raw.send("GET", ci, "/asr_jobs/unknown"),
        raw.send("POST", ci, "/asr_jobs", body=b"no xml"),
    ]
    assert {200, 204, 206, 304, 400, 401, 403, 404} == {response.status_code for response in responses}
    for response in responses:
        (date,) = response.headers.get_list("date")
        assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 5
