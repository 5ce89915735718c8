"""Metrics with their goals, as a table on the terminal and as docs/benchmarks.md.

`page_zh.py` translates the page: a new or changed text needs its Chinese there.
"""

from __future__ import annotations

import platform
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.table import Table

_GOAL_TEXTS = {True: "met", False: "missed", None: ""}
_COLOURS = {True: "green", False: "red", None: ""}
_CPUINFO = Path("/proc/cpuinfo")
_LINE_WIDTH = 120


class MeasurementError(Exception):
    """A measurement failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table. `is_met` is None if there is no goal."""

    name: str
    value: str
    goal: str = ""
    is_met: bool | None = None

    @classmethod
    def ratio(cls, name: str, value: float, reference: float, max_ratio: float | None = None) -> Metric:
        """Divide `value` by `reference`; the goal, if there is one, is at most `max_ratio`."""
        rounded = round(value / reference, 2)  # the goal applies to the number that is shown
        if max_ratio is None:
            return cls(name, f"{rounded:.2f}")
        return cls(name, f"{rounded:.2f}", f"at most {max_ratio:.2f}", is_met=rounded <= max_ratio)

    @classmethod
    def at_most(cls, name: str, value: float, limit: float, unit: str = "", digits: int = 0) -> Metric:
        """Compare a value with an upper limit."""
        text, goal = f"{value:.{digits}f} {unit}", f"at most {limit:g} {unit}"
        return cls(name, text.rstrip(), goal.rstrip(), is_met=value <= limit)


@dataclass(frozen=True, slots=True)
class Section:
    """The metrics of one measurement. `method` says how it is done, `if_missed` why a goal is not reached."""

    title: str
    method: str
    metrics: Sequence[Metric]
    if_missed: str = ""


class Stats(NamedTuple):
    """Median, minimum and maximum of several measurements."""

    median: float
    min: float
    max: float

    @classmethod
    def from_values(cls, values: Iterable[float]) -> Stats:
        """Summarize at least one value."""
        values = list(values)
        return cls(median(values), min(values), max(values))

    def format(self, unit: str, digits: int = 0) -> str:
        """Format as `123 ms (118 to 140)`."""
        return f"{self.median:.{digits}f} {unit} ({self.min:.{digits}f} to {self.max:.{digits}f})"


def build_table(sections: Sequence[Section]) -> Table:
    """Build the table for the terminal."""
    table = Table("", "measured", "goal", "", title="What Scribe costs", title_justify="left")
    for section in sections:
        table.add_section()
        table.add_row(f"[bold]{section.title}[/bold]")
        for metric in section.metrics:
            cells = (f"  {metric.name}", metric.value, metric.goal, _GOAL_TEXTS[metric.is_met])
            table.add_row(*cells, style=_COLOURS[metric.is_met])
    return table


def build_page(sections: Sequence[Section], *, command: str, date: str, environment: Iterable[str]) -> str:
    """Build the Markdown page."""
    return "\n".join(_page_lines(sections, command, date, environment))


def describe_machine() -> str:
    """Return processor, number of cores, and operating system."""
    processor = "unknown processor"
    if _CPUINFO.is_file():
        lines = _CPUINFO.read_text("utf-8", "replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        processor = f"{models[0]}, {len(models)} cores" if models else processor
    return f"{processor}; {_describe_system()}"


def _describe_system() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}"
    except OSError:
        return platform.platform()


def _page_lines(
    sections: Sequence[Section], command: str, date: str, environment: Iterable[str]
) -> Iterator[str]:
    yield "# Benchmarks\n"
    yield "[中文版](benchmarks.zh.md)\n"
    yield "Written by `make bench WRITE=1`; do not edit. `make bench` alone prints the tables and changes no file.\n"
    yield "Times are medians, with minimum and maximum in brackets; they vary between runs. Missed goals are marked.\n"
    yield f"- command: `{command}`, {date}"
    yield from (f"- {line}" for line in environment)
    yield "\n![The most important figures of this page as bars](images/benchmarks.svg)\n"
    for section in sections:
        yield f"## {section.title}\n"
        yield _wrap(section.method)
        yield "| | measured | goal | |"
        yield "|---|---|---|---|"
        yield from map(_format_row, section.metrics)
        yield ""
        if section.if_missed and any(metric.is_met is False for metric in section.metrics):
            yield _wrap(section.if_missed)


def _wrap(text: str) -> str:
    return textwrap.fill(text, _LINE_WIDTH, break_on_hyphens=False) + "\n"


def _format_row(metric: Metric) -> str:
    goal_text = "**missed**" if metric.is_met is False else _GOAL_TEXTS[metric.is_met]
    return f"| {metric.name} | {metric.value} | {metric.goal} | {goal_text} |"
