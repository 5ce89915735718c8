"""Upload while faults are injected, then check the results: `python -m tests.chaos --uploads 300 --seed 1`.

Prints the counts as one line of JSON to standard output; what is wrong and one sentence of summary to standard error.
Exit status 1 if anything is lost, paid twice, wrong, forged or left open, or a secret was logged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.checks import PAID_TWICE
from tests.chaos.faults import build_fault_plan
from tests.chaos.report import build_summary, format_verdict, format_violations
from tests.chaos.run import run


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--uploads", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--racy", action="store_true", help="let create-only writes race; recordings may be paid twice"
    )
    parser.add_argument("--calm", action="store_true", help="no faults and no neighbours")
    parser.add_argument(
        "--clocks-apart",
        type=int,
        default=0,
        metavar="SECONDS",
        help="let the clocks of function instances be this much behind, right, or this much ahead",
    )
    parser.add_argument("--data", type=Path, help="an empty folder in which the local cloud's data is kept")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once; return 0 if nothing is wrong, otherwise 1."""
    options = _parse_arguments(arguments)
    plan = {} if options.calm else build_fault_plan(options.seed, racy=options.racy)
    with TemporaryDirectory(prefix="scribe-chaos-") as folder:
        result = run(
            options.data or Path(folder),
            uploads=options.uploads,
            seed=options.seed,
            plan=plan,
            clocks_apart_s=options.clocks_apart,
        )
    summary = build_summary(result, options.uploads, options.seed)
    allowed = {PAID_TWICE} if options.racy else set()
    sys.stdout.write(json.dumps(summary) + "\n")
    sys.stdout.flush()  # the sentence comes last where both go to one file
    sys.stderr.writelines(line + "\n" for line in format_violations(result))
    sys.stderr.write(format_verdict(summary, allowed) + "\n")
    return int(any(violation.kind not in allowed for violation in result.verdict.violations))


if __name__ == "__main__":
    sys.exit(main())
