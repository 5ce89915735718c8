"""Whether SCF would take a timer's expression: seven fields, from second to year. SCF document 583/9708."""

from __future__ import annotations

import re

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# Name, lowest, highest, names for values, and what else the field may be.
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...], str], ...] = (
    ("second", 0, 59, (), "*"),
    ("minute", 0, 59, (), "*"),
    ("hour", 0, 23, (), "*"),
    ("day", 1, 31, (), "*?LW"),
    ("month", 1, 12, _MONTHS, "*"),
    ("weekday", 0, 6, _WEEKDAYS, "*?L"),
    ("year", 1970, 2099, (), "*"),
)
_ITEM = re.compile(r"(?P<span>[^/]+)(/(?P<step>[1-9][0-9]{0,3}))?")


def wrong_cron(expression: str) -> str:
    """What is wrong with it and what to write instead; "" if nothing."""
    parts = expression.split()
    if len(parts) != len(_FIELDS):
        return f"has {len(parts)} fields; write seven, from second to year, such as '0 */5 * * * * *'"
    for part, (name, lowest, highest, names, others) in zip(parts, _FIELDS, strict=True):
        if not all(_fits(item, lowest, highest, names, others) for item in part.split(",")):
            return f"has {part!r} as its {name}; write * or numbers from {lowest} to {highest}, such as */2 or 1,3-5"
    return ""


def _fits(item: str, lowest: int, highest: int, names: tuple[str, ...], others: str) -> bool:
    found = _ITEM.fullmatch(item)
    if not found:
        return False
    span = found["span"]
    if span in others:
        return True
    values = [_number(text, lowest, names) for text in span.split("-", 1)]
    return all(lowest <= value <= highest for value in values) and values == sorted(values)


def _number(text: str, lowest: int, names: tuple[str, ...]) -> int:
    if text.upper() in names:
        return names.index(text.upper()) + lowest
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else lowest - 1
