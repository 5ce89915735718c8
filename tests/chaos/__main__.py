"""`python -m tests.chaos --uploads 300 --seed 1`: one line of JSON; exit 0 only if nothing was lost, wrong or open."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.chaos.faults import storm_plan
from tests.chaos.run import Run, run
from tests.chaos.story import story_of
from tests.chaos.verdict import KINDS, PAID_TWICE

_MOST_STORIES = 5


def _summary(done: Run, uploads: int, seed: int) -> dict[str, Any]:
    by_functions = sum(bool(row["function"]) for row in done.evidence.record.requests)
    return {
        "uploads": uploads,
        "seed": seed,
        "jobs_paid": sum(row["paid"] for row in done.evidence.jobs),
        **{kind: done.verdict.count(kind) for kind in KINDS},
        "errors_expected": done.verdict.errors_expected,
        "of_unseen_content": done.verdict.of_unseen_content,
        "requests_per_upload": round(by_functions / uploads, 1),
        "faults_struck": done.struck,
        "seconds": round(done.seconds, 1),
    }


def _tell(done: Run) -> Iterator[str]:
    """The violations, then the stories of the first recordings among them."""
    for violation in done.verdict.violations:
        yield f"{violation.kind}: {violation.key!r}: {violation.why}"
    keys = list(dict.fromkeys(violation.key for violation in done.verdict.violations))
    known = {recording.key: recording for recording in done.recordings}
    for key in [key for key in keys if key in known][:_MOST_STORIES]:
        yield f"\nThe story of {key!r}:"
        yield from (f"  {line}" for line in story_of(known[key], done.evidence))


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--uploads", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--racy", action="store_true", help="create-only writes may lose true races; paying twice is forgiven"
    )
    parser.add_argument("--calm", action="store_true", help="no faults at all")
    parser.add_argument("--data", type=Path, help="an empty folder to keep the stand-in's data in")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Runs once; 0 if every promise was kept."""
    given = _arguments(words)
    plan = {} if given.calm else storm_plan(given.seed, racy=given.racy)
    with TemporaryDirectory(prefix="scribe-chaos-") as folder:
        done = run(given.data or Path(folder), uploads=given.uploads, seed=given.seed, plan=plan)
    sys.stdout.write(json.dumps(_summary(done, given.uploads, given.seed)) + "\n")
    sys.stderr.writelines(line + "\n" for line in _tell(done))
    forgiven = {PAID_TWICE} if given.racy else set()
    return int(any(violation.kind not in forgiven for violation in done.verdict.violations))


if __name__ == "__main__":
    sys.exit(main())
