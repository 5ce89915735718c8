"""Compiled rules: which patterns match which keys, what is refused, and what a rule sets."""

from __future__ import annotations

import fnmatch
import json
import os
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.options.parse import Choice
from shared.options.rules import (
    MAX_PATTERN_LENGTH,
    MAX_WILDCARDS,
    Rule,
    load_rules,
    match_rules,
    matches,
    normalize_pattern,
    parse_rules,
)

MATCHES: tuple[tuple[str, list[str], list[str]], ...] = (
    # pattern, keys that it matches, keys that it does not
    ("*.mp3", ["a.mp3", "x/y/a.MP3", ".mp3"], ["a.mp3/b", "a.mp30", "a.wav"]),
    ("calls/", ["calls/a.mp3", "x/calls/a.mp3", "calls/b/c.mp3", "Calls/a"], ["calls", "calls.mp3", "recalls/a"]),
    ("/calls/", ["calls/a.mp3", "calls/b/c.mp3"], ["x/calls/a.mp3", "calls"]),
    ("a/b/", ["a/b/c.mp3", "a/b/c/d"], ["x/a/b/c.mp3", "a/b", "a/c/b/d"]),
    ("/x.mp3", ["x.mp3", "X.mp3"], ["a/x.mp3"]),
    ("calls/*.mp3", ["calls/a.mp3"], ["calls/b/a.mp3", "x/calls/a.mp3"]),
    ("calls/**", ["calls/a.mp3", "calls/b/a.mp3"], ["calls", "x/calls/a"]),
    ("**/calls/*.mp3", ["calls/a.mp3", "x/calls/a.mp3", "x/y/calls/a.mp3"], ["calls/b/a.mp3"]),
    ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["b", "a/b/c", "xa/b"]),
    ("a/**/b/**/c", ["a/b/c", "a/b/b/c", "a/c/b/x/c"], ["a/c/b"]),
    ("**", ["a", "a/b"], []),
    ("**/", ["a", "a/b"], []),
    ("day-?.wav", ["day-1.wav", "x/day-天.wav"], ["day-10.wav", "day-.wav"]),
    ("[0-9]*.wav", ["1.wav", "x/20 a.wav"], ["a1.wav"]),
    ("[!a]x", ["bx"], ["ax", "Ax", "x"]),
    ("[]]x", ["]x"], ["ax"]),
    ("[[]x", ["[x"], ["x"]),
    ("a.b+c(d)$^|\\", ["a.b+c(d)$^|\\"], ["aXb+c(d)$^|\\"]),
    ("会议/", ["会议/a.mp3", "x/会议/y/b.mp3"], ["会/a.mp3"]),
    ("caf\u00e9/", ["caf\u00e9/a", "cafe\u0301/a", "CAFE\u0301/a"], ["cafe/a"]),
    ("cafe\u0301/", ["caf\u00e9/a", "cafe\u0301/a"], ["cafe/a"]),
    ("*/a", ["x/a", "/a"], ["a", "x/y/a"]),
)  # fmt: skip

WRONG = {
    "": "is empty",
    "/": "names nothing",
    "//": "names nothing",
    "a//b": "two slashes",
    "a**b": "has `**` beside something else",
    "a/**b/c": "has `**` beside something else",
    "***": "has `**` beside something else",
    "[": "has `[` without `]`",
    "a[b": "has `[` without `]`",
    "[]": "has `[` without `]`",
    "[!]": "has `[` without `]`",
    "[a/b]": "has `[` without `]`",
    "[z-a]": "has a range whose end is before its start",
    "x[a-c9-0]": "has a range whose end is before its start",
    "a\nb": "control character",
    "a\x00": "control character",
    "a\ud800": "control character",
    "!calls/": "begins with `!`",
    "./calls": "has the part `.`",
    "a/../b": "has the part `..`",
    "a" * (MAX_PATTERN_LENGTH + 1): "more than 200 characters",
    "?" * (MAX_WILDCARDS + 1): "more than 20 wildcards",
    "**/" * (MAX_WILDCARDS + 1): "more than 20 wildcards",
}


@pytest.mark.parametrize(("pattern", "keys", "others"), MATCHES, ids=[each[0] for each in MATCHES])
def test_pattern_matches_as_gitignore_does(pattern: str, keys: list[str], others: list[str]) -> None:
    assert [key for key in keys if not matches((pattern,), key)] == []
    assert [key for key in others if matches((pattern,), key)] == []


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("calls/", ("**", "calls", "**")),
        ("/calls/", ("calls", "**")),
        ("a/b/", ("a", "b", "**")),
        ("*.mp3", ("**", "*.mp3")),
        ("/x.mp3", ("x.mp3",)),
        ("**", ("**",)),
        ("**/**/x", ("**", "x")),
        ("cafe\u0301", ("**", "caf\u00e9")),
        ("a" * MAX_PATTERN_LENGTH, ("**", "a" * MAX_PATTERN_LENGTH)),
    ],
)
def test_pattern_has_parts_from_the_start_of_the_key(pattern: str, parts: tuple[str, ...]) -> None:
    assert normalize_pattern(pattern) == parts


@pytest.mark.parametrize(("pattern", "reason"), WRONG.items(), ids=[ascii(each)[:30] for each in WRONG])
def test_pattern_that_is_none_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match="pattern") as caught:
        normalize_pattern(pattern)
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def match_slowly(pattern: str, key: str) -> bool:
    """Match by trying everything that each `**` can stand for."""
    body = pattern.removesuffix("/")
    parts = body.removeprefix("/").split("/")
    if "/" not in body:
        parts.insert(0, "**")
    if pattern.endswith("/"):
        parts.append("**")

    def match_from(parts: list[str], names: list[str]) -> bool:
        if not parts:
            return not names
        if parts == ["**"]:
            return bool(names)
        if parts[0] == "**":
            return any(match_from(parts[1:], names[start:]) for start in range(len(names) + 1))
        return bool(names) and is_same(parts[0], names[0]) and match_from(parts[1:], names[1:])

    def is_same(part: str, name: str) -> bool:
        return fnmatch.fnmatchcase(name.lower(), part.lower())

    return match_from(parts, key.split("/"))


pieces = st.sampled_from(["a", "b", "A", "*", "?", "a*", "*b", "[ab]", "[!a]b", "**", "**", "会"])
patterns = st.builds(
    lambda start, parts, end: start + "/".join(parts) + end,
    st.sampled_from(["", "/"]),
    st.lists(pieces, min_size=1, max_size=6),
    st.sampled_from(["", "/"]),
)
keys = st.lists(st.text("abAB会", max_size=3), min_size=1, max_size=7).map("/".join)


@given(pattern=patterns, key=keys)
@example(pattern="**/a/**/a/**", key="a/a")
@example(pattern="a/**/**", key="a/b")
@settings(max_examples=1500, deadline=None)
def test_matching_agrees_with_a_slow_matcher(pattern: str, key: str) -> None:
    assert matches((pattern,), key) is match_slowly(pattern, key)


@given(pattern=st.text("ab*?[]!-/.\\^éE\u0301", max_size=24), key=st.text("abé/e\u0301", max_size=12))
@settings(max_examples=800, deadline=None)
def test_any_pattern_matches_or_is_refused_and_spellings_are_the_same(pattern: str, key: str) -> None:
    spellings = [unicodedata.normalize(form, pattern) for form in ("NFC", "NFD")]
    try:
        parts = [normalize_pattern(spelling) for spelling in spellings]
    except ValueError:
        return
    assert parts[0] == parts[1]
    found = {
        matches((spelling,), unicodedata.normalize(form, key))
        for spelling in spellings
        for form in ("NFC", "NFD")
    }
    assert len(found) == 1


def test_matching_takes_no_exponential_time() -> None:
    patterns = ("**/a/" * 20 + "b", "*a" * 20 + "b", "a/**/" * 20 + "c")
    started = time.perf_counter()
    for pattern in patterns:
        assert not matches((pattern,), "a/" * 400 + "x")
        assert not matches((pattern,), "a" * 800)
    assert time.perf_counter() - started < 2


def build_document(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "rules": list(rules)}


CALLS = {
    "line": 3,
    "match": ["calls/**", "*.amr"],
    "buckets": [],
    "options": {"engine": "8k_zh", "channels": 2},
}
WORDS = {
    "line": 9,
    "match": ["calls/vip/"],
    "buckets": ["b-1250000000"],
    "options": {"hot-words": "hotwords/vip.txt", "channels": 1},
}


def test_rules_are_parsed_with_their_places() -> None:
    first, second = parse_rules(build_document(CALLS, WORDS))
    source = "rules.yml line 3"
    assert first == Rule(
        3,
        ("calls/**", "*.amr"),
        (),
        {"engine": Choice("8k_zh", source), "channels": Choice(2, source)},
    )
    assert (first.source, second.source) == (source, "rules.yml line 9")
    assert second.choices["hot-words"] == Choice("hotwords/vip.txt", "rules.yml line 9")
    assert parse_rules(build_document()) == ()


def test_every_rule_that_matches_applies_in_order() -> None:
    rules = parse_rules(build_document(CALLS, WORDS))
    assert [rule.line for rule in match_rules(rules, "b-1250000000", "calls/vip/a.mp3")] == [3, 9]
    assert [rule.line for rule in match_rules(rules, "c-1250000000", "calls/vip/a.mp3")] == [3]
    assert [rule.line for rule in match_rules(rules, "b-1250000000", "x/a.amr")] == [3]
    assert match_rules(rules, "b-1250000000", "x/a.mp3") == []


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "not compiled rules"),
        ([], "not compiled rules"),
        ({"version": 2, "rules": []}, "not compiled rules of version 1"),
        ({"version": 1}, "rules is not a list"),
        ({"version": 1, "rules": {}}, "rules is not a list"),
        (build_document({**CALLS, "line": "3"}), "has no line"),
        ({"version": 1, "rules": [7]}, "has no line"),
        (build_document({**CALLS, "match": []}), "rules.yml line 3 has no pattern"),
        (build_document({**CALLS, "match": "calls/"}), "rules.yml line 3 is not a list"),
        (build_document({**CALLS, "match": [7]}), "rules.yml line 3 has a value that is not a text"),
        (build_document({**CALLS, "match": ["a**b"]}), "rules.yml line 3: the pattern 'a**b' has"),
        (build_document({**CALLS, "buckets": "b"}), "is not a list"),
        (build_document({**CALLS, "options": {"engine": 7}}), "engine in rules.yml line 3 is 7"),
        (build_document({**CALLS, "options": None}), "rules.yml line 3 is empty; it is names with values"),
    ],
)
def test_wrong_rules_stop_the_function_and_say_which(tmp_path: Path, document: Any, reason: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(document), "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_rules(path)
    assert "rules.json: " in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe\xfd", b"[" * 100_000], ids=["empty", "cut", "bytes", "deep"]
)
def test_rules_that_are_no_json_stop_the_function(tmp_path: Path, body: bytes) -> None:
    path = tmp_path / "rules.json"
    path.write_bytes(body)
    with pytest.raises(SettingsError, match=r"1 setting is wrong: rules\.json: "):
        load_rules(path)


def test_rules_that_cannot_be_read_stop_the_function(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: FileNotFoundError"):
        load_rules(tmp_path / "rules.json")
    with pytest.raises(SettingsError, match="cannot be read: IsADirectoryError"):
        load_rules(tmp_path)


def test_rules_are_parsed_once_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(build_document(CALLS)), "utf-8")
    rules = load_rules(path)
    assert load_rules(path) is rules
    path.write_text(json.dumps(build_document(WORDS)), "utf-8")
    os.utime(path, ns=(1, 1))
    assert [rule.line for rule in load_rules(path)] == [9]
