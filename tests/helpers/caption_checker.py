"""A checker of captions, written after the limits that Netflix and the BBC publish; it shares no code with the layout.

Netflix: general requirements, English and Simplified Chinese timed text style guides, and timing guidelines (two lines;
42 characters, or 16 Chinese ones, where half-width letters count half; 5/6 s to 7 s; gaps of two frames or half a
second; up to half a second after the sound). BBC subtitle guidelines: words are shown while they are spoken.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import NamedTuple

from shared.transcript import Sentence, Transcript

SHORTEST_MS = 833
TOUCHING_MS, APART_MS = 83, 500
TOLERANCE_MS = 500
LONGEST_WORD_MS = 1_500  # engines stretch a word into the pause after it
SPEED, CJK_SPEED = 20, 9


class Limits(NamedTuple):
    """Columns of a line, and of one that is mostly Chinese; lines of a cue; the longest cue."""

    line: int = 42
    cjk_line: int = 32
    lines: int = 2
    longest_ms: int = 7_000


NETFLIX = Limits()


class ShownLine(NamedTuple):
    """A line as the file has it: the label with what follows it, or "", and the text."""

    label: str
    text: str


@dataclass
class ShownCue:
    """One cue as a reader of the file sees it: its lines, and the text of each voice ("" is the voice without a label).

    `sound_ms` is when its words are spoken, from the first to the last, if that is known of all of them.
    """

    start_ms: int
    end_ms: int
    lines: list[ShownLine]
    voices: dict[str, str] = field(default_factory=dict)
    sound_ms: list[int] = field(default_factory=list)
    has_unknown_sound: bool = False


def count_columns(text: str) -> tuple[int, int]:
    """Count columns, and those of them that are of wide characters."""
    columns = wide = 0
    for char in text:
        if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
            continue
        is_wide = unicodedata.east_asian_width(char) in {"W", "F"}
        columns += 1 + is_wide
        wide += 2 * is_wide
    return columns, wide


def find_violations(
    cues: Sequence[ShownCue], transcript: Transcript, limits: Limits = NETFLIX
) -> Counter[str]:
    """Count what breaks a limit, by kind. Words wider than a line, and what cannot be kept apart, do not count."""
    words = {_squeeze(word.text) for sentence in transcript.sentences for word in sentence.words}
    violations: Counter[str] = Counter()
    for cue in cues:
        violations.update(_check_cue(cue, words, limits))
    for first, second in pairwise(cues):
        gap_ms = second.start_ms - first.end_ms
        if gap_ms < 0:
            violations["order"] += 1
        elif TOUCHING_MS < gap_ms < APART_MS:
            violations["gap"] += 1
    violations.update(_check_words(cues, transcript, limits))
    violations.update(_check_sounds(cues))
    return +violations


def _check_cue(cue: ShownCue, words: set[str], limits: Limits) -> Iterator[str]:
    if len(cue.lines) > (limits.lines if len(cue.voices) == 1 else max(2, limits.lines)):
        yield "lines"
    for line in cue.lines:
        columns, wide = count_columns(line.label + line.text)
        if columns > (limits.cjk_line if 2 * wide > columns else limits.line) and _can_break(
            line.text, words
        ):
            yield "width"
    if cue.end_ms - cue.start_ms < SHORTEST_MS:
        yield "short"
    if cue.end_ms - cue.start_ms > limits.longest_ms:
        yield "long"


def _can_break(text: str, words: set[str]) -> bool:
    """Check whether a line has a place to break: a space, or two Chinese characters of different words."""
    is_word = text.strip("，。？！、,.?!") in words
    letters = [unicodedata.east_asian_width(char) == "W" and char.isalpha() for char in text]
    return " " in text or (not is_word and any(first and second for first, second in pairwise(letters)))


def count_fast(cues: Sequence[ShownCue]) -> int:
    """Count the cues that are to be read faster than 20 letters, or 9 Chinese characters, a second."""
    count = 0
    for cue in cues:
        columns, wide = count_columns("".join(line.text for line in cue.lines))
        characters = columns / 2 if 2 * wide > columns else columns
        limit = CJK_SPEED if 2 * wide > columns else SPEED
        count += characters * 1000 > limit * (cue.end_ms - cue.start_ms)
    return count


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _check_words(cues: Sequence[ShownCue], transcript: Transcript, limits: Limits) -> Iterator[str]:
    """Compare the text of each voice with the sentences, and the cue of each word with its time."""
    for voice in {sentence.label or "" for sentence in transcript.sentences}:
        sentences = [sentence for sentence in transcript.sentences if (sentence.label or "") == voice]
        shown = [(cue, _squeeze(cue.voices[voice])) for cue in cues if voice in cue.voices]
        text = "".join(_squeeze(sentence.text) for sentence in sentences)
        if "".join(part for _, part in shown) != text:
            yield "text"
            continue
        cue_of = [cue for cue, part in shown for _ in part]
        end = 0
        for sentence in sentences:
            start, end = end, end + len(_squeeze(sentence.text))
            others = [other for other in sentences if other is not sentence and _overlap(other, sentence)]
            yield from _check_sentence(sentence, cue_of[start:end], others, limits)


def _overlap(first: Sentence, second: Sentence) -> bool:
    return first.start_ms < second.end_ms and second.start_ms < first.end_ms


def _check_sentence(
    sentence: Sentence, cue_of: Sequence[ShownCue], others: Sequence[Sentence], limits: Limits
) -> Iterator[str]:
    """Check each word of a sentence; `cue_of` has the cue of each character. `others`: of the voice at that time."""
    text, position = _squeeze(sentence.text), 0
    for word in sentence.words:
        plain = _squeeze(word.text)
        start = text.find(plain, position)
        if start < 0 or not plain:
            continue
        position = start + len(plain)
        first, last = cue_of[start], cue_of[position - 1]
        if first is not last and count_columns(plain)[0] <= limits.cjk_line:
            yield "split word"
        if any(other.start_ms < word.end_ms and word.start_ms < other.end_ms for other in others):
            last.has_unknown_sound = True
            continue  # the same voice says two things at once
        first.sound_ms.append(word.start_ms)
        last.sound_ms.append(word.end_ms)
        word_end_ms = min(word.end_ms, word.start_ms + LONGEST_WORD_MS)
        if first.start_ms > word.start_ms + TOLERANCE_MS or last.end_ms < word_end_ms - TOLERANCE_MS:
            yield "coverage"
    if others or not sentence.words:
        for cue in cue_of:
            cue.has_unknown_sound = True


def _check_sounds(cues: Sequence[ShownCue]) -> Iterator[str]:
    """Check that cues begin with their first sound, and end at most half a second after their last one."""
    for cue, following in zip_longest(cues, cues[1:]):
        if cue.has_unknown_sound or not cue.sound_ms:
            continue
        if cue.start_ms < min(cue.sound_ms) - TOUCHING_MS:
            yield "early"
        # Too short a cue, or too short a gap, would be worse.
        earliest_ms = cue.start_ms + SHORTEST_MS
        is_close = following is not None and following.start_ms < earliest_ms + APART_MS
        if cue.end_ms > max(max(cue.sound_ms) + TOLERANCE_MS, earliest_ms) and not is_close:
            yield "late"
