"""Events on their way from COS to a function: lost, late, or delivered twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from localcloud.faults.dice import Dice


class EventFaults:
    """Passes events on, or not. What is held back when the cloud stops is lost."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._held: set[asyncio.TimerHandle] = set()

    def pass_on(self, about: str, deliver: Callable[[], None]) -> None:
        """Deliver an event: as a rule once and now."""
        about = self._dice.opportunity(f"event {about}")
        if self._dice.strikes("lost_event", about):
            return
        if self._dice.strikes("duplicate_event", about):
            self._later(self._dice.delay_s("duplicate_event", about), deliver)
        if self._dice.strikes("late_event", about):
            self._later(self._dice.delay_s("late_event", about), deliver)
        else:
            deliver()

    def _later(self, delay_s: float, deliver: Callable[[], None]) -> None:
        def now() -> None:
            self._held.discard(handle)
            deliver()

        handle = asyncio.get_running_loop().call_later(delay_s, now)
        self._held.add(handle)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is held back."""
        return not self._held

    def close(self) -> None:
        """Forget what is held back."""
        for handle in self._held:
            handle.cancel()
        self._held.clear()
