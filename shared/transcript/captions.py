"""A transcript becomes cues: what stands on the screen, and when. SRT and VTT differ only in how they write them.

Players show cues that overlap in odd places or not at all, so cues never do:

- a cue ends where the next begins, if it has then been seen for a second;
- two voices that begin within a second of each other share one cue, a line or two each;
- where neither is possible, because times are garbled, cues follow each other a millisecond apart.

No text is lost by any of this.
"""

from collections.abc import Iterator
from typing import NamedTuple

from shared.transcript.caption_layout import LONGEST_MS, lay_out
from shared.transcript.model import Transcript
from shared.transcript.typography import columns

_LEAST_SEEN_MS = 1_000
_READING_MS_PER_COLUMN = 50


class Part(NamedTuple):
    """What one voice says in a cue: its label, or None where there is one voice only, and one or two lines of text."""

    label: str | None
    lines: tuple[str, ...]


class Cue(NamedTuple):
    """What is on the screen from start to end (ms, at least one apart): one part, or two where two speak at once."""

    start_ms: int
    end_ms: int
    parts: tuple[Part, ...]


def cues(transcript: Transcript) -> list[Cue]:
    """Give the cues of a transcript in order: none overlaps another, each lasts from 1 ms to about 7 s.

    A cue that is gone before it can be read stays longer where the pause after it allows.
    """
    apart = _without_overlaps(sorted(_spoken(transcript), key=lambda cue: cue.start_ms))
    return [
        _until_read(cue, apart[place + 1].start_ms if place + 1 < len(apart) else transcript.duration_ms)
        for place, cue in enumerate(apart)
    ]


def _spoken(transcript: Transcript) -> Iterator[Cue]:
    """Give the cues of every sentence by itself."""
    for sentence in transcript.sentences:
        label = sentence.label
        for caption in lay_out(sentence, columns(f"{label}: ") if label else 0):
            end_ms = max(caption.end_ms, caption.start_ms + 1)
            yield Cue(caption.start_ms, end_ms, (Part(label, caption.lines),))


def _without_overlaps(spoken: list[Cue]) -> list[Cue]:
    apart: list[Cue] = []
    for cue in spoken:
        before = apart[-1] if apart else None
        if before is None or cue.start_ms >= before.end_ms:
            apart.append(cue)
        elif cue.start_ms - before.start_ms >= _LEAST_SEEN_MS:
            apart[-1] = before._replace(end_ms=cue.start_ms)
            apart.append(cue)
        elif len(before.parts) == 1 and _are_two_voices(before.parts[0].label, cue.parts[0].label):
            apart[-1] = Cue(before.start_ms, max(before.end_ms, cue.end_ms), before.parts + cue.parts)
        else:
            border_ms = max(before.start_ms + 1, cue.start_ms)
            apart[-1] = before._replace(end_ms=border_ms)
            apart.append(cue._replace(start_ms=border_ms, end_ms=max(cue.end_ms, border_ms + 1)))
    return apart


def _are_two_voices(first: str | None, second: str | None) -> bool:
    return first is not None and second is not None and first != second


def _until_read(cue: Cue, limit_ms: int | None) -> Cue:
    """Keep a short cue for a second, and for 50 ms a column, but not beyond the limit or 7 s."""
    width = sum(columns(line) for part in cue.parts for line in part.lines)
    read_ms = cue.start_ms + min(LONGEST_MS, max(_LEAST_SEEN_MS, width * _READING_MS_PER_COLUMN))
    if limit_ms is not None:
        read_ms = min(read_ms, limit_ms)
    return cue._replace(end_ms=read_ms) if read_ms > cue.end_ms else cue
