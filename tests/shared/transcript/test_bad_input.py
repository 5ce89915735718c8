"""Whatever a recording says and is called, each file is valid, shows the whole text, and nothing in it is markup.

The page (`html`) has tests of its own in a browser.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from shared.transcript import FORMATS, Transcript
from shared.transcript.formats.context import RenderContext
from tests.helpers.format_readers import FROM_SRT, READERS, Contents
from tests.helpers.hostile_texts import (
    HOSTILE_KEYS,
    HOSTILE_NAMES,
    HOSTILE_TEXTS,
    LONG_WORD,
    build_hostile_transcript,
    hostile_transcripts,
)

SLOW_MACHINE = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
# These write whole sentences in their order; captions of two voices share the screen.
WITH_SENTENCES = ("json", "csv", "podcast")
WITH_PARAGRAPHS = ("md", "docx")
WITH_HEADING = ("md", "docx")
LABELLED = ("md", "docx", "csv", "podcast")
ignore_times_in_texts = pytest.mark.filterwarnings("ignore:Possible missed subtitle")


def read(transcript: Transcript, name: str) -> Contents:
    return READERS[name](FORMATS[name].render(transcript))


def list_sentences(transcript: Transcript) -> list[tuple[str, str]]:
    return [(transcript.get_label(sentence) or "", sentence.text) for sentence in transcript.sentences]


def join(texts: list[str]) -> str:
    return "".join("".join(texts).split())


def test_every_format_but_the_page_has_a_reader() -> None:
    assert set(READERS) == set(FORMATS) - {"html"}


@ignore_times_in_texts
@SLOW_MACHINE
@given(hostile_transcripts())
def test_files_of_any_transcript_are_valid_and_have_its_texts(transcript: Transcript) -> None:
    sentences = list_sentences(transcript)
    for name in READERS:
        contents = read(transcript, name)
        if name in WITH_SENTENCES:
            assert [text for _, text in contents.parts] == [text for _, text in sentences], name
        if name in WITH_PARAGRAPHS:
            assert contents.text == join([text for _, text in sentences]), name
        if name in LABELLED:
            assert {speaker for speaker, _ in contents.parts} == {speaker for speaker, _ in sentences}, name
        if name in WITH_HEADING:
            assert contents.heading == RenderContext(transcript).heading, name


@ignore_times_in_texts
@pytest.mark.parametrize("name", READERS)
def test_hostile_texts_stay_texts(name: str) -> None:
    transcript = build_hostile_transcript(HOSTILE_TEXTS)
    assert len(transcript.sentences) > len(HOSTILE_TEXTS) - 5
    expected = join([sentence.text for sentence in transcript.sentences])
    if name == "srt":
        expected = expected.translate(FROM_SRT)
    assert read(transcript, name).text == expected


@pytest.mark.parametrize("name", LABELLED)
def test_hostile_names_stay_names(name: str) -> None:
    for first in HOSTILE_NAMES:
        transcript = build_hostile_transcript(["One.", "Two."], names=(first, "Second"), title=first)
        labels = [transcript.get_label(sentence) for sentence in transcript.sentences]
        assert [speaker for speaker, _ in read(transcript, name).parts] == labels


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_any_name_of_a_recording_gives_valid_files(key: str) -> None:
    transcript = build_hostile_transcript(["One."], key=key)
    for name in READERS:
        assert read(transcript, name).text == "One."


@pytest.mark.parametrize(
    ("key", "heading"),
    [
        ("calls/it's \"a\".mp3", "it's \"a\".mp3"), ("a\x00\n b\u202e.mp3", "a b.mp3"), ("\x01", "Recording"),
        ("folder/", "Recording"), ("bad\udcff.mp3", "bad.mp3"), ("会议--.m4a", "会议--.m4a"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", WITH_HEADING)
def test_heading_is_the_recordings_name_on_one_line(name: str, key: str, heading: str) -> None:
    assert read(build_hostile_transcript([], key=key), name).heading == heading


@pytest.mark.parametrize("title", ['a -- b "c"', "<!-- x -->", "周会 #3 #"])
@pytest.mark.parametrize("name", WITH_HEADING)
def test_title_is_the_heading(name: str, title: str) -> None:
    assert read(build_hostile_transcript([], title=title), name).heading == title


@pytest.mark.parametrize("name", READERS)
def test_word_of_ten_thousand_characters_is_whole(name: str) -> None:
    assert read(build_hostile_transcript([LONG_WORD]), name).text == LONG_WORD


@pytest.mark.parametrize("name", READERS)
def test_silence_gives_a_valid_file_without_text(name: str) -> None:
    assert read(build_hostile_transcript([]), name).parts == []
