"""The record of every invocation: in memory for those who ask, in log files for those who read."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

_KEPT = 10_000
_KEPT_LINES = 2_000


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a handler.

    `trigger` is cos, http, timer or invoke; `attempt` counts from 1; `outcome` is ok, error, timeout, crash
    or load-error; `log` are the function's own lines; `requests` what it asked of the cloud; `cold` says that
    an instance was started for it; `memory_mib` is the instance's peak; `code` SCF's status code;
    `dropped` that an asynchronous event failed for the last time and is lost.
    """

    number: int
    function: str
    request_id: str
    trigger: str
    attempt: int
    started_s: float
    duration_ms: float
    outcome: str
    result: object
    error: str
    log: tuple[str, ...]
    requests: tuple[str, ...]
    cold: bool
    memory_mib: float | None
    code: int = 200
    dropped: bool = False


class Journal:
    """The last invocations, oldest first, and `<function>.log` files in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._kept: deque[Invocation] = deque(maxlen=_KEPT)
        self._last = 0

    def next_number(self) -> int:
        """Take the number of the invocation that is about to be recorded."""
        self._last += 1
        return self._last

    def since(self, number: int) -> list[Invocation]:
        """Give the invocations recorded with a higher number."""
        return [invocation for invocation in self._kept if invocation.number > number]

    def add(self, invocation: Invocation, lines: Sequence[str], limits: str) -> None:
        """Record one: append all its `lines` to the file, between the platform's own."""
        self._kept.append(invocation)
        who = f"RequestId: {invocation.request_id}"
        text = [f"START {who} trigger={invocation.trigger} attempt={invocation.attempt}", *lines]
        if invocation.error:
            text.append(f"ERROR {who} {invocation.outcome}: {invocation.error.rstrip()}")
        text.append(f"END {who}")
        memory = "" if invocation.memory_mib is None else f" MemUsage:{invocation.memory_mib:.1f}MB"
        cold = " Coldstart" if invocation.cold else ""
        dropped = " the event is dropped" if invocation.dropped else ""
        text.append(f"REPORT {who} Duration:{invocation.duration_ms:.1f}ms{memory} {limits}{cold}{dropped}")
        started = datetime.fromtimestamp(invocation.started_s, timezone.utc)
        stamp = started.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        with (self._folder / f"{invocation.function}.log").open("a", encoding="utf-8") as file:
            file.writelines(f"{stamp} {line}\n" for part in text for line in part.splitlines() or [""])


def kept_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Cut a very long log to what is held in memory; the file has all of it."""
    if len(lines) <= _KEPT_LINES:
        return tuple(lines)
    return (*lines[:_KEPT_LINES], f"({len(lines) - _KEPT_LINES} more lines in the log file)")
