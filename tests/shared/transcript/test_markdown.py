"""Markdown shows exactly what the recording says, in readers that know more markup than CommonMark has."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shared.transcript import FORMATS
from shared.transcript.formats.markdown import escape_markdown
from tests.helpers.format_readers import build_markdown_parser
from tests.helpers.hostile_texts import HOSTILE_TEXTS, build_hostile_transcript


def test_paragraphs_have_speaker_and_time() -> None:
    transcript = build_hostile_transcript(["您好。", "Hi."], names=("客服", "Anna"), title="周会")
    assert FORMATS["md"].render(transcript).decode() == (
        "# 周会\n\n**客服** (00:00:00) 您好。\n\n**Anna** (00:00:02) Hi.\n"
    )


def test_one_voice_has_no_speaker() -> None:
    data = FORMATS["md"].render(build_hostile_transcript(["One.", "Two."])).decode()
    assert data == "# a\\.mp3\n\n(00:00:00) One. Two.\n"


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("See you at 10:30, it costs 1.5.", "See you at 10:30, it costs 1.5."),
        ('Really? Yes: 50%! (Well, "no" - it\'s 3/4.)', 'Really? Yes: 50%! (Well, "no" - it\'s 3/4.)'),
        ("snake_case", r"snake\_case"),
        ("example.com", r"example\.com"),
        (":smile:", r"\:smile:"),
        ("a==b", r"a\==b"),
    ],
)
def test_usual_text_stays_readable(text: str, markdown: str) -> None:
    assert escape_markdown(text) == markdown


@pytest.mark.parametrize("text", [text for text in HOSTILE_TEXTS if text.isprintable()])
@pytest.mark.parametrize(
    "parser", [MarkdownIt("commonmark"), build_markdown_parser()], ids=["plain", "extended"]
)
def test_text_is_nothing_but_text(parser: MarkdownIt, text: str) -> None:
    line = " ".join(text.split())
    assert "<" not in parser.renderInline(escape_markdown(line))
    shown = parser.parseInline(escape_markdown(line))[0].children or []
    assert "".join(token.content for token in shown) == line


@settings(deadline=None)
@given(st.text(st.sampled_from("\\`*_{}[]()<>#+-.!|~^=:/@&;$%wh\"' a1"), max_size=30))
def test_marks_in_any_order_are_text(text: str) -> None:
    line = " ".join(text.split())
    tokens = build_markdown_parser().parse(f"(00:00:00) {escape_markdown(line)}\n")
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    shown = tokens[1].children or []
    assert {token.type for token in shown} <= {"text"}
    assert "".join(token.content for token in shown) == f"(00:00:00) {line}".strip()
