"""Where COS rules of two functions meet, on any prefixes, suffixes and keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cli.doctor.rules import Rule, rule_of

HOST = "recordings-1250000000.cos.ap-guangzhou.myqcloud.com"
TEXTS = st.text("ab/.", max_size=4)


def rule(prefix: str, suffix: str = "", *, host: str = HOST, event: str = "*", is_open: bool = True) -> Rule:
    return Rule("a", host, f"cos:ObjectCreated:{event}", prefix, suffix, is_open)


@given(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS)
def test_rules_that_both_take_a_key_overlap(
    prefix: str, longer: str, middle: str, suffix: str, tail: str
) -> None:
    one, other = rule(prefix, tail), rule(prefix + longer, suffix + tail)
    key = prefix + longer + middle + suffix + tail
    assert one.takes(HOST, key)
    assert other.takes(HOST, key)
    assert one.overlaps(other)
    assert other.overlaps(one)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_rules_that_do_not_overlap_share_no_key(
    prefix: str, suffix: str, other_prefix: str, other_suffix: str
) -> None:
    one, other = rule(prefix, suffix), rule(other_prefix, other_suffix)
    shared = [
        key
        for key in (
            f"{first}ab/{last}" for first in (prefix, other_prefix) for last in (suffix, other_suffix)
        )
        if one.takes(HOST, key) and other.takes(HOST, key)
    ]
    assert one.overlaps(other) == other.overlaps(one)
    assert one.overlaps(other) or not shared


def test_rules_on_other_buckets_or_other_events_do_not_meet() -> None:
    assert not rule("a/").overlaps(rule("a/", host=HOST.replace("recordings", "others")))
    assert not rule("a/", event="Put").overlaps(rule("a/", event="Post"))
    assert rule("a/", event="Put").overlaps(rule("a/"))
    assert not rule("a/").overlaps(Rule("b", HOST, "cos:ObjectRemove:*", "a/", "", is_open=True))


def test_a_closed_rule_takes_nothing_and_still_keeps_its_place() -> None:
    assert not rule("a/", is_open=False).takes(HOST, "a/b.mp3")
    assert rule("a/", is_open=False).overlaps(rule(""))


def test_a_rule_is_read_from_the_triggers_description() -> None:
    description = '{"event":"cos:ObjectCreated:*","filter":{"Prefix":"calls/","Suffix":".mp3"}}'
    assert rule_of("a", HOST, description, is_open=True) == rule("calls/", ".mp3")
    assert rule_of("a", HOST, '{"event":"cos:ObjectCreated:*"}', is_open=True) == rule("")
