"""Structured logs: one JSON object per line on standard output, where SCF collects them.

A line holds an event name, ids, counts and outcomes. Credentials, tokens, signatures, whole events and the words of a
transcript are never passed to the logger; strings are cut to 900 characters.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

MAX_VALUE_LENGTH = 900  # a COS key has at most 850 bytes


def write_stdout(line: str) -> None:
    """Write a line in one call, so that lines of several threads do not mix."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(timezone.utc)


class Logger:
    """Writes log lines that share the same fields.

    Field values are JSON values: text, numbers, booleans, None, and lists or mappings of them.
    """

    def __init__(
        self,
        fields: Mapping[str, Any] = MappingProxyType({}),
        write: Callable[[str], None] = write_stdout,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._fields = fields
        self._write = write
        self._now = now

    def bind(self, **fields: Any) -> Logger:
        """Return a logger that adds these fields to every line."""
        return Logger({**self._fields, **fields}, self._write, self._now)

    def info(self, event: str, **fields: Any) -> None:
        """Log an expected event."""
        self._write_line("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Log something unexpected that needs no action now."""
        self._write_line("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Log a failure that the operator must look at or the platform must retry."""
        self._write_line("error", event, fields)

    def _write_line(self, level: str, event: str, fields: dict[str, Any]) -> None:
        line = {
            "time": self._now().isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
            **self._fields,
            **fields,
        }
        self._write(json.dumps(_as_json_value(line), ensure_ascii=False))


def _as_json_value(value: Any) -> Any:
    """Return a value that JSON can hold, every string cut to MAX_VALUE_LENGTH."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value  # JSON has no infinity
    if isinstance(value, Mapping):
        return {_cut(str(name)): _as_json_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json_value(item) for item in value]
    return _cut(str(value))


def _cut(text: str) -> str:
    clean = text.encode("utf-8", "replace").decode()  # a lone surrogate in a key would stop the write
    return clean if len(clean) <= MAX_VALUE_LENGTH else clean[:MAX_VALUE_LENGTH] + "…"
