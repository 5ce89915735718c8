"""Instances of functions that are killed at a request: at the plan's exact place, or by its rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from localcloud.faults.dice import Dice
from localcloud.keys import Key

_MOST_COUNTED = 100_000


class Kills:
    """Counts the requests of each invocation, which is known by the key that was made for it."""

    def __init__(self, dice: Dice, kill: Callable[[Key], bool]) -> None:
        """`kill` ends the instance that holds a key, and says whether there was one."""
        self._dice = dice
        self._kill = kill
        self._requests: Counter[str] = Counter()
        self._done = 0

    def renew(self) -> None:
        """Begin to count anew, for a new plan."""
        self._requests.clear()
        self._done = 0

    def arrived(self, key: Key) -> int:
        """A request arrives: the how manieth of its invocation it is, as far as that matters to the plan."""
        kill = self._dice.plan.kill
        if kill is None or kill.function != key.function:
            return 0
        self._requests[key.secret_id] += 1
        if len(self._requests) > _MOST_COUNTED:
            self._requests.pop(next(iter(self._requests)))
        return self._requests[key.secret_id]

    def strikes(self, when: str, key: Key, number: int, about: str) -> bool:
        """Whether the sender of a request was killed `before` or `after` its effect; `number` as `arrived` gave it."""
        kill, kind = self._dice.plan.kill, f"killed_{when}_request"
        if kill is not None and (kill.when, kill.request) == (when, number) and self._done < kill.times:
            if not self._kill(key):
                return False
            self._done += 1
            self._dice.struck[kind] += 1
            return True
        return bool(key.function) and self._dice.strikes(kind, about) and self._kill(key)
