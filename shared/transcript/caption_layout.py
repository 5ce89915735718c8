"""One sentence becomes captions that fit the screen and can be read: where to cut, where to end a line."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from shared.transcript.model import Sentence
from shared.transcript.typography import CLAUSE_ENDS, SENTENCE_ENDS, break_points, char_columns, columns
from shared.transcript.word_clock import WordClock

LINE_COLUMNS = 42
LINES = 2
LONGEST_MS = 7_000

# Slow speech is cut by time only into pieces of about this width: a phrase reads better than a few characters that
# come one after the other, and without word times the moment of each would be a guess.
_NARROWEST_CUT = 20


@dataclass(frozen=True, slots=True)
class Caption:
    """One or two lines of a sentence and when they are spoken (ms)."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def lay_out(sentence: Sentence, indent: int = 0) -> Iterator[Caption]:
    """Cut a sentence into captions of at most 2 lines of 42 columns and 7 s, in the order in which they are spoken.

    `indent` columns of each first line are kept free for a label. A word is never cut: one that is wider than a line,
    or lasts longer than 7 s, has a caption to itself that is too wide, or ends after 7 s.
    """
    duration_ms = sentence.end_ms - sentence.start_ms
    if duration_ms <= LONGEST_MS and columns(sentence.text) + indent <= LINE_COLUMNS:
        yield Caption(sentence.start_ms, sentence.end_ms, (sentence.text,))
    else:
        yield from _Layout(sentence, indent).captions()


class _Layout:
    """A sentence measured once: where it may be broken, how wide and how long each part of it is."""

    def __init__(self, sentence: Sentence, indent: int) -> None:
        self._text = sentence.text
        self._indent = indent
        self._clock = WordClock(sentence)
        self._widths = list(accumulate(map(char_columns, self._text), initial=0))
        self._breaks = self._find_breaks()

    def _find_breaks(self) -> list[int]:
        """Take the breaks that the script allows, less those inside the engine's words, which know better in Chinese.

        A stretch wider than a line without a break (Thai has no spaces) may be broken where the engine's words begin.
        """
        breaks = set(break_points(self._text))
        for begin, end in self._clock.spans:
            if self._widths[end] - self._widths[begin] <= LINE_COLUMNS:
                breaks.difference_update(range(begin + 1, end))
        edges = [0, *sorted(breaks), len(self._text)]
        begins = [begin for begin, _ in self._clock.spans]
        for left, right in pairwise(edges):
            if self._widths[right] - self._widths[left] > LINE_COLUMNS:
                breaks.update(begins[bisect_right(begins, left) : bisect_left(begins, right)])
        return sorted(breaks)

    def captions(self) -> Iterator[Caption]:
        parts = [(0, len(self._text))]
        while parts:
            left, right = parts.pop()
            cut = self._cut(left, right)
            if cut is not None:
                parts += [(cut, right), (left, cut)]
                continue
            start_ms = self._clock.start_at(left)
            end_ms = max(start_ms, self._clock.end_at(right))
            lines = self._lines(left, right) or (self._text[left:right].strip(),)
            yield Caption(start_ms, min(end_ms, start_ms + LONGEST_MS), lines)

    def _cut(self, left: int, right: int) -> int | None:
        """Give the best place to cut this part at, or None if it fits or cannot be cut.

        Parts are cut into about equal shares, rather than filled one after the other: no caption of one lost word.
        """
        between = self._breaks_between(left, right)
        if not between:
            return None
        width = self._width(left, right)
        duration_ms = self._clock.end_at(right) - self._clock.start_at(left)
        by_time = min(-(-duration_ms // LONGEST_MS), width // _NARROWEST_CUT)
        shares = max(-(-width // (LINE_COLUMNS * LINES)), by_time, 1)
        if shares == 1:
            if self._lines(left, right):
                return None
            shares = 2
        target = self._widths[left] + width * (shares // 2) / shares
        return min(between, key=lambda place: abs(self._widths[place] - target) - width * self._merit(place))

    def _lines(self, left: int, right: int) -> tuple[str, ...]:
        """Give the text as one line or two of like width; nothing if it needs more."""
        if self._width(left, right) + self._indent <= LINE_COLUMNS:
            return (self._text[left:right].strip(),)
        fitting = []
        for place in self._breaks_between(left, right):
            first, second = self._width(left, place) + self._indent, self._width(place, right)
            # Readers of SRT may take a last line of digits for the number of the next cue.
            if max(first, second) <= LINE_COLUMNS and not self._text[place:right].strip().isdecimal():
                fitting.append((abs(first - second) - LINE_COLUMNS * self._merit(place), place))
        if not fitting:
            return ()
        _, place = min(fitting)
        return self._text[left:place].strip(), self._text[place:right].strip()

    def _merit(self, place: int) -> float:
        """How much better a break is here than in the middle of a phrase, as a share of the width."""
        before = self._text[max(0, place - 3) : place].rstrip(" ”’」』")[-1:]
        if before in SENTENCE_ENDS:
            return 0.25
        return 0.15 if before in CLAUSE_ENDS else 0

    def _breaks_between(self, left: int, right: int) -> list[int]:
        return self._breaks[bisect_right(self._breaks, left) : bisect_left(self._breaks, right)]

    def _width(self, left: int, right: int) -> int:
        """Give the columns of a part without the space at its end."""
        width = self._widths[right] - self._widths[left]
        return width - 1 if right > left and self._text[right - 1] == " " else width
