"""Measure warm events: many events in one process of each implementation, in batches that take turns."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.fixtures import BenchCloud, build_event, create_recordings, make_keys, running_bench_cloud
from tests.bench.implementations import Implementations
from tests.bench.instance import Instance, running_instance
from tests.bench.report import Metric, Section, Stats

_BATCH_SIZE = 25
_MAX_HTTPX_RATIO = 1.1
METHOD = (
    "{events} events in one process of each implementation, over loopback, in batches of {batch_size} that take turns; "
    "the time of an event is the average of its batch. It includes the local cloud's own time; the processor time of "
    "the implementation's process is shown apart. Bare httpx makes the same requests as Scribe, signed, and does "
    "nothing else."
)


@dataclass(slots=True)
class _WarmInstance:
    """One process. `requests` of one event; `event_seconds` has the time of an event in each batch."""

    instance: Instance
    requests: int
    event_seconds: list[float] = field(default_factory=list)
    total_processor_s: float = 0.0
    events: int = 0

    @property
    def event_ms(self) -> Stats:
        """Summarize the time of one event."""
        return Stats.from_values(seconds * 1000 for seconds in self.event_seconds)

    @property
    def event_processor_ms(self) -> float:
        """Return the average processor time of one event."""
        return self.total_processor_s * 1000 / self.events

    def run_batch(self, keys: Sequence[str]) -> None:
        """Handle the events of these recordings."""
        processor_start_s, start_s = self.instance.processor_s, time.perf_counter()
        for key in keys:
            self.instance.invoke(build_event(key))
        self.event_seconds.append((time.perf_counter() - start_s) / len(keys))
        self.total_processor_s += self.instance.processor_s - processor_start_s
        self.events += len(keys)


def measure(implementations: Implementations, data: Path, events: int) -> Section:
    """Measure about `events` events of each implementation. Raises MeasurementError."""
    modules = (
        implementations.scribe,
        implementations.bare_httpx,
        implementations.sdk_with_bytecode,
        implementations.floor,
    )
    batches, batch_size = max(1, events // _BATCH_SIZE), min(events, _BATCH_SIZE)
    keys = make_keys("warm", len(modules) * (2 + batches * batch_size))
    create_recordings(data, new_keys=keys)
    unused_keys = iter(keys)
    with running_bench_cloud(data, max_concurrent_jobs=0) as cloud, ExitStack() as stack:
        processes = [
            stack.enter_context(running_instance(implementations.python.path, module, cloud.function_environ))
            for module in modules
        ]
        instances = [
            _WarmInstance(process, _count_requests(cloud, process, next(unused_keys), next(unused_keys)))
            for process in processes
        ]
        for _ in range(batches):
            for instance in instances:
                instance.run_batch([next(unused_keys) for _ in range(batch_size)])
    method = METHOD.format(events=batches * batch_size, batch_size=batch_size)
    return Section("Warm event", method, list(_metrics(*instances)))


def _count_requests(cloud: BenchCloud, instance: Instance, first_key: str, key: str) -> int:
    """Count the requests of the second event. The first loads the handler, and asks for the versioning."""
    instance.invoke(build_event(first_key))
    before = len(cloud.requests())
    instance.invoke(build_event(key))
    return len(cloud.requests()) - before


def _metrics(
    scribe: _WarmInstance, bare_httpx: _WarmInstance, sdk: _WarmInstance, floor: _WarmInstance
) -> Iterator[Metric]:
    instances = {"Scribe": scribe, "bare httpx": bare_httpx, "SDK handler": sdk, "floor": floor}
    for name, instance in instances.items():
        yield Metric(f"{name}, {instance.requests} requests", instance.event_ms.format("ms", 1))
    for name, instance in instances.items():
        yield Metric(f"{name}, processor time of its process", f"{instance.event_processor_ms:.1f} ms")
    scribe_ms, sdk_ms = scribe.event_ms.median, sdk.event_ms.median
    yield Metric.ratio("Scribe / bare httpx", scribe_ms, bare_httpx.event_ms.median, _MAX_HTTPX_RATIO)
    yield Metric.ratio(
        "Scribe / bare httpx, processor time", scribe.event_processor_ms, bare_httpx.event_processor_ms
    )
    yield Metric.ratio(
        "Scribe / SDK handler, a request", scribe_ms / scribe.requests, sdk_ms / sdk.requests, 1.0
    )
