"""Many uploads at once, through the whole pipeline."""

from __future__ import annotations

from pathlib import Path

from tests.bench.figures import Figure, Section, at_most, fact
from tests.load.memory import course_of
from tests.load.run import run

_MOST_RUNNING = 10
_JOB_DELAY_MS = 300


def measure(data: Path, uploads: int) -> Section:
    """What `python -m tests.load` does."""
    load = run(data, uploads=uploads, max_concurrent=_MOST_RUNNING, job_delay_ms=_JOB_DELAY_MS)
    figures: list[Figure] = [
        at_most("lost", len(load.lost), 0),
        at_most("wrong", len(load.wrong), 0),
        at_most("receipts left open", load.left_open, 0),
        at_most("jobs paid", load.jobs, uploads),
        at_most("jobs that ran at once", load.most_running, _MOST_RUNNING),
        fact("uploads a second", f"{uploads / load.seconds:.0f}"),
        fact("requests for each upload", f"{load.requests / uploads:.1f}"),
        fact("largest function instance", f"{course_of(load.memory.instance).peak:.0f} MiB"),
    ]
    return Section(
        "Burst",
        f"`python -m tests.load --uploads {uploads}`: {uploads:,} recordings uploaded as fast as it goes, in "
        f"{load.seconds:.0f} s, against a queue that runs {_MOST_RUNNING} jobs at once. `make bench BURST=10000` "
        "uploads 10,000.",
        figures,
    )
