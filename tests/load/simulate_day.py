"""Simulate a day of a million uploads: `python -m tests.load.simulate_day` prints the table of docs/scale.md.

With --write it also writes the table and the picture of docs/scale.md and docs/scale.zh.md. The model and its
assumptions are in `day.py`. It takes about 20 seconds, needs no cloud and no account, and gives the same figures on
each machine.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.load.day import Day, Outcome, build_table, simulate
from tests.load.day_picture import draw
from tests.load.day_zh import translate, translate_table

DOCS = Path(__file__).parents[2] / "docs"
PAGE, CHINESE_PAGE = DOCS / "scale.md", DOCS / "scale.zh.md"
PICTURE, CHINESE_PICTURE = DOCS / "images" / "scale-day.svg", DOCS / "images" / "scale-day.zh.svg"
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


def find_table(page: str, header: str) -> str:
    """Return the table of a page that has this header. Raises ValueError if there is none, or another one."""
    tables = re.findall(rf"^{re.escape(header)}\n(?:\|.*\n)+", page, re.MULTILINE)
    if len(tables) != 1:
        raise ValueError(f"the page has {len(tables)} tables with the header {header}")
    return str(tables[0])


def write(table: str, picture: str) -> None:
    """Write the table and the picture in each language."""
    for path, new in ((PAGE, table), (CHINESE_PAGE, translate_table(table))):
        page = path.read_text("utf-8")
        path.write_text(page.replace(find_table(page, new.partition("\n")[0]), f"{new}\n"), "utf-8")
    PICTURE.write_text(picture, "utf-8")
    CHINESE_PICTURE.write_text(translate(picture), "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.simulate_day", description=__doc__)
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the table and the picture of docs/scale.md and scale.zh.md",
    )
    options = parser.parse_args(arguments)
    table, picture = simulate_day()
    sys.stdout.write(table + "\n")
    if options.write:
        write(table, picture)
        sys.stderr.write(f"Wrote {PAGE}, {CHINESE_PAGE} and their pictures\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
