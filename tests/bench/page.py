"""The figures as a table on the terminal and as docs/benchmarks.md."""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.table import Table

from tests.bench.figures import Figure, Section

_MARKS = {True: "met", False: "missed", None: ""}
_COLOURS = {True: "green", False: "red", None: ""}
_CPUINFO = Path("/proc/cpuinfo")
_WIDTH = 120


def table_of(sections: Sequence[Section]) -> Table:
    """For the terminal."""
    table = Table("", "measured", "goal", "", title="What Scribe costs", title_justify="left")
    for section in sections:
        table.add_section()
        table.add_row(f"[bold]{section.title}[/bold]")
        for figure in section.figures:
            mark = _MARKS[figure.is_met]
            table.add_row(f"  {figure.what}", figure.value, figure.goal, mark, style=_COLOURS[figure.is_met])
    return table


def page_of(sections: Sequence[Section], *, command: str, date: str, surroundings: Iterable[str]) -> str:
    """For the docs."""
    return "\n".join(_lines(sections, command, date, surroundings))


def machine() -> str:
    """Processor, cores, system."""
    model = "an unknown processor"
    if _CPUINFO.is_file():
        lines = _CPUINFO.read_text("utf-8", "replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = f"{names[0]}, {len(names)} cores" if names else model
    return f"{model}; {_system()}"


def _system() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}"
    except OSError:
        return platform.platform()


def _lines(
    sections: Sequence[Section], command: str, date: str, surroundings: Iterable[str]
) -> Iterator[str]:
    yield "# Benchmarks\n"
    yield "Written by a run; do not edit. Times are medians, in brackets the least and the most: what another run on"
    yield "another day may well show. A goal that is missed stays here, marked.\n"
    yield f"- command: `{command}`, {date}"
    yield from (f"- {line}" for line in surroundings)
    yield ""
    for section in sections:
        yield f"## {section.title}\n"
        yield textwrap.fill(section.how, _WIDTH, break_on_hyphens=False) + "\n"
        yield "| | measured | goal | |"
        yield "|---|---|---|---|"
        yield from map(_row, section.figures)
        yield ""
        if section.if_missed and any(figure.is_met is False for figure in section.figures):
            yield textwrap.fill(section.if_missed, _WIDTH, break_on_hyphens=False) + "\n"


def _row(figure: Figure) -> str:
    mark = _MARKS[figure.is_met]
    return (
        f"| {figure.what} | {figure.value} | {figure.goal} | {'**missed**' if mark == 'missed' else mark} |"
    )
