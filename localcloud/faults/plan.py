"""The plan of faults: what strikes, how often, and exactly where an instance is killed. Frozen values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

KINDS = (
    # notifications of the ends of jobs
    "duplicate_notification",
    "late_notification",
    "lost_notification",
    "forged_notification",
    "early_notification",
    # COS events on their way to functions
    "duplicate_event",
    "late_event",
    "lost_event",
    # requests signed with a temporary key
    "throttled",
    "server_error_before",
    "server_error_after",
    "cut_before",
    "cut_after",
    "slow_answer",
    # speech jobs
    "queue_full",
    "job_failed",
    # instances of functions
    "killed_before_request",
    "killed_after_request",
    # objects
    "racy_create_only",
)
_MEMBERS = ("seed", "rates", "until", "delay_ms", "kill", "clock_skew_s")
_LONGEST_DELAY_MS = 600_000


class PlanError(ValueError):
    """A plan that cannot be carried out; the message lists every mistake in it."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("the plan of faults is wrong: " + "; ".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Kill:
    """Kill the instance at the n-th request (from 1) of an invocation, in so many invocations of that function.

    `when` is `before` the request has an effect, or `after` it, before the answer.
    """

    function: str
    request: int
    when: str = "before"
    times: int = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """What strikes. `rates` holds kinds with a probability above 0.

    `until`: each kind strikes in its first so many opportunities only. `delay_ms`: shortest and longest wait of the
    late and slow kinds, and of the second of two. `clock_skew_s`: how far the cloud's clock runs ahead.
    """

    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    until: int | None = None
    delay_ms: tuple[int, int] = (50, 500)
    kill: Kill | None = None
    clock_skew_s: float = 0.0

    @property
    def can_strike(self) -> bool:
        """Whether there is anything to ask the dice for."""
        return bool(self.rates) or self.kill is not None

    @property
    def is_empty(self) -> bool:
        """Whether everything is as without a plan."""
        return not self.can_strike and not self.clock_skew_s

    def as_json(self) -> dict[str, Any]:
        """The plan as it is written; an empty one is `{}`."""
        if self.is_empty:
            return {}
        written = {**asdict(self), "rates": dict(self.rates), "delay_ms": list(self.delay_ms)}
        return {name: value for name, value in written.items() if value is not None}


def plan_of_option(words: str) -> Plan:
    """The plan that a command line gives: JSON text, or the name of a file that holds it. Raises PlanError."""
    text = words
    if not words.lstrip().startswith("{"):
        try:
            text = Path(words).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError([f"{words} cannot be read ({error})"]) from error
    try:
        return plan_of(json.loads(text))
    except json.JSONDecodeError as error:
        raise PlanError([f"it is no JSON ({error})"]) from error


def plan_of(raw: object) -> Plan:
    """Read a plan from JSON values. Raises PlanError with all mistakes."""
    mistakes: list[str] = []
    members = _object(raw, "the plan", _MEMBERS, mistakes)
    plan = Plan(
        seed=_whole(members, "seed", 0, mistakes, lowest=None),
        rates=_rates(members.get("rates"), mistakes),
        until=None if members.get("until") is None else _whole(members, "until", 0, mistakes),
        delay_ms=_delay(members.get("delay_ms"), mistakes),
        kill=_kill(members.get("kill"), mistakes),
        clock_skew_s=_skew(members.get("clock_skew_s"), mistakes),
    )
    if mistakes:
        raise PlanError(mistakes)
    return plan


def _object(raw: object, what: str, known: tuple[str, ...], mistakes: list[str]) -> Mapping[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        mistakes.append(f"{what} is an object, not {raw!r}")
        return {}
    mistakes.extend(
        f"{what} has no member {name!r} (only {', '.join(known)})" for name in raw if name not in known
    )
    return raw


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _whole(
    members: Mapping[str, Any], name: str, default: int, mistakes: list[str], *, lowest: int | None = 0
) -> int:
    value = members.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool) and (lowest is None or value >= lowest):
        return value
    mistakes.append(
        f"{name} is a whole number{'' if lowest is None else f' from {lowest} up'}, not {value!r}"
    )
    return default


def _rates(raw: object, mistakes: list[str]) -> dict[str, float]:
    rates = _object(raw, "rates", KINDS, mistakes)
    for kind, rate in rates.items():
        if kind in KINDS and not (_is_number(rate) and 0 <= rate <= 1):
            mistakes.append(f"rates.{kind} is a probability from 0 to 1, not {rate!r}")
            return {}
    return {kind: float(rate) for kind, rate in rates.items() if kind in KINDS and rate}


def _delay(raw: object, mistakes: list[str]) -> tuple[int, int]:
    if raw is None:
        return Plan().delay_ms
    if isinstance(raw, list) and len(raw) == 2 and all(map(_is_number, raw)):  # noqa: PLR2004 - a pair
        shortest, longest = int(raw[0]), int(raw[1])
        if 0 <= shortest <= longest <= _LONGEST_DELAY_MS:
            return shortest, longest
    mistakes.append(f"delay_ms is [shortest, longest], from 0 to {_LONGEST_DELAY_MS}, not {raw!r}")
    return Plan().delay_ms


def _kill(raw: object, mistakes: list[str]) -> Kill | None:
    if raw is None:
        return None
    members = _object(raw, "kill", ("function", "request", "when", "times"), mistakes)
    function, when = members.get("function"), members.get("when", "before")
    if not isinstance(function, str) or not function:
        mistakes.append(f"kill.function is the key of a function, not {function!r}")
    if when not in ("before", "after"):
        mistakes.append(f"kill.when is before or after, not {when!r}")
    request = _whole(members, "request", 0, mistakes, lowest=1)
    return Kill(str(function), request, str(when), _whole(members, "times", 1, mistakes, lowest=1))


def _skew(raw: object, mistakes: list[str]) -> float:
    if raw is None:
        return 0.0
    if not _is_number(raw):
        mistakes.append(f"clock_skew_s is a number of seconds, not {raw!r}")
        return 0.0
    assert isinstance(raw, (int, float))
    return float(raw)
