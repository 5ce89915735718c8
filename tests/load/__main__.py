"""Upload many recordings at once and check results, queue and memory: `python -m tests.load --uploads 10000`.

Prints the counts as one line of JSON. Exit status 1 if anything is lost, wrong or left open, or a limit is exceeded.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.load.memory import MemoryTrend
from tests.load.run import Run, run

# An instance handles thousands of events, so a leak per event would exceed this; the allocator alone varies less.
_MAX_INSTANCE_GROWTH_MIB = 8.0
# The local cloud fills bounded journals (100,000 requests, 10,000 invocations) during a run, up to 175 MiB.
_MAX_CLOUD_MIB = 250.0


def _build_summary(result: Run) -> dict[str, Any]:
    cloud_memory = MemoryTrend.from_samples(result.memory.cloud)
    instance_memory = MemoryTrend.from_samples(result.memory.instance)
    return {
        "uploads": result.uploads,
        "lost": len(result.lost),
        "wrong": len(result.wrong),
        "left_open": result.left_open,
        "jobs": result.jobs,
        "most_running": result.max_running,
        "uploads_per_second": round(result.uploads / result.seconds, 1),
        "requests_per_upload": round(result.requests / result.uploads, 1),
        "standin_mib": cloud_memory._asdict(),
        "instance_mib": instance_memory._asdict(),
        "seconds": round(result.seconds, 1),
    }


def _find_problems(result: Run, max_concurrent: int) -> Iterator[str]:
    if result.lost:
        yield f"{len(result.lost)} recordings have no transcripts, such as {result.lost[0]}"
    yield from result.wrong[:5]
    if result.left_open:
        yield f"{result.left_open} receipts are open"
    if result.jobs != result.uploads:
        yield f"{result.jobs} jobs were paid for {result.uploads} recordings"
    if result.max_running > max_concurrent:
        yield f"{result.max_running} jobs ran at once; the queue allows {max_concurrent}"
    cloud_memory = MemoryTrend.from_samples(result.memory.cloud)
    instance_memory = MemoryTrend.from_samples(result.memory.instance)
    if instance_memory.growth > _MAX_INSTANCE_GROWTH_MIB:
        yield f"a function instance grew by {instance_memory.growth} MiB"
    if cloud_memory.peak > _MAX_CLOUD_MIB:
        yield f"the local cloud grew to {cloud_memory.peak} MiB"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once; return 0 if there are no problems, otherwise 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--max-concurrent", type=int, default=10, help="jobs that the queue runs at once")
    parser.add_argument("--job-delay-ms", type=int, default=300, help="minimum duration of a job")
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="scribe-load-") as folder:
        result = run(
            Path(folder),
            uploads=options.uploads,
            max_concurrent=options.max_concurrent,
            job_delay_ms=options.job_delay_ms,
        )
    sys.stdout.write(json.dumps(_build_summary(result)) + "\n")
    problems = list(_find_problems(result, options.max_concurrent))
    sys.stderr.writelines(line + "\n" for line in problems)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
