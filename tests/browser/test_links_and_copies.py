"""Links to a time, and text that a reader copies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from shared.transcript import Sentence
from tests.browser.conftest import ROUNDS
from tests.browser.recordings import build_conversation, build_transcript, write_page
from tests.browser.transcript_page import SENTENCES, OpenPage, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]


def read_clipboard(page: TranscriptPage) -> str:
    text: str = page.run("navigator.clipboard.readText()")
    return text


def test_link_to_a_time_goes_there_when_the_page_opens(open_page: OpenPage, conversation: Path) -> None:
    page = open_page(conversation, "#t=72.4")
    page.wait_for_sound()
    page.wait_for_position(72.4, within=0.05)
    page.wait_for_current(19)
    assert page.is_in_view(19)
    assert not page.is_playing


def test_link_goes_there_in_an_open_page(reader: TranscriptPage) -> None:
    reader.run("location.hash = '#t=17.2'")
    reader.wait_for_position(17.2, within=0.05)
    reader.wait_for_current(4)
    reader.run("location.hash = '#t=91.5,93'")  # a W3C media fragment may have an end
    reader.wait_for_position(91.5, within=0.05)


@pytest.mark.parametrize(
    "fragment", ["#t=", "#t=abc", "#t=-5", "#t=1e99", "#t=NaN", "#t=%00", "#<b>", "#t=12.4x"]
)
def test_wrong_link_leaves_the_page_usable(open_page: OpenPage, conversation: Path, fragment: str) -> None:
    page = open_page(conversation, fragment)
    page.wait_for_sound()
    page.click_word(4, "help")
    page.wait_until_playing()


def test_link_without_a_recording_shows_the_sentence(
    open_page: OpenPage, conversation: Path, tmp_path: Path
) -> None:
    path = tmp_path / conversation.name
    path.write_bytes(conversation.read_bytes())
    page = open_page(path, "#t=72.4")
    expect(page.sentence(19)).to_be_in_viewport()
    page.forget_missing_recording()


def test_address_is_a_link_to_what_was_clicked_on(reader: TranscriptPage) -> None:
    reader.click_word(4, "help")
    reader.wait_until_playing()
    assert reader.page.url.endswith("#t=16.988")


def test_copy_has_names_times_and_every_sentence(reader: TranscriptPage) -> None:
    reader.part("copy").click()
    expect(reader.part("message")).to_have_text("Copied")
    copied = read_clipboard(reader)
    assert copied.startswith("[0:00] 记者: 王老师，您好！您教书多少年了？\n\n[0:03] Teacher Wang: 我1998年")
    assert copied.endswith("[1:47] 记者: the meeting will start at nine in the morning")
    for sentence in build_conversation(ROUNDS).sentences:
        assert copied.count(sentence.text) == ROUNDS


def test_copied_text_has_no_times(reader: TranscriptPage) -> None:
    reader.part("copy-text").click()
    expect(reader.part("message")).to_have_text("Copied")
    assert read_clipboard(reader).startswith("记者: 王老师，您好！您教书多少年了？\n\nTeacher Wang: 我1998年")


def test_copy_has_the_new_name(reader: TranscriptPage) -> None:
    reader.part("speaker").filter(has_text="记者").click()
    reader.page.keyboard.type("Lin Hai")
    reader.press("Enter")
    reader.part("copy").click()
    expect(reader.part("message")).to_have_text("Copied")
    copied = read_clipboard(reader)
    assert copied.startswith("[0:00] Lin Hai: 王老师")
    assert "记者" not in copied


def test_copy_of_a_selection_has_the_time_of_its_first_word(reader: TranscriptPage) -> None:
    start = reader.find_word(7, "covered")
    end = reader.find_word(8, "talk", scrolls=False)
    mouse = reader.page.mouse
    mouse.move(start[0] - 25, start[1])
    mouse.down()
    mouse.move(end[0], end[1] - 2, steps=4)
    mouse.move(*end)
    mouse.up()
    selected = reader.run("getSelection().toString()")
    assert "with snow" in selected
    reader.part("copy").click()
    expect(reader.part("message")).to_have_text("Copied")
    copied = read_clipboard(reader)
    assert re.match(r"\[0:27\] 记者: c?overed with snow\n\n\[0:28\] Teacher Wang: we need to ta", copied)
    assert not reader.is_playing  # a selection is no click


def select(page: TranscriptPage, start: str, end: str) -> None:
    """Select from one place to another: expressions of a node and an offset."""
    page.run(f"getSelection().setBaseAndExtent({start}, {end})")


def test_selection_outside_the_text_leaves_copies_whole(reader: TranscriptPage) -> None:
    reader.part("copy-text").click()
    expect(reader.part("message")).to_have_text("Copied")
    everything = read_clipboard(reader)
    select(reader, "document.querySelector('h1'), 0", "document.querySelector('.about'), 0")
    assert reader.run("getSelection().toString()").strip()
    reader.run("navigator.clipboard.writeText('')")
    reader.part("copy-text").click()
    reader.wait_for("await navigator.clipboard.readText()")
    assert read_clipboard(reader) == everything


def test_copy_that_begins_between_two_sentences_has_the_time_of_the_second(
    open_page: OpenPage, tmp_path: Path
) -> None:
    sentences = (Sentence(1_000, 2_000, "Good morning."), Sentence(2_500, 3_500, "Shall we start?"))
    page = open_page(write_page(tmp_path, build_transcript(*sentences)))
    select(page, f"{SENTENCES}[0].nextSibling, 0", f"{SENTENCES}[1].firstChild, 8")
    page.part("copy").click()
    expect(page.part("message")).to_have_text("Copied")
    assert read_clipboard(page) == "[0:02] Shall we"
    page.forget_missing_recording()
