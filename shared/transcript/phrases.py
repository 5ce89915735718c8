"""Phrases: the smallest parts of speech that a cue can hold, with their times; a cue is a run of them.

    Transcript -> build_phrases -> list[Phrase]   in order of time, those of one voice one after the other

A phrase fits on one line and into the time of one cue. It ends at punctuation or a pause where there is one, and never
inside a word of the engine; a word that is wider than a line, or longer than a cue, is a phrase of its own.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from shared.transcript.caption_limits import CaptionLimits, measure, measure_label, measure_prefixes
from shared.transcript.models import Sentence, Transcript
from shared.transcript.text import find_line_breaks, needs_space_between
from shared.transcript.voices import find_overlaps, make_voices_sequential
from shared.transcript.word_times import WordTimings

# How good it is to end a cue here.
AT_SENTENCE_END, AT_STOP, AT_COMMA, AT_PAUSE, INSIDE = 4, 3, 2, 1, 0
BREAK_COST = {AT_SENTENCE_END: 0.0, AT_STOP: 0.1, AT_COMMA: 0.8, AT_PAUSE: 0.9, INSIDE: 2.5}
_STOPS, _COMMAS = ".!?;…。！？；．", ",:、，：—"
# Up to two spaces or closing marks may be between the character and the break.
_BEFORE_GOOD_BREAK = re.compile(rf"[{_STOPS}{_COMMAS}][ ”’」』]{{0,2}}")
_PAUSE_MS = 250
_SHORT_SENTENCE_MS = 3_000
_MAX_WORD_MS = 1_500  # engines stretch a word into the pause after it


class Phrase(NamedTuple):
    """A part of a sentence. `score` says how good a cue ends after it; `has_space`: a space is before it.

    `width` in columns, of which `wide` are of wide characters. The label is None where there is only one voice.
    `breaks` are the offsets in the text before which a line may end. No cue without the phrase begins before
    `needed_until_ms`, if that is possible.
    """

    start_ms: int
    end_ms: int
    needed_until_ms: int
    text: str
    width: int
    wide: int
    label: str | None
    score: int
    has_space: bool
    breaks: tuple[int, ...] = ()


def build_phrases(transcript: Transcript, limits: CaptionLimits) -> list[Phrase]:
    """Return the phrases of all voices in order of their start.

    Where voices overlap, each phrase is as short as the text allows: what both say is cut at the same times.
    """
    sentences = make_voices_sequential(transcript.sentences)
    labels = {sentence.label: transcript.get_label(sentence) for sentence in sentences}
    phrases: list[Phrase] = []
    texts: dict[str | None, str] = {}  # the last one of each voice
    for sentence, is_overlapped in zip(sentences, find_overlaps(sentences), strict=True):
        own = _split_sentence(sentence, labels[sentence.label], limits, as_words=is_overlapped)
        before = texts.get(sentence.label, "")
        phrases.append(own[0]._replace(has_space=needs_space_between(before, sentence.text)))
        phrases += own[1:]
        texts[sentence.label] = sentence.text
    phrases.sort(key=lambda phrase: phrase.start_ms)
    return phrases


def _split_sentence(
    sentence: Sentence, label: str | None, limits: CaptionLimits, *, as_words: bool
) -> list[Phrase]:
    text = sentence.text
    width, wide = measure(text)
    label_width, label_wide = measure_label(label, limits)
    length_ms = sentence.end_ms - sentence.start_ms
    # A short sentence has no pause that is worth a cue of its own.
    max_ms = min(limits.max_cue_ms, _SHORT_SENTENCE_MS) if sentence.words else limits.max_cue_ms
    if not as_words and length_ms <= max_ms and limits.fits(width + label_width, wide + label_wide):
        timings = WordTimings(sentence)
        start_ms, end_ms = timings.start_at(0), timings.end_at(len(text))
        return [Phrase(start_ms, end_ms, end_ms, text, width, wide, label, AT_SENTENCE_END, True)]
    return _Splitter(sentence, label, limits).split(as_words=as_words)


class _Splitter:
    """A sentence with the offsets where it may break."""

    def __init__(self, sentence: Sentence, label: str | None, limits: CaptionLimits) -> None:
        self._sentence = sentence
        self._text = sentence.text
        self._limits = limits
        self._label = label
        self._label_width, self._label_wide = measure_label(label, limits)
        self._timings = WordTimings(sentence)
        self._widths, self._wides = measure_prefixes(self._text)
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
        """Return the offsets at which to cut this part into pieces of similar width that fit into a line and a cue."""
        left, right = offsets[0], offsets[-1]
        length_ms = self._timings.end_at(right) - self._timings.start_at(left)
        max_ms = self._limits.max_cue_ms
        if len(offsets) == len((left, right)) or (length_ms <= max_ms and self._fit(left, right)):
            return [left, right]
        width = self._widths[right] - self._widths[left]
        room = max(1, self._get_limit(left, right) - self._label_width)
        result = [left]
        count = max(2, math.ceil(width / room), math.ceil(length_ms / max_ms))
        for first, last in pairwise(self._cut(offsets, count)):
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
        return self._limits.cjk_width if is_cjk else self._limits.width

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
        start_ms, end_ms = self._timings.start_at(left), self._timings.end_at(right)
        breaks = tuple([offset - left for offset in self._get_breaks(left, right)])
        return Phrase(
            start_ms,
            end_ms,
            end_ms if breaks else min(end_ms, start_ms + _MAX_WORD_MS),
            self._text[left:end],
            width,
            wide,
            self._label,
            score,
            left == 0 or self._text[left - 1] == " ",
            breaks,
        )

    def _get_breaks(self, left: int, right: int) -> list[int]:
        return self._offsets[bisect_right(self._offsets, left) : bisect_left(self._offsets, right)]
