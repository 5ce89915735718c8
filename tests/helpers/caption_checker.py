"""A judge of captions, written after the limits that Netflix and the BBC publish; it shares no code with the product.

Netflix: general requirements, English and Simplified Chinese timed text style guides, and timing guidelines (two lines;
42 characters, or 16 Chinese ones, where half-width letters count half; 5/6 s to 7 s; gaps of two frames or half a
second; up to half a second after the sound). BBC subtitle guidelines: words are shown while they are spoken.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from shared.transcript import Transcript

LINE, CJK_LINE = 42, 32  # columns
LINES = 2
SHORTEST_MS, LONGEST_MS = 833, 7_000
TOUCHING_MS, APART_MS = 83, 500
TOLERANCE_MS = 500
LONGEST_WORD_MS = 1_500  # engines stretch a word into the pause after it
SPEED, CJK_SPEED = 20, 9

_LABEL = re.compile("^[^:]{1,40}: ")


@dataclass
class ShownCue:
    """One cue as a reader of the file sees it: the text of each voice, in lines. The voice is "" without a label."""

    start_ms: int
    end_ms: int
    lines: list[str]
    voices: dict[str, str] = field(default_factory=dict)


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


def find_violations(cues: Sequence[ShownCue], transcript: Transcript) -> Counter[str]:
    """Count what breaks a limit, by kind. Words wider than a line, and what cannot be kept apart, do not count."""
    found: Counter[str] = Counter()
    for cue in cues:
        found.update(_find_in_cue(cue))
    for first, second in pairwise(cues):
        gap_ms = second.start_ms - first.end_ms
        if gap_ms < 0:
            found["order"] += 1
        elif TOUCHING_MS < gap_ms < APART_MS:
            found["gap"] += 1
    found.update(_find_in_words(cues, transcript))
    return +found


def _find_in_cue(cue: ShownCue) -> Iterator[str]:
    if len(cue.lines) > LINES:
        yield "lines"
    for line in cue.lines:
        columns, wide = count_columns(line)
        words = _LABEL.sub("", line).split()
        if columns > (CJK_LINE if 2 * wide > columns else LINE) and len(words) > 1:
            yield "width"
    if cue.end_ms - cue.start_ms < SHORTEST_MS:
        yield "short"
    if cue.end_ms - cue.start_ms > LONGEST_MS:
        yield "long"


def count_fast(cues: Sequence[ShownCue]) -> int:
    """Count the cues that are to be read faster than 20 letters, or 9 Chinese characters, a second."""
    count = 0
    for cue in cues:
        columns, wide = count_columns("".join(cue.lines))
        characters = columns / 2 if 2 * wide > columns else columns
        limit = CJK_SPEED if 2 * wide > columns else SPEED
        count += characters * 1000 > limit * (cue.end_ms - cue.start_ms)
    return count


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _find_in_words(cues: Sequence[ShownCue], transcript: Transcript) -> Iterator[str]:
    """Compare the text of each voice with the sentences, and the cue of each word with its time."""
    voices = {sentence.label or "" for sentence in transcript.sentences}
    for voice in voices:
        sentences = [sentence for sentence in transcript.sentences if (sentence.label or "") == voice]
        shown = [(cue, _squeeze(cue.voices[voice])) for cue in cues if voice in cue.voices]
        text = "".join(_squeeze(sentence.text) for sentence in sentences)
        if "".join(part for _, part in shown) != text:
            yield "text"
            continue
        cue_of = [cue for cue, part in shown for _ in part]
        ends = 0
        for sentence in sentences:
            start = ends
            own = _squeeze(sentence.text)
            ends += len(own)
            position = 0
            last_ms = max(
                (s.end_ms for s in sentences if s is not sentence and s.start_ms <= sentence.start_ms),
                default=0,
            )
            for word in sentence.words:
                plain = _squeeze(word.text)
                at = own.find(plain, position)
                if at < 0 or not plain:
                    continue
                position = at + len(plain)
                first, last = cue_of[start + at], cue_of[start + position - 1]
                if first is not last and count_columns(plain)[0] <= CJK_LINE:
                    yield "split word"
                if last_ms > word.start_ms:
                    continue  # the same voice says two things at once
                word_end_ms = min(word.end_ms, word.start_ms + LONGEST_WORD_MS)
                if first.start_ms > word.start_ms + TOLERANCE_MS or last.end_ms < word_end_ms - TOLERANCE_MS:
                    yield "coverage"
