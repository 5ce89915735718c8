"""Reads each output format with a library that others wrote for it, and returns what the file says.

A reader fails if the file is not valid, or if it has anything beside text.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import docx
import jsonschema
import pysubs2
import webvtt
from docx.text.paragraph import Paragraph
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin

SCHEMA = Path(__file__).parents[2] / "docs" / "transcript.schema.json"
TRANSCRIPT_SCHEMA = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))

# Written after docs/examples/transcripts/transcripts.md of Podcastindex-org/podcast-namespace; a speaker may be
# missing, as in the example of AntennaPod's parser.
PODCAST_SCHEMA = jsonschema.Draft202012Validator(
    {
        "type": "object",
        "required": ["version", "segments"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": "1.0.0"},
            "segments": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["startTime", "endTime", "body"],
                    "additionalProperties": False,
                    "properties": {
                        "speaker": {"type": "string", "minLength": 1},
                        "startTime": {"type": "number", "minimum": 0},
                        "endTime": {"type": "number", "minimum": 0},
                        "body": {"type": "string", "minLength": 1},
                    },
                },
            },
        },
    }
)
CLOCK = re.compile(r"\d{2,}:[0-5]\d:[0-5]\d")
_INVISIBLE = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
_GUARDED = re.compile(rf"(^|;)'(?=[\s'\"{_INVISIBLE}]*[=+\-@＝＋－＠])")
FROM_SRT = str.maketrans("＜＞｛｝＼∶", "<>{}\\:")


class Contents(NamedTuple):
    """What a file says: its heading or title, and in order its speakers ("" without one) and texts."""

    heading: str
    parts: list[tuple[str, str]]

    @property
    def text(self) -> str:
        """Everything that is said, without white space, which formats break differently."""
        return "".join("".join(text for _, text in self.parts).split())


def read_txt(data: bytes) -> Contents:
    """Read plain text. Speakers and texts are not separated, because any text may look like a speaker."""
    text = data.decode()
    assert text == "" or text.endswith("\n")
    return Contents("", [("", paragraph) for paragraph in text.removesuffix("\n").split("\n\n") if paragraph])


def read_srt(data: bytes) -> Contents:
    """Read SubRip with pysubs2; speakers and texts are not separated."""
    subtitles = pysubs2.SSAFile.from_string(data.decode(), format_="srt")
    return Contents("", [("", event.plaintext.translate(FROM_SRT)) for event in subtitles])


def read_vtt(data: bytes) -> Contents:
    """Read WebVTT with webvtt-py: each voice with its text."""
    parts = []
    for caption in webvtt.from_string(data.decode()).captions:
        voices = re.findall(r"<v ([^>]*)>(.*?)</v>", caption.raw_text, re.DOTALL)
        rest = re.sub(r"<v [^>]*>.*?</v>", "", caption.raw_text, flags=re.DOTALL).strip()
        assert not re.search("[<>]", rest)
        voices += [("", rest)] if rest else []
        parts += [(html.unescape(name), html.unescape(text)) for name, text in voices]
    return Contents("", parts)


def read_json(data: bytes) -> Contents:
    """Read Scribe's JSON, which must be what the schema describes."""
    document = json.loads(data)
    TRANSCRIPT_SCHEMA.validate(document)
    return Contents(document["title"] or "", [("", sentence["text"]) for sentence in document["sentences"]])


def read_podcast(data: bytes) -> Contents:
    """Read the JSON of Podcasting 2.0, which must be what its specification describes."""
    document = json.loads(data)
    PODCAST_SCHEMA.validate(document)
    segments = document["segments"]
    assert all(segment["startTime"] <= segment["endTime"] for segment in segments)
    assert [segment["startTime"] for segment in segments] == sorted(s["startTime"] for s in segments)
    return Contents("", [(segment.get("speaker", ""), segment["body"]) for segment in segments])


def read_csv(data: bytes) -> Contents:
    """Read the table with the csv module, without the apostrophes in front of what could be a formula."""
    assert data.startswith(b"\xef\xbb\xbf")
    text = data.decode("utf-8-sig")
    assert text.count("\n") == text.count("\r\n")
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == ["start", "end", "speaker", "text"]
    for row in rows:
        assert [bool(re.fullmatch(r"\d{2,}:[0-5]\d:[0-5]\d\.\d{3}", cell)) for cell in row[:2]] == [
            True,
            True,
        ]
    return Contents("", [(unguard(speaker), unguard(text)) for _, _, speaker, text in rows])


def unguard(cell: str) -> str:
    """Return the text of a cell without the apostrophes that keep it from being a formula."""
    return _GUARDED.sub(r"\1", cell)


def build_markdown_parser() -> MarkdownIt:
    """Build a parser that takes for markup whatever widespread renderers do, raw HTML included."""
    parser = MarkdownIt("gfm-like", {"html": True, "linkify": True, "typographer": False})
    return parser.use(dollarmath_plugin, double_inline=True).use(footnote_plugin)


def read_md(data: bytes) -> Contents:
    """Read Markdown with markdown-it: one heading, and paragraphs of text with the speaker in bold and the time."""
    tokens = build_markdown_parser().parse(data.decode())
    blocks = [token.type for token in tokens]
    paragraph = ["paragraph_open", "inline", "paragraph_close"]
    count = (len(blocks) - 3) // 3
    assert blocks == ["heading_open", "inline", "heading_close", *paragraph * count]
    heading, *lines = [token for token in tokens if token.type == "inline"]
    return Contents(_read_inline(heading)[1], [_read_line(line) for line in lines])


def _read_line(line: Token) -> tuple[str, str]:
    speaker, text = _read_inline(line)
    clock, text = text.removeprefix(" ").split(") ", 1)
    assert CLOCK.fullmatch(clock.removeprefix("("))
    return speaker, text


def _read_inline(token: Token) -> tuple[str, str]:
    """Return what is bold at the start of a line, and the other text of it."""
    children = [child for child in token.children or () if child.type != "text" or child.content]
    bold = ""
    if children and children[0].type == "strong_open":
        end = [child.type for child in children].index("strong_close")
        bold, children = _join(children[1:end]), children[end + 1 :]
    return bold, _join(children)


def _join(tokens: list[Token]) -> str:
    assert {token.type for token in tokens} <= {"text"}, [token.type for token in tokens]
    return "".join(token.content for token in tokens)


def read_docx(data: bytes) -> Contents:
    """Read the document with python-docx: a heading, and paragraphs with the speaker, the time, and the text."""
    document = docx.Document(io.BytesIO(data))
    heading, *paragraphs = document.paragraphs
    assert heading.style is not None
    assert heading.style.name == "Heading 1"
    assert document.core_properties.title == heading.text
    assert not document.tables
    assert not document.inline_shapes
    return Contents(heading.text, [_read_paragraph(paragraph) for paragraph in paragraphs])


def _read_paragraph(paragraph: Paragraph) -> tuple[str, str]:
    assert not paragraph.hyperlinks
    speaker = ""
    runs = list(paragraph.runs)
    if runs[0].style.name == "Speaker":
        assert runs[0].style.font.bold
        speaker = runs.pop(0).text.removesuffix("  ")
    time, line_break, text = runs
    assert time.style.name == "Time"
    assert CLOCK.fullmatch(time.text)
    assert line_break.text == "\n"
    return speaker, text.text


READERS: Mapping[str, Callable[[bytes], Contents]] = {
    "txt": read_txt,
    "srt": read_srt,
    "vtt": read_vtt,
    "json": read_json,
    "md": read_md,
    "docx": read_docx,
    "csv": read_csv,
    "podcast": read_podcast,
}
