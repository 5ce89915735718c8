"""What a measurement gives: figures beside their goals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


class CannotMeasure(Exception):
    """A measurement could not be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `is_met` is None where there is no goal."""

    what: str
    value: str
    goal: str = ""
    is_met: bool | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The figures of one measurement, and how they came about; `if_missed` says why a goal was not reached."""

    title: str
    how: str
    figures: Sequence[Figure]
    if_missed: str = ""


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing: their median, and how far they lie apart."""

    median: float
    least: float
    most: float

    def told(self, unit: str, digits: int = 0) -> str:
        """`123 ms (118 to 140)`."""
        return f"{self.median:.{digits}f} {unit} ({self.least:.{digits}f} to {self.most:.{digits}f})"


def spread(values: Iterable[float]) -> Spread:
    """Of at least one value."""
    known = list(values)
    return Spread(median(known), min(known), max(known))


def ratio(what: str, ours: float, theirs: float, most: float | None = None) -> Figure:
    """How much of theirs ours is, and whether that is little enough where there is a goal."""
    share = round(ours / theirs, 2)  # what is shown decides
    if most is None:
        return fact(what, f"{share:.2f}")
    return Figure(what, f"{share:.2f}", f"at most {most:.2f}", is_met=share <= most)


def at_most(what: str, value: float, most: float, unit: str = "", digits: int = 0) -> Figure:
    """A plain bound."""
    return Figure(
        what, f"{value:.{digits}f} {unit}".rstrip(), f"at most {most:g} {unit}".rstrip(), is_met=value <= most
    )


def fact(what: str, value: str) -> Figure:
    """Something to know, without a goal."""
    return Figure(what, value)
