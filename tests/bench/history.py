"""Sweep and audit with little and with much work done: what do the finished recordings cost?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from tests.bench.figures import CannotMeasure, Figure, Section, at_most, fact
from tests.bench.fill import fill
from tests.bench.ground import Ground, event_of, keys, running_ground
from tests.bench.instance import running_instance
from tests.bench.sides import Sides
from tests.chaos.cloud import AUDIT, RECONCILE

_NAMES_A_PAGE = 1_000
_LONGEST_SECONDS = 60.0
_MOST_GROWTH_MIB = 4.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one invocation in a fresh process. `pages` are the requests among `requests` that list names."""

    requests: int
    pages: int
    seconds: float
    processor_s: float
    peak_mib: float

    @property
    def told(self) -> str:
        """In one cell."""
        took = f"{self.seconds:.1f} s ({self.processor_s:.1f} s of it its own processor time)"
        return f"{self.requests:,} requests, {took}, {self.peak_mib:.0f} MiB"


@dataclass(frozen=True, slots=True)
class Costs:
    """With `done` finished recordings."""

    done: int
    sweep: Cost
    audit: Cost


def measure(sides: Sides, data: Path, *, little: int, much: int, opened: int) -> tuple[Section, Section]:
    """The sweep's section and the audit's. Raises CannotMeasure."""
    before, after = (_costs(sides, data / str(done), done, opened) for done in (little, much))
    sweep = Section(
        "Sweep",
        f"{opened} jobs are finished and their notifications lost: the sweep writes every transcript and closes the "
        "receipts, in a fresh process. The rest of the seconds is the stand-in's, on loopback.",
        list(_sweep_figures(before, after)),
    )
    audit = Section(
        "Audit",
        f"Every recording has its receipt; {_NAMES_A_PAGE:,} names come with each page of a listing. A fresh process.",
        list(_audit_figures(before, after, opened)),
    )
    return sweep, audit


def _costs(sides: Sides, data: Path, done: int, opened: int) -> Costs:
    fill(data, fresh=keys("open", opened), done=keys("done", done))
    with running_ground(data, jobs_at_once=10) as ground:
        _open(sides, ground, opened)
        sweep, told = _cost(sides, ground, RECONCILE)
        if told["reconciled"] != {"transcribed": opened}:
            raise CannotMeasure(f"the sweep did not write {opened} transcripts: {told}")
        audit, told = _cost(sides, ground, AUDIT)
        if told["audited"] or told["audit_errors"]:
            raise CannotMeasure(f"the audit found what is not there: {told}")
    return Costs(done, sweep, audit)


def _open(sides: Sides, ground: Ground, opened: int) -> None:
    """Their jobs end, and nobody is told."""
    with running_instance(sides.python.path, sides.scribe, ground.environ) as upload:
        for key in keys("open", opened):
            upload.answer(event_of(key))
    if not ground.cloud.rests(_LONGEST_SECONDS):
        raise CannotMeasure("the jobs did not end")


def _cost(sides: Sides, ground: Ground, message: str) -> tuple[Cost, dict[str, object]]:
    event = {"Type": "Timer", "TriggerName": message, "Time": "2026-11-21T01:15:00Z", "Message": message}
    last = max(row["number"] for row in ground.cloud.requests())
    with running_instance(sides.python.path, sides.sweep, ground.environ) as instance:
        began_s = time.perf_counter()
        told = instance.answer(event)
        seconds = time.perf_counter() - began_s
        processor_s, peak_mib = instance.processor_s, instance.peak_mib
    rows = ground.cloud.requests(last)
    pages = sum("max-keys=" in row["query"] for row in rows)
    return Cost(len(rows), pages, seconds, processor_s, peak_mib), told


def _sweep_figures(little: Costs, much: Costs) -> Iterator[Figure]:
    for costs in (little, much):
        yield fact(f"{costs.done:,} done", costs.sweep.told)
    more = much.sweep.requests - little.sweep.requests
    yield at_most(f"requests that {much.done - little.done:,} more done recordings cost", more, 0)


def _audit_figures(little: Costs, much: Costs, opened: int) -> Iterator[Figure]:
    for costs in (little, much):
        yield fact(f"{costs.done:,} recordings and receipts", costs.audit.told)
    for costs in (little, much):
        # Recordings, closed receipts, and the empty list of open ones: once for the sweep, once for the audit.
        least = 2 * ceil((costs.done + opened) / _NAMES_A_PAGE) + 2
        yield at_most(f"pages listed, {costs.done:,} recordings", costs.audit.pages, least)
    rest = much.audit.requests - much.audit.pages
    yield at_most("other requests", rest, little.audit.requests - little.audit.pages)
    grown = much.audit.peak_mib - little.audit.peak_mib
    yield at_most(
        f"memory that {much.done - little.done:,} more recordings cost", grown, _MOST_GROWTH_MIB, "MiB", 1
    )
