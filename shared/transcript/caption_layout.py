"""One sentence becomes captions that fit the screen and can be read: where to cut, where to end a line."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from shared.transcript.model import Sentence
from shared.transcript.typography import CLAUSE_ENDS, SENTENCE_ENDS, break_points, columns, columns_before
from shared.transcript.word_clock import WordClock

LINE_COLUMNS = 42
LINES = 2
LONGEST_MS = 7_000

# Slow speech is cut by time only into pieces of about this width: a phrase reads better than a few characters that
# come one after the other, and without word times the moment of each would be a guess.
_NARROWEST_CUT = 20


class Caption(NamedTuple):
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


class _Break(NamedTuple):
    """Where a line may end, and the columns of the text before it: with the space at the end, and without."""

    place: int
    columns: int
    printed: int
    merit: float


class _Layout:
    """A sentence measured once: where it may be broken, how wide and how long each part of it is."""

    def __init__(self, sentence: Sentence, indent: int) -> None:
        self._text = sentence.text
        self._indent = indent
        self._clock = WordClock(sentence)
        self._widths = columns_before(self._text)
        self._places = self._find_breaks()
        self._breaks = [self._break(place) for place in self._places]

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

    def _break(self, place: int) -> _Break:
        return _Break(place, self._widths[place], self._printed(place), self._merit(place))

    def _merit(self, place: int) -> float:
        """How much better a break is here than in the middle of a phrase, as a share of the width."""
        before = self._text[max(0, place - 3) : place].rstrip(" ”’」』")[-1:]
        if before in SENTENCE_ENDS:
            return 0.25
        return 0.15 if before in CLAUSE_ENDS else 0

    def captions(self) -> Iterator[Caption]:
        parts = [(0, len(self._text))]
        while parts:
            left, right = parts.pop()
            lines = self._lines(left, right)
            cut = self._cut(left, right, fits=bool(lines))
            if cut is not None:
                parts += [(cut, right), (left, cut)]
                continue
            start_ms = self._clock.start_at(left)
            end_ms = max(start_ms, self._clock.end_at(right))
            lines = lines or (self._text[left:right].strip(),)
            yield Caption(start_ms, min(end_ms, start_ms + LONGEST_MS), lines)

    def _cut(self, left: int, right: int, *, fits: bool) -> int | None:
        """Give the best place to cut this part at, or None if it fits or cannot be cut.

        Parts are cut into about equal shares, rather than filled one after the other: no caption of one lost word.
        """
        between = self._breaks_between(left, right)
        if not between:
            return None
        width = self._printed(right) - self._widths[left]
        duration_ms = self._clock.end_at(right) - self._clock.start_at(left)
        by_time = min(-(-duration_ms // LONGEST_MS), width // _NARROWEST_CUT)
        shares = max(-(-width // (LINE_COLUMNS * LINES)), by_time, 1)
        if shares == 1:
            if fits:
                return None
            shares = 2
        target = self._widths[left] + width * (shares // 2) / shares
        return min(between, key=lambda at: abs(at.columns - target) - width * at.merit).place

    def _lines(self, left: int, right: int) -> tuple[str, ...]:
        """Give the text as one line or two of like width; nothing if it needs more."""
        begin, end = self._widths[left] - self._indent, self._printed(right)
        if end - begin <= LINE_COLUMNS:
            return (self._text[left:right].strip(),)
        if end - begin > LINES * LINE_COLUMNS + 1:  # the space between the lines is not shown
            return ()
        fitting = []
        for at in self._breaks_between(left, right):
            first, second = at.printed - begin, end - at.columns
            # Readers of SRT may take a last line of digits for the number of the next cue.
            if (
                first <= LINE_COLUMNS
                and second <= LINE_COLUMNS
                and not self._text[at.place : right].strip().isdecimal()
            ):
                fitting.append((abs(first - second) - LINE_COLUMNS * at.merit, at.place))
        if not fitting:
            return ()
        _, place = min(fitting)
        return self._text[left:place].strip(), self._text[place:right].strip()

    def _breaks_between(self, left: int, right: int) -> list[_Break]:
        return self._breaks[bisect_right(self._places, left) : bisect_left(self._places, right)]

    def _printed(self, place: int) -> int:
        """Give the columns of the text before a place, without the space at its end."""
        return self._widths[place] - (self._text[place - 1] == " ")
