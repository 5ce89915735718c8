"""Captions: what is on the screen, and when. SRT and VTT write the same cues.

    Transcript -> phrases (phrases.py) -> the phrases of each cue (cue_runs.py) -> Cue

Always kept (the limits of Netflix's guides for English and Simplified Chinese):

- a line is at most 42 columns wide, or 16 Chinese characters; a cue has two lines: of one voice, or one of each of two;
- a cue lasts from 833 ms to 7 s, ends at most 0.5 s after its last sound unless it would be too short, and either
  touches the next one or leaves half a second;
- each word is on the screen while it is spoken, in order, none lost, none twice.

How fast a cue must be read is a goal: verbatim speech can be faster.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.transcript.cue_runs import (
    BREAK_COST,
    MAX_CUE_MS,
    MAX_LINGER_MS,
    MIN_CUE_MS,
    choose_runs,
    count_lines,
    fits_on_line,
    get_reading_ms,
)
from shared.transcript.models import Transcript
from shared.transcript.phrases import INSIDE, LineLimits, Phrase, build_phrases, measure, measure_label

MIN_GAP_MS = 500  # between cues that do not touch
LIMITS = LineLimits()


class CuePart(NamedTuple):
    """What one speaker says in a cue. The label is None where there is only one speaker; one or two lines of text."""

    label: str | None
    text: str


class Cue(NamedTuple):
    """What is on the screen from start to end (ms): one part, or two where two voices speak at once.

    A part without a label comes first: after another one it would seem to belong to it. `is_fast`: it is shown for less
    time than most people need to read it.
    """

    start_ms: int
    end_ms: int
    parts: tuple[CuePart, ...]
    is_fast: bool = False


def build_cues(transcript: Transcript, limits: LineLimits = LIMITS) -> list[Cue]:
    """Return the cues of a transcript in order, without overlaps."""
    runs = choose_runs(build_phrases(transcript, limits), limits)
    starts_ms = [run[0].start_ms for run in runs]
    cues: list[Cue] = []
    free_ms = 0
    for index, run in enumerate(runs):
        start_ms = max(starts_ms[index], free_ms)
        read_ms = get_reading_ms(sum([phrase.width for phrase in run]), sum([phrase.wide for phrase in run]))
        sound_end_ms = max([phrase.end_ms for phrase in run])
        end_ms = _choose_end(start_ms, sound_end_ms, read_ms)
        if index + 1 < len(runs):
            end_ms = _close_gap(start_ms, end_ms, sound_end_ms, starts_ms[index + 1])
        parts = sorted(_build_parts(run, limits), key=lambda part: part.label is not None)
        cues.append(Cue(start_ms, end_ms, tuple(parts), read_ms > end_ms - start_ms))
        free_ms = end_ms
    return cues


def format_time(time_ms: int, decimal_mark: str) -> str:
    """Return `hh:mm:ss.mmm` with this decimal mark; hours may have more than two digits."""
    seconds, ms = divmod(time_ms, 1000)
    fields = (seconds // 3600, seconds // 60 % 60, seconds % 60, decimal_mark, ms)
    return "%02d:%02d:%02d%s%03d" % fields  # noqa: UP031 - half the time of an f-string, and there are 70,000


def _choose_end(start_ms: int, sound_end_ms: int, read_ms: int) -> int:
    """Return the end of a cue without a next one: after its sound, and for a short time more if reading needs it."""
    end_ms = max(sound_end_ms, min(start_ms + read_ms, sound_end_ms + MAX_LINGER_MS))
    return min(max(end_ms, start_ms + MIN_CUE_MS), start_ms + MAX_CUE_MS)


def _close_gap(start_ms: int, end_ms: int, sound_end_ms: int, next_ms: int) -> int:
    """Return the end of a cue before another: it touches that one, or leaves half a second.

    If it needs more time, the next one begins later than its sound.
    """
    earliest_ms, latest_ms = start_ms + MIN_CUE_MS, start_ms + MAX_CUE_MS
    apart_ms = next_ms - MIN_GAP_MS
    if end_ms <= apart_ms or next_ms <= earliest_ms:
        return min(end_ms, max(apart_ms, earliest_ms))
    can_touch = next_ms <= min(latest_ms, max(end_ms, sound_end_ms + MAX_LINGER_MS))
    if can_touch or apart_ms < earliest_ms:
        return min(next_ms, latest_ms)
    return apart_ms


def _build_parts(run: Sequence[Phrase], limits: LineLimits) -> Iterator[CuePart]:
    for label in dict.fromkeys(phrase.label for phrase in run):
        own = [phrase for phrase in run if phrase.label == label]
        text = _join(own)
        yield CuePart(label, text if fits_on_line(own, limits) else _break_line(own, text, limits))


def _join(line: Sequence[Phrase]) -> str:
    text = "".join([f" {phrase.text}" if phrase.has_space else phrase.text for phrase in line])
    return text.removeprefix(" ")


def _break_line(run: Sequence[Phrase], text: str, limits: LineLimits) -> str:
    """Return the text of a run that is wider than a line as two lines: at the best break, of similar width."""
    label_width, label_wide = measure_label(run[0].label)
    best, best_cost = text, float("inf")
    for offset, score in _list_breaks(run):
        first, second = text[:offset].rstrip(" "), text[offset:].lstrip(" ")
        (width, wide), (rest_width, rest_wide) = measure(first), measure(second)
        width, wide = width + label_width, wide + label_wide
        if not limits.fits(width, wide) or not limits.fits(rest_width, rest_wide) or second.isdecimal():
            continue  # SRT readers may take a last line of digits for the number of the next cue
        cost = abs(width - rest_width) / limits.widest + BREAK_COST[score] / 5
        if cost < best_cost:
            best, best_cost = f"{first}\n{second}", cost
    if best is text and (count := count_lines(run, limits)):  # a word that is wider than a line
        best = "\n".join(_join(line) for line in (run[:count], run[count:]) if line)
    return best


def _list_breaks(run: Sequence[Phrase]) -> Iterator[tuple[int, int]]:
    """Yield the offsets in the joined text of a run where a line may end, each with how good that is."""
    position = -run[0].has_space
    for phrase in run[:-1]:
        start = position + phrase.has_space
        yield from ((start + offset, INSIDE) for offset in phrase.breaks)
        position = start + len(phrase.text)
        yield position, phrase.score
    yield from ((position + run[-1].has_space + offset, INSIDE) for offset in run[-1].breaks)
