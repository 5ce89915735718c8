"""Names of recordings cannot become markup, links, mentions or lines of their own; texts are cut between characters."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.notices.models import TargetKind
from shared.notices.sender import build_request
from shared.notices.text import clean, cut, cut_middle, escape_markdown
from tests.helpers.notices import NOW_S, build_notice, build_target

MARKUP = re.compile(r"[<>\[\]`*@\\&$|~]|:/|www\.|\n|\r", re.IGNORECASE)
DOMAIN = re.compile(r"\w\.[A-Za-z]{2,24}(?![0-9A-Za-z])")

PARSER = MarkdownIt("commonmark", {"linkify": True}).enable("linkify")
ADDRESS_PARTS = (
    "http:",
    "ftp:",
    "//",
    "www.",
    "evil",
    "a",
    ".com",
    ".mov",
    ".b",
    ".中国",
    "10.0.0.1",
    "@",
    "mailto:",
    "/",
    " ",
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("calls/会议.mp3", "calls/会议.mp3"),
        ("call_2026-11-26 (2) #1.m4a", "call_2026-11-26 (2) #1.m4a"),
        ("call.final.wav", "call．final.wav"),
        ("<@all>.mp3", "＜＠all＞.mp3"),
        ("@所有人.mp3", "＠所有人.mp3"),
        ("<at id=all></at>", "＜at id=all＞＜/at＞"),
        ("&#60;@all&#62;", "＆#60;＠all＆#62;"),
        ("[win](https://evil.example/a)", "［win］(https：／／evil．example/a)"),
        ("![](http://evil.example/a.png)", "!［］(http：／／evil．example/a．png)"),
        ("evil.com/a.mp3", "evil．com/a.mp3"),
        ("see evil.com now.mp3", "see evil．com now.mp3"),
        ("www.evil/a.mp3", "www．evil/a.mp3"),
        ("WWW.evil/a.mp3", "www．evil/a.mp3"),
        ("evil.com", "evil．com"),
        ("a\n# Scribe：转写完成\nb", "a # Scribe：转写完成 b"),
        ("`rm`**bold**", "'rm'＊＊bold＊＊"),
        ("gpj.\u202e3pm", "gpj. 3pm"),
        ("zero\u200bwidth", "zero width"),
        ("half\ud800", "half"),
        ("user@evil.com", "user＠evil．com"),
        ("- # big", "－ # big"),
        ("# big.mp3", "＃ big.mp3"),
        ("##big.mp3", "＃＃big.mp3"),
        ("---", "－－－"),
        ("+ a.mp3", "＋ a.mp3"),
        ("===", "＝＝＝"),
        ("1. call.mp3", "1． call.mp3"),
        ("12) call.mp3", "12） call.mp3"),
        ("1.", "1．"),
        ("1.5 hours.mp3", "1.5 hours.mp3"),
        ("_a_.mp3", "＿a＿.mp3"),
        ("calls/__all__.mp3", "calls/＿＿all＿＿.mp3"),
        ("call_2026_11_26.mp3", "call_2026_11_26.mp3"),
        ("talk.mov", "talk．mov"),
        ("talk.MOV", "talk．MOV"),
        ("talk.zip", "talk．zip"),
        ("http:evil.mov/a.mp4", "http:evil．mov/a.mp4"),
        ("10.0.0.1/a.mp3", "10．0．0．1/a.mp3"),
        ("ftp://a.b/c.mp3", "ftp：／／a.b/c.mp3"),
        ("call 26.11.2026.mp3", "call 26.11.2026.mp3"),
    ],
)
def test_hostile_name_is_shown_as_text(name: str, expected: str) -> None:
    assert escape_markdown(name) == expected


@given(st.text(alphabet=st.sampled_from("<>[]()`*@\\&;#$|~:/.wWaz0 \n\r\u2028\u202e会，")))
def test_no_markup_is_left_in_any_name(name: str) -> None:
    escaped = escape_markdown(name)
    assert MARKUP.search(escaped) is None
    domain = DOMAIN.search(escaped)
    assert domain is None


@pytest.mark.parametrize("kind", [TargetKind.WECOM, TargetKind.DINGTALK])
@example(name="ftp://a.b/c.mp3")
@given(
    name=st.text(alphabet=st.sampled_from("-+#=_*>~`[]()!|.1 a会"), max_size=12)
    | st.lists(st.sampled_from(ADDRESS_PARTS), max_size=8).map("".join)
)
def test_markdown_of_a_robot_shows_any_name_as_text(kind: TargetKind, name: str) -> None:
    """A parser that also makes links of addresses finds the list of a digest, and nothing else."""
    notices = [build_notice(key=name, duration_ms=duration_ms) for duration_ms in (None, 1000)] * 3
    for members in (notices, notices[:1]):
        document = json.loads(build_request(build_target(kind), members, NOW_S).body)["markdown"]
        text = document["content"] if kind is TargetKind.WECOM else document["text"]
        blocks = PARSER.parse(text)
        found = {token.type for block in blocks for token in (block, *(block.children or ()))}
        lists = {"bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"}
        plain = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak", "hardbreak"}
        assert found <= plain | lists | {"strong_open", "strong_close"}
        assert sum(block.type == "bullet_list_open" for block in blocks) == (len(members) > 1)
        assert text.count("**") == 2  # of the title


def test_card_of_feishu_has_plain_text_without_addresses() -> None:
    name = "see https://evil.com, www.evil.com, 10.0.0.1 and _talk_.mov"
    body = json.loads(build_request(build_target(TargetKind.FEISHU), [build_notice(key=name)], NOW_S).body)
    content = body["card"]["elements"][0]["text"]["content"]
    assert "see https：／／evil．com, www．evil．com, 10．0．0．1 and _talk_．mov" in content


@given(st.text())
def test_escaped_name_can_be_encoded_and_is_one_line(name: str) -> None:
    for text in (escape_markdown(name), clean(name)):
        assert text.encode().decode() == text
        assert len(text.splitlines()) <= 1


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(3, 200))
def test_cut_text_is_the_start_of_the_text_and_fits(text: str, max_bytes: int) -> None:
    result = cut(text, max_bytes)
    assert len(result.encode()) <= max_bytes
    assert result == text or (result.endswith("…") and text.startswith(result[:-1]))


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(6, 200))
def test_name_that_is_cut_keeps_its_start_and_end(text: str, max_bytes: int) -> None:
    result = cut_middle(text, max_bytes)
    assert len(result.encode()) <= max_bytes
    start, _, end = result.rpartition("…") if result != text else (text, "", "")
    assert text.startswith(start)
    assert text.endswith(end)


@pytest.mark.parametrize("max_bytes", range(9, 30))
def test_text_is_never_cut_inside_a_character(max_bytes: int) -> None:
    text = "会议录音" * 10
    assert set(cut(text, max_bytes)) <= set("会议录音…")
    assert set(cut_middle(text, max_bytes)) <= set("会议录音…")


def test_text_that_fits_is_not_cut() -> None:
    assert cut("会议", 6) == "会议"
    assert cut("会议", 5) == "…"
    assert cut_middle("calls/2026/11/26/会议.mp3", 20) == "calls/2026/….mp3"
