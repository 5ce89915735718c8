"""Transcripts and keys that try to become markup, script or another address: they stay text."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from shared.transcript import Sentence, Word
from tests.browser.recordings import build_transcript, write_conversation, write_page
from tests.browser.transcript_page import AUDIO, OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.process]

TEXTS = (
    "</script><script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "--><svg/onload=window.ran=1><!--",
    "</p></main><h1>Heading</h1>",
    "</title></style></template><iframe srcdoc='<script>parent.ran=1</script>'>",
    "\"' onmouseover='window.ran=1' x='",
    "javascript:window.ran=1",
    "{{constructor.constructor('window.ran=1')()}} ${window.ran=1} `",
    "&lt;script&gt; &amp; &#60;b&#62; &nosuch;",
    "]]> <![CDATA[ <?xml ?> <!doctype x>",
    "left \u202eright to left\u202c and \u2067isolated\u2069 \u200f.",
    "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 👍🏽 thumb",
    "e\u0301\u0301\u0301 Zalgo \u0489\u0489",
    "w" * 10_000,
    "长" * 10_000,
    "C:\\talk\\new\\u0041 \\x3cb\\x3e </SCRIPT >",
)
NAMES = ("<b onclick='window.ran=1'>Eve</b>", "</script><script>window.ran=1</script>")
TITLE = '</title><script>window.ran=1</script> & "quotes"'
KEYS = (
    "a/\"quoted' name\".wav",
    "a/100% #1?x=y&z;~.wav",
    "a/会议 录音（一）.wav",
    "a/javascript:window.ran=1.wav",
    "a/<img src=x onerror=window.ran=1>.wav",
    "a/.._..%2f%2e%2e.wav",
    "a/back\\slash.wav",
    "a/new\nline.wav",
    "a/👩‍👧 emoji.wav",
)  # fmt: skip

HANDLER_ATTRIBUTES = """[...document.querySelectorAll("*")].flatMap(
    item => item.getAttributeNames().filter(name => name.startsWith("on")))"""


def build_sentences(texts: tuple[str, ...] = TEXTS, *, has_words: bool = True) -> tuple[Sentence, ...]:
    sentences = []
    for number, text in enumerate(texts):
        start_ms = number * 2_000
        parts = text.split()
        words = tuple(
            Word(part, start_ms + at * 1_500 // len(parts), start_ms + (at + 1) * 1_500 // len(parts))
            for at, part in enumerate(parts)
        )
        speaker = 1 + number % 2
        sentences.append(
            Sentence(start_ms, start_ms + 1_500, text, speaker=speaker, words=words if has_words else ())
        )
    return tuple(sentences)


@pytest.mark.parametrize("has_words", [True, False])
def test_hostile_transcript_stays_text(open_page: OpenPage, tmp_path: Path, has_words: bool) -> None:
    sentences = build_sentences(has_words=has_words)
    path = write_page(tmp_path, build_transcript(*sentences, names=NAMES, title=TITLE))
    write_conversation(path.with_suffix(""))
    page = open_page(path)
    page.wait_for_sound()
    shown = page.part("sentence").evaluate_all("items => items.map(item => item.textContent)")
    assert len(shown) == len(TEXTS)
    for text, sentence in zip(shown, sentences, strict=True):
        assert sentence.text in text
    assert page.run("document.scripts.length") == 1
    assert page.page.locator("img, iframe, svg[onload], h1:text('Heading'), b").count() == 0
    assert page.run(HANDLER_ATTRIBUTES) == []
    assert page.page.title()
    # Usable: search, a click, a key.
    page.part("search").fill("Zalgo")
    expect(page.part("hits")).to_contain_text("1")
    page.focus_sentence(11)
    page.press("Enter")
    page.wait_until_playing()
    page.wait_for_current(11)
    assert page.run("window.ran") is None
    assert page.violations == []


@pytest.mark.parametrize("key", KEYS)
def test_recording_with_a_hostile_name_plays(open_page: OpenPage, tmp_path: Path, key: str) -> None:
    name = key.partition("/")[2]
    path = write_page(tmp_path, build_transcript(*build_sentences(TEXTS[:3]), key=key))
    write_conversation(tmp_path / name)
    page = open_page(path)
    page.wait_for_sound()
    page.focus_sentence(1)
    page.press("Enter")
    page.wait_until_playing()
    assert page.run("window.ran") is None
    assert page.violations == []


def test_word_of_10_000_characters_scrolls_nothing_sideways(open_page: OpenPage, tmp_path: Path) -> None:
    path = write_page(tmp_path, build_transcript(*build_sentences()))
    page = open_page(path, viewport={"width": 360, "height": 640})
    assert page.run("document.documentElement.scrollWidth") <= 360
    page.forget_missing_recording()


@pytest.mark.parametrize("sentences", [(), (Sentence(0, 0, "No times."), Sentence(0, 0, "None at all."))])
def test_transcript_without_sentences_or_times_is_a_page(
    open_page: OpenPage, tmp_path: Path, sentences: tuple[Sentence, ...]
) -> None:
    path = write_page(tmp_path, build_transcript(*sentences))
    write_conversation(path.with_suffix(""))
    page = open_page(path)
    page.wait_for_sound()
    assert page.part("sentence").count() == len(sentences)
    page.press(",", ".", "Space")
    page.wait_until_playing()
    page.part("search").fill("times")
    expect(page.part("hits")).to_be_visible()
    page.run(f"{AUDIO}.pause()")


@pytest.mark.parametrize(
    "times",
    [((0, 5_000), (1_000, 2_000)), ((1_000, 1_000), (1_000, 1_000)), ((5_000, 4_000), (6_000, 3_000))],
    ids=["nested", "equal", "reversed"],
)
def test_sentences_with_wrong_times_can_be_heard(
    open_page: OpenPage, tmp_path: Path, times: tuple[tuple[int, int], ...]
) -> None:
    sentences = [Sentence(start, end, f"Sentence {number}.") for number, (start, end) in enumerate(times)]
    path = write_page(tmp_path, build_transcript(*sentences))
    write_conversation(path.with_suffix(""))
    page = open_page(path)
    page.wait_for_sound()
    for number, (start_ms, _) in enumerate(times):
        page.record_jumps()
        page.focus_sentence(number)
        page.press("Enter")
        page.wait_for("window.jumps.length")
        assert page.jumps[0] == pytest.approx(start_ms / 1000, abs=0.3)
