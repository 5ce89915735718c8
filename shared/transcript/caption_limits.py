"""The limits of captions, and the width of a text as these limits count it.

The defaults are those of Netflix's guides for English and Simplified Chinese; options of a recording replace some.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from shared.transcript.models import Layout
from shared.transcript.text import char_width, replace_markup, shorten

MIN_CUE_MS = 833
MIN_GAP_MS = 500  # between cues that do not touch
MAX_LINGER_MS = 500  # after the last sound
# Goals for reading, in columns a second: 20 letters, or 9 Chinese characters.
_READING_SPEED, _CJK_READING_SPEED = 20, 18
_MAX_LABEL_WIDTH, _MIN_LABEL_WIDTH = 20, 6
_MIN_ROOM = 12  # columns of a line beside the label


class CaptionLimits(NamedTuple):
    """The widest lines in columns, the most lines of a cue, and the longest cue in ms.

    A Chinese character takes two columns, so 32 are 16 characters; letters and digits in such a line count half.
    `cjk_width` is for lines that are mostly of wide characters (Chinese, Japanese), `width` for the others.
    """

    cjk_width: int = 32
    width: int = 42
    lines: int = 2
    max_cue_ms: int = 7_000

    @classmethod
    def from_layout(cls, layout: Layout) -> CaptionLimits:
        """Return the limits that the options of a recording choose."""
        widths = (layout.caption_width, layout.caption_width) if layout.caption_width else cls()[:2]
        return cls(*widths, layout.caption_lines, layout.caption_seconds * 1000)

    @property
    def max_width(self) -> int:
        """The larger of the two widths."""
        return max(self.cjk_width, self.width)

    @property
    def voices(self) -> int:
        """The most voices in one cue, each on one line. Two, also with one line: both must be readable."""
        return max(2, self.lines)

    def fits(self, width: int, wide: int) -> bool:
        """Check a line of this width in columns, of which so many are of wide characters."""
        return width <= (self.cjk_width if 2 * wide > width else self.width)

    def format_label(self, label: str) -> str:
        """Return what is before the text of a voice: the name, shortened to 20 columns or less, a colon and a space."""
        room = min(self.cjk_width, self.width) - _MIN_ROOM
        return f"{shorten(replace_markup(label), min(_MAX_LABEL_WIDTH, max(_MIN_LABEL_WIDTH, room)))}: "


@lru_cache(maxsize=64)
def measure_label(label: str | None, limits: CaptionLimits) -> tuple[int, int]:
    """Return the width of a label with what follows it, in columns, and how many are of wide characters."""
    return measure(limits.format_label(label)) if label else (0, 0)


def measure(text: str) -> tuple[int, int]:
    """Return the width of a text as SRT shows it, in columns, and how many of them are of wide characters.

    In SRT the characters of markup are full-width forms, so no other format has a wider line.
    """
    shown = replace_markup(text)
    if shown.isascii():
        return len(shown), 0
    widths = [char_width(char) for char in shown]
    return sum(widths), 2 * widths.count(2)


def measure_prefixes(text: str) -> tuple[Sequence[int], Sequence[int]]:
    """Return both results of `measure` for the text before each offset, also the one after the last character."""
    shown = replace_markup(text)
    if shown.isascii():
        return range(len(shown) + 1), [0] * (len(shown) + 1)
    widths = [char_width(char) for char in shown]
    wides = [2 if width > 1 else 0 for width in widths]
    return list(accumulate(widths, initial=0)), list(accumulate(wides, initial=0))


def get_reading_ms(width: int, wide: int) -> int:
    """Return the time that this many columns take to read, of which so many are of wide characters."""
    return math.ceil(width * 1000 / (_CJK_READING_SPEED if 2 * wide > width else _READING_SPEED))
