"""Captions: what is on the screen, and when. SRT and VTT write the same cues.

    Transcript -> phrases (phrases.py) -> the phrases of each cue (cue_runs.py) -> its lines (caption_lines.py) -> Cue

Always kept (the limits of Netflix's guides for English and Simplified Chinese; options may choose other numbers):

- a line is at most 42 columns wide, or 16 Chinese characters; a cue has two lines: of one voice, or one of each of two;
- a cue lasts from 833 ms to 7 s, ends at most 0.5 s after its last sound unless it would be too short, and either
  touches the next one or leaves half a second;
- each word is on the screen while it is spoken, in order, none lost, none twice.

How fast a cue must be read is a goal: verbatim speech can be faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.transcript.caption_limits import (
    MAX_LINGER_MS,
    MIN_CUE_MS,
    MIN_GAP_MS,
    CaptionLimits,
    get_reading_ms,
    measure,
)
from shared.transcript.caption_lines import build_lines
from shared.transcript.cue_runs import choose_runs
from shared.transcript.models import Transcript
from shared.transcript.phrases import Phrase, build_phrases


class CuePart(NamedTuple):
    """What one speaker says in a cue. The label is None if there is only one speaker. A line feed separates lines."""

    label: str | None
    text: str


class Cue(NamedTuple):
    """What is on the screen from start to end (ms): one part, or more where several voices speak at once.

    A part without a label comes first: after another one it would seem to belong to it. `is_fast`: it is shown for less
    time than most people need to read it.
    """

    start_ms: int
    end_ms: int
    parts: tuple[CuePart, ...]
    is_fast: bool = False


def build_cues(transcript: Transcript) -> list[Cue]:
    """Return the cues of a transcript in order, without overlaps."""
    limits = CaptionLimits.from_layout(transcript.layout)
    runs = choose_runs(build_phrases(transcript, limits), limits)
    starts_ms = [run[0].start_ms for run in runs]
    cues: list[Cue] = []
    free_ms = 0
    for index, run in enumerate(runs):
        start_ms = max(starts_ms[index], free_ms)
        parts = sorted(_build_parts(run, limits), key=lambda part: part.label is not None)
        read_ms = get_reading_ms(*measure("".join([part.text for part in parts]).replace("\n", "")))
        sound_end_ms = max([phrase.end_ms for phrase in run])
        end_ms = _choose_end(start_ms, sound_end_ms, read_ms, limits)
        if index + 1 < len(runs):
            end_ms = _close_gap(start_ms, end_ms, sound_end_ms, starts_ms[index + 1], limits)
        cues.append(Cue(start_ms, end_ms, tuple(parts), read_ms > end_ms - start_ms))
        free_ms = end_ms
    return cues


def format_time(time_ms: int, decimal_mark: str) -> str:
    """Return `hh:mm:ss.mmm` with this decimal mark; hours may have more than two digits."""
    seconds, ms = divmod(time_ms, 1000)
    fields = (seconds // 3600, seconds // 60 % 60, seconds % 60, decimal_mark, ms)
    return "%02d:%02d:%02d%s%03d" % fields  # noqa: UP031 - half the time of an f-string, and there are 70,000


def _choose_end(start_ms: int, sound_end_ms: int, read_ms: int, limits: CaptionLimits) -> int:
    """Return the end of a cue without a next one: after its sound, and for a short time more if reading needs it."""
    end_ms = max(sound_end_ms, min(start_ms + read_ms, sound_end_ms + MAX_LINGER_MS))
    return min(max(end_ms, start_ms + MIN_CUE_MS), start_ms + limits.max_cue_ms)


def _close_gap(start_ms: int, end_ms: int, sound_end_ms: int, next_ms: int, limits: CaptionLimits) -> int:
    """Return the end of a cue before another: it touches that one, or leaves half a second.

    If it needs more time, the next one begins later than its sound.
    """
    earliest_ms, latest_ms = start_ms + MIN_CUE_MS, start_ms + limits.max_cue_ms
    apart_ms = next_ms - MIN_GAP_MS
    if end_ms <= apart_ms or next_ms <= earliest_ms:
        return min(end_ms, max(apart_ms, earliest_ms))
    can_touch = next_ms <= min(latest_ms, max(end_ms, sound_end_ms + MAX_LINGER_MS))
    if can_touch or apart_ms < earliest_ms:
        return min(next_ms, latest_ms)
    return apart_ms


def _build_parts(run: Sequence[Phrase], limits: CaptionLimits) -> Iterator[CuePart]:
    labels = dict.fromkeys(phrase.label for phrase in run)
    max_lines = limits.lines if len(labels) == 1 else 1
    for label in labels:
        yield CuePart(
            label, build_lines([phrase for phrase in run if phrase.label == label], limits, max_lines)
        )
