"""`python -m tests.bench`: measures, prints a table, writes the page; exit 1 only if something could not be measured.

A goal that is missed is shown as missed. Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from tests.bench import burst, cold_start, five_hours, history, package_size, warm_event, wire_cost
from tests.bench.figures import CannotMeasure, Section
from tests.bench.ground import ROOT
from tests.bench.page import machine, page_of, table_of
from tests.bench.sides import Sides, lay_out

_KEPT = ROOT / "build" / "bench"


def main(words: Sequence[str] | None = None) -> int:
    """Runs once; 0 if everything could be measured."""
    given = _arguments(words)
    console = Console(highlight=False)
    sections: list[Section] = []
    troubles: list[str] = []
    try:
        sides = lay_out(_KEPT)
    except CannotMeasure as error:
        sys.exit(f"nothing could be measured: {error}")
    with TemporaryDirectory(prefix="scribe-bench-") as folder:
        for name, measure in _measurements(sides, Path(folder), given):
            sys.stderr.write(f"{name} ...\n")
            try:
                sections += measure()
            except CannotMeasure as error:
                troubles.append(f"{name} could not be measured: {error}")
    console.print(table_of(sections))
    sys.stderr.writelines(line + "\n" for line in troubles)
    if not troubles:
        given.page.write_text(_page(sections, sides, given), "utf-8")
        sys.stderr.write(f"{given.page} is written\n")
    return int(bool(troubles))


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="cold starts of each side")
    parser.add_argument("--events", type=int, default=1_000, help="warm events of each side")
    parser.add_argument("--readings", type=int, default=5, help="of the long result, of each side")
    parser.add_argument("--words", type=int, default=90_000, help="in the long result")
    parser.add_argument("--done", type=int, default=100_000, help="finished recordings for sweep and audit")
    parser.add_argument("--open", type=int, default=100, help="unfinished ones")
    parser.add_argument("--burst", type=int, default=500, help="uploads at once")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md", help="what to write")
    return parser.parse_args(words)


def _measurements(
    sides: Sides, folder: Path, given: argparse.Namespace
) -> Iterator[tuple[str, Callable[[], Sequence[Section]]]]:
    yield "cold start", lambda: [cold_start.measure(sides, folder / "cold", given.rounds)]
    yield "warm event", lambda: [warm_event.measure(sides, folder / "warm", given.events)]
    yield (
        "five hours of speech",
        lambda: [five_hours.measure(sides, folder / "five-hours", given.readings, given.words)],
    )
    yield "package", lambda: [package_size.measure(sides)]
    yield "requests", lambda: [wire_cost.measure(folder / "wire")]
    yield (
        "sweep and audit",
        lambda: history.measure(
            sides, folder / "history", little=max(1, given.done // 100), much=given.done, opened=given.open
        ),
    )
    yield "burst", lambda: [burst.measure(folder / "burst", given.burst)]


def _page(sections: Sequence[Section], sides: Sides, given: argparse.Namespace) -> str:
    runtime = "as in SCF" if sides.is_scf_python else "no CPython 3.10 was found, which SCF runs"
    return page_of(
        sections,
        command=f"make bench BURST={given.burst}",
        date=f"{datetime.now(timezone.utc):%Y-%m-%d}",
        surroundings=(
            f"machine: {machine()}",
            f"functions and peers: CPython {sides.python.version} ({runtime}); stand-in: {platform.python_version()}",
            f"Scribe {sides.package.version}, package {sides.package.digest}; {sides.peers}",
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
