"""Phrases: the smallest parts of speech that a cue can hold, with their times; a cue is a run of them.

    Transcript -> build_phrases -> list[Phrase]   in order of time, those of one voice one after the other

A phrase fits on one line. It ends at punctuation or a pause where there is one, and never inside a word of the engine;
a word that is wider than a line is a phrase of its own.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from shared.transcript.models import Sentence, Transcript
from shared.transcript.text import (
    char_width,
    display_width,
    find_line_breaks,
    needs_space_between,
    replace_markup,
    shorten,
)
from shared.transcript.word_times import WordTimings

# How good it is to end a cue here.
AT_SENTENCE_END, AT_STOP, AT_COMMA, AT_PAUSE, INSIDE = 4, 3, 2, 1, 0
_STOPS, _COMMAS = ".!?;…。！？；．", ",:、，：—"
# Up to two spaces or closing marks may be between the character and the break.
_BEFORE_GOOD_BREAK = re.compile(rf"[{_STOPS}{_COMMAS}][ ”’」』]{{0,2}}")
MAX_LABEL_WIDTH = 20  # a longer name is shortened
_PAUSE_MS = 250
_SHORT_SENTENCE_MS = 3_000
_MS_PER_COLUMN = 40  # the least time for text of a voice that says two things at once


class LineLimits(NamedTuple):
    """The widest lines in columns: of text that is mostly Chinese or Japanese, and of other text.

    A Chinese character takes two columns, so 32 are 16 characters; letters and digits in such a line count half.
    """

    cjk: int = 32
    other: int = 42

    @property
    def widest(self) -> int:
        """The larger of the two."""
        return max(self)

    def fits(self, width: int, wide: int) -> bool:
        """Check a line of this width in columns, of which so many are of wide characters."""
        return width <= (self.cjk if 2 * wide > width else self.other)


class Phrase(NamedTuple):
    """A part of a sentence. `score` says how good a cue ends after it; `has_space`: a space is before it.

    `width` in columns, of which `wide` are of wide characters. The label is None where there is only one voice.
    `breaks` are the offsets in the text before which a line may end.
    """

    start_ms: int
    end_ms: int
    text: str
    width: int
    wide: int
    label: str | None
    score: int
    has_space: bool
    breaks: tuple[int, ...] = ()


def build_phrases(transcript: Transcript, limits: LineLimits) -> list[Phrase]:
    """Return the phrases of all voices in order of their start.

    Where voices overlap, each phrase is as short as the text allows: what both say is cut at the same times.
    """
    sentences = _make_voices_sequential(transcript.sentences)
    labels = {sentence.label: transcript.get_label(sentence) for sentence in sentences}
    phrases: list[Phrase] = []
    texts: dict[str | None, str] = {}  # the last one of each voice
    for sentence, is_alone in zip(sentences, _find_alone(sentences), strict=True):
        own = _split_sentence(sentence, labels[sentence.label], limits, as_words=not is_alone)
        before = texts.get(sentence.label, "")
        phrases.append(own[0]._replace(has_space=needs_space_between(before, sentence.text)))
        phrases += own[1:]
        texts[sentence.label] = sentence.text
    phrases.sort(key=lambda phrase: phrase.start_ms)
    return phrases


def _make_voices_sequential(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Return the sentences with those of one voice one after the other: nobody says two things at once."""
    voices: dict[str | None, list[Sentence]] = {}
    for sentence in sentences:
        voices.setdefault(sentence.label, []).append(sentence)
    result: list[Sentence] = []
    for voice in voices.values():
        if all(first.end_ms <= second.start_ms for first, second in pairwise(voice)):
            result += voice
        else:
            result += _spread(voice)
    result.sort(key=lambda sentence: sentence.start_ms)
    return result


def _spread(voice: Sequence[Sentence]) -> Iterator[Sentence]:
    """Yield the sentences of one voice without overlaps: one ends where the next begins, if that leaves it some time.

    Otherwise the sentences that overlap share their time in proportion to their text.
    """
    group: list[Sentence] = []
    end_ms = 0
    for sentence in voice:
        if group and sentence.start_ms < end_ms:
            needed_ms = _MS_PER_COLUMN * sum(display_width(each.text) for each in group)
            if sentence.start_ms - group[0].start_ms >= needed_ms:
                yield from _divide(group, sentence.start_ms)
                group = []
        elif group:
            yield from _divide(group, end_ms)
            group, end_ms = [], 0
        group.append(sentence)
        end_ms = max(end_ms, sentence.end_ms)
    yield from _divide(group, end_ms)


def _divide(group: Sequence[Sentence], end_ms: int) -> Iterator[Sentence]:
    """Yield the sentences between the first one's start and this end; words keep their times if they fit."""
    if len(group) == 1:
        yield group[0]._replace(end_ms=min(group[0].end_ms, end_ms))
        return
    total = sum(display_width(sentence.text) for sentence in group) or 1
    start_ms, before = group[0].start_ms, 0
    length_ms = end_ms - start_ms
    for sentence in group:
        after = before + display_width(sentence.text)
        yield sentence._replace(
            start_ms=start_ms + length_ms * before // total,
            end_ms=start_ms + length_ms * after // total,
            words=(),
        )
        before = after


def _find_alone(sentences: Sequence[Sentence]) -> list[bool]:
    """Say of each sentence whether no other voice speaks during it. The sentences are sorted by start."""
    alone = [True] * len(sentences)
    last: dict[str | None, int] = {}  # the sentence of each voice that ends last
    for index, sentence in enumerate(sentences):
        for label, other in list(last.items()):
            if label != sentence.label and sentences[other].end_ms > sentence.start_ms:
                alone[index] = alone[other] = False
        previous = last.get(sentence.label)
        if previous is None or sentences[previous].end_ms <= sentence.end_ms:
            last[sentence.label] = index
    return alone


def _split_sentence(
    sentence: Sentence, label: str | None, limits: LineLimits, *, as_words: bool
) -> list[Phrase]:
    text = sentence.text
    width, wide = measure(text)
    label_width, label_wide = measure_label(label)
    # A short sentence has no pause that is worth a cue of its own.
    is_short = not sentence.words or sentence.end_ms - sentence.start_ms <= _SHORT_SENTENCE_MS
    if not as_words and is_short and limits.fits(width + label_width, wide + label_wide):
        return [Phrase(sentence.start_ms, sentence.end_ms, text, width, wide, label, AT_SENTENCE_END, True)]
    return _Splitter(sentence, label, limits).split(as_words=as_words)


def measure(text: str) -> tuple[int, int]:
    """Return the width of a text in columns, and how many of them are of wide characters."""
    if text.isascii():
        return len(text), 0
    widths = [char_width(char) for char in text]
    return sum(widths), 2 * widths.count(2)


def measure_label(label: str | None) -> tuple[int, int]:
    """Return the width of a label with what follows it, in columns, and how many are of wide characters."""
    return measure(format_label(label)) if label else (0, 0)


def format_label(label: str) -> str:
    """Return what is written before the text of a caption: at most 20 columns of the name, a colon and a space."""
    return f"{shorten(replace_markup(label), MAX_LABEL_WIDTH)}: "


class _Splitter:
    """A sentence with the offsets where it may break."""

    def __init__(self, sentence: Sentence, label: str | None, limits: LineLimits) -> None:
        self._sentence = sentence
        self._text = sentence.text
        self._limits = limits
        self._label = label
        self._label_width, self._label_wide = measure_label(label)
        self._timings = WordTimings(sentence)
        if self._text.isascii():
            self._widths: Sequence[int] = range(len(self._text) + 1)
            self._wides: Sequence[int] = [0] * (len(self._text) + 1)
        else:
            widths, wides, width, wide = [0], [0], 0, 0
            for char in self._text:
                columns = char_width(char)
                width += columns
                wide += columns if columns > 1 else 0
                widths.append(width)
                wides.append(wide)
            self._widths, self._wides = widths, wides
        self._offsets = [0, *self._find_breaks(), len(self._text)]

    def split(self, *, as_words: bool) -> list[Phrase]:
        """Return the phrases. `as_words`: one for each word."""
        offsets = self._offsets
        scores = self._score(offsets)
        if as_words:
            return [self._build(*ends, scores.get(ends[1], INSIDE)) for ends in pairwise(offsets)]
        phrases: list[Phrase] = []
        first = 0
        for index in range(1, len(offsets)):
            if offsets[index] in scores:
                parts = self._divide(offsets[first : index + 1])
                phrases += [self._build(*ends, scores.get(ends[1], INSIDE)) for ends in pairwise(parts)]
                first = index
        return phrases

    def _find_breaks(self) -> list[int]:
        """Return the breaks that the script allows, except inside the engine's words, which are better for Chinese.

        A part wider than a line without a break (Thai has no spaces) may be broken where the engine's words start.
        """
        line_breaks = find_line_breaks(self._text)
        starts, ends = self._timings.starts, self._timings.ends
        breaks: list[int] = []
        extra_breaks: list[int] = []
        last = 0
        for offset in [*line_breaks, len(self._text)]:
            word = bisect_left(starts, offset) - 1
            if word >= 0 and offset < ends[word] and self._fit(starts[word], ends[word]):
                continue
            if not self._fit(last, offset):
                extra_breaks += starts[bisect_right(starts, last) : bisect_left(starts, offset)]
            breaks.append(offset)
            last = offset
        breaks.pop()  # the end of the text
        return sorted([*breaks, *extra_breaks]) if extra_breaks else breaks

    def _score(self, offsets: Sequence[int]) -> dict[int, int]:
        """Return how good the breaks are, by offset: at punctuation and at pauses."""
        scores: dict[int, int] = {}
        if self._timings.ends:
            for offset in offsets[1:-1]:
                if self._timings.start_at(offset) - self._timings.end_at(offset) >= _PAUSE_MS:
                    scores[offset] = AT_PAUSE
        allowed = set(offsets)
        for match in _BEFORE_GOOD_BREAK.finditer(self._text):
            score = AT_STOP if match[0][0] in _STOPS else AT_COMMA
            for offset in range(match.start() + 1, match.end() + 1):
                if offset in allowed:
                    scores[offset] = max(score, scores.get(offset, INSIDE))
        scores[len(self._text)] = AT_SENTENCE_END
        return scores

    def _divide(self, offsets: Sequence[int]) -> list[int]:
        """Return the offsets at which to cut this part into pieces that fit on a line, of about equal width."""
        left, right = offsets[0], offsets[-1]
        if len(offsets) == len((left, right)) or self._fit(left, right):
            return [left, right]
        width = self._widths[right] - self._widths[left]
        room = max(1, self._get_limit(left, right) - self._label_width)
        result = [left]
        for first, last in pairwise(self._cut(offsets, max(2, -(-width // room)))):
            result += self._divide(offsets[first : last + 1])[1:]
        return result

    def _cut(self, offsets: Sequence[int], count: int) -> list[int]:
        """Return the ends of this number of pieces, as indexes of the offsets that are nearest to equal shares."""
        positions = [self._widths[offset] for offset in offsets]
        share = (positions[-1] - positions[0]) / count
        last = len(offsets) - 1
        ends = [0]
        for number in range(1, min(count, last)):
            target = positions[0] + share * number
            lowest, highest = ends[-1] + 1, last - (min(count, last) - number)
            index = min(max(bisect_left(positions, target), lowest), highest)
            if index > lowest and target - positions[index - 1] < positions[index] - target:
                index -= 1
            ends.append(index)
        return [*ends, last]

    def _get_limit(self, left: int, right: int) -> int:
        is_cjk = 2 * (self._wides[right] - self._wides[left]) > self._widths[right] - self._widths[left]
        return self._limits.cjk if is_cjk else self._limits.other

    def _fit(self, left: int, right: int) -> bool:
        end = right - 1 if right > left and self._text[right - 1] == " " else right
        width = self._label_width + self._widths[end] - self._widths[left]
        return self._limits.fits(width, self._label_wide + self._wides[end] - self._wides[left])

    def _build(self, left: int, right: int, score: int) -> Phrase:
        end = right - 1 if right > left + 1 and self._text[right - 1] == " " else right
        width, wide = self._widths[end] - self._widths[left], self._wides[end] - self._wides[left]
        if not self._fit(left, right):  # a word that is wider than a line has a line of its own
            width = self._get_limit(left, right)
            wide = min(wide, width)
        return Phrase(
            self._timings.start_at(left) if left else self._sentence.start_ms,
            self._timings.end_at(right) if right < len(self._text) else self._sentence.end_ms,
            self._text[left:end],
            width,
            wide,
            self._label,
            score,
            left == 0 or self._text[left - 1] == " ",
            tuple([offset - left for offset in self._get_breaks(left, right)]),
        )

    def _get_breaks(self, left: int, right: int) -> list[int]:
        return self._offsets[bisect_right(self._offsets, left) : bisect_left(self._offsets, right)]
