"""The sentences of each voice one after the other, and which of them another voice overlaps.

Results can have sentences of one voice that are nested, equal or reversed in time, which is impossible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from shared.transcript.models import Sentence
from shared.transcript.text import display_width

_MS_PER_COLUMN = 40  # the least time for text of a voice that says two things at once


def make_voices_sequential(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Return the sentences with those of one voice one after the other, sorted by start."""
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
    end_ms = width = 0  # of the group
    for sentence in voice:
        if group and sentence.start_ms < end_ms:
            if sentence.start_ms - group[0].start_ms >= _MS_PER_COLUMN * width:
                yield from _divide(group, sentence.start_ms)
                group, width = [], 0
        elif group:
            yield from _divide(group, end_ms)
            group, end_ms, width = [], 0, 0
        group.append(sentence)
        end_ms = max(end_ms, sentence.end_ms)
        width += display_width(sentence.text)
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


def find_overlaps(sentences: Sequence[Sentence]) -> list[bool]:
    """Return for each sentence whether another voice speaks during it: of sentences from `make_voices_sequential`."""
    overlaps = [False] * len(sentences)
    last: dict[str | None, int] = {}  # of each voice that still speaks: its last sentence
    for index, sentence in enumerate(sentences):
        last = {label: other for label, other in last.items() if sentences[other].end_ms > sentence.start_ms}
        for label, other in last.items():
            if label != sentence.label:
                overlaps[index] = overlaps[other] = True
        last[sentence.label] = index
    return overlaps
