"""Hearing the recording: where it is found, what a click plays, and which word is marked while it sounds."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import expect

from cli.local.samples import SAMPLES
from tests.browser.conftest import ROUNDS
from tests.browser.recordings import build_conversation, write_page
from tests.browser.transcript_page import AUDIO, OpenPage, TranscriptPage

pytestmark = [pytest.mark.browser, pytest.mark.process]

CONVERSATION = build_conversation(ROUNDS)
# The text that has the highlight `word`, as a JavaScript expression.
MARKED_WORD = """[...(CSS.highlights.get("word") ?? [])].map(
    range => range.startContainer.data.slice(range.startOffset, range.endOffset)).join("|")"""
# Sentence, text, its occurrences to skip in the sentence, and the number of the word that it is in.
WORDS = [
    (0, "多少", 0, 6),
    (1, "年", 2, 10),
    (1, "98", 0, 1),
    (4, "help", 0, 3),
    (7, "was", 1, 7),
    (19, "morning", 0, 8),
]
HELP_S = CONVERSATION.sentences[4].words[3].start_ms / 1000


@pytest.fixture
def lonely_page(open_page: OpenPage, conversation: Path, tmp_path: Path) -> TranscriptPage:
    """The page in a folder without its recording."""
    page = open_page(Path(shutil.copy(conversation, tmp_path)))
    expect(page.part("message")).to_contain_text("Drop")
    return page


def test_recording_beside_the_page_is_loaded(reader: TranscriptPage, conversation: Path) -> None:
    source = reader.run(f"{AUDIO}.currentSrc")
    assert unquote(source) == f"file://{conversation.with_suffix('')}"
    assert reader.run(f"{AUDIO}.duration") * 1000 == pytest.approx(CONVERSATION.duration_ms, abs=50)
    assert not reader.is_playing


@pytest.mark.parametrize(("number", "text", "skipped", "word"), WORDS)
def test_click_on_a_word_plays_from_its_time(
    reader: TranscriptPage, number: int, text: str, skipped: int, word: int
) -> None:
    seconds = CONVERSATION.sentences[number].words[word].start_ms / 1000
    reader.record_jumps()
    reader.click_word(number, text, skipped)
    reader.wait_until_playing()
    assert reader.jumps == [pytest.approx(seconds, abs=0.05)]
    assert seconds <= reader.position_s
    reader.wait_for_current(number)


def test_enter_on_a_sentence_plays_from_its_start(reader: TranscriptPage) -> None:
    reader.record_jumps()
    reader.focus_sentence(5)
    reader.press("Enter")
    reader.wait_until_playing()
    assert reader.jumps == [pytest.approx(18.428, abs=0.05)]


def test_enter_on_a_word_plays_from_its_time(reader: TranscriptPage) -> None:
    reader.record_jumps()
    reader.focus_sentence(7)
    reader.press("ArrowRight", "ArrowRight", "Enter")
    reader.wait_until_playing()
    assert reader.jumps == [pytest.approx(24.972, abs=0.05)]


def test_word_being_spoken_is_marked(reader: TranscriptPage) -> None:
    for number in (1, 4, 17):
        for word in CONVERSATION.sentences[number].words:
            reader.pause_at((word.start_ms + word.end_ms) / 2000)
            if word.text.isalnum():
                reader.wait_for(f"{MARKED_WORD}.startsWith({word.text!r})")
            assert reader.find_current() == number


def test_marks_follow_the_sound(reader: TranscriptPage) -> None:
    reader.run(
        """(() => {
        window.seen = [];
        const look = () => {
            const word = MARKED_WORD;
            if (word && word !== window.seen.at(-1)) window.seen.push(word);
            setTimeout(look, 10);
        };
        look();
    })()""".replace("MARKED_WORD", MARKED_WORD)
    )
    reader.click_word(7, "the")
    reader.wait_for("window.seen.length >= 6")
    spoken = [word.text for word in CONVERSATION.sentences[7].words]
    assert reader.run("window.seen")[:6] == spoken[:6]


def test_sentence_being_spoken_changes_with_the_sound(reader: TranscriptPage) -> None:
    reader.pause_at(18.0)
    reader.wait_for_current(4)
    reader.part("play").click()
    reader.wait_for_current(5)
    assert reader.part("transcript").locator("[aria-current=true]").count() == 1


def test_play_button_starts_and_stops(reader: TranscriptPage) -> None:
    reader.part("play").click()
    reader.wait_until_playing()
    reader.part("play").click()
    assert not reader.is_playing


def test_recording_is_picked_where_there_is_none_beside_the_page(
    lonely_page: TranscriptPage, conversation: Path
) -> None:
    lonely_page.part("file").set_input_files(conversation.with_suffix(""))
    lonely_page.wait_for_sound()
    assert lonely_page.run(f"{AUDIO}.currentSrc").startswith("blob:")
    lonely_page.record_jumps()
    lonely_page.click_word(4, "help")
    lonely_page.wait_until_playing()
    assert lonely_page.jumps == [pytest.approx(HELP_S, abs=0.05)]
    lonely_page.forget_missing_recording()


def drop(page: TranscriptPage, path: Path) -> None:
    """Drop a file on the middle of the page, as a file manager does."""
    session = page.page.context.new_cdp_session(page.page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data})


def test_recording_is_dropped_anywhere_on_the_page(lonely_page: TranscriptPage, conversation: Path) -> None:
    address = lonely_page.page.url
    drop(lonely_page, conversation.with_suffix(""))
    lonely_page.wait_for_sound()
    assert (
        lonely_page.page.url == address
    )  # without the page's own handler, the browser would open the recording
    lonely_page.click_word(4, "help")
    lonely_page.wait_until_playing()
    lonely_page.forget_missing_recording()


def test_click_without_a_recording_asks_for_it(lonely_page: TranscriptPage, conversation: Path) -> None:
    """The position that was clicked on is kept until the recording comes."""
    lonely_page.click_word(4, "help")
    expect(lonely_page.part("message")).to_contain_text(conversation.with_suffix("").name)
    assert not lonely_page.is_playing
    lonely_page.part("file").set_input_files(conversation.with_suffix(""))
    lonely_page.wait_for_sound()
    lonely_page.wait_for_position(HELP_S, within=0.05)
    lonely_page.forget_missing_recording()


def test_file_that_is_no_recording_leaves_the_page_usable(
    lonely_page: TranscriptPage, conversation: Path
) -> None:
    lonely_page.part("file").set_input_files(SAMPLES / "not-audio.mp3")
    expect(lonely_page.part("message")).to_contain_text("cannot play not-audio.mp3")
    lonely_page.part("file").set_input_files(conversation.with_suffix(""))
    lonely_page.wait_for_sound()
    lonely_page.click_word(4, "help")
    lonely_page.wait_until_playing()
    lonely_page.forget_missing_recording()


def test_mp3_with_a_chinese_name_plays(open_page: OpenPage, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "采访 王老师.mp3", tmp_path)
    page = open_page(write_page(tmp_path, build_conversation(key="采访 王老师.mp3")))
    page.wait_for_sound()
    page.record_jumps()
    page.click_word(3, "提问")
    page.wait_until_playing()
    assert page.jumps == [pytest.approx(12.516, abs=0.05)]


def test_recording_without_a_duration_has_the_time_of_the_link_and_the_speed(
    open_page: OpenPage, conversation: Path
) -> None:
    """Browsers that record write WebM without a duration, and report an infinite one when they play it."""
    page = open_page(conversation, "#t=17.2")
    page.wait_for_sound()
    page.part("speed").select_option("2")
    page.run(f"Object.defineProperty({AUDIO}, 'duration', {{value: Infinity}}), 0")
    page.part("file").set_input_files(conversation.with_suffix(""))
    page.wait_for(f"{AUDIO}.currentSrc.startsWith('blob:') && {AUDIO}.playbackRate === 2")
    page.wait_for_position(17.2, within=0.05)
    expect(page.part("message")).to_have_text("")


def test_sentences_are_marked_in_order_to_the_end(reader: TranscriptPage) -> None:
    starts = [sentence.start_ms for sentence in CONVERSATION.sentences]
    assert all(earlier < later for earlier, later in pairwise(starts))
    for number in range(0, len(starts), 7):
        reader.pause_at((starts[number] + 50) / 1000)
        reader.wait_for_current(number)
