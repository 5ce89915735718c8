"""Every key of the page, and that none of them works while somebody types."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.transcript_page import AUDIO, OpenPage, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]

SPEEDS = (0.5, 3.0)  # the slowest and the fastest


@pytest.mark.parametrize("key", ["Space", "k", "K"])
def test_key_plays_and_pauses(reader: TranscriptPage, key: str) -> None:
    reader.press(key)
    reader.wait_until_playing()
    top = reader.run("scrollY")
    reader.press(key)
    reader.wait_for(f"{AUDIO}.paused")
    assert reader.run("scrollY") == top  # space would scroll otherwise


@pytest.mark.parametrize(
    ("key", "least_s", "most_s"), [("j", -15, -3), ("l", 3, 15), ("J", -15, -3), ("L", 3, 15)]
)
def test_key_jumps_back_or_on(reader: TranscriptPage, key: str, least_s: float, most_s: float) -> None:
    reader.pause_at(50.0)
    reader.record_jumps()
    reader.press(key)
    reader.wait_for("window.jumps.length === 1")
    assert least_s <= reader.jumps[0] - 50.0 <= most_s
    reader.press("j" if key in "lL" else "l")
    reader.wait_for_position(50.0, within=0.05)


def test_jumps_stop_at_both_ends(reader: TranscriptPage) -> None:
    reader.pause_at(1.0)
    reader.press("j")
    reader.wait_for_position(0.0, within=0.01)
    duration = reader.run(f"{AUDIO}.duration")
    reader.pause_at(duration - 1)
    reader.press("l")
    reader.wait_for_position(duration, within=0.05)


def test_period_and_comma_go_sentence_by_sentence(reader: TranscriptPage) -> None:
    reader.pause_at(17.0)  # inside the fifth sentence
    reader.press(".")
    reader.wait_for_position(18.428, within=0.05)
    reader.press(".")
    reader.wait_for_position(20.538, within=0.05)
    reader.press(",")
    reader.wait_for_position(18.428, within=0.05)
    reader.press(",")
    reader.wait_for_position(16.358, within=0.05)


def test_comma_and_period_stop_at_both_ends(reader: TranscriptPage) -> None:
    reader.pause_at(0.0)
    reader.press(",")
    assert reader.position_s <= 0.4
    reader.pause_at(111.5)  # after the last sentence
    reader.press(".")
    assert reader.position_s >= 107.0


def test_speed_goes_from_half_to_three_times(reader: TranscriptPage) -> None:
    assert reader.speed == 1.0
    for key, bound in zip("<>", SPEEDS, strict=True):
        seen = [reader.speed]
        for _ in range(40):
            reader.press(key)
            seen.append(reader.speed)
        assert seen[-1] == bound
        assert sorted(seen, reverse=key == "<") == seen
        assert len(set(seen)) >= 3
    expect(reader.part("speed")).to_be_visible()


def test_speed_stays_when_another_recording_is_picked(reader: TranscriptPage) -> None:
    reader.press(">")
    speed = reader.speed
    assert speed > 1
    reader.part("file").set_input_files("samples/welcome.wav")
    reader.wait_for(f"{AUDIO}.readyState >= 1 && {AUDIO}.duration < 10")
    reader.press("Space")
    reader.wait_until_playing()
    assert reader.speed == speed


def test_slash_goes_to_the_search(reader: TranscriptPage) -> None:
    reader.press("/")
    expect(reader.part("search")).to_be_focused()
    expect(reader.part("search")).to_have_value("")


def test_question_mark_shows_the_keys_and_escape_closes_them(reader: TranscriptPage) -> None:
    keys = reader.part("help")
    expect(keys).to_be_hidden()
    reader.press("?")
    expect(keys).to_be_visible()
    text = keys.inner_text()
    for key in ("J", "L", ",", ".", "<", ">", "/", "?", "N"):
        assert key in text
    reader.press("Escape")
    expect(keys).to_be_hidden()
    reader.part("help-button").click()
    expect(keys).to_be_visible()


def test_typing_in_the_search_is_no_key(reader: TranscriptPage) -> None:
    reader.pause_at(50.0)
    reader.record_jumps()
    reader.part("search").click()
    reader.page.keyboard.type(" kjl,.<>/?nN")
    expect(reader.part("search")).to_have_value(" kjl,.<>/?nN")
    assert reader.jumps == []
    assert not reader.is_playing
    assert reader.speed == 1.0
    expect(reader.part("help")).to_be_hidden()


@pytest.mark.parametrize("key", ["Control+f", "Control+l", "Alt+j", "Control+,", "Meta+k"])
def test_shortcuts_of_the_browser_are_left_alone(reader: TranscriptPage, key: str) -> None:
    reader.pause_at(50.0)
    reader.record_jumps()
    reader.press(key)
    assert reader.jumps == []
    assert not reader.is_playing


def test_space_on_a_button_presses_the_button_only(reader: TranscriptPage) -> None:
    """The key must not play and the button's own action pause again."""
    reader.part("play").focus()
    reader.press("Space")
    reader.wait_until_playing()
    reader.part("help-button").focus()
    reader.press("Space")
    expect(reader.part("help")).to_be_visible()
    assert reader.is_playing


def test_keys_without_a_recording_are_no_errors(
    open_page: OpenPage, conversation: Path, tmp_path: Path
) -> None:
    page = open_page(Path(shutil.copy(conversation, tmp_path)))
    page.press("Space", "k", "j", "l", ",", ".", "<", ">", "n", "Shift+N", "?", "Escape", "/", "Escape")
    page.forget_missing_recording()
