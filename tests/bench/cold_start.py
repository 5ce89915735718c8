"""Measure cold starts: a new process until its first event is handled. The implementations take turns."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.fixtures import build_event, create_recordings, make_keys, running_bench_cloud
from tests.bench.implementations import Implementations
from tests.bench.instance import running_instance
from tests.bench.report import Metric, Section, Stats

_MAX_SDK_RATIO, _MAX_SDK_BYTECODE_RATIO = 0.5, 0.85
METHOD = (
    "A new process until its first event is handled, over loopback; {rounds} rounds, in each of which every "
    "implementation has its turn. As shipped: Scribe with the bytecode that `make package` adds, the SDK's handler as "
    "pip installs it, because SCF never writes bytecode. Scribe makes nine requests: one asks once whether the output "
    "bucket has versioning. The floor makes the eight others with http.client and a signature and does nothing else; "
    "bare httpx makes the same eight, to show what an HTTP library costs; the SDK's handler makes five. A ratio is the "
    "median of the ratios of all rounds, because the speed of the machine varies between rounds. There is no TLS on "
    "loopback: in the cloud each implementation also creates a TLS context, which is measured separately."
)

IF_MISSED = (
    "Importing httpx is most of Scribe's cold start: bare httpx, which makes eight of the requests and does nothing "
    "else, takes about as long (Scribe / bare httpx, above)."
)


@dataclass(slots=True)
class _ColdStarts:
    """The cold starts of one implementation: elapsed time and processor time of each."""

    name: str
    module_file: Path
    elapsed_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def measure(self, python: str, environ: Mapping[str, str], key: str) -> None:
        """Start a new process and let it handle one event."""
        start_s = time.perf_counter()
        with running_instance(python, self.module_file, environ) as instance:
            instance.invoke(build_event(key))
            self.elapsed_ms.append((time.perf_counter() - start_s) * 1000)
            self.processor_ms.append(instance.processor_s * 1000)

    def discard(self) -> None:
        """Discard what was measured so far."""
        self.elapsed_ms.clear()
        self.processor_ms.clear()


def measure(implementations: Implementations, data: Path, rounds: int) -> Section:
    """Measure every implementation `rounds` times. Raises MeasurementError."""
    cold_starts = (
        _ColdStarts("Scribe, as shipped", implementations.scribe),
        _ColdStarts("SDK handler, as shipped", implementations.sdk),
        _ColdStarts("SDK handler, with bytecode", implementations.sdk_with_bytecode),
        _ColdStarts("bare httpx, with bytecode", implementations.bare_httpx),
        _ColdStarts("floor", implementations.floor),
    )
    keys = make_keys("cold", (1 + rounds) * len(cold_starts))
    create_recordings(data, new_keys=keys)
    unused_keys = iter(keys)
    python = implementations.python.path
    tls_ms: list[float] = []
    with running_bench_cloud(data, max_concurrent_jobs=0) as cloud:
        for implementation in cold_starts:
            implementation.measure(python, cloud.function_environ, next(unused_keys))
            implementation.discard()  # its files were not in the page cache yet
        for _ in range(rounds):
            for implementation in cold_starts:
                implementation.measure(python, cloud.function_environ, next(unused_keys))
            tls_ms.append(float(implementations.run_script("tls_context.py", implementations.package.tree)))
    tls = Metric("a TLS context, in a new process", Stats.from_values(tls_ms).format("ms"))
    return Section("Cold start", METHOD.format(rounds=rounds), [*_metrics(cold_starts), tls], IF_MISSED)


def _metrics(cold_starts: tuple[_ColdStarts, ...]) -> Iterator[Metric]:
    for implementation in cold_starts:
        yield Metric(implementation.name, Stats.from_values(implementation.elapsed_ms).format("ms"))
    for implementation in cold_starts:
        processor_time = Stats.from_values(implementation.processor_ms).format("ms")
        yield Metric(f"{implementation.name}: processor time of its process", processor_time)
    scribe, sdk, sdk_with_bytecode, bare_httpx, floor = cold_starts
    yield _ratio("Scribe / SDK handler, each as shipped", scribe, sdk, _MAX_SDK_RATIO)
    yield _ratio(
        "Scribe / SDK handler, both with bytecode", scribe, sdk_with_bytecode, _MAX_SDK_BYTECODE_RATIO
    )
    yield _ratio("Scribe / bare httpx", scribe, bare_httpx)
    yield _ratio("Scribe / floor", scribe, floor)


def _ratio(name: str, scribe: _ColdStarts, other: _ColdStarts, max_ratio: float | None = None) -> Metric:
    """Build a metric from the median of the ratios of all rounds."""
    rounds = zip(scribe.elapsed_ms, other.elapsed_ms, strict=True)
    return Metric.ratio(name, median(scribe_ms / other_ms for scribe_ms, other_ms in rounds), 1.0, max_ratio)
