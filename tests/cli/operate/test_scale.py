"""100,000 recordings that are done and 100 that are open: the requests and the time of `scribe list` and `why`."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import pytest

from cli.local.emulator import (
    APPID,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    REGION,
    Emulator,
    OperatorClients,
    start_emulator,
)
from shared.recordings.index import get_month
from tests.helpers.explain import ROOT
from tests.helpers.large_cloud import START_S, build_key, fill
from tests.helpers.loopback import send_request

DONE, OPEN = 100_000, 100
MAX_S = 2.0  # for an answer, with the start of the process
OPTIONS = ["--region", REGION, "--appid", APPID, "--speech", "scripted"]

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    data = tmp_path_factory.mktemp("cloud")
    with start_emulator(data, {}, OPTIONS) as emulator:
        clients = OperatorClients.for_emulator(emulator)
        clients.ensure_bucket(INPUT_BUCKET)
        clients.ensure_bucket(OUTPUT_BUCKET)
    fill(data, done=DONE, open_count=OPEN)
    with start_emulator(data, {}, OPTIONS) as emulator:
        yield emulator


class Measured(NamedTuple):
    """What a command printed, its requests by method and what they were for, and its seconds."""

    output: str
    requests: Counter[str]
    wall_s: float
    processor_s: float


def measure(cloud: Emulator, folder: Path, *arguments: str) -> Measured:
    last = _list_requests(cloud)[-1:]
    variables = {
        "REGION": REGION,
        "INPUT_BUCKETS": INPUT_BUCKET,
        "OUTPUT_BUCKET": OUTPUT_BUCKET,
        "CLOUD_ENDPOINT": cloud.endpoint,
        "TENCENT_SECRET_ID": cloud.secret_id,
        "TENCENT_SECRET_KEY": cloud.secret_key,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
        "COLUMNS": "80",
    }
    before, start = _get_processor_s(), time.monotonic()
    process = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    wall_s, processor_s = time.monotonic() - start, _get_processor_s() - before
    assert (process.returncode, process.stderr) == (0, "")
    number = last[0]["number"] if last else 0
    requests = Counter(map(_describe, _list_requests(cloud, number)))
    return Measured(process.stdout, requests, wall_s, processor_s)


def _get_processor_s() -> float:
    """Return the processor time of the processes that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _list_requests(cloud: Emulator, since: int = 0) -> list[dict[str, Any]]:
    url = f"{cloud.endpoint}/-/requests?since={since}"
    rows: list[dict[str, Any]] = send_request("GET", url, headers=cloud.admin_headers).json()
    return [row for row in rows if not row["path"].startswith("/-/")]


def _describe(row: dict[str, Any]) -> str:
    """Return the method and the folder below STATE_PREFIX."""
    prefix = parse_qs(row["query"]).get("prefix", [""])[0]
    key = prefix or row["path"].removeprefix("/")
    folder = "/".join(key.removeprefix(".scribe/").split("/")[: 2 if "index/" in key else 1])
    return f"{'LIST' if prefix else row['method']} {folder}"


def check_time(measured: Measured) -> None:
    """Check the time of the processor; that of the clock only where nothing else runs."""
    assert measured.processor_s < MAX_S
    if os.getloadavg()[0] < (os.cpu_count() or 1) / 2:
        assert measured.wall_s < MAX_S


LISTINGS = {"LIST open": 1, "LIST waiting": 1, "LIST index/failed": 1}


def test_list_of_100_open_among_100_000_done(cloud: Emulator, tmp_path: Path) -> None:
    """The index has 1,000 entries in a listing, of which the newest 100 are shown: no receipt of them is read."""
    measured = measure(cloud, tmp_path, "list")
    lines = measured.output.splitlines()
    assert lines[-1].startswith("100 open, 100 done. Older ones that are done were left out")
    assert build_key(DONE - 1) in lines[OPEN + 1]
    assert measured.requests == {**LISTINGS, "LIST index/finished": 1, "GET open": OPEN}
    check_time(measured)


def test_list_of_the_open_ones(cloud: Emulator, tmp_path: Path) -> None:
    measured = measure(cloud, tmp_path, "list", "--state", "open")
    assert measured.output.splitlines()[-1] == "100 open."
    assert measured.requests == {**LISTINGS, "GET open": OPEN}
    check_time(measured)


def test_list_for_programs_reads_the_receipts_that_it_shows(cloud: Emulator, tmp_path: Path) -> None:
    measured = measure(cloud, tmp_path, "list", "--json", "--state", "done")
    rows = json.loads(measured.output)
    assert [rows[0]["key"], rows[99]["key"]] == [build_key(DONE - 1), build_key(DONE - 100)]
    assert (len(rows), rows[99]["size"], rows[99]["minutes"]) == (100, 482_113, 1.5)
    assert measured.requests == {**LISTINGS, "LIST index/finished": 1, "GET done": 100}
    check_time(measured)


def test_list_below_a_prefix_asks_for_that_only(cloud: Emulator, tmp_path: Path) -> None:
    measured = measure(cloud, tmp_path, "list", "calls/0099/录音-0999", "--limit", "20")
    lines = measured.output.splitlines()
    assert lines[-1].startswith("20 done. Older ones that are done were left out")
    requests = measured.requests
    assert {name: requests[name] for name in LISTINGS} == LISTINGS
    assert (requests["LIST done"], requests["LIST index/finished"]) == (1, 1)
    assert requests["GET done"] <= 100
    check_time(measured)


def test_why_does_not_depend_on_how_many_there_are(cloud: Emulator, tmp_path: Path) -> None:
    measured = measure(cloud, tmp_path, "why", build_key(DONE - 1), "--json")
    assert json.loads(measured.output)["state"] == "done"
    listings = {f"LIST {folder}": 1 for folder in ("open", "waiting", "done", "transcripts", "notices")}
    assert measured.requests == {**listings, "HEAD calls": 1, "GET done": 1, "GET asr_jobs": 1}
    check_time(measured)


def test_cost_of_a_month_is_a_request_for_each_thousand(cloud: Emulator, tmp_path: Path) -> None:
    """One recording is done each minute, from the tenth of the month on."""
    month = get_month(START_S)
    measured = measure(cloud, tmp_path, "cost", "--json", "--month", month)
    recordings = json.loads(measured.output)["recordings"]
    assert recordings >= 29_000
    assert set(measured.requests) == {"LIST index/finished"}
    assert measured.requests.total() <= recordings // 1000 + 2
    assert measured.processor_s < 2 * MAX_S
    print(f"\ncost of {recordings:,}: {measured.requests}, {measured.wall_s:.2f} s")  # noqa: T201
