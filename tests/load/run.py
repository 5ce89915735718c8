"""One run: everything is uploaded as fast as it goes, then watched until the last transcript is there."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from shared.tencent.speech_models import JobFilter
from tests.chaos.cloud import QUICK, Cloud, running_cloud
from tests.chaos.expected import FORMATS, difference, said_of
from tests.chaos.uploads import Recording, etag_of
from tests.chaos.verdict import output_key
from tests.load.memory import Memory

_THREADS = 4
_LOOK_EVERY_SECONDS = 0.5
_STALL_SECONDS = 120.0  # nothing asked of the cloud for so long: it will not come to rest any more
_RUNNING = JobFilter(states=("Running",))
_CHECKED_WHOLE = 100  # transcripts that are read and compared; of the others the names must be there


@dataclass(slots=True)
class Load:
    """What was seen. `lost`: keys without all their transcripts; `wrong`: why some are not right."""

    uploads: int
    seconds: float = 0.0
    requests: int = 0
    jobs: int = 0
    most_running: int = 0
    left_open: int = 0
    memory: Memory = field(default_factory=lambda: Memory(0))
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def run(data: Path, *, uploads: int, max_concurrent: int, job_delay_ms: int) -> Load:
    """Uploads so many recordings at once. `data` is an empty folder."""
    recordings = [
        Recording(f"load/{n % 100:02}/{n}.wav", (f"speech {n} ".encode() * 60,)) for n in range(uploads)
    ]
    arguments = [*QUICK, "--max-concurrent", str(max_concurrent), "--job-delay-ms", str(job_delay_ms)]
    with running_cloud(data, arguments=[*arguments, "--max-size", str(uploads)]) as cloud:
        load = Load(uploads, memory=Memory(json.loads((data / "ready.json").read_text("utf-8"))["pid"]))
        began = time.monotonic()
        with ThreadPoolExecutor(_THREADS) as threads:
            puts = [threads.submit(cloud.upload, one.key, one.current) for one in recordings]
            _watch(cloud, load, puts)
        load.seconds = time.monotonic() - began
        _check(cloud, load, recordings)
    return load


def _watch(cloud: Cloud, load: Load, puts: Sequence[Future[None]]) -> None:
    last_row, moved = 0, time.monotonic()
    at_rest = False
    while not at_rest:
        # Asked first: what is counted afterwards is then complete.
        at_rest = all(put.done() for put in puts) and cloud.rests(0)
        load.memory.sample()
        running = cloud.pipeline.clients.speech.list_jobs(INPUT_BUCKET, _RUNNING).jobs
        load.most_running = max(load.most_running, len(running))
        rows = cloud.requests(last_row)
        load.requests += sum(bool(row["function"]) for row in rows)
        if rows:
            last_row, moved = max(row["number"] for row in rows), time.monotonic()
        elif time.monotonic() - moved > _STALL_SECONDS:
            return
        if not at_rest:
            time.sleep(_LOOK_EVERY_SECONDS)
    for put in puts:
        put.result()


def _check(cloud: Cloud, load: Load, recordings: Sequence[Recording]) -> None:
    load.jobs = len(cloud.jobs())
    load.left_open = len(cloud.keys(OUTPUT_BUCKET, ".scribe/open/"))
    present = set(cloud.keys(OUTPUT_BUCKET, "transcripts/"))
    wanted = {one.key: {name: output_key(one.key, name) for name in FORMATS} for one in recordings}
    load.lost = [key for key, names in wanted.items() if not present.issuperset(names.values())]
    stray = present.difference(*[names.values() for names in wanted.values()])
    load.wrong = [f"nobody uploaded the recording of {key}" for key in sorted(stray)]
    some = [
        one for one in recordings[:: max(1, len(recordings) // _CHECKED_WHOLE)] if one.key not in load.lost
    ]
    said = said_of(one.current for one in some)
    get = cloud.pipeline.clients.cos.get
    for one in some:
        files = {name: get(OUTPUT_BUCKET, key).body for name, key in wanted[one.key].items()}
        heard = said[one.current]
        why = difference(files, heard, etag_of(one.current)) if heard else "cannot be recognised"
        load.wrong += [f"{one.key}: {why}"] if why else []
