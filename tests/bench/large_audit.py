"""Measure audits of a bucket that is too large for one run: they go on where the one before stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import ceil
from typing import Any, NamedTuple

from tests.bench.implementations import Implementations
from tests.bench.report import MeasurementError, Metric, Section

_NAMES_PER_PAGE = 1_000
# The garbage collector frees the responses, and runs rarely while little else is kept; with it after each page: 0.
_MAX_GROWTH_MIB = 8.0
# Of one run: the sweep's open receipts, open and waiting receipts of the audit, and two pages that it lists again
# because the run before it stopped within them.
_MAX_OTHER_PAGES = 5
_MAX_CURSOR_REQUESTS = 3  # of one run: the sweep's cursor, the audit's cursor to read and to write
_LIMIT_S, _DEPLOYED_LIMIT_S = 60.0, 600.0
METHOD = (
    "{recordings:,} recordings with their receipts, in a new process. A function makes each page of a listing when it "
    "is requested. The clock is simulated: a run may take {limit:.0f} s, a request takes {request_ms:.0f} ms, and "
    "Scribe's own processor time counts as it is. Deployed, a run may take {deployed_limit:.0f} s."
)


class Run(NamedTuple):
    """The cost of one run. `seconds` are simulated: requests of a stated time, and the real processor time."""

    requests: int
    pages: int
    seconds: float
    processor_s: float


class Round(NamedTuple):
    """The runs that looked at every recording once."""

    recordings: int
    request_s: float
    runs: Sequence[Run]
    peak_mib: float

    @property
    def requests(self) -> int:
        """Return the requests of all runs."""
        return sum(run.requests for run in self.runs)

    @property
    def pages(self) -> int:
        """Return the requests that list names."""
        return sum(run.pages for run in self.runs)

    @property
    def seconds(self) -> float:
        """Return the simulated seconds of all runs."""
        return sum(run.seconds for run in self.runs)

    @property
    def processor_s(self) -> float:
        """Return the processor time of all runs."""
        return sum(run.processor_s for run in self.runs)


def measure(implementations: Implementations, recordings: int) -> Section:
    """Measure one round over this number of recordings, and one over a hundredth. Raises MeasurementError."""
    few = measure_round(implementations, max(1, recordings // 100), _LIMIT_S)
    many = measure_round(implementations, recordings, _LIMIT_S)
    return Section(
        "Audit of a large bucket",
        METHOD.format(
            recordings=recordings,
            limit=_LIMIT_S,
            request_ms=many.request_s * 1000,
            deployed_limit=_DEPLOYED_LIMIT_S,
        ),
        list(_metrics(few, many)),
    )


def measure_round(implementations: Implementations, recordings: int, limit_s: float) -> Round:
    """Run audits until every recording was looked at. Raises MeasurementError."""
    libraries = implementations.package.tree
    report = json.loads(implementations.run_script("audit_many.py", libraries, recordings, limit_s))
    rows: list[dict[str, Any]] = report["runs"]
    if any(row["errors"] or row["missing"] for row in rows):
        raise MeasurementError(f"the audit found recordings without a receipt, or failed: {rows}")
    runs = [Run(row["requests"], row["pages"], row["seconds"], row["processor_s"]) for row in rows]
    return Round(recordings, report["request_s"], runs, report["mib"])


def _metrics(few: Round, many: Round) -> Iterator[Metric]:
    runs = len(many.runs)
    yield Metric("runs until every recording was looked at", f"{runs}")
    yield Metric("recordings looked at in a run", f"{many.recordings // runs:,}")
    yield Metric("requests of a run", f"{max(run.requests for run in many.runs):,} at most")
    yield Metric("simulated time of a run", f"{max(run.seconds for run in many.runs):.1f} s at most")
    max_pages = 2 * ceil(many.recordings / _NAMES_PER_PAGE) + _MAX_OTHER_PAGES * runs
    yield Metric.at_most("pages listed in all runs", many.pages, max_pages)
    yield Metric.at_most(
        "other requests in all runs", many.requests - many.pages, _MAX_CURSOR_REQUESTS * runs
    )
    yield Metric(
        "processor time of all runs",
        f"{many.processor_s:.1f} s ({many.processor_s / many.recordings * 1e6:.0f} µs for each recording)",
    )
    yield Metric("peak memory", f"{many.peak_mib:.0f} MiB")
    name = f"memory that {many.recordings - few.recordings:,} more recordings cost"
    yield Metric.at_most(name, many.peak_mib - few.peak_mib, _MAX_GROWTH_MIB, "MiB", 1)
    reserved_s = _LIMIT_S - max(run.seconds for run in many.runs)
    deployed_runs = ceil(many.seconds / (_DEPLOYED_LIMIT_S - reserved_s))
    yield Metric(
        f"runs of {_DEPLOYED_LIMIT_S:.0f} s, from the same figures",
        f"{deployed_runs} ({many.seconds:.0f} s in all)",
    )
