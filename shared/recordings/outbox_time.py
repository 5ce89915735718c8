"""The time of one sweep through the notices: what each target may take of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

MIN_ATTEMPT_S = 0.5  # with less time left, an attempt would only be cut off
SUSPECT_TIMEOUT_S = 5.0  # for a target whose last attempt failed
MAX_WAIT_S, MAX_TOTAL_WAIT_S = 5.0, 20.0  # for a target that asks for a short pause; in one sweep
RESERVED_S = 3.0  # to store what an attempt showed
MIN_SHARE_S = 5.0  # of a sweep, for one target, while there is time


def rotate(items: Sequence[T], random: float) -> list[T]:
    """Return the items in their order, from one that `random`, from 0 to 1, chooses."""
    start = min(int(random * len(items)), max(len(items) - 1, 0))
    return [*items[start:], *items[:start]]


class OutOfTime(Exception):
    """Too little is left of the function's time limit."""


class SweepTime:
    """The time of one sweep. `remaining_s` returns what is left of it, in seconds."""

    def __init__(self, remaining_s: Callable[[], float]) -> None:
        self._remaining_s = remaining_s
        self._free_wait_s = MAX_TOTAL_WAIT_S
        self._end_s = RESERVED_S  # when the target's time is over, as what remains then

    def begin_target(self, targets_left: int) -> None:
        """Give the next target its share of the time."""
        remaining_s = self._remaining_s()
        share_s = max((remaining_s - RESERVED_S) / targets_left, MIN_SHARE_S)
        self._end_s = max(remaining_s - share_s, RESERVED_S)

    @property
    def is_over(self) -> bool:
        """Check whether no other target has time for an attempt either."""
        return self._remaining_s() - RESERVED_S < MIN_ATTEMPT_S

    def may_wait(self, pause_s: float) -> bool:
        """Check whether there is time for a pause, and count it."""
        if pause_s > min(MAX_WAIT_S, self._free_wait_s) or self.left_s < pause_s + SUSPECT_TIMEOUT_S:
            return False
        self._free_wait_s -= pause_s
        return True

    def check(self) -> float:
        """Return the seconds for an attempt. Raises OutOfTime."""
        seconds = self.left_s
        if seconds < MIN_ATTEMPT_S:
            raise OutOfTime
        return seconds

    @property
    def left_s(self) -> float:
        """Return the seconds that the current target has left."""
        return self._remaining_s() - self._end_s
