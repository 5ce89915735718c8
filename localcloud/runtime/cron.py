"""SCF's timer expressions: seven fields, `second minute hour day month weekday year`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product

_MONTHS = {
    name: number
    for number, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)  # noqa: SIM905 -- readable
}
# 0 is Sunday in SCF's own documents; names are unambiguous.
_DAYS = {name: number for number, name in enumerate("SUN MON TUE WED THU FRI SAT".split())}  # noqa: SIM905 -- readable
_NO_NAMES: Mapping[str, int] = {}
_FIELDS = (
    ("second", 0, 59, _NO_NAMES),
    ("minute", 0, 59, _NO_NAMES),
    ("hour", 0, 23, _NO_NAMES),
    ("day", 1, 31, _NO_NAMES),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 6, _DAYS),
    ("year", 1970, 2099, _NO_NAMES),
)
_ANY = ("*", "?")
_MAX_SEARCH_DAYS = 8 * 366  # beyond the next 29 February


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression: for every field the values at which it fires."""

    fields: tuple[frozenset[int], ...]
    any_day: bool
    any_weekday: bool

    @classmethod
    def parse(cls, text: str) -> "Cron":
        """Parse an expression of `*`, numbers, names, lists, ranges and steps. Raises ValueError."""
        parts = text.split()
        if len(parts) != len(_FIELDS):
            raise ValueError(f"{text!r} has {len(parts)} fields, not {len(_FIELDS)} from second to year")
        fields = tuple(_parse_field(part, *field) for part, field in zip(parts, _FIELDS, strict=True))
        return cls(fields, any_day=parts[3] in _ANY, any_weekday=parts[5] in _ANY)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first whole second after `moment` at which it fires; None if that is years away."""
        seconds, minutes, hours = (sorted(field) for field in self.fields[:3])
        start = moment.replace(microsecond=0) + timedelta(seconds=1)
        day = start.replace(hour=0, minute=0, second=0)
        for _ in range(_MAX_SEARCH_DAYS):
            if self._fires_on(day):
                for hour, minute in product(hours, minutes):
                    full_minute = day.replace(hour=hour, minute=minute)
                    for second in seconds if full_minute + timedelta(minutes=1) > start else ():
                        if full_minute + timedelta(seconds=second) >= start:
                            return full_minute + timedelta(seconds=second)
            day += timedelta(days=1)
        return None

    def _fires_on(self, day: datetime) -> bool:
        _, _, _, days, months, weekdays, years = self.fields
        if day.month not in months or day.year not in years:
            return False
        on_day, on_weekday = day.day in days, day.isoweekday() % 7 in weekdays
        # If both day and weekday are restricted, one match is enough. SCF documents, 583/9708
        if self.any_day or self.any_weekday:
            return on_day and on_weekday
        return on_day or on_weekday


def _parse_field(text: str, name: str, lowest: int, highest: int, names: Mapping[str, int]) -> frozenset[int]:
    def parse_number(part: str) -> int:
        value = names.get(part.upper(), int(part) if part.isdigit() else None)
        if value is None or not lowest <= value <= highest:
            raise ValueError(f"{part!r} is not a {name} ({lowest} to {highest})")
        return value

    values: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if "/" in item and not (step.isdigit() and int(step)):
            raise ValueError(f"{item!r} has no step after the slash ({name})")
        if span in _ANY:
            first, last = lowest, highest
        elif "-" in span:
            first, last = (parse_number(part) for part in span.split("-", 1))
        else:
            first = parse_number(span)
            last = highest if step else first
        if first > last:
            raise ValueError(f"{item!r} is a reversed range ({name})")
        values.update(range(first, last + 1, int(step or 1)))
    return frozenset(values)
