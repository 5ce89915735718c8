"""The page scrolls with the sound until the reader scrolls, and again after a click on the button."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.transcript_page import AUDIO, SENTENCES, OpenPage, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]

LATE = 24  # a sentence far below, and its time
LATE_S = 92.0


@pytest.fixture
def small_reader(open_page: OpenPage, conversation: Path) -> TranscriptPage:
    """The page in a window that shows a part of it."""
    page = open_page(conversation, viewport={"width": 800, "height": 420})
    page.wait_for_sound()
    return page


def play_from(page: TranscriptPage, seconds: float) -> None:
    page.run(f"{AUDIO}.currentTime = {seconds}")
    page.wait_for_position(seconds, within=1)


def wait_until_in_view(page: TranscriptPage, number: int) -> None:
    page.wait_for(f"""(box => box.top >= 0 && box.bottom <= innerHeight)(
        {SENTENCES}[{number}].getBoundingClientRect())""")


def scroll_by_wheel(page: TranscriptPage, pixels: int) -> None:
    """Turn the wheel over the page and wait until it has scrolled."""
    start = page.run("scrollY")
    page.page.mouse.move(300, 250)
    page.page.mouse.wheel(0, pixels)
    page.wait_for(f"scrollY !== {start}")


def test_sentence_being_spoken_stays_in_view(small_reader: TranscriptPage) -> None:
    small_reader.click_word(0, "多少")
    small_reader.wait_until_playing()
    assert not small_reader.is_in_view(LATE)
    play_from(small_reader, LATE_S)
    wait_until_in_view(small_reader, small_reader.find_current() or 0)
    # The page scrolled by itself, which must not count as the reader's scrolling.
    play_from(small_reader, 1.0)
    wait_until_in_view(small_reader, 0)
    expect(small_reader.part("follow")).to_be_hidden()


def test_scrolling_stops_following_until_the_button(small_reader: TranscriptPage) -> None:
    small_reader.click_word(0, "多少")
    small_reader.wait_until_playing()
    scroll_by_wheel(small_reader, 500)
    expect(small_reader.part("follow")).to_be_visible()
    top = small_reader.wait_for_scroll_end()
    play_from(small_reader, 109.0)
    small_reader.wait_until_playing(0.5)
    assert small_reader.run("scrollY") == top
    small_reader.part("follow").click()
    wait_until_in_view(small_reader, 29)
    expect(small_reader.part("follow")).to_be_hidden()
    play_from(small_reader, 1.0)
    wait_until_in_view(small_reader, 0)


@pytest.mark.parametrize("key", ["PageDown", "End"])
def test_scrolling_by_key_stops_following(small_reader: TranscriptPage, key: str) -> None:
    small_reader.click_word(0, "多少")
    small_reader.wait_until_playing()
    small_reader.press(key)
    expect(small_reader.part("follow")).to_be_visible()


def test_click_on_a_word_follows_again(small_reader: TranscriptPage) -> None:
    small_reader.click_word(0, "多少")
    small_reader.wait_until_playing()
    scroll_by_wheel(small_reader, 400)
    small_reader.wait_for_scroll_end()
    expect(small_reader.part("follow")).to_be_visible()
    small_reader.click_word(10, "多少")
    expect(small_reader.part("follow")).to_be_hidden()
