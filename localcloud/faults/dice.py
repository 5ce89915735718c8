"""Seeded decisions: whether a fault strikes follows from the plan's seed, the kind, and what it would strike.

The same upload suffers the same faults in every run of the same seed, however the rest interleaves: an opportunity is
named by what it is about (an object, a job's recording, a path), and how often that came before.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from localcloud.faults.plan import Plan

_RANGE = 2**64


class Dice:
    """The plan in force, and the counts of what has struck."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.struck: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()

    def use(self, plan: Plan) -> None:
        """Replace the plan; its dice are new.

        The counts begin anew too, unless the plan is empty and only ends the faults.
        """
        self.plan = plan
        self._asked.clear()
        self._seen.clear()
        if not plan.is_empty:
            self.struck.clear()

    def opportunity(self, about: str) -> str:
        """The name of one opportunity: what it is about, and that this is the n-th of these."""
        if not self.plan.can_strike:
            return about
        self._seen[about] += 1
        return f"{about} #{self._seen[about]}"

    def strikes(self, kind: str, opportunity: str) -> bool:
        """Whether this kind strikes now; counts it when it does."""
        rate = self.plan.rates.get(kind)
        if rate is None:
            return False
        self._asked[kind] += 1
        if self.plan.until is not None and self._asked[kind] > self.plan.until:
            return False
        if self._share(kind, opportunity) >= rate:
            return False
        self.struck[kind] += 1
        return True

    def delay_s(self, kind: str, opportunity: str) -> float:
        """How long a fault that strikes waits, in seconds."""
        shortest, longest = self.plan.delay_ms
        return (shortest + (longest - shortest) * self._share(f"{kind} delay", opportunity)) / 1000

    def choice(self, kind: str, opportunity: str, most: int) -> int:
        """Which of so many forms a fault that strikes takes: 0 up to `most` - 1."""
        return int(self._share(f"{kind} choice", opportunity) * most)

    def _share(self, what: str, opportunity: str) -> float:
        """A number from 0 up to 1 that looks random."""
        text = f"{self.plan.seed}\n{what}\n{opportunity}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") / _RANGE
