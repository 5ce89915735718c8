"""One recording with two named speakers in every format, each opened by a program that people use for it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from shared.options.model import FORMATS
from shared.recordings.keys import get_extension
from tests.helpers.flow import Flow, wait_for_next_second
from tests.helpers.format_readers import READERS, Contents
from tests.helpers.office import convert, needs_libreoffice, read_sheet

pytestmark = pytest.mark.process

SPEECH = b"speech of a recording " * 400
CALL = "[0] 您好，这里是客服中心。\n[1] 我想改一下预约时间。\n[0] 没问题，请问改到哪一天？\n[1] Thursday.\n"
SENTENCES = [
    ("李老师", "您好，这里是客服中心。"),
    ("Anna Wang", "我想改一下预约时间。"),
    ("李老师", "没问题，请问改到哪一天？"),
    ("Anna Wang", "Thursday."),
]
WITH_SPEAKERS = ("vtt", "md", "docx", "csv", "podcast")


def transcribe(flow: Flow, key: str, formats: tuple[str, ...] = FORMATS) -> dict[str, bytes]:
    """Upload a call of two speakers and return its files by format."""
    options = {
        "title": quote("采访：预约"),
        "speaker-names": quote("李老师,Anna Wang", safe=","),
        "speakers": "2",
        "engine": "16k_zh",
    }
    flow.upload(key + ".transcript.txt", CALL.encode())
    metadata = {f"scribe-{name}": value for name, value in {**options, "formats": ",".join(formats)}.items()}
    flow.upload(key, SPEECH, **metadata)
    flow.settle()
    return {name: flow.output(f"transcripts/{key}.{get_extension(name)}") for name in formats}


def list_extensions(flow: Flow, key: str) -> set[str]:
    prefix = f"transcripts/{key}."
    return {output.removeprefix(prefix) for output in flow.outputs(prefix)}


def test_every_format_has_the_words_and_names_in_the_libraries_of_others(flow: Flow) -> None:
    files = transcribe(flow, "interviews/every.mp3")
    contents: dict[str, Contents] = {name: reader(files[name]) for name, reader in READERS.items()}
    for name in WITH_SPEAKERS:
        assert contents[name].parts == SENTENCES, name
    assert [text for _, text in contents["json"].parts] == [text for _, text in SENTENCES]
    labelled = [f"{speaker}: {text}" for speaker, text in SENTENCES]
    lines = [
        line for _, text in contents["srt"].parts for line in text.splitlines()
    ]  # two voices share a cue
    assert lines == labelled
    assert [text for _, text in contents["txt"].parts] == ["采访：预约", *labelled]
    assert {contents[name].heading for name in ("md", "docx", "json")} == {"采访：预约"}
    assert all(text in files["html"].decode() for pair in SENTENCES for text in pair)


@needs_libreoffice
def test_libreoffice_opens_the_document_and_the_table(flow: Flow, tmp_path: Path) -> None:
    files = transcribe(flow, "interviews/office.mp3", ("docx", "csv"))
    for name, data in files.items():
        (tmp_path / f"office.{name}").write_bytes(data)
    document = convert(tmp_path / "office.docx", "txt:Text (encoded):UTF8").read_text(encoding="utf-8-sig")
    lines = document.splitlines()
    assert lines[0] == "采访：预约"
    assert [line.split("  ")[0] for line in lines[1::2]] == [speaker for speaker, _ in SENTENCES]
    assert lines[2::2] == [text for _, text in SENTENCES]
    _, *rows = read_sheet(tmp_path / "office.csv")
    assert [(speaker, text) for _, _, (_, speaker), (_, text) in rows] == SENTENCES
    assert {kind for start, end, *_ in rows for kind, _ in (start, end)} == {"time"}


def test_formats_that_are_no_longer_chosen_go(flow: Flow) -> None:
    key = "interviews/fewer.mp3"
    transcribe(flow, key)
    assert list_extensions(flow, key) == {get_extension(name) for name in FORMATS}
    wait_for_next_second()
    flow.upload(key, SPEECH * 2, **{"scribe-formats": "podcast,md"})
    flow.settle()
    assert list_extensions(flow, key) == {"podcast.json", "md"}
    assert json.loads(flow.output(f"transcripts/{key}.podcast.json"))["version"] == "1.0.0"
