"""Looking again: some of what the cloud has just made is not to be seen at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 3.0


@dataclass(frozen=True, slots=True)
class Patience:
    """A clock and a sleep, which tests can hand in."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def looks(self, longest_s: float) -> Iterator[None]:
        """A turn at once, and one after each pause until `longest_s` seconds are up."""
        ends, pause = self.now() + longest_s, FIRST_PAUSE_S
        yield
        while self.now() < ends:
            self.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
            yield
