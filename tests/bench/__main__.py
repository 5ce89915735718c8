"""Measure Scribe and print the metrics; with --write also write docs/benchmarks.md, its pictures, and its Chinese page.

Exit status 1 only if a measurement failed; a missed goal is shown as missed. Progress goes to standard error.
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

from tests.bench import (
    cold_start,
    large_audit,
    long_result,
    page_zh,
    picture,
    pipeline,
    sweep_and_audit,
    warm_event,
)
from tests.bench.fixtures import ROOT
from tests.bench.implementations import Implementations, build_implementations, measure_package
from tests.bench.report import MeasurementError, Section, build_page, build_table, describe_machine

_BUILD_FOLDER = ROOT / "build" / "bench"
_BENCHMARKS_PAGE = picture.PAGE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every measurement; return 0 if all succeeded."""
    options = _parse_arguments(arguments)
    sections: list[Section] = []
    errors: list[str] = []
    try:
        implementations = build_implementations(_BUILD_FOLDER)
    except MeasurementError as error:
        sys.exit(f"nothing could be measured: {error}")
    with TemporaryDirectory(prefix="scribe-bench-") as folder:
        for name, measure in _measurements(implementations, Path(folder), options):
            sys.stderr.write(f"{name} ...\n")
            try:
                sections += measure()
            except MeasurementError as error:
                errors.append(f"{name} could not be measured: {error}")
    Console(highlight=False).print(build_table(sections))
    sys.stderr.writelines(line + "\n" for line in errors)
    page: Path | None = options.page or (_BENCHMARKS_PAGE if options.write else None)
    if page and not errors:
        page.write_text(_build_page(sections, implementations, options), "utf-8")
        sys.stderr.write(f"Wrote {page}\n")
        if page == _BENCHMARKS_PAGE:
            picture.main()
            page_zh.main()
    return int(bool(errors))


def _parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="cold starts of each implementation")
    parser.add_argument("--events", type=int, default=1_000, help="warm events of each implementation")
    parser.add_argument(
        "--readings", type=int, default=5, help="how often each implementation reads the long result"
    )
    parser.add_argument("--words", type=int, default=90_000, help="words in the long result")
    parser.add_argument("--done", type=int, default=100_000, help="finished recordings for sweep and audit")
    parser.add_argument("--open", type=int, default=100, help="unfinished recordings for sweep and audit")
    parser.add_argument(
        "--large", type=int, default=1_000_000, help="recordings of a bucket for several audits"
    )
    parser.add_argument("--burst", type=int, default=500, help="uploads at once")
    parser.add_argument(
        "--write", action="store_true", help="write docs/benchmarks.md and what is made of it"
    )
    parser.add_argument("--page", type=Path, help="write the page to this file instead of docs/benchmarks.md")
    return parser.parse_args(arguments)


def _measurements(
    implementations: Implementations, folder: Path, options: argparse.Namespace
) -> Iterator[tuple[str, Callable[[], Sequence[Section]]]]:
    yield "cold start", lambda: [cold_start.measure(implementations, folder / "cold", options.rounds)]
    yield "warm event", lambda: [warm_event.measure(implementations, folder / "warm", options.events)]
    yield (
        "five hours of speech",
        lambda: [long_result.measure(implementations, folder / "long", options.readings, options.words)],
    )
    yield "package", lambda: [measure_package(implementations)]
    yield "requests", lambda: [pipeline.measure_requests(folder / "requests")]
    yield (
        "sweep and audit",
        lambda: sweep_and_audit.measure(
            implementations,
            folder / "sweep-and-audit",
            few_done=max(1, options.done // 100),
            many_done=options.done,
            unfinished=options.open,
        ),
    )
    yield "audit of a large bucket", lambda: [large_audit.measure(implementations, options.large)]
    yield "burst", lambda: [pipeline.measure_burst(folder / "burst", options.burst)]


def _build_page(
    sections: Sequence[Section], implementations: Implementations, options: argparse.Namespace
) -> str:
    python, package = implementations.python, implementations.package
    runtime = "as in SCF" if implementations.is_scf_python else "CPython 3.10, as in SCF, was not found"
    return build_page(
        sections,
        command=f"make bench WRITE=1 BURST={options.burst}",
        date=f"{datetime.now(timezone.utc):%Y-%m-%d}",
        environment=(
            f"machine: {describe_machine()}",
            f"implementations: CPython {python.version} ({runtime}); local cloud: {platform.python_version()}",
            f"Scribe {package.version}, package {package.digest}; {implementations.library_versions}",
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
