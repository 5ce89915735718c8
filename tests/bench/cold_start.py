"""A new process until its first event is answered, each side in its turn, each time a new recording."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.bench.figures import Figure, Section, fact, ratio, spread
from tests.bench.fill import fill
from tests.bench.ground import event_of, keys, running_ground
from tests.bench.instance import running_instance
from tests.bench.sides import Sides

_MOST_OF_SDK, _MOST_OF_SDK_ALIKE = 0.5, 0.85
_HOW = (
    "A new process until its first event is answered, over loopback; {rounds} rounds, in each of which every side has "
    "its turn. As shipped: Scribe with the bytecode that `make package` adds, the SDK's handler as pip leaves it, "
    "because SCF never writes any. The floor makes Scribe's seven requests with http.client and a signature and does "
    "nothing else; bare httpx makes the same seven, to show what a library for HTTP costs; the SDK's handler makes "
    "five. A ratio is the median of the rounds' own ratios, because the machine is not equally quick in all of them. "
    "On loopback there is no TLS: in the cloud each of them also makes a TLS context, which is measured separately."
)

_IF_MISSED = (
    "Importing httpx is most of Scribe's cold start: bare httpx, which makes the same requests and does nothing else, "
    "takes about as long (Scribe / bare httpx, above)."
)


@dataclass(slots=True)
class _Side:
    """One of those that take turns, and what each start took in ms: by the clock, and of processor time."""

    name: str
    module_file: Path
    ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def start(self, python: str, environ: Mapping[str, str], key: str) -> None:
        """A new process, and its first event."""
        began_s = time.perf_counter()
        with running_instance(python, self.module_file, environ) as instance:
            instance.answer(event_of(key))
            self.ms.append((time.perf_counter() - began_s) * 1000)
            self.processor_ms.append(instance.processor_s * 1000)

    def forget(self) -> None:
        """The first start reads its files from a cold disk."""
        self.ms.clear()
        self.processor_ms.clear()


def measure(sides: Sides, data: Path, rounds: int) -> Section:
    """Raises CannotMeasure."""
    turns = (
        _Side("Scribe, as shipped", sides.scribe),
        _Side("SDK handler, as shipped", sides.sdk),
        _Side("SDK handler, with bytecode", sides.sdk_with_bytecode),
        _Side("bare httpx, with bytecode", sides.bare_httpx),
        _Side("floor", sides.floor),
    )
    fresh = keys("cold", (1 + rounds) * len(turns))
    fill(data, fresh=fresh)
    unused = iter(fresh)
    tls_ms: list[float] = []
    with running_ground(data, jobs_at_once=0) as ground:
        for side in turns:
            side.start(sides.python.path, ground.environ, next(unused))
            side.forget()
        for _ in range(rounds):
            for side in turns:
                side.start(sides.python.path, ground.environ, next(unused))
            tls_ms.append(float(sides.run_peer("tls_context.py", sides.package.tree)))
    tls = fact("a TLS context, in a new process", spread(tls_ms).told("ms"))
    return Section("Cold start", _HOW.format(rounds=rounds), [*_figures(turns), tls], _IF_MISSED)


def _figures(turns: tuple[_Side, ...]) -> Iterator[Figure]:
    for side in turns:
        yield fact(side.name, spread(side.ms).told("ms"))
    for side in turns:
        yield fact(f"{side.name}: processor time of its process", spread(side.processor_ms).told("ms"))
    scribe, sdk, sdk_alike, bare_httpx, floor = turns
    yield ratio("Scribe / SDK handler, each as shipped", *_by_round(scribe, sdk), _MOST_OF_SDK)
    yield ratio("Scribe / SDK handler, both with bytecode", *_by_round(scribe, sdk_alike), _MOST_OF_SDK_ALIKE)
    yield ratio("Scribe / bare httpx", *_by_round(scribe, bare_httpx))
    yield ratio("Scribe / floor", *_by_round(scribe, floor))


def _by_round(ours: _Side, theirs: _Side) -> tuple[float, float]:
    """Ours in the middle one of the rounds' ratios, where theirs is 1."""
    return median(mine / other for mine, other in zip(ours.ms, theirs.ms, strict=True)), 1.0
