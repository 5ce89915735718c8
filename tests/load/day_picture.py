"""Draws a simulated day as SVG text: uploads, backlog and latency through the day, one colour for each queue size.

The picture has a background of its own, so that it can be read on light and on dark pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, log10
from typing import NamedTuple
from xml.sax.saxutils import escape

from tests.load.day import DAY_S, HOUR_S, WORKING_HOURS, Outcome

_WIDTH, _HEIGHT = 920, 846
_LEFT, _RIGHT = 92, 740
_COLOURS = ("#c2410c", "#1d4ed8", "#047857")  # readable on white, and with colour blindness
_TEXT, _MUTED, _GRID = "#1f2937", "#4b5563", "#d9dee5"
_STYLE = (
    "text{font-family:system-ui,'Segoe UI','Helvetica Neue',Arial,'Noto Sans',sans-serif;font-size:14px;"
    f"fill:{_TEXT}}}"
    ".title{font-size:20px;font-weight:600}.panel{font-size:15px;font-weight:600}"
    f".muted{{fill:{_MUTED}}}.end{{text-anchor:end}}.middle{{text-anchor:middle}}"
    ".line{fill:none;stroke-width:2.5;stroke-linejoin:round;stroke-linecap:round}.slow{stroke-dasharray:2 6}"
)


class Tick(NamedTuple):
    """A labelled value of an axis."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: its place, its title, and its axis from the first tick to the last, linear or logarithmic."""

    top: float
    bottom: float
    title: str
    ticks: Sequence[Tick]
    is_logarithmic: bool

    def y(self, value: float) -> float:
        """Return the height of a value; what is outside the axis is at its end."""
        low, high = self.ticks[0].value, self.ticks[-1].value
        value = min(max(value, low), high)
        if self.is_logarithmic:
            low, high, value = log10(low), log10(high), log10(value)
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def draw(self) -> Iterator[str]:
        """Draw the axes and the title."""
        yield _text(_LEFT, self.top - 14, self.title, "panel")
        for tick in self.ticks:
            y = self.y(tick.value)
            yield _line(_LEFT, y, _RIGHT, y)
            yield _text(_LEFT - 10, y + 5, tick.label, "muted end")
        for hour in range(0, 25, 3):
            yield _line(_x(hour * HOUR_S), self.bottom, _x(hour * HOUR_S), self.bottom + 5)
            yield _text(_x(hour * HOUR_S), self.bottom + 22, f"{hour:02}:00", "muted middle")


_UPLOADS = Panel(
    104,
    194,
    "Uploads (a second)",
    [Tick(0, "0"), Tick(10, "10"), Tick(20, "20"), Tick(30, "30"), Tick(40, "40")],
    False,
)
_BACKLOG = Panel(
    274,
    474,
    "Backlog: recordings that are uploaded and not finished (logarithmic)",
    [
        Tick(10, "10"),
        Tick(100, "100"),
        Tick(1e3, "1,000"),
        Tick(1e4, "10,000"),
        Tick(1e5, "100,000"),
        Tick(1e6, "1,000,000"),
    ],
    True,
)
_LATENCY = Panel(
    554,
    774,
    "Latency from upload to transcripts, by the time of the upload (logarithmic)",
    [
        Tick(10, "10 s"),
        Tick(60, "1 min"),
        Tick(600, "10 min"),
        Tick(3600, "1 h"),
        Tick(21_600, "6 h"),
        Tick(86_400, "24 h"),
    ],
    True,
)


def draw(outcomes: Sequence[Outcome]) -> str:
    """Return the picture of up to three outcomes of the same day."""
    return "\n".join(_draw(outcomes)) + "\n"


def _draw(outcomes: Sequence[Outcome]) -> Iterator[str]:
    uploads = outcomes[0].uploads
    title = f"A day of {uploads:,} uploads, with three sizes of the speech queue"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-labelledby="title description">'
    )
    yield f'<title id="title">{escape(title)}</title>'
    yield f'<desc id="description">{escape(_describe(outcomes))}</desc>'
    yield f"<style>{_STYLE}</style>"
    yield f'<rect x="0.5" y="0.5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="8" fill="#ffffff" stroke="{_GRID}"/>'
    yield _text(_LEFT, 38, title, "title")
    yield _text(
        _LEFT,
        62,
        "Simulated by tests/load/day.py; the assumptions are in docs/scale.md. Nothing was measured.",
        "muted",
    )
    for panel in (_UPLOADS, _BACKLOG, _LATENCY):
        yield from panel.draw()
    yield from _draw_uploads(uploads)
    labels = _spread([_BACKLOG.y(outcome.backlog[-1].backlog) for outcome in outcomes])
    for outcome, colour, label_y in zip(outcomes, _COLOURS, labels, strict=False):
        points = [(_x(point.time_s), _BACKLOG.y(point.backlog)) for point in outcome.backlog]
        yield _path(points, colour)
        yield _label(label_y, f"{outcome.max_concurrent} jobs at once", colour)
        yield from _draw_latency(outcome, colour)
    yield from _draw_key()
    yield _text((_LEFT + _RIGHT) / 2, _HEIGHT - 24, "Time of day", "muted middle")
    yield "</svg>"


def _describe(outcomes: Sequence[Outcome]) -> str:
    parts = (
        f"with {outcome.max_concurrent} jobs at once {outcome.finished:,} are finished by midnight"
        for outcome in outcomes
    )
    return "Three charts over 24 hours: uploads, backlog, latency. " + "; ".join(parts) + "."


def _draw_uploads(uploads: int) -> Iterator[str]:
    """Draw the uploads of each hour as an area."""
    points = [(_x(0), _UPLOADS.bottom)]
    for hour, part in enumerate(WORKING_HOURS):
        y = _UPLOADS.y(uploads * part / sum(WORKING_HOURS) / HOUR_S)
        points += [(_x(hour * HOUR_S), y), (_x((hour + 1) * HOUR_S), y)]
    points.append((_x(DAY_S), _UPLOADS.bottom))
    yield f'<path d="{_commands(points)}Z" fill="#94a3b8"/>'


def _draw_latency(outcome: Outcome, colour: str) -> Iterator[str]:
    """Draw median and 95 %, as far as they are on this day. A triangle marks where a line leaves the day."""
    for is_slow in (False, True):
        values = [
            (_x(latency.time_s + HOUR_S / 4), latency.slow_s if is_slow else latency.median_s)
            for latency in outcome.latency
        ]
        for part in _split_at_infinity(values):
            yield _path([(x, _LATENCY.y(value)) for x, value in part], colour, "slow" if is_slow else "")
            if part[-1][0] != values[-1][0]:
                yield _triangle(part[-1][0], _LATENCY.y(part[-1][1]) - 9, colour)


def _split_at_infinity(values: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    part: list[tuple[float, float]] = []
    for x, value in values:
        if value != inf:
            part.append((x, value))
        elif part:
            yield part
            part = []
    if part:
        yield part


def _draw_key() -> Iterator[str]:
    x, y = _RIGHT + 16, _LATENCY.top + 20
    for index, (css, text) in enumerate((("", "median"), ("slow", "95 % are faster"))):
        line_y = y + 26 * index
        yield f'<path class="line {css}" d="M{x} {line_y - 5}h30" stroke="{_MUTED}"/>'
        yield _text(x + 38, line_y, text)
    yield _triangle(x + 15, y + 52 - 5, _MUTED)
    yield _text(x + 38, y + 52, "later uploads")
    yield _text(x + 38, y + 70, "are not finished")
    yield _text(x + 38, y + 88, "by midnight")


def _spread(heights: Sequence[float]) -> list[float]:
    """Move labels apart that would overlap; the order from top to bottom stays."""
    placed: dict[int, float] = {}
    last = -inf
    for index in sorted(range(len(heights)), key=lambda index: heights[index]):
        last = max(heights[index], last + 20)
        placed[index] = last
    return [placed[index] for index in range(len(heights))]


def _x(time_s: float) -> float:
    return _LEFT + time_s / DAY_S * (_RIGHT - _LEFT)


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{_GRID}"/>'


def _path(points: Sequence[tuple[float, float]], colour: str, css: str = "") -> str:
    return f'<path class="{("line " + css).strip()}" stroke="{colour}" d="{_commands(points)}"/>'


def _commands(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _triangle(x: float, y: float, colour: str) -> str:
    return f'<path d="M{x - 6:.1f} {y + 5:.1f}h12l-6 -10z" fill="{colour}"/>'


def _label(y: float, text: str, colour: str) -> str:
    return (
        f'<text x="{_RIGHT + 12}" y="{y + 5:.1f}" style="fill:{colour};font-weight:600">{escape(text)}</text>'
    )


def _text(x: float, y: float, text: str, css: str = "") -> str:
    attribute = f' class="{css}"' if css else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{attribute}>{escape(text)}</text>'
