"""Which phrases share a cue: the runs with the least cost over the whole recording.

A cue ends best at the end of a sentence, then at punctuation or a pause. It costs to show a cue for less than 833 ms,
to show more than can be read in its time, to show a word long before it is spoken, and every cue costs something, so
that short sentences share one.
"""

import itertools
from collections.abc import Iterator, Sequence

from shared.transcript.phrases import (
    AT_COMMA,
    AT_PAUSE,
    AT_SENTENCE_END,
    AT_STOP,
    INSIDE,
    LineLimits,
    Phrase,
    measure_label,
)

MIN_CUE_MS, MAX_CUE_MS = 833, 7_000
MAX_LINGER_MS = 500  # after the last sound
# Goals for reading, in columns a second: 20 letters, or 9 Chinese characters.
READING_SPEED, CJK_READING_SPEED = 20, 18

_MAX_PHRASES = 60  # of a cue
BREAK_COST = {AT_SENTENCE_END: 0.0, AT_STOP: 0.1, AT_COMMA: 0.8, AT_PAUSE: 0.9, INSIDE: 2.5}
_CUE_COST = 1.0
_TOO_SHORT_COST, _SHORTER_COST = 6.0, 12.0
_FAST_COST, _MAX_FAST = 4.0, 5.0
_PAUSE_MS, _LONG_PAUSE_MS, _LONG_PAUSE_COST = 500, 2_000, 6.0
_TWO_SENTENCES_COST, _TWO_VOICES_COST = 0.3, 2.5
_LATE_MS, _CUT_WORD_COST = 400, 10.0
_FOREVER_MS = 10**15


def choose_runs(phrases: Sequence[Phrase], limits: LineLimits) -> list[Sequence[Phrase]]:
    """Return the phrases of each cue. The phrases are sorted by their start."""
    count = len(phrases)
    costs = [0.0] * (count + 1)  # of the best cues for the first phrases
    firsts = [0] * (count + 1)
    for last in range(1, count + 1):
        next_ms = phrases[last].start_ms if last < count else _FOREVER_MS
        best = float("inf")
        for first, cost in _list_costs(phrases, last, next_ms, limits):
            if cost + costs[first] < best:
                best, firsts[last] = cost + costs[first], first
        costs[last] = best
    runs: list[Sequence[Phrase]] = []
    last = count
    while last:
        runs.append(phrases[firsts[last] : last])
        last = firsts[last]
    return runs[::-1]


def _list_costs(
    phrases: Sequence[Phrase], last: int, next_ms: int, limits: LineLimits
) -> Iterator[tuple[int, float]]:
    """Yield each possible first phrase of a cue that ends before phrase `last`, with the cost of the cue."""
    run = _GrowingRun(phrases[last - 1], limits)
    yield last - 1, run.get_cost(next_ms)
    for first in range(last - 2, max(-1, last - 1 - _MAX_PHRASES), -1):
        if not run.prepend(phrases[first]):
            return
        yield first, run.get_cost(next_ms)


class _GrowingRun:
    """A run of phrases that grows towards the start of the recording."""

    def __init__(self, phrase: Phrase, limits: LineLimits) -> None:
        self._limits = limits
        self._voices = {phrase.label: [phrase]}  # of each, the last phrase first
        self._start_ms, self._end_ms = phrase.start_ms, phrase.end_ms
        self._width, self._wide = phrase.width, phrase.wide
        self._cost = _CUE_COST + BREAK_COST[phrase.score]

    def prepend(self, phrase: Phrase) -> bool:
        """Add the phrase before; False if the run is then too long for a cue, and so is any longer one."""
        self._end_ms = max(self._end_ms, phrase.end_ms)
        if self._end_ms - phrase.start_ms > MAX_CUE_MS:
            return False
        if phrase.score == AT_SENTENCE_END:
            self._cost += _TWO_SENTENCES_COST
        pause_ms = self._start_ms - phrase.end_ms
        if pause_ms > _PAUSE_MS:
            self._cost += pause_ms / 1000 + (_LONG_PAUSE_COST if pause_ms > _LONG_PAUSE_MS else 0)
        self._start_ms = phrase.start_ms
        self._width += phrase.width
        self._wide += phrase.wide
        if phrase.label not in self._voices:
            self._cost += _TWO_VOICES_COST
        self._voices.setdefault(phrase.label, []).append(phrase)
        if len(self._voices) == 1:
            return count_lines(self._voices[phrase.label][::-1], self._limits) is not None
        is_pair = len(self._voices) == len(("first", "second"))
        return is_pair and all(fits_on_line(own[::-1], self._limits) for own in self._voices.values())

    def get_cost(self, next_ms: int) -> float:
        """Return the cost of a cue with these phrases, if the next one begins then."""
        cost = self._cost
        free_ms = next_ms - self._start_ms
        if free_ms < MIN_CUE_MS:
            cost += _TOO_SHORT_COST + _SHORTER_COST * (MIN_CUE_MS - free_ms) / MIN_CUE_MS
        if self._end_ms > next_ms + _LATE_MS:
            cost += _CUT_WORD_COST
        shown_ms = max(1, min(free_ms, max(self._end_ms - self._start_ms + MAX_LINGER_MS, MIN_CUE_MS)))
        read_ms = get_reading_ms(self._width, self._wide)
        if read_ms > shown_ms:
            cost += _FAST_COST * min(read_ms / shown_ms - 1, _MAX_FAST)
        return cost


def get_reading_ms(width: int, wide: int) -> int:
    """Return the time that this many columns take to read, of which so many are of wide characters."""
    return width * 1000 // (CJK_READING_SPEED if 2 * wide > width else READING_SPEED)


def measure_line(line: Sequence[Phrase]) -> tuple[int, int]:
    """Return the width of phrases on one line, in columns, and how many are of wide characters."""
    width = sum([phrase.width + phrase.has_space for phrase in line]) - line[0].has_space
    return width, sum([phrase.wide for phrase in line])


def fits_on_line(line: Sequence[Phrase], limits: LineLimits) -> bool:
    """Check that phrases fit on one line after their label. One alone does: it cannot be cut."""
    if len(line) == 1:
        return True
    width, wide = measure_line(line)
    label_width, label_wide = measure_label(line[0].label)
    return limits.fits(width + label_width, wide + label_wide)


def count_lines(run: Sequence[Phrase], limits: LineLimits) -> int | None:
    """Return how many phrases are on the first line of one or two; None if two lines are not enough."""
    if fits_on_line(run, limits):
        return len(run)
    width, wide = measure_line(run)
    label_width, label_wide = measure_label(run[0].label)
    if len(run) > len(("first", "second")) and width + label_width > 2 * limits.widest + 1:
        return None
    best, best_cost = None, float("inf")
    first_width, first_wide = label_width - run[0].has_space, label_wide
    for number, (phrase, following) in enumerate(itertools.pairwise(run), start=1):
        first_width += phrase.width + phrase.has_space
        first_wide += phrase.wide
        if number > 1 and not limits.fits(first_width, first_wide):
            break
        rest_width = width + label_width - first_width - following.has_space
        is_last = number == len(run) - 1
        if not is_last and not limits.fits(rest_width, wide + label_wide - first_wide):
            continue
        if is_last and following.text.isdecimal():
            continue  # SRT readers may take a last line of digits for the number of the next cue
        cost = abs(first_width - rest_width) / limits.widest + BREAK_COST[phrase.score] / 5
        if cost < best_cost:
            best, best_cost = number, cost
    return best
