"""`python -m tests.load --uploads 10000`: one line of JSON; exit 0 only if nothing was lost and every bound held."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.load.memory import course_of
from tests.load.run import Load, run

# An instance serves thousands of events: what it holds on to with each would show. The allocator's own waves are less.
_MOST_INSTANCE_GROWTH_MIB = 8.0
# The stand-in fills bounded journals (100,000 requests, 10,000 invocations) in the course of a run: to 175 MiB.
_MOST_STANDIN_MIB = 250.0


def _summary(load: Load) -> dict[str, Any]:
    emulator, instance = course_of(load.memory.emulator), course_of(load.memory.instance)
    return {
        "uploads": load.uploads,
        "lost": len(load.lost),
        "wrong": len(load.wrong),
        "left_open": load.left_open,
        "jobs": load.jobs,
        "most_running": load.most_running,
        "uploads_per_second": round(load.uploads / load.seconds, 1),
        "requests_per_upload": round(load.requests / load.uploads, 1),
        "standin_mib": asdict(emulator),
        "instance_mib": asdict(instance),
        "seconds": round(load.seconds, 1),
    }


def _broken(load: Load, max_concurrent: int) -> Iterator[str]:
    """Every promise that was not kept."""
    if load.lost:
        yield f"{len(load.lost)} recordings have no transcripts, such as {load.lost[0]}"
    yield from load.wrong[:5]
    if load.left_open:
        yield f"{load.left_open} receipts are open"
    if load.jobs != load.uploads:
        yield f"{load.jobs} jobs were paid for {load.uploads} recordings"
    if load.most_running > max_concurrent:
        yield f"{load.most_running} jobs ran at once; the queue allows {max_concurrent}"
    instance, emulator = course_of(load.memory.instance), course_of(load.memory.emulator)
    if instance.growth > _MOST_INSTANCE_GROWTH_MIB:
        yield f"a function instance grew by {instance.growth} MiB"
    if emulator.peak > _MOST_STANDIN_MIB:
        yield f"the stand-in grew to {emulator.peak} MiB"


def main(words: Sequence[str] | None = None) -> int:
    """Runs once; 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--max-concurrent", type=int, default=10, help="jobs that the queue runs at once")
    parser.add_argument("--job-delay-ms", type=int, default=300, help="how long a job takes at least")
    given = parser.parse_args(words)
    with TemporaryDirectory(prefix="scribe-load-") as folder:
        load = run(
            Path(folder),
            uploads=given.uploads,
            max_concurrent=given.max_concurrent,
            job_delay_ms=given.job_delay_ms,
        )
    sys.stdout.write(json.dumps(_summary(load)) + "\n")
    broken = list(_broken(load, given.max_concurrent))
    sys.stderr.writelines(line + "\n" for line in broken)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
