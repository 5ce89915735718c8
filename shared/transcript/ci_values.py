"""Single values out of a CI result: whatever stands there becomes a clean text, a number, or nothing. Never raises.

CI's documents call every member a string, the SDKs call some numbers, and an XML parser gives None for an empty node
and a list for a repeated one, so every reading is accepted here and nowhere else.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

# A time that is missing or cannot be read; `timeline.settle` finds a sensible one for it.
UNKNOWN_MS = -1

# Beyond this (31 years) a number is no time of a recording, which CI limits to 5 hours.
_MAX_MS = 10**12

# Milliseconds of so few digits are exact, and need no bounds: nearly every time comes like this.
_SAFE_DIGITS = 9

# Speakers and channels are a handful; anything much larger is no number of one.
_MAX_VOICE = 10_000

# What XML 1.0 and subtitle files cannot hold. Tab and line ends are left: they become spaces.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Give the text as one line that every output can hold: no control characters, single spaces, valid UTF-8."""
    if text.isalnum():
        return text  # one word: most texts are
    if not text.isprintable():
        text = _CONTROLS.sub("", text)
        text = _LONE_SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)
    return " ".join(text.split())


def text_of(value: object) -> str:
    """Give the clean text of a node: a string, a number, or a mapping with its own `#text`; else an empty text."""
    if isinstance(value, dict):
        value = value.get("#text")
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value) if -_MAX_MS < value < _MAX_MS else ""
    return ""


def number_of(value: object) -> float | None:
    """Give a number from 0 up, or None for anything else: nothing that CI counts is negative."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def ms_of(value: object, *, unit_ms: int = 1) -> int:
    """Give whole milliseconds of a number counted in `unit_ms`, or UNKNOWN_MS for a negative, absurd or missing one."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= _SAFE_DIGITS:
        return int(value) * unit_ms
    number = number_of(value)
    if number is None or number * unit_ms > _MAX_MS:
        return UNKNOWN_MS
    return round(number * unit_ms)


def voice_of(value: object) -> int | None:
    """Give a speaker's or channel's number as CI counts it, or None where there is none."""
    number = number_of(value)
    return int(number) if number is not None and number < _MAX_VOICE else None


def mappings_of(value: object) -> list[Mapping[str, Any]]:
    """Give the containers among repeated siblings, which arrive as nothing, one mapping or a list."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, (list, tuple)):
        return [item for item in value if isinstance(item, dict)]
    return []
