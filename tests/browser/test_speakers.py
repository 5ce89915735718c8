"""Names of speakers that a reader changes, and the strip that shows who speaks when."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROUNDS
from tests.browser.recordings import KEY, build_conversation, write_conversation, write_page
from tests.browser.transcript_page import OpenPage, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]

DURATION_S = (build_conversation(ROUNDS).duration_ms or 0) / 1000
HOSTILE_NAME = "<img src=x onerror=alert(1)>&\"'\u202e"


def rename(page: TranscriptPage, old: str, new: str) -> None:
    """Click on a name, type another and confirm."""
    page.part("speaker").filter(has_text=old).first.click()
    page.page.keyboard.press("ControlOrMeta+a")
    page.page.keyboard.type(new)
    page.page.keyboard.press("Enter")


def read_page(page: TranscriptPage) -> str:
    # Not innerText, which leaves out what is not drawn yet.
    text: str = page.run("document.body.textContent")
    return text


def test_names_are_shown_in_order_of_the_sentences(reader: TranscriptPage) -> None:
    text = reader.part("transcript").inner_text()
    assert text.index("记者") < text.index("王老师，您好") < text.index("Teacher Wang") < text.index("1998")


def test_new_name_is_shown_everywhere(reader: TranscriptPage) -> None:
    shown = read_page(reader).count("Teacher Wang")
    assert shown >= 8
    rename(reader, "Teacher Wang", "王芳")
    expect(reader.part("speaker").filter(has_text="王芳").first).to_be_visible()
    assert "Teacher Wang" not in read_page(reader)
    assert read_page(reader).count("王芳") == shown
    assert read_page(reader).count("记者") >= 8


def test_new_name_is_kept_when_the_page_is_opened_again(reader: TranscriptPage) -> None:
    rename(reader, "记者", "Lin Hai")
    expect(reader.part("speaker").filter(has_text="Lin Hai").first).to_be_visible()
    reader.page.reload()
    expect(reader.part("speaker").filter(has_text="Lin Hai").first).to_be_visible()
    assert "记者" not in read_page(reader)


def test_page_with_new_names_shows_them_and_those_that_the_reader_changed(
    open_page: OpenPage, tmp_path: Path
) -> None:
    """A recording that is transcribed again may have other names."""
    transcript = build_conversation()
    write_conversation(tmp_path / KEY.rpartition("/")[2])
    page = open_page(write_page(tmp_path, transcript._replace(speaker_names=())))
    rename(page, "Speaker 1", "Lin Hai")
    expect(page.part("speaker").filter(has_text="Lin Hai").first).to_be_visible()
    page.open(write_page(tmp_path, transcript._replace(speaker_names=("记者", "王芳"))))
    expect(page.part("speaker").filter(has_text="Lin Hai").first).to_be_visible()
    expect(page.part("speaker").filter(has_text="王芳").first).to_be_visible()
    rename(page, "Lin Hai", "  ")
    page.open(write_page(tmp_path, transcript._replace(speaker_names=("Anna", "王芳"))))
    expect(page.part("speaker").filter(has_text="Anna").first).to_be_visible()


def test_hostile_name_stays_text(reader: TranscriptPage) -> None:
    rename(reader, "记者", HOSTILE_NAME)
    expect(reader.part("speaker").filter(has_text="onerror").first).to_be_visible()
    assert reader.page.locator("img").count() == 0
    reader.page.reload()
    expect(reader.part("speaker").filter(has_text="onerror").first).to_be_visible()
    assert reader.page.locator("img").count() == 0


def test_escape_keeps_the_old_name(reader: TranscriptPage) -> None:
    reader.part("speaker").filter(has_text="记者").first.click()
    reader.page.keyboard.type("x")
    reader.page.keyboard.press("Escape")
    expect(reader.part("speaker").filter(has_text="记者").first).to_be_visible()


def test_empty_name_keeps_the_old_one(reader: TranscriptPage) -> None:
    rename(reader, "记者", "  ")
    expect(reader.part("speaker").filter(has_text="记者").first).to_be_visible()


def test_keys_are_letters_of_a_new_name(reader: TranscriptPage) -> None:
    rename(reader, "记者", "kjl n/?")
    expect(reader.part("speaker").filter(has_text="kjl n/?").first).to_be_visible()
    assert not reader.is_playing
    expect(reader.part("help")).to_be_hidden()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.93])
def test_click_on_the_map_goes_to_that_time(reader: TranscriptPage, share: float) -> None:
    box = reader.part("map").bounding_box()
    assert box is not None
    assert box["width"] > 300
    reader.page.mouse.click(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
    reader.wait_for_position(DURATION_S * share, within=1.5)


def test_map_shows_both_speakers_and_silence(reader: TranscriptPage) -> None:
    """The time of each speaker has the colour of the name; the pause between two samples has none of them."""
    columns = reader.read_columns(reader.part("map"), [seconds / DURATION_S for seconds in (1.5, 5.0, 23.7)])
    first, second, pause = map(set, columns)
    assert first - pause
    assert second - pause
    assert (first - pause).isdisjoint(second - pause)


def test_map_can_be_dragged(reader: TranscriptPage) -> None:
    """Hundreds of movements are one jump after the other, and no complaint of the browser."""
    box = reader.part("map").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    reader.page.mouse.move(box["x"] + 10, middle)
    reader.page.mouse.down()
    reader.page.mouse.move(box["x"] + box["width"] - 5, middle, steps=200)
    reader.page.mouse.move(box["x"] + box["width"] / 2, middle, steps=40)
    reader.page.mouse.up()
    reader.wait_for_position(DURATION_S / 2, within=1)
    reader.wait_for("Number(location.hash.slice(3)) > 50 && Number(location.hash.slice(3)) < 60")
