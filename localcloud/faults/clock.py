"""The cloud's own clock, which may run ahead of this machine's."""

from __future__ import annotations

import time

from localcloud.faults.dice import Dice


class Clock:
    """Tells the time of signatures, Date headers and Last-Modified."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def __call__(self) -> float:
        """Unix seconds."""
        return time.time() + self._dice.plan.clock_skew_s
