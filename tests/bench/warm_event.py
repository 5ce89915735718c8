"""A thousand events in one process, a portion of each side in its turn, each event a new recording."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.figures import Figure, Section, Spread, fact, ratio, spread
from tests.bench.fill import fill
from tests.bench.ground import Ground, event_of, keys, running_ground
from tests.bench.instance import Instance, running_instance
from tests.bench.sides import Sides

_PORTION = 25
_MOST_OF_HTTPX = 1.1
_HOW = (
    "{events} events in one process of each side, over loopback, in portions of {portion} that take turns; the time of "
    "an event is that of its portion. The stand-in's answering is in it; the processor time of the side's own process "
    "is shown apart. Bare httpx makes the same requests as Scribe, signed, and does nothing else."
)


@dataclass(slots=True)
class _Side:
    """One process. `seconds` are of an event in each portion; `requests` of one event."""

    instance: Instance
    requests: int
    seconds: list[float] = field(default_factory=list)
    processor_s: float = 0.0
    events: int = 0

    @property
    def ms(self) -> Spread:
        """Of one event."""
        return spread(second * 1000 for second in self.seconds)

    @property
    def processor_ms(self) -> float:
        """Of one event, on average."""
        return self.processor_s * 1000 / self.events

    def work(self, events: Sequence[str]) -> None:
        """Answers the events of these recordings."""
        processor_before_s, began_s = self.instance.processor_s, time.perf_counter()
        for key in events:
            self.instance.answer(event_of(key))
        self.seconds.append((time.perf_counter() - began_s) / len(events))
        self.processor_s += self.instance.processor_s - processor_before_s
        self.events += len(events)


def measure(sides: Sides, data: Path, events: int) -> Section:
    """Raises CannotMeasure."""
    modules = (sides.scribe, sides.bare_httpx, sides.sdk_with_bytecode, sides.floor)
    portions, portion = max(1, events // _PORTION), min(events, _PORTION)
    fresh = keys("warm", len(modules) * (1 + portions * portion))
    fill(data, fresh=fresh)
    unused = iter(fresh)
    with running_ground(data, jobs_at_once=0) as ground, ExitStack() as stack:
        running = [
            _Side(instance, _requests_of_first(ground, instance, next(unused)))
            for instance in [
                stack.enter_context(running_instance(sides.python.path, module, ground.environ))
                for module in modules
            ]
        ]
        for _ in range(portions):
            for side in running:
                side.work([next(unused) for _ in range(portion)])
        how = _HOW.format(events=portions * portion, portion=portion)
        return Section("Warm event", how, list(_figures(*running)))


def _requests_of_first(ground: Ground, instance: Instance, key: str) -> int:
    """Loads the handler as well: what comes after it is warm."""
    before = len(ground.cloud.requests())
    instance.answer(event_of(key))
    return len(ground.cloud.requests()) - before


def _figures(scribe: _Side, bare_httpx: _Side, sdk: _Side, floor: _Side) -> Iterator[Figure]:
    named = {
        "Scribe": scribe,
        "bare httpx": bare_httpx,
        "SDK handler": sdk,
        "floor": floor,
    }
    for name, side in named.items():
        yield fact(f"{name}, {side.requests} requests", side.ms.told("ms", 1))
    for name, side in named.items():
        yield fact(f"{name}, processor time of its process", f"{side.processor_ms:.1f} ms")
    yield ratio("Scribe / bare httpx", scribe.ms.median, bare_httpx.ms.median, _MOST_OF_HTTPX)
    yield ratio("Scribe / bare httpx, processor time", scribe.processor_ms, bare_httpx.processor_ms)
    yield ratio(
        "Scribe / SDK handler, a request",
        scribe.ms.median / scribe.requests,
        sdk.ms.median / sdk.requests,
        1.0,
    )
