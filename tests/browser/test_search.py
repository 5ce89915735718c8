"""Search: how many hits there are, which are marked, and going from one to the next."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROUNDS
from tests.browser.recordings import build_conversation
from tests.browser.transcript_page import SENTENCES, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]

NO_HITS = "0/0"
TEXTS = [sentence.text for sentence in build_conversation(ROUNDS).sentences]


def count_hits(query: str) -> int:
    return sum(text.lower().count(query.lower()) for text in TEXTS)


def search(page: TranscriptPage, query: str) -> None:
    page.press("/")
    page.part("search").fill("")
    page.page.keyboard.type(query)


def wait_for_hit(page: TranscriptPage, number: int, count: int) -> None:
    """Wait until the page says that this is the hit, counted from 1, of so many."""
    expect(page.part("hits")).to_have_text(re.compile(rf"^\D*{number}\D+{count}\D*$"))


def find_current_hit(page: TranscriptPage) -> int:
    """Return the number of the sentence that the current hit is in."""
    number: int = page.run(f"""(range => {SENTENCES}.findIndex(item => item.contains(range.startContainer)))(
        [...CSS.highlights.get("current-hit")][0])""")
    return number


@pytest.mark.parametrize("query", ["the", "THE", "weather was", "教书", "，", "年了", "1998"])
def test_every_hit_is_counted_and_marked(reader: TranscriptPage, query: str) -> None:
    count = count_hits(query)
    assert count >= ROUNDS
    search(reader, query)
    wait_for_hit(reader, 1, count)
    marked = reader.highlighted("hit") + reader.highlighted("current-hit")
    assert {text.lower() for text in marked} == {query.lower()}
    # The current hit may have both marks.
    assert len(marked) in (count, count + 1)
    assert len(reader.highlighted("current-hit")) == 1


def leave_search(page: TranscriptPage) -> None:
    """Take the focus out of the field, so that letters are keys."""
    page.part("search").blur()


def test_n_goes_to_the_next_hit_and_shift_n_back(reader: TranscriptPage) -> None:
    search(reader, "weather")
    wait_for_hit(reader, 1, 3)
    leave_search(reader)
    for hit in (2, 3, 1):
        reader.press("n")
        wait_for_hit(reader, hit, 3)
    for hit in (3, 2):
        reader.press("Shift+N")
        wait_for_hit(reader, hit, 3)
    assert find_current_hit(reader) == 17
    assert reader.is_in_view(17)


def test_enter_in_the_field_goes_to_the_next_hit(reader: TranscriptPage) -> None:
    search(reader, "weather")
    wait_for_hit(reader, 1, 3)
    reader.press("Enter")
    wait_for_hit(reader, 2, 3)
    reader.press("Shift+Enter")
    wait_for_hit(reader, 1, 3)


def test_text_that_is_nowhere_has_zero_hits(reader: TranscriptPage) -> None:
    search(reader, "weather")
    wait_for_hit(reader, 1, 3)
    search(reader, "elephant")
    expect(reader.part("hits")).to_have_text(NO_HITS)
    assert reader.highlighted("hit") + reader.highlighted("current-hit") == []
    leave_search(reader)
    reader.press("n", "Shift+N")  # nothing to go to, and no error


def test_escape_ends_the_search(reader: TranscriptPage) -> None:
    search(reader, "weather")
    wait_for_hit(reader, 1, 3)
    reader.press("Escape")
    expect(reader.part("search")).not_to_be_focused()
    expect(reader.part("search")).to_have_value("")
    assert reader.highlighted("hit") + reader.highlighted("current-hit") == []


@pytest.mark.parametrize("query", ["(", "[a-z]", ".*", "\\", "<b>", "a" * 2_000])
def test_search_takes_the_text_as_it_is(reader: TranscriptPage, query: str) -> None:
    reader.part("search").fill(query)
    expect(reader.part("hits")).to_have_text(NO_HITS)


def test_search_begins_at_the_words_being_spoken(reader: TranscriptPage) -> None:
    reader.pause_at(40.0)
    search(reader, "weather")
    wait_for_hit(reader, 2, 3)
    assert not reader.is_playing
    assert reader.position_s == pytest.approx(40.0, abs=0.01)
