"""Times and durations of the command line: `2d`, `12h`, `2026-11-01`, `2026-11-01T08:00:00+08:00`, `2026-11`."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from cli.language import N_, _
from shared.recordings.index import BILLING_ZONE, get_month, get_month_start_s

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNITS = (
    (N_("{number} d"), 86_400),
    (N_("{number} h"), 3600),
    (N_("{number} min"), 60),
    (N_("{number} s"), 1),
)
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_MAX_TIME_S = 9_999_999_999


def parse_duration_s(text: str) -> int:
    """Parse a number with its unit, such as `90m`, `12h`, `7d` or `2w`, into seconds. Raises ValueError."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not int(match[1]):
        raise ValueError(
            _("{text!r} is no duration: write a number with s, m, h, d or w, such as 12h or 7d", text=text)
        )
    return int(match[1]) * _UNITS_S[match[2]]


def parse_time_s(text: str, now_s: float) -> float:
    """Parse a time as Unix seconds: ISO 8601, a date (in UTC+8 without a zone), or how long ago. Raises ValueError."""
    stripped = text.strip()
    if _DURATION.fullmatch(stripped.lower()):
        return now_s - parse_duration_s(stripped)
    try:
        moment = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", stripped))
        time_s = (moment if moment.tzinfo else moment.replace(tzinfo=BILLING_ZONE)).timestamp()
    except (ValueError, OverflowError, OSError):
        time_s = -1.0
    if not 0 <= time_s <= _MAX_TIME_S:
        raise ValueError(
            _(
                "{text!r} is no time: write how long ago (2d, 12h), a date (2026-11-01) or a time with its zone "
                "(2026-11-01T08:00:00+08:00)",
                text=text,
            )
        )
    return time_s


def parse_bound_s(text: str, now_s: float) -> float:
    """Parse one end of a range, such as `--until`, as `parse_time_s` does; "" is 0: no end. Raises ValueError."""
    return parse_time_s(text, now_s) if text else 0.0


def parse_since_s(text: str, now_s: float) -> float:
    """Parse the start of a range, as `parse_bound_s` does. Raises ValueError, also for a time of the future."""
    since_s = parse_bound_s(text, now_s)
    if since_s > now_s:
        raise ValueError(_("{text!r} is in the future: nothing is from after it yet", text=text))
    return since_s


def parse_month(text: str, now_s: float) -> str:
    """Parse a month such as `2026-11`; "" is the current one. Raises ValueError, also for a month of the future."""
    stripped = text.strip() or get_month(now_s)
    if not _MONTH.fullmatch(stripped) or stripped.startswith("0"):
        raise ValueError(_("{text!r} is no month: write it as 2026-11", text=text))
    if get_month_start_s(stripped) > now_s:
        raise ValueError(
            _(
                "{month} is in the future: the current month is {current}",
                month=stripped,
                current=get_month(now_s),
            )
        )
    return stripped


def format_time(time_s: float) -> str:
    """Format Unix seconds for people and programs: `2026-11-26T08:00:00Z`; "" for 0."""
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if time_s else ""


def format_duration(seconds: float) -> str:
    """Format a duration in its two largest units: `3 d 4 h`, `2 h 5 min`, `40 s`."""
    rest, parts = int(seconds), []
    for unit, size in _UNITS:
        number, rest = divmod(rest, size)
        if number:
            parts.append(_(unit, number=number))
        if len(parts) == 2 or (parts and not rest):  # noqa: PLR2004
            break
    return " ".join(parts) or _("{number} s", number=0)
