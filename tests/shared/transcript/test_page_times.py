"""The times of the words in the page are those of the engine, whatever the words and the text look like."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.transcript import Sentence, Word
from shared.transcript.formats.page_times import format_base36, format_times
from tests.helpers.html_pages import PageSentence, parse_sentence_element

PIECES = st.sampled_from(
    [
        "hello",
        "Twenty",
        "20",
        "，",
        "。",
        " ",
        "您好",
        "没问题",
        "👍🏽",
        "“",
        "”",
        "don",
        "'t",
        "สวัส",
        "ดี",
        "-",
        "x" * 700,
    ]
)


def read(text: str, *words: tuple[str, int, int], start_ms: int = 0, end_ms: int = 10_000) -> PageSentence:
    sentence = Sentence(start_ms, end_ms, text, words=tuple(Word(*word) for word in words))
    span = Element("span", {"data-t": format_times(sentence)})
    span.text = text
    return parse_sentence_element(span)


def test_english_words_end_with_their_space() -> None:
    page = read("Front desk, please.", ("front", 10, 400), ("desk", 420, 800), ("please", 900, 1_200))
    assert page.words == (("Front ", 10), ("desk, ", 420), ("please.", 900))
    assert format_times(Sentence(0, 9, "a b", words=(Word("a", 0, 4), Word("b", 5, 9)))) == "0 9 0 5"


def test_chinese_words_have_lengths_and_punctuation_belongs_to_them() -> None:
    page = read("“您好，”没问题。", ("您好", 100, 500), ("没问题", 700, 1_200))
    assert page.words == (("“您好，”", 100), ("没问题。", 700))


def test_emoji_counts_as_the_browser_counts() -> None:
    page = read("好👍🏽没问题 ok", ("好", 0, 100), ("没问题", 600, 1_200), ("ok", 1_300, 1_500))
    assert "".join(word.text for word in page.words) == "好👍🏽没问题 ok"
    assert (page.words[-2], page.words[-1]) == (("没问题 ", 600), ("ok", 1_300))


def test_words_that_the_engine_wrote_otherwise_have_times_between() -> None:
    page = read(
        "I have 20 apples", ("I", 0, 100), ("have", 200, 400), ("twenty", 500, 900), ("apples", 1_000, 1_500)
    )
    times = dict(page.words)
    assert times["have "] == 200
    assert times["apples"] == 1_000
    assert 400 <= times["20 "] < 1_000


def test_thai_words_are_separate_although_no_line_may_break_there() -> None:
    page = read("สวัสดีครับ", ("สวัสดี", 0, 500), ("ครับ", 600, 900))
    assert page.words == (("สวัสดี", 0), ("ครับ", 600))


def test_long_word_has_a_length_of_several_letters() -> None:
    page = read(f"{'长' * 1_000}短", ("长" * 1_000, 0, 500), ("短", 600, 900))
    assert [len(word.text) for word in page.words] == [1_000, 1]


@pytest.mark.parametrize("words", [(), (("unrelated", 5, 9),), (("，", 5, 9),)])
def test_sentence_without_words_has_its_own_times_only(words: tuple[tuple[str, int, int], ...]) -> None:
    page = read("Nothing matches here.", *words, start_ms=1_000, end_ms=2_000)
    assert page == (1_000, 2_000, "Nothing matches here.", ())


@settings(deadline=None, max_examples=200)
@given(st.lists(PIECES, min_size=1, max_size=30), st.data())
def test_words_of_any_sentence_cover_its_text_in_order(pieces: list[str], data: st.DataObject) -> None:
    text = " ".join("".join(pieces).split())
    if not text:
        return
    times = st.integers(0, 9_000)
    spoken = [piece for piece in pieces if data.draw(st.booleans()) and piece.strip()]
    page = read(text, *((piece, data.draw(times), data.draw(times)) for piece in spoken))
    assert page.text == text
    assert not page.words or "".join(word.text for word in page.words) == text
    starts = [word.start_ms for word in page.words]
    assert starts == sorted(starts)
    assert all(0 <= start <= 10_000 for start in starts)


@pytest.mark.parametrize(("number", "digits"), [(0, "0"), (35, "z"), (36, "10"), (18_000_000, "apsw0")])
def test_numbers_have_base_36(number: int, digits: str) -> None:
    assert format_base36(number) == digits
    assert int(digits, 36) == number
