"""Overlaps of the COS rules of two functions, for any prefixes, suffixes and keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cli.cloud.scf import CosTriggerRule, parse_rule

HOST = "recordings-1250000000.cos.ap-guangzhou.myqcloud.com"
TEXTS = st.text("ab/.", max_size=4)


def rule(
    prefix: str, suffix: str = "", *, host: str = HOST, event: str = "*", is_open: bool = True
) -> CosTriggerRule:
    return CosTriggerRule("a", host, f"cos:ObjectCreated:{event}", prefix, suffix, is_open)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_rules_that_match_the_same_key_overlap(
    prefix: str, longer: str, middle: str, suffix: str, tail: str
) -> None:
    first, second = rule(prefix, tail), rule(prefix + longer, suffix + tail)
    key = prefix + longer + middle + suffix + tail
    assert first.matches(HOST, key)
    assert second.matches(HOST, key)
    assert first.overlaps(second)
    assert second.overlaps(first)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_rules_without_overlap_match_no_common_key(
    prefix: str, suffix: str, other_prefix: str, other_suffix: str
) -> None:
    first, second = rule(prefix, suffix), rule(other_prefix, other_suffix)
    shared = [
        key
        for key in (f"{start}ab/{end}" for start in (prefix, other_prefix) for end in (suffix, other_suffix))
        if first.matches(HOST, key) and second.matches(HOST, key)
    ]
    assert first.overlaps(second) == second.overlaps(first)
    assert first.overlaps(second) or not shared


def test_rules_for_other_buckets_or_events_do_not_overlap() -> None:
    assert not rule("a/").overlaps(rule("a/", host=HOST.replace("recordings", "others")))
    assert not rule("a/", event="Put").overlaps(rule("a/", event="Post"))
    assert rule("a/", event="Put").overlaps(rule("a/"))
    assert not rule("a/").overlaps(CosTriggerRule("b", HOST, "cos:ObjectRemove:*", "a/", "", is_open=True))


def test_closed_rule_matches_nothing_but_overlaps() -> None:
    assert not rule("a/", is_open=False).matches(HOST, "a/b.mp3")
    assert rule("a/", is_open=False).overlaps(rule(""))


def test_rule_is_parsed_from_the_trigger_description() -> None:
    description = '{"event":"cos:ObjectCreated:*","filter":{"Prefix":"calls/","Suffix":".mp3"}}'
    assert parse_rule("a", HOST, description, is_open=True) == rule("calls/", ".mp3")
    assert parse_rule("a", HOST, '{"event":"cos:ObjectCreated:*"}', is_open=True) == rule("")
