"""Logs: one JSON object a line on standard output, which is where SCF collects them.

A line holds names, counts and outcomes. Credentials, tokens, signatures, whole events and the words of a transcript
are never passed to it; what is passed is cut to a length that no transcript fits in.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import NamedTuple

LONGEST_VALUE = 900  # a key has at most 850 bytes

Value = str | int | float | bool | None


def to_stdout(line: str) -> None:
    """One write a line, so that lines of threads do not mix."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Log(NamedTuple):
    """Writes lines that all carry the same fields."""

    fields: Mapping[str, Value] = MappingProxyType({})
    write: Callable[[str], None] = to_stdout
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)

    def having(self, **fields: Value) -> Log:
        """The same log with more fields on each line."""
        return Log({**self.fields, **fields}, self.write, self.now)

    def info(self, message: str, **fields: Value) -> None:
        """What happened, as expected."""
        self._line("info", message, fields)

    def warning(self, message: str, **fields: Value) -> None:
        """What needs no action now, but explains a later question."""
        self._line("warning", message, fields)

    def error(self, message: str, **fields: Value) -> None:
        """What the operator must look at, or the platform must retry."""
        self._line("error", message, fields)

    def _line(self, level: str, message: str, fields: dict[str, Value]) -> None:
        line: dict[str, Value] = {
            "time": self.now().isoformat(timespec="milliseconds"),
            "level": level,
            "message": message,
            **self.fields,
            **fields,
        }
        self.write(json.dumps({name: _short(value) for name, value in line.items()}, ensure_ascii=False))


def _short(value: Value) -> Value:
    if not isinstance(value, str):
        return value
    # A lone surrogate in a key would stop the write.
    clean = value.encode("utf-8", "replace").decode()
    return clean if len(clean) <= LONGEST_VALUE else clean[:LONGEST_VALUE] + "…"
