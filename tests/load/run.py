"""One run: upload everything as fast as possible, sample the queue and memory until it is done, check the results."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from shared.tencent.speech_models import JobFilter
from tests.chaos.cloud import FAST_OPTIONS, Cloud, running_cloud
from tests.chaos.expected import FORMATS, build_output_key, find_difference, recognize
from tests.chaos.workload import Recording, compute_etag
from tests.load.memory import MemorySamples

_THREADS = 4
_SAMPLE_INTERVAL_S = 0.5
_STALL_TIMEOUT_S = 120.0  # without a request for so long, the pipeline will not become idle any more
_RUNNING = JobFilter(states=("Running",))
_MAX_COMPARED = 100  # recordings whose transcripts are compared; the others only need to have theirs


@dataclass(slots=True)
class Run:
    """The result of a run. `lost`: keys without all transcripts; `wrong`: what is wrong with some of them."""

    uploads: int
    memory: MemorySamples
    seconds: float = 0.0
    requests: int = 0
    jobs: int = 0
    max_running: int = 0
    left_open: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def run(data: Path, *, uploads: int, max_concurrent: int, job_delay_ms: int) -> Run:
    """Upload this number of recordings at once. `data` is an empty folder."""
    recordings = [
        Recording(f"load/{number % 100:02}/{number}.wav", (f"speech {number} ".encode() * 60,))
        for number in range(uploads)
    ]
    options = ["--max-concurrent", str(max_concurrent), "--job-delay-ms", str(job_delay_ms)]
    with running_cloud(data, arguments=[*FAST_OPTIONS, *options, "--max-size", str(uploads)]) as cloud:
        pid = json.loads((data / "ready.json").read_text("utf-8"))["pid"]
        result = Run(uploads, MemorySamples(pid))
        start = time.monotonic()
        with ThreadPoolExecutor(_THREADS) as threads:
            futures = [threads.submit(cloud.upload, item.key, item.current) for item in recordings]
            _sample_until_idle(cloud, result, futures)
        result.seconds = time.monotonic() - start
        _check_results(cloud, result, recordings)
    return result


def _sample_until_idle(cloud: Cloud, result: Run, uploads: Sequence[Future[None]]) -> None:
    last_request, last_progress = 0, time.monotonic()
    is_idle = False
    while not is_idle:
        # First, so that the requests counted below are complete.
        is_idle = all(upload.done() for upload in uploads) and cloud.wait_until_idle(0)
        result.memory.add()
        running = cloud.pipeline.clients.speech.list_jobs(INPUT_BUCKET, _RUNNING).jobs
        result.max_running = max(result.max_running, len(running))
        requests = cloud.requests(last_request)
        result.requests += sum(bool(row["function"]) for row in requests)
        if requests:
            last_request, last_progress = max(row["number"] for row in requests), time.monotonic()
        elif time.monotonic() - last_progress > _STALL_TIMEOUT_S:
            return
        if not is_idle:
            time.sleep(_SAMPLE_INTERVAL_S)
    for upload in uploads:
        upload.result()


def _check_results(cloud: Cloud, result: Run, recordings: Sequence[Recording]) -> None:
    result.jobs = len(cloud.jobs())
    result.left_open = len(cloud.list_keys(OUTPUT_BUCKET, ".scribe/open/"))
    outputs = set(cloud.list_keys(OUTPUT_BUCKET, "transcripts/"))
    expected_keys = {
        recording.key: {extension: build_output_key(recording.key, extension) for extension in FORMATS}
        for recording in recordings
    }
    result.lost = [key for key, keys in expected_keys.items() if not outputs.issuperset(keys.values())]
    unexpected = outputs.difference(*[keys.values() for keys in expected_keys.values()])
    result.wrong = [f"the recording of {key} was never uploaded" for key in sorted(unexpected)]
    sample = recordings[:: max(1, len(recordings) // _MAX_COMPARED)]
    compared = [recording for recording in sample if recording.key not in result.lost]
    expected = recognize(recording.current for recording in compared)
    cos = cloud.pipeline.clients.cos
    for recording in compared:
        keys = expected_keys[recording.key]
        files = {extension: cos.get(OUTPUT_BUCKET, key).body for extension, key in keys.items()}
        speech, etag = expected[recording.current], compute_etag(recording.current)
        difference = find_difference(files, speech, etag) if speech else "cannot be recognized"
        result.wrong += [f"{recording.key}: {difference}"] if difference else []
