"""Subtitle cues: what is on the screen, and when. SRT and VTT write the same cues.

    Sentence -> split_into_captions -> Caption   one piece of a sentence that fits on the screen
    all Captions -> build_cues -> Cue            in order, without overlaps, shown long enough to read

Players show overlapping cues in unexpected places or not at all, so cues never overlap:

- a cue ends where the next one starts, if it has been visible for a second by then;
- two speakers who start within a second of each other share one cue, with one or two lines each;
- where neither is possible, because the times are wrong, cues follow each other 1 ms apart.

No text is lost by any of this.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from shared.transcript.models import Sentence, Transcript
from shared.transcript.text import (
    display_width,
    find_line_breaks,
    prefix_widths,
    replace_markup,
    shorten,
)

MAX_LINE_WIDTH = 42
MAX_LINES = 2
MAX_CAPTION_MS = 7_000
MAX_LABEL_WIDTH = 20  # of the 42 columns; a longer name is shortened

_MIN_CUE_MS = 1_000
_READING_MS_PER_COLUMN = 50

# Slow speech is split by time only into pieces of about this width: a phrase reads better than a few characters at a
# time, and without word times the time of each would be a guess.
_MIN_PIECE_WIDTH = 20

# How much better a line break is after this character than inside a phrase, as a share of the width of the text.
_BREAK_SCORES = dict.fromkeys(".!?;…。！？；．", 0.25) | dict.fromkeys(",:、，：—", 0.15)
# Up to two spaces or closing marks may be between the character and the break.
_BEFORE_GOOD_BREAK = re.compile(rf"[{''.join(_BREAK_SCORES)}][ ”’」』]{{0,2}}")

# How many characters ahead a word is searched. Words and text differ where numbers were rewritten ("twenty" as 20); a
# search without a limit would then find the word in a later phrase.
_SEARCH_RANGE = 12

_WITHOUT_PUNCTUATION = re.compile(r"\w(?:.*\w)?", re.DOTALL)


class Caption(NamedTuple):
    """A piece of a sentence with its times in ms; the text is one or two lines, separated by a line feed."""

    start_ms: int
    end_ms: int
    text: str


class CuePart(NamedTuple):
    """What one speaker says in a cue. The label is None where there is only one speaker; one or two lines of text.

    The label is the whole name: `format_label` gives what is written beside the text.
    """

    label: str | None
    text: str


class Cue(NamedTuple):
    """What is on the screen from start to end (ms, at least 1 ms): one part, or two where two speak at once."""

    start_ms: int
    end_ms: int
    parts: tuple[CuePart, ...]


def build_cues(transcript: Transcript) -> list[Cue]:
    """Return the cues of a transcript in order, without overlaps; each lasts from 1 ms to about 7 s.

    A cue that is too short to read is extended where the pause after it allows.
    """
    cues = _resolve_overlaps(sorted(_raw_cues(transcript), key=lambda cue: cue.start_ms))
    for index, cue in enumerate(cues):
        next_start_ms = cues[index + 1].start_ms if index + 1 < len(cues) else transcript.duration_ms
        cues[index] = _extend_for_reading(cue, next_start_ms)
    return cues


def _raw_cues(transcript: Transcript) -> Iterator[Cue]:
    """Yield the cues of each sentence, without regard to the other sentences."""
    last_label, indent = None, 0
    for sentence in transcript.sentences:
        label = transcript.get_label(sentence)
        if label != last_label:
            last_label, indent = label, display_width(format_label(label)) if label else 0
        for start_ms, end_ms, text in split_into_captions(sentence, indent):
            yield Cue(start_ms, max(end_ms, start_ms + 1), (CuePart(label, text),))


def format_label(label: str) -> str:
    """Return what is written before the text of a caption: at most 20 columns of the name, a colon and a space."""
    return f"{shorten(replace_markup(label), MAX_LABEL_WIDTH)}: "


def _resolve_overlaps(raw_cues: Iterable[Cue]) -> list[Cue]:
    cues: list[Cue] = []
    for cue in raw_cues:
        previous = cues[-1] if cues else None
        if previous is None or cue.start_ms >= previous.end_ms:
            cues.append(cue)
        elif cue.start_ms - previous.start_ms >= _MIN_CUE_MS:
            cues[-1] = previous._replace(end_ms=cue.start_ms)
            cues.append(cue)
        elif len(previous.parts) == 1 and _are_two_speakers(previous.parts[0].label, cue.parts[0].label):
            cues[-1] = Cue(previous.start_ms, max(previous.end_ms, cue.end_ms), previous.parts + cue.parts)
        else:
            boundary_ms = max(previous.start_ms + 1, cue.start_ms)
            cues[-1] = previous._replace(end_ms=boundary_ms)
            cues.append(cue._replace(start_ms=boundary_ms, end_ms=max(cue.end_ms, boundary_ms + 1)))
    return cues


def _are_two_speakers(first: str | None, second: str | None) -> bool:
    return first is not None and second is not None and first != second


def _extend_for_reading(cue: Cue, limit_ms: int | None) -> Cue:
    """Extend a short cue to 1 s, and to 50 ms per column, but not beyond the limit or 7 s."""
    max_end_ms = cue.start_ms + MAX_CAPTION_MS
    if limit_ms is not None:
        max_end_ms = min(max_end_ms, limit_ms)
    if max_end_ms <= cue.end_ms:
        return cue
    width = sum([display_width(part.text.replace("\n", "")) for part in cue.parts])
    read_end_ms = cue.start_ms + max(_MIN_CUE_MS, width * _READING_MS_PER_COLUMN)
    return Cue(cue.start_ms, max(cue.end_ms, min(read_end_ms, max_end_ms)), cue.parts)


def format_time(time_ms: int, decimal_mark: str) -> str:
    """Return `hh:mm:ss.mmm` with this decimal mark; hours may have more than two digits."""
    seconds, ms = divmod(time_ms, 1000)
    fields = (seconds // 3600, seconds // 60 % 60, seconds % 60, decimal_mark, ms)
    return "%02d:%02d:%02d%s%03d" % fields  # noqa: UP031 - half the time of an f-string, and there are 70,000


def split_into_captions(sentence: Sentence, indent: int = 0) -> Iterator[Caption]:
    """Split a sentence into captions of at most 2 lines of 42 columns and 7 s, in order of time.

    `indent` columns of each first line stay free for a label. A word is never split: one that is wider than a line, or
    lasts longer than 7 s, has its own caption that is too wide, or ends after 7 s.
    """
    duration_ms = sentence.end_ms - sentence.start_ms
    if duration_ms <= MAX_CAPTION_MS and display_width(sentence.text) + indent <= MAX_LINE_WIDTH:
        yield Caption(sentence.start_ms, sentence.end_ms, sentence.text)
    else:
        yield from _SentenceLayout(sentence, indent).captions()


class WordTimings:
    """Times of one sentence by offset into its text: by its words where the text contains them, else in proportion.

    Times never decrease and stay within the sentence.
    """

    def __init__(self, sentence: Sentence) -> None:
        self._end_ms = max(sentence.start_ms, sentence.end_ms)
        self._length = len(sentence.text)
        # Offsets of the words in the text. No line should break inside a word.
        self.starts: list[int] = []
        self.ends: list[int] = []
        # The offsets with a known time, and these times.
        self._offsets = [0]
        self._times = [sentence.start_ms]
        self._locate_words(sentence)
        self._offsets.append(self._length)
        self._times.append(self._end_ms)

    def _locate_words(self, sentence: Sentence) -> None:
        starts, ends, offsets, times = self.starts, self.ends, self._offsets, self._times
        text = sentence.text.lower()
        if len(text) != self._length:  # a few capital letters become longer in lower case
            text = sentence.text
        position, search_range = 0, _SEARCH_RANGE
        for word in sentence.words:
            core = word.text.lower()
            if not core.isalnum():
                core = _strip_punctuation(core)
                if not core:
                    continue
            start = text.find(core, position, position + len(core) + search_range)
            if start < 0:
                search_range += len(core)
                continue
            search_range = _SEARCH_RANGE
            end = position = start + len(core)
            while position < self._length and not text[position].isalnum():
                position += 1  # the pause belongs to the punctuation and space after a word
            start_ms, end_ms = word.start_ms, word.end_ms
            if not times[-1] <= start_ms <= end_ms <= self._end_ms:
                start_ms = min(max(start_ms, times[-1]), self._end_ms)
                end_ms = min(max(end_ms, start_ms), self._end_ms)
            starts.append(start)
            ends.append(end)
            offsets.append(start)
            offsets.append(position)
            times.append(start_ms)
            times.append(end_ms)

    def start_at(self, offset: int) -> int:
        """Return the time in ms at which the text after an offset inside the sentence starts."""
        return self._interpolate(bisect_right(self._offsets, offset) - 1, offset)

    def end_at(self, offset: int) -> int:
        """Return the time in ms at which the text before an offset inside the sentence ends."""
        index = bisect_left(self._offsets, offset)
        return self._interpolate(index if self._offsets[index] == offset else index - 1, offset)

    def _interpolate(self, index: int, offset: int) -> int:
        start, start_ms = self._offsets[index], self._times[index]
        if offset == start:
            return start_ms
        length, length_ms = self._offsets[index + 1] - start, self._times[index + 1] - start_ms
        return start_ms + length_ms * (offset - start) // length


def _strip_punctuation(word: str) -> str:
    """Return a word without the punctuation around it; in some results punctuation is a separate word."""
    match = _WITHOUT_PUNCTUATION.search(word)
    return match[0] if match else ""


class _SentenceLayout:
    """A sentence with its possible breaks and the width and time of each part of its text."""

    def __init__(self, sentence: Sentence, indent: int) -> None:
        self._sentence = sentence
        self._text = sentence.text
        self._indent = indent
        self._widths = prefix_widths(self._text)
        self._breaks = self._find_breaks()
        self._scores = {
            offset: _BREAK_SCORES[match[0][0]]
            for match in _BEFORE_GOOD_BREAK.finditer(self._text)
            for offset in range(match.start() + 1, match.end() + 1)
        }

    @cached_property
    def _timings(self) -> WordTimings:
        """Built on first use: a sentence that fits into one caption may not need it."""
        return WordTimings(self._sentence)

    def _find_breaks(self) -> list[int]:
        """Return the breaks that the script allows, except inside the engine's words, which are better for Chinese.

        A part wider than a line without a break (Thai has no spaces) may be broken where the engine's words start.
        """
        line_breaks = find_line_breaks(self._text)
        if self._breaks_at_spaces_suffice():
            return line_breaks
        starts, ends, widths = self._timings.starts, self._timings.ends, self._widths
        breaks: list[int] = []
        extra_breaks: list[int] = []
        last = 0
        for offset in [*line_breaks, len(self._text)]:
            word = bisect_left(starts, offset) - 1
            if (
                word >= 0
                and offset < ends[word]
                and widths[ends[word]] - widths[starts[word]] <= MAX_LINE_WIDTH
            ):
                continue
            if widths[offset] - widths[last] > MAX_LINE_WIDTH:
                extra_breaks += starts[bisect_right(starts, last) : bisect_left(starts, offset)]
            breaks.append(offset)
            last = offset
        breaks.pop()  # the end of the text
        return sorted([*breaks, *extra_breaks]) if extra_breaks else breaks

    def _breaks_at_spaces_suffice(self) -> bool:
        """Return whether no break is inside a word and every part between breaks fits on a line."""
        return (
            self._text.isascii()
            and max(map(len, self._text.split(" "))) < MAX_LINE_WIDTH
            and not any(" " in word.text for word in self._sentence.words)
        )

    def captions(self) -> Iterator[Caption]:
        """Yield the captions: parts that are too long are split again and again until each fits."""
        length = len(self._text)
        parts = [(0, length)]
        while parts:
            left, right = parts.pop()
            start_ms = self._timings.start_at(left) if left else self._sentence.start_ms
            end_ms = self._timings.end_at(right) if right < length else self._sentence.end_ms
            text = self._break_into_lines(left, right)
            offset = self._find_split(left, right, end_ms - start_ms, fits=bool(text))
            if offset is not None:
                parts += [(offset, right), (left, offset)]
                continue
            end_ms = min(max(start_ms, end_ms), start_ms + MAX_CAPTION_MS)
            yield Caption(start_ms, end_ms, text or self._text[left:right].strip())

    def _find_split(self, left: int, right: int, duration_ms: int, *, fits: bool) -> int | None:
        """Return the best offset to split this part at, or None if it fits or cannot be split.

        Parts have about equal width, instead of each as wide as possible: the last caption is not a single word.
        """
        candidates = self._breaks_between(left, right)
        if not candidates:
            return None
        width = self._printed_width(right) - self._widths[left]
        shares_by_time = min(-(-duration_ms // MAX_CAPTION_MS), width // _MIN_PIECE_WIDTH)
        shares = max(-(-width // (MAX_LINE_WIDTH * MAX_LINES)), shares_by_time, 1)
        if shares == 1:
            if fits:
                return None
            shares = 2
        target = self._widths[left] + width * (shares // 2) / shares
        costs = [
            abs(self._widths[offset] - target) - width * self._scores.get(offset, 0) for offset in candidates
        ]
        return candidates[costs.index(min(costs))]

    def _break_into_lines(self, left: int, right: int) -> str:
        """Return the text as one line or as two of similar width; an empty text if it needs more."""
        start, end = self._widths[left] - self._indent, self._printed_width(right)
        if end - start <= MAX_LINE_WIDTH:
            return self._text[left:right].strip()
        if end - start > MAX_LINES * MAX_LINE_WIDTH + 1:  # the space between the lines is not shown
            return ""
        best_offset, best_cost = None, float("inf")
        for offset in self._breaks_between(left, right):
            second_width = end - self._widths[offset]
            if second_width > MAX_LINE_WIDTH:
                continue
            first_width = self._printed_width(offset) - start
            if first_width > MAX_LINE_WIDTH:
                break
            cost = abs(first_width - second_width) - MAX_LINE_WIDTH * self._scores.get(offset, 0)
            # SRT readers may take a last line of digits for the number of the next cue.
            if cost < best_cost and not self._text[offset:right].strip().isdecimal():
                best_offset, best_cost = offset, cost
        if best_offset is None:
            return ""
        return f"{self._text[left:best_offset].strip()}\n{self._text[best_offset:right].strip()}"

    def _breaks_between(self, left: int, right: int) -> list[int]:
        return self._breaks[bisect_right(self._breaks, left) : bisect_left(self._breaks, right)]

    def _printed_width(self, offset: int) -> int:
        """Return the width of the text before an offset, without a space at its end."""
        return self._widths[offset] - (self._text[offset - 1] == " ")
