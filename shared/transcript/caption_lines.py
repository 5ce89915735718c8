"""The lines of one voice in a cue: as few as its text needs, of similar width, ended where it is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.transcript.caption_limits import CaptionLimits, measure_label, measure_prefixes
from shared.transcript.phrases import BREAK_COST, INSIDE, Phrase


def build_lines(phrases: Sequence[Phrase], limits: CaptionLimits, max_lines: int) -> str:
    """Return the text of phrases of one voice, with line feeds. They are known to fit on this many lines."""
    text, breaks = _join(phrases)
    lines = _Lines(text, breaks, phrases[0].label, limits)
    for count in range(1, max_lines + 1):
        best = lines.divide(count)
        if best:
            return lines.join(best.ends)
    return lines.join(lines.fill())


def _join(phrases: Sequence[Phrase]) -> tuple[str, dict[int, int]]:
    """Return the text of phrases, and the offsets at which a line may start, each with how good the break before is."""
    text = ""
    breaks: dict[int, int] = {}
    score = INSIDE
    for phrase in phrases:
        if text:
            text += " " * phrase.has_space
            breaks[len(text)] = score
        for offset in phrase.breaks:
            breaks[len(text) + offset] = INSIDE
        text += phrase.text
        score = phrase.score
    return text, breaks


_BALANCE = 1.5  # how much worse lines of different width are than a worse break


class _Division(NamedTuple):
    """Where lines end, as indexes of the offsets, without the last line; and what is bad about it."""

    cost: float
    ends: tuple[int, ...]


class _Lines:
    """A text and the offsets at which its lines may start or end."""

    def __init__(
        self, text: str, breaks: Mapping[int, int], label: str | None, limits: CaptionLimits
    ) -> None:
        self._text = text
        self._offsets = (0, *breaks, len(text))
        self._costs = (0.0, *[BREAK_COST[score] / 5 for score in breaks.values()])
        self._limits = limits
        self._label = measure_label(label, limits)
        self._widths, self._wides = measure_prefixes(text)

    def divide(self, count: int) -> _Division | None:
        """Return the best lines of this number; None if none of them fit."""
        return self._divide(0, count, (self._label[0] + self._widths[-1]) / count)

    def _divide(self, first: int, count: int, target: float) -> _Division | None:
        """Divide the text from this offset on. `target` is the width of each line if all were equal."""
        last, max_width = len(self._offsets) - 1, self._limits.max_width
        if count == 1:
            # SRT readers may take a last line of digits for the number of the next cue.
            is_number = first > 0 and self._text[self._offsets[first] :].isdecimal()
            width = None if is_number else self._measure(first, last)
            return None if width is None else _Division(_BALANCE * abs(width - target) / max_width, ())
        best: _Division | None = None
        for end in range(first + 1, last):
            start = self._offsets[end]
            if self._widths[-1] - self._widths[start] > (count - 1) * max_width + count:
                continue
            width = self._measure(first, end)
            if width is None:
                if best:
                    break
                continue
            rest = self._divide(end, count - 1, target)
            if rest:
                cost = _BALANCE * abs(width - target) / max_width + self._costs[end] + rest.cost
                if best is None or cost < best.cost:
                    best = _Division(cost, (end, *rest.ends))
        return best

    def _measure(self, first: int, end: int) -> int | None:
        """Return the width of a line between two offsets; None if it does not fit."""
        left, right = self._offsets[first], self._offsets[end]
        if self._text[right - 1] == " ":
            right -= 1
        width, wide = self._widths[right] - self._widths[left], self._wides[right] - self._wides[left]
        if not first:
            width, wide = width + self._label[0], wide + self._label[1]
        return width if self._limits.fits(width, wide) else None

    def fill(self) -> tuple[int, ...]:
        """Return the ends of lines that are as full as possible; a part without breaks that is too wide is a line."""
        ends: list[int] = []
        first, last = 0, len(self._offsets) - 1
        while first < last:
            end = first + 1
            while end < last and self._measure(first, end + 1) is not None:
                end += 1
            ends.append(end)
            first = end
        return tuple(ends[:-1])

    def join(self, ends: Sequence[int]) -> str:
        """Return the text with a line feed at these ends."""
        starts = [0, *[self._offsets[end] for end in ends]]
        stops = [*starts[1:], len(self._text)]
        return "\n".join(
            [self._text[start:stop].rstrip(" ") for start, stop in zip(starts, stops, strict=True)]
        )
