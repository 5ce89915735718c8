"""Simulate a day of a million uploads: `python -m tests.load.simulate_day` prints the table of docs/scale.md.

With --write it also draws docs/images/scale-day.svg. The model and its assumptions are in `day.py`. It takes about 20
seconds, needs no cloud and no account, and gives the same figures on each machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.load.day import Day, Outcome, build_table, simulate
from tests.load.day_picture import draw
from tests.load.day_picture_zh import translate

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "scale-day.svg"
CHINESE_PICTURE = PICTURE.with_name("scale-day.zh.svg")
QUEUES = (5, 10, 50, 400, 500)
QUEUES_IN_PICTURE = (5, 50, 500)
DEPLOYMENTS = 4  # of the last row, which share 400 jobs at once


def simulate_day() -> tuple[str, str]:
    """Return the table and the picture."""
    outcomes = simulate(Day(), QUEUES)
    part = Day(uploads=Day().uploads // DEPLOYMENTS)
    table = build_table([*outcomes, *simulate(part, [QUEUES[3] // DEPLOYMENTS])])
    return table, draw([outcome for outcome in outcomes if _is_in_picture(outcome)])


def _is_in_picture(outcome: Outcome) -> bool:
    return outcome.max_concurrent in QUEUES_IN_PICTURE


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.simulate_day", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="draw docs/images/scale-day.svg and scale-day.zh.svg"
    )
    options = parser.parse_args(arguments)
    table, picture = simulate_day()
    sys.stdout.write(table + "\n")
    if options.write:
        PICTURE.write_text(picture, "utf-8")
        CHINESE_PICTURE.write_text(translate(picture), "utf-8")
        sys.stderr.write(f"Wrote {PICTURE} and {CHINESE_PICTURE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
