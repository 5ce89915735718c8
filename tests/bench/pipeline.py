"""Measure the whole pipeline: the requests for one recording, and many uploads at once."""

from __future__ import annotations

from pathlib import Path

from tests.bench.report import MeasurementError, Metric, Section
from tests.chaos.cloud import running_cloud
from tests.chaos.expected import FORMATS
from tests.load.memory import MemoryTrend
from tests.load.run import run

_MAX_UPLOAD_REQUESTS, _MAX_CALLBACK_REQUESTS = 8, 7 + len(FORMATS)
_IDLE_TIMEOUT_S = 30.0
_MAX_CONCURRENT_JOBS = 10
_JOB_DELAY_MS = 300
REQUESTS_METHOD = (
    "Two uploads through the whole pipeline, {formats} formats; counted by the local cloud. A process that has not "
    "asked for five minutes whether the output bucket has versioning asks once."
)
BURST_METHOD = (
    "`python -m tests.load --uploads {uploads}`: {recordings:,} recordings uploaded as fast as possible, in "
    "{seconds:.0f} s, against a queue that runs {jobs} jobs at once. `make bench BURST=10000` uploads 10,000."
)


def measure_requests(data: Path) -> Section:
    """Count the requests for two recordings, one after the other. Raises MeasurementError."""
    with running_cloud(data) as cloud:
        for key in ("one.wav", "two.wav"):
            cloud.upload(key, b"speech " * 300 + key.encode())
            if not cloud.wait_until_idle(_IDLE_TIMEOUT_S):
                raise MeasurementError("the pipeline did not become idle")
        calls = list(cloud.invocations())
    uploads, callbacks = (
        [len(call["requests"]) for call in calls if call["function"] == name]
        for name in ("upload", "callback")
    )
    return Section(
        "Requests for one recording",
        REQUESTS_METHOD.format(formats=len(FORMATS)),
        [
            Metric.at_most("upload, in a new process", max(uploads), _MAX_UPLOAD_REQUESTS + 1),
            Metric.at_most("upload", min(uploads), _MAX_UPLOAD_REQUESTS),
            Metric.at_most("callback", max(callbacks), _MAX_CALLBACK_REQUESTS),
        ],
    )


def measure_burst(data: Path, uploads: int) -> Section:
    """Run `python -m tests.load` with this number of uploads."""
    result = run(data, uploads=uploads, max_concurrent=_MAX_CONCURRENT_JOBS, job_delay_ms=_JOB_DELAY_MS)
    instance_memory = MemoryTrend.from_samples(result.memory.instance)
    return Section(
        "Burst",
        BURST_METHOD.format(
            uploads=uploads, recordings=uploads, seconds=result.seconds, jobs=_MAX_CONCURRENT_JOBS
        ),
        [
            Metric.at_most("lost", len(result.lost), 0),
            Metric.at_most("wrong", len(result.wrong), 0),
            Metric.at_most("receipts left open", result.left_open, 0),
            Metric.at_most("jobs paid", result.jobs, uploads),
            Metric.at_most("jobs that ran at once", result.max_running, _MAX_CONCURRENT_JOBS),
            Metric("uploads a second", f"{uploads / result.seconds:.0f}"),
            Metric("requests for each upload", f"{result.requests / uploads:.1f}"),
            Metric("largest function instance", f"{instance_memory.peak:.0f} MiB"),
        ],
    )
