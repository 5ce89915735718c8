"""Which patterns cover others: never claimed without being true."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cli.rules.coverage import combine_certain, covers, find_hidden
from shared.options.model import Value
from shared.options.parse import Choice
from shared.options.rules import Rule, matches, normalize_pattern

COVERED = [
    ("**", "*.mp3"),
    ("**", "calls/"),
    ("**", "/a.wav"),
    ("*", "*.mp3"),
    ("*.mp3", "calls/*.mp3"),
    ("*.mp3", "talk.MP3"),
    ("calls/", "calls/"),
    ("calls/", "x/calls/y/"),
    ("calls/", "calls/2026/"),
    ("calls/", "/calls/*.wav"),
    ("calls/**", "calls/2026/*.wav"),
    ("calls/", "calls/**"),
    ("a/**/z", "a/z"),
    ("a/**/z", "a/b/**/z"),
    ("a/**/**/z", "a/**/z"),
    ("/a*", "/ab*c?"),
    ("?.mp3", "[ab].mp3"),
    ("[a-z].mp3", "b.mp3"),
    ("[0-9]*", "1.wav"),
    ("caf\u00e9/", "cafe\u0301/"),
]
NOT_COVERED = [
    ("*.mp3", "**"),
    ("calls/**", "calls/"),  # in every folder, but `calls/**` only at the top
    ("/a.wav", "a.wav"),
    ("calls/*", "calls/**"),
    ("a/**/z", "a/**"),
    ("?.mp3", "*.mp3"),
    ("[ab].mp3", "?.mp3"),
    ("[ab].mp3", "c.mp3"),
    ("[!a].mp3", "a.mp3"),
    ("[!A].mp3", "a.mp3"),
    ("a", "ab"),
    ("a/**", "a"),
    ("[!\u017f].mp3", "S.mp3"),  # case is ignored: U+017F is a small s
]


@pytest.mark.parametrize(("pattern", "other"), COVERED)
def test_wider_pattern_covers_a_narrower_one(pattern: str, other: str) -> None:
    assert covers([pattern], [other])


@pytest.mark.parametrize(("pattern", "other"), NOT_COVERED)
def test_narrower_pattern_covers_no_wider_one(pattern: str, other: str) -> None:
    assert not covers([pattern], [other])


def test_every_one_of_several_patterns_must_be_covered() -> None:
    assert covers(["*.mp3", "*.wav"], ["a/*.wav", "b/*.mp3"])
    assert not covers(["*.mp3", "*.wav"], ["a/*.wav", "b/*.m4a"])


CHARACTERS = "abAsk\u017f\u212aı."
NAMES = st.text(CHARACTERS, min_size=1, max_size=3)
PARTS = st.one_of(
    NAMES,
    st.just("**"),
    st.lists(
        st.sampled_from([*CHARACTERS, "*", "?", "[ab]", "[!a]", "[a-c]", "[]s]"]), min_size=1, max_size=4
    )
    .map("".join)
    .filter(lambda part: "**" not in part),
)


def is_valid(pattern: str) -> bool:
    try:
        normalize_pattern(pattern)
    except ValueError:
        return False
    return True


PATTERNS = st.builds(
    lambda parts, start, end: start + "/".join(parts) + end,
    st.lists(PARTS, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
    st.sampled_from(["", "/"]),
).filter(is_valid)
KEYS = st.lists(st.text(CHARACTERS, max_size=3), min_size=1, max_size=5).map("/".join)


def spell_out(pattern: str, data: st.DataObject) -> str:
    """Build a key that the pattern may match: its wildcards become characters."""
    names = []
    for part in normalize_pattern(pattern):
        if part == "**":
            names += data.draw(st.lists(NAMES, max_size=2))
            continue
        for token, choices in (
            ("[ab]", "abAB"),
            ("[!a]", "bk.\u017f"),
            ("[a-c]", "abcC"),
            ("[]s]", "]sS"),
            ("?", CHARACTERS),
        ):
            while token in part:
                part = part.replace(token, data.draw(st.sampled_from(choices)), 1)  # noqa: PLW2901
        while "*" in part:
            part = part.replace("*", data.draw(st.text(CHARACTERS, max_size=2)), 1)  # noqa: PLW2901
        names.append("".join(data.draw(st.sampled_from([each, each.upper(), each.lower()])) for each in part))
    return "/".join(names)


@settings(max_examples=600, deadline=None)
@given(PATTERNS, PATTERNS, st.data())
def test_covering_pattern_matches_every_key_of_the_other(
    pattern: str, other: str, data: st.DataObject
) -> None:
    if covers([pattern], [other]):
        for key in (spell_out(other, data), data.draw(KEYS)):
            assert matches([pattern], key) or not matches([other], key), key


@settings(max_examples=300, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=3))
@example(["[]s]/**/*"])
def test_patterns_cover_themselves(patterns: list[str]) -> None:
    assert covers(patterns, patterns)


def build_rule(line: int, match: str, options: Mapping[str, Value], *buckets: str) -> Rule:
    choices = {name: Choice(value, f"rules.yml line {line}") for name, value in options.items()}
    return Rule(line, (match,), buckets, MappingProxyType(choices))


def test_rule_is_hidden_if_later_rules_set_all_its_options() -> None:
    first = build_rule(1, "calls/*.mp3", {"engine": "8k_zh", "title": "x"})
    engine = build_rule(2, "calls/**", {"engine": "16k_en"})
    title = build_rule(3, "*.mp3", {"title": "y", "fillers": "none"})
    assert find_hidden([first, engine]) == []
    assert find_hidden([engine, first]) == []  # what is last wins
    assert find_hidden([first, engine, title]) == [(first, (engine, title))]


def test_rule_for_one_bucket_hides_no_rule_for_all() -> None:
    everywhere = build_rule(1, "calls/", {"engine": "8k_zh"})
    in_one = build_rule(2, "calls/", {"engine": "16k_en"}, "a-1250000000")
    in_two = build_rule(3, "calls/", {"engine": "16k_zh"}, "a-1250000000", "b-1250000000")
    assert find_hidden([everywhere, in_one]) == []
    assert find_hidden([in_one, everywhere]) == [(in_one, (everywhere,))]
    assert find_hidden([in_one, in_two]) == [(in_one, (in_two,))]
    assert find_hidden([in_two, in_one]) == []


def test_certain_options_are_those_of_the_rules_that_surely_apply() -> None:
    wide = build_rule(1, "**", {"engine": "8k_zh"})
    rule = build_rule(2, "calls/", {"channels": 2})
    other = build_rule(3, "*.wav", {"engine": "16k_en"})
    chosen = combine_certain([wide, rule, other], rule, {})
    assert (chosen.options.engine, chosen.options.channels) == ("8k_zh", 2)
