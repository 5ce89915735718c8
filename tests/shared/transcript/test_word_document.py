"""The document for Word, WPS and LibreOffice. Its readers here are python-docx and LibreOffice."""

from __future__ import annotations

import io
import re
import time
import zipfile
from pathlib import Path

import docx
import pytest

from shared.transcript import FORMATS
from tests.helpers.format_readers import read_docx
from tests.helpers.hostile_texts import HOSTILE_TEXTS, LONG_WORD, build_hostile_transcript
from tests.helpers.office import convert, needs_libreoffice


def render(
    *texts: str,
    names: tuple[str, ...] = (),
    title: str = "",
    key: str = "calls/a.mp3",
    engine: str = "16k_zh",
) -> bytes:
    transcript = build_hostile_transcript(list(texts), names=names, title=title, key=key, engine=engine)
    return FORMATS["docx"].render(transcript)


def read_part(data: bytes, name: str) -> str:
    return zipfile.ZipFile(io.BytesIO(data)).read(name).decode()


def test_document_has_heading_bold_speakers_and_quiet_times() -> None:
    document = docx.Document(io.BytesIO(render("您好。", "Hi.", names=("客服", "Anna"), title="周会")))
    assert [paragraph.text for paragraph in document.paragraphs] == [
        "周会", "客服  00:00:00\n您好。", "Anna  00:00:02\nHi.",
    ]  # fmt: skip
    speaker, clock, *_ = document.paragraphs[1].runs
    assert speaker.style.font.bold
    assert not clock.style.font.bold
    assert clock.style.font.color is not None
    assert str(clock.style.font.color.rgb) == "6B6B6B"
    assert document.core_properties.title == "周会"
    assert document.core_properties.language == "zh-CN"


def test_one_voice_has_no_speaker() -> None:
    assert read_docx(render("One.", "Two.")).parts == [("", "One. Two.")]
    assert read_docx(render("One.")).heading == "a.mp3"


def test_equal_transcripts_have_equal_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    before = render("您好。", names=("客服",))
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2_000_000_000))
    assert render("您好。", names=("客服",)) == before
    parts = zipfile.ZipFile(io.BytesIO(before)).infolist()
    assert {part.date_time for part in parts} == {(1980, 1, 1, 0, 0, 0)}
    assert parts[0].filename == "[Content_Types].xml"
    assert not re.search("created|modified", read_part(before, "docProps/core.xml"))


@pytest.mark.parametrize(
    ("engine", "language", "latin", "east_asian", "font"),
    [
        ("16k_zh", "zh-CN", "en-US", "zh-CN", "Microsoft YaHei"),
        ("16k_zh_en", "zh-CN", "en-US", "zh-CN", "Microsoft YaHei"),
        ("16k_zh-PY", "zh-CN", "en-US", "zh-CN", "Microsoft YaHei"),
        ("8k_en", "en-US", "en-US", "zh-CN", "Microsoft YaHei"),
        ("16k_ja", "ja-JP", "en-US", "ja-JP", "Yu Gothic"),
        ("16k_th", "th-TH", "th-TH", "zh-CN", "Microsoft YaHei"),
        ("new", "zh-CN", "en-US", "zh-CN", "Microsoft YaHei"),
    ],
)
def test_language_and_font_are_those_of_the_engine(
    engine: str, language: str, latin: str, east_asian: str, font: str
) -> None:
    data = render("x", engine=engine)
    styles = read_part(data, "word/styles.xml")
    assert f'<w:lang w:val="{latin}" w:eastAsia="{east_asian}"' in styles
    assert f'w:eastAsia="{font}"' in styles
    assert docx.Document(io.BytesIO(data)).core_properties.language == language


@pytest.mark.parametrize(
    ("text", "has_hint"), [("“您好…”", True), ("“café…”", False), ("한국어", True), ("Hi.", False)]
)
def test_marks_in_chinese_text_are_of_the_chinese_font(text: str, has_hint: bool) -> None:
    document = read_part(render(text), "word/document.xml")
    assert ('<w:rFonts w:hint="eastAsia"/>' in document) is has_hint


@pytest.mark.process
@needs_libreoffice
def test_libreoffice_shows_the_whole_text(tmp_path: Path) -> None:
    texts = [text for text in HOSTILE_TEXTS if text.strip() and len(text) < 1_000]
    transcript = build_hostile_transcript(
        [*texts, LONG_WORD], names=("客服", "<b>Li</b> & Wei"), title="周会 #3"
    )
    file = tmp_path / "a.mp3.docx"
    file.write_bytes(FORMATS["docx"].render(transcript))
    shown = convert(file, "txt:Text (encoded):UTF8").read_text(encoding="utf-8-sig")
    assert shown.startswith("周会 #3\n客服  00:00:00\n")
    offset = 0
    for sentence in transcript.sentences:
        offset = shown.index(sentence.text, offset) + len(sentence.text)
    assert "<b>Li</b> & Wei  00:00:02\n" in shown
    assert convert(file, "pdf").read_bytes().startswith(b"%PDF-")
