"""Waiting for the cloud: looking again, and asking again for what it refuses only for the moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from cli.cloud.control import ControlError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0
LONGEST_REPEATING_S = 60.0  # of a request that is refused for the moment; some seconds are usual

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Waiting:
    """The clock and the sleep that waiting goes by, in seconds."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def looks(self, longest_s: float) -> Iterator[None]:
        """A turn at once, and one after each pause until the time is up."""
        ends, pause = self.now() + longest_s, FIRST_PAUSE_S
        yield
        while self.now() < ends:
            self.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            yield

    def until_taken(
        self, send: Callable[[], _Answer], is_momentary: Callable[[ControlError], bool]
    ) -> _Answer:
        """Sends, and again for LONGEST_REPEATING_S while the refusal is of this moment only; gives the answer.

        Raises the ControlError that is not, or the last one.
        """
        for _ in self.looks(LONGEST_REPEATING_S):
            try:
                return send()
            except ControlError as error:
                if not is_momentary(error):
                    raise
        return send()
