"""Measure sweep and audit with few and with many finished recordings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.fixtures import BenchCloud, build_event, create_recordings, make_keys, running_bench_cloud
from tests.bench.implementations import Implementations
from tests.bench.instance import running_instance
from tests.bench.report import MeasurementError, Metric, Section
from tests.chaos.cloud import AUDIT, RECONCILE, build_timer_event

_NAMES_PER_PAGE = 1_000
_IDLE_TIMEOUT_S = 60.0
_MAX_GROWTH_MIB = 4.0
SWEEP_METHOD = (
    "{unfinished} jobs are finished and their notifications lost: the sweep writes every transcript and closes the "
    "receipts, in a new process. The rest of the seconds is the local cloud's, on loopback."
)
AUDIT_METHOD = "Every recording has its receipt; a page of a listing has {names:,} names. A new process."


class Cost(NamedTuple):
    """The cost of one invocation in a new process. `pages` counts the requests that list names."""

    requests: int
    pages: int
    seconds: float
    processor_s: float
    peak_mib: float

    def format(self) -> str:
        """Format as one cell of the table."""
        time_text = f"{self.seconds:.1f} s ({self.processor_s:.1f} s of it its own processor time)"
        return f"{self.requests:,} requests, {time_text}, {self.peak_mib:.0f} MiB"


class Costs(NamedTuple):
    """The costs with `done` finished recordings."""

    done: int
    sweep: Cost
    audit: Cost


def measure(
    implementations: Implementations, data: Path, *, few_done: int, many_done: int, unfinished: int
) -> tuple[Section, Section]:
    """Measure with two numbers of finished recordings; return the sections of sweep and audit.

    Raises MeasurementError.
    """
    few, many = (
        measure_costs(implementations, data / str(done), done, unfinished) for done in (few_done, many_done)
    )
    sweep = Section(
        "Sweep",
        SWEEP_METHOD.format(unfinished=unfinished),
        list(_sweep_metrics(few, many)),
    )
    audit = Section(
        "Audit",
        AUDIT_METHOD.format(names=_NAMES_PER_PAGE),
        list(_audit_metrics(few, many, unfinished)),
    )
    return sweep, audit


def measure_costs(implementations: Implementations, data: Path, done: int, unfinished: int) -> Costs:
    """Measure one sweep and one audit. Raises MeasurementError."""
    create_recordings(data, new_keys=make_keys("open", unfinished), done_keys=make_keys("done", done))
    with running_bench_cloud(data, max_concurrent_jobs=10) as cloud:
        _submit_jobs(implementations, cloud, unfinished)
        sweep, result = _measure_invocation(implementations, cloud, RECONCILE)
        if result["reconciled"] != {"transcribed": unfinished}:
            raise MeasurementError(f"the sweep did not write {unfinished} transcripts: {result}")
        audit, result = _measure_invocation(implementations, cloud, AUDIT)
        if result["audited"] or result["audit_errors"]:
            raise MeasurementError(f"the audit found recordings without a receipt, or failed: {result}")
    return Costs(done, sweep, audit)


def _submit_jobs(implementations: Implementations, cloud: BenchCloud, unfinished: int) -> None:
    """Submit a job for each unfinished recording and wait until all jobs have ended. No notification is sent."""
    python = implementations.python.path
    with running_instance(python, implementations.scribe, cloud.function_environ) as upload:
        for key in make_keys("open", unfinished):
            upload.invoke(build_event(key))
    if not cloud.wait_until_idle(_IDLE_TIMEOUT_S):
        raise MeasurementError("the jobs did not end")


def _measure_invocation(
    implementations: Implementations, cloud: BenchCloud, message: str
) -> tuple[Cost, dict[str, Any]]:
    """Invoke the sweep function in a new process; return its cost and its result."""
    event = build_timer_event(message)
    last_request = max(row["number"] for row in cloud.requests())
    python = implementations.python.path
    with running_instance(python, implementations.sweep, cloud.function_environ) as instance:
        start_s = time.perf_counter()
        result = instance.invoke(event)
        seconds = time.perf_counter() - start_s
        processor_s, peak_mib = instance.processor_s, instance.peak_mib
    requests = cloud.requests(last_request)
    pages = sum("max-keys=" in row["query"] for row in requests)
    return Cost(len(requests), pages, seconds, processor_s, peak_mib), result


def _sweep_metrics(few: Costs, many: Costs) -> Iterator[Metric]:
    for costs in (few, many):
        yield Metric(f"{costs.done:,} done", costs.sweep.format())
    growth = many.sweep.requests - few.sweep.requests
    yield Metric.at_most(f"requests that {many.done - few.done:,} more done recordings cost", growth, 0)


def _audit_metrics(few: Costs, many: Costs, unfinished: int) -> Iterator[Metric]:
    for costs in (few, many):
        yield Metric(f"{costs.done:,} recordings and receipts", costs.audit.format())
    for costs in (few, many):
        # Recordings, closed receipts, and empty lists: of open ones for the sweep and for the audit, of waiting ones.
        max_pages = 2 * ceil((costs.done + unfinished) / _NAMES_PER_PAGE) + 3
        yield Metric.at_most(f"pages listed, {costs.done:,} recordings", costs.audit.pages, max_pages)
    other_requests = many.audit.requests - many.audit.pages
    yield Metric.at_most("other requests", other_requests, few.audit.requests - few.audit.pages)
    growth_mib = many.audit.peak_mib - few.audit.peak_mib
    name = f"memory that {many.done - few.done:,} more recordings cost"
    yield Metric.at_most(name, growth_mib, _MAX_GROWTH_MIB, "MiB", 1)
