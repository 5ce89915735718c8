"""Which keys patterns surely share: whether one rule has every key of another, and which rules have no effect.

The answers are certain in one direction only: True is proven from the patterns alone, False may mean not proven.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from shared.options.combine import ChosenOptions, combine
from shared.options.parse import Choice
from shared.options.rules import Rule, normalize_pattern

_ANY_PARTS, _ANY_TEXT, _ANY_CHARACTER = "**", "*", "?"
# `[...]` as fnmatch reads it: a `]` at the start of the set is a member of it.
_TOKEN = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)

T = TypeVar("T")


class HiddenRule(NamedTuple):
    """A rule without effect, and the later rules that set all of its options for all of its keys."""

    rule: Rule
    hidden_by: tuple[Rule, ...]


def covers(patterns: Iterable[str], others: Iterable[str]) -> bool:
    """Check whether every key that one of `others` matches is surely matched by one of `patterns`."""
    return all(any(_covers_pattern(pattern, other) for pattern in patterns) for other in set(others))


def covers_rule(rule: Rule, other: Rule) -> bool:
    """Check whether a rule surely applies to every recording to which the other rule applies."""
    has_buckets = not rule.buckets or (other.buckets and {*other.buckets} <= {*rule.buckets})
    return bool(has_buckets) and covers(rule.patterns, other.patterns)


def find_hidden(rules: Sequence[Rule]) -> list[HiddenRule]:
    """Find the rules of which every option is set again, for every one of their keys, by a later rule."""
    hidden = []
    for number, rule in enumerate(rules):
        later = [other for other in rules[number + 1 :] if covers_rule(other, rule)]
        hiding = [other for other in later if other.choices.keys() & rule.choices.keys()]
        if rule.choices.keys() <= {name for other in hiding for name in other.choices}:
            hidden.append(HiddenRule(rule, tuple(hiding)))
    return hidden


def combine_certain(
    rules: Iterable[Rule], rule: Rule | None, settings: Mapping[str, Choice]
) -> ChosenOptions:
    """Combine the settings, the rule, and the rules that surely apply wherever it does, in their order."""
    places = [other.choices for other in rules if rule and (other is rule or covers_rule(other, rule))]
    return combine(settings, *places)


@functools.cache
def _covers_pattern(pattern: str, other: str) -> bool:
    return _covers_sequence(_split_parts(pattern), _split_parts(other), _ANY_PARTS, _covers_part)


def _split_parts(pattern: str) -> tuple[str, ...]:
    """Return the parts, with `**` everywhere for any number of names, also none."""
    parts = normalize_pattern(pattern)
    return (*parts, _ANY_TEXT) if parts[-1] == _ANY_PARTS else parts


@functools.cache
def _covers_part(part: str, other: str) -> bool:
    """The same for two parts between slashes, by their characters."""
    if part in {other, _ANY_TEXT}:
        return True
    return _covers_sequence(_TOKEN.findall(part), _TOKEN.findall(other), _ANY_TEXT, _covers_character)


@functools.cache
def _covers_character(token: str, other: str) -> bool:
    """The same for what is one character: itself in upper or lower case, `?`, or `[...]`."""
    if token in {other, _ANY_CHARACTER}:
        return True
    if len(other) > 1 or other == _ANY_CHARACTER:
        return False
    if len(token) == 1:
        lower = token.lower()
        return len(lower) == 1 and lower == other.lower()
    # A set ignores case as a character does: with one spelling of an ASCII letter it has the others.
    is_simple = other.isascii() or other.lower() == other == other.upper()
    return is_simple and bool(_compile_set(token).match(other))


@functools.cache
def _compile_set(token: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(token), re.IGNORECASE)


def _covers_sequence(
    sequence: Sequence[T], other: Sequence[T], star: T, covers_one: Callable[[T, T], bool]
) -> bool:
    """Check whether every text of `other` is one of `sequence`. `star` is any number of members, also none.

    One row for each member of `sequence`, from its end: whether the rest of `sequence` covers each rest of `other`.
    """
    row = [False] * len(other) + [True]
    for member in reversed(sequence):
        above, row = row, [False] * (len(other) + 1)
        if member == star:
            row[-1] = above[-1]
            for index in reversed(range(len(other))):
                row[index] = above[index] or row[index + 1]
        else:
            for index, other_member in enumerate(other):
                row[index] = other_member != star and covers_one(member, other_member) and above[index + 1]
    return row[0]
