"""Seeded decisions: whether a fault is injected follows from the plan's seed, the kind and the event.

Deterministic for a given seed and independent of scheduling: an event is named by its subject (an object, a job's
recording, a path) and by how often that subject occurred before.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter

from localcloud.faults.plan import FaultPlan

_RANGE = 2**64


class FaultDecisions:
    """The current plan, and the number of injected faults by kind."""

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self.injected: Counter[str] = Counter()
        self._decisions: Counter[str] = Counter()
        self._occurrences: Counter[str] = Counter()

    def set_plan(self, plan: FaultPlan) -> None:
        """Replace the plan and start its decisions from the beginning.

        The numbers of injected faults are reset too, unless the plan is empty and only ends the faults.
        """
        self.plan = plan
        self._decisions.clear()
        self._occurrences.clear()
        if not plan.is_empty:
            self.injected.clear()

    def event_id(self, label: str) -> str:
        """Name one event: its label, and that it is the n-th event with that label."""
        if not self.plan.can_inject:
            return label
        self._occurrences[label] += 1
        return f"{label} #{self._occurrences[label]}"

    def stretch_id(self, label: str, length: int) -> str:
        """Name the stretch of `length` events with that label that the next event is in."""
        self._occurrences[label] += 1
        return f"{label} stretch #{(self._occurrences[label] - 1) // length}"

    def should_inject(self, kind: str, event_id: str) -> bool:
        """Decide whether to inject a kind of fault in an event, and count it."""
        rate = self.plan.rates.get(kind)
        if rate is None:
            return False
        self._decisions[kind] += 1
        if self.plan.until is not None and self._decisions[kind] > self.plan.until:
            return False
        if self._draw(kind, event_id) >= rate:
            return False
        self.injected[kind] += 1
        return True

    def delay_s(self, kind: str, event_id: str) -> float:
        """Return the delay of an injected fault, in seconds."""
        shortest_ms, longest_ms = self.plan.delay_ms
        return (shortest_ms + (longest_ms - shortest_ms) * self._draw(f"{kind} delay", event_id)) / 1000

    def choose(self, kind: str, event_id: str, count: int) -> int:
        """Choose one of `count` variants of an injected fault: 0 to `count` - 1."""
        return int(self._draw(f"{kind} choice", event_id) * count)

    def _draw(self, purpose: str, event_id: str) -> float:
        """Return a pseudo-random number, at least 0 and below 1."""
        text = f"{self.plan.seed}\n{purpose}\n{event_id}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") / _RANGE


class SkewedClock:
    """The cloud's clock, which may be ahead of this machine's: for signatures, Date headers and Last-Modified."""

    def __init__(self, injector: FaultDecisions) -> None:
        self._injector = injector

    def __call__(self) -> float:
        """Return the Unix time in seconds."""
        return time.time() + self._injector.plan.clock_skew_s
