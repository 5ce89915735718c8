"""Structured logs: one JSON object per line on standard output, where SCF collects them.

A line holds an event name, ids, counts and outcomes. Credentials, tokens, signatures, whole events and the words of a
transcript are never passed to the logger; strings are cut to 900 characters.

A log line never stops the work that it describes: one that cannot be written is dropped.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

MAX_VALUE_LENGTH = 900  # a COS key has at most 850 bytes
MAX_INT_BITS = 2048


def write_stdout(line: str) -> None:
    """Write a line of JSON in one call, so that lines of several threads do not mix.

    If standard output is not UTF-8, characters beyond ASCII become JSON escapes: the collector expects UTF-8, which
    ASCII is as well. Raises what standard output raises.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if encoding.lower().replace("_", "-") not in {"utf-8", "utf8"}:
        line = _escape(line)
    try:
        sys.stdout.write(line + "\n")
    except UnicodeEncodeError:  # an encoding without its name
        sys.stdout.write(_escape(line) + "\n")
    sys.stdout.flush()


def _escape(line: str) -> str:
    return json.dumps(json.loads(line))


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
        with suppress(Exception):  # a full disk or a closed output must not stop the work
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
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() <= MAX_INT_BITS:
        return value  # the interpreter refuses to print longer ones
    if isinstance(value, float) and math.isfinite(value):
        return value  # JSON has no infinity
    if isinstance(value, Mapping):
        return {_as_text(name): _as_json_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json_value(item) for item in value]
    return _as_text(value)


def _as_text(value: Any) -> str:
    """Return a value as text, cut to MAX_VALUE_LENGTH; one that has no text as the name of its type."""
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - whatever it raises, the other fields are worth the line
        text = f"<{type(value).__name__}>"
    clean = text.encode("utf-8", "replace").decode()  # a lone surrogate in a key would stop the write
    return clean if len(clean) <= MAX_VALUE_LENGTH else clean[:MAX_VALUE_LENGTH] + "…"
