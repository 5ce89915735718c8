"""Which phrases share a cue: the runs with the least cost over the whole recording.

A cue ends best at the end of a sentence, then at punctuation or a pause. It costs to show a cue for less than 833 ms,
to show more than can be read in its time, to show a word long before it is spoken, and every cue costs something, so
that short sentences share one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shared.transcript.caption_limits import (
    MAX_LINGER_MS,
    MIN_CUE_MS,
    CaptionLimits,
    get_reading_ms,
    measure_label,
)
from shared.transcript.phrases import AT_SENTENCE_END, BREAK_COST, Phrase

_MAX_PHRASES = 60  # of a cue
_CUE_COST = 1.0
_TOO_SHORT_COST, _SHORTER_COST = 6.0, 12.0
_FAST_COST, _MAX_FAST = 4.0, 5.0
_PAUSE_MS, _LONG_PAUSE_MS, _LONG_PAUSE_COST = 500, 2_000, 6.0
_TWO_SENTENCES_COST, _TWO_VOICES_COST = 0.3, 2.5
_MAX_CUT_MS, _CUT_MS_COST, _CUT_WORD_COST = 400, 0.01, 20.0  # of a word that is still spoken
_NOT_SHOWN_COST = 2.0  # for a second
_FOREVER_MS = 10**15


def choose_runs(phrases: Sequence[Phrase], limits: CaptionLimits) -> list[Sequence[Phrase]]:
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
    phrases: Sequence[Phrase], last: int, next_ms: int, limits: CaptionLimits
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

    def __init__(self, phrase: Phrase, limits: CaptionLimits) -> None:
        self._limits = limits
        self._voices = {phrase.label: _GrowingText(phrase, limits)}
        self._start_ms, self._end_ms = phrase.start_ms, phrase.end_ms
        self._needed_until_ms = phrase.needed_until_ms
        self._width, self._wide = phrase.width, phrase.wide
        self._cost = _CUE_COST + BREAK_COST[phrase.score]

    def prepend(self, phrase: Phrase) -> bool:
        """Add the phrase before; False if the run is then too long for a cue, and so is any longer one."""
        self._end_ms = max(self._end_ms, phrase.end_ms)
        self._needed_until_ms = max(self._needed_until_ms, phrase.needed_until_ms)
        if self._needed_until_ms - phrase.start_ms > self._limits.max_cue_ms:
            return False
        if phrase.score == AT_SENTENCE_END:
            self._cost += _TWO_SENTENCES_COST
        pause_ms = self._start_ms - phrase.end_ms
        if pause_ms > _PAUSE_MS:
            self._cost += pause_ms / 1000 + (_LONG_PAUSE_COST if pause_ms > _LONG_PAUSE_MS else 0)
        self._start_ms = phrase.start_ms
        self._width += phrase.width
        self._wide += phrase.wide
        voice = self._voices.get(phrase.label)
        if voice:
            voice.prepend(phrase)
            return voice.fits(self._limits.lines if len(self._voices) == 1 else 1)
        self._cost += _TWO_VOICES_COST
        self._voices[phrase.label] = _GrowingText(phrase, self._limits)
        # The other ones may have had more lines until now.
        return len(self._voices) <= self._limits.voices and all(
            voice.fits(1) for voice in self._voices.values()
        )

    def get_cost(self, next_ms: int) -> float:
        """Return the cost of a cue with these phrases, if the next one begins then."""
        cost = self._cost
        free_ms = next_ms - self._start_ms
        if free_ms < MIN_CUE_MS:
            cost += _TOO_SHORT_COST + _SHORTER_COST * (MIN_CUE_MS - free_ms) / MIN_CUE_MS
        cut_ms = self._needed_until_ms - next_ms
        if cut_ms > 0:
            cost += _CUT_WORD_COST if cut_ms > _MAX_CUT_MS else _CUT_MS_COST * cut_ms
        not_shown_ms = self._end_ms - self._start_ms - self._limits.max_cue_ms
        if not_shown_ms > 0:
            cost += _NOT_SHOWN_COST * not_shown_ms / 1000
        shown_ms = max(1, min(free_ms, max(self._end_ms - self._start_ms + MAX_LINGER_MS, MIN_CUE_MS)))
        read_ms = get_reading_ms(self._width, self._wide)
        if read_ms > shown_ms:
            cost += _FAST_COST * min(read_ms / shown_ms - 1, _MAX_FAST)
        return cost


class _GrowingText:
    """What one voice says in a run."""

    def __init__(self, phrase: Phrase, limits: CaptionLimits) -> None:
        self._limits = limits
        self._phrases = [phrase]  # the last one first
        label_width, label_wide = measure_label(phrase.label, limits)
        self._width, self._wide = label_width + phrase.width, label_wide + phrase.wide

    def prepend(self, phrase: Phrase) -> None:
        """Add the phrase before."""
        self._width += phrase.width + self._phrases[-1].has_space
        self._wide += phrase.wide
        self._phrases.append(phrase)

    def fits(self, lines: int) -> bool:
        """Check that the text fits on this many lines. A phrase alone fits on any line."""
        if len(self._phrases) == 1 or self._limits.fits(self._width, self._wide):
            return True
        return lines > 1 and _fits(self._phrases[::-1], self._limits, lines)


def _fits(phrases: Sequence[Phrase], limits: CaptionLimits, lines: int) -> bool:
    """Check that phrases of one voice fit on this many lines, the label included. One phrase fits on any line."""
    width, wide = measure_label(phrases[0].label, limits)
    line_count, phrase_count = 1, 0  # lines begun, and phrases on the last one
    for phrase in phrases:
        new_width, new_wide = width + phrase.width, wide + phrase.wide
        if phrase_count:
            new_width += phrase.has_space
        if phrase_count and not limits.fits(new_width, new_wide):
            line_count += 1
            if line_count > lines:
                return False
            new_width, new_wide, phrase_count = phrase.width, phrase.wide, 0
        width, wide = new_width, new_wide
        phrase_count += 1
    if line_count > 1 and phrase_count == 1 and phrases[-1].text.isdecimal():
        # SRT readers may take a last line of digits for the number of the next cue: the phrase before is there, too.
        *others, before, number = phrases
        last_line = (before._replace(label=None), number)
        return bool(others) and _fits(last_line, limits, 1) and _fits(others, limits, lines - 1)
    return True
