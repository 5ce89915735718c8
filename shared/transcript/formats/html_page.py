"""The page to read and hear: one HTML file without requests to any other host, which is opened from a disk.

It is also a valid HTML transcript of Podcasting 2.0, `<cite>`, `<time>` and `<p>`, and can be read and printed without
script. Source: docs/examples/transcripts/transcripts.md of the podcast namespace. A paragraph of one voice is

    <section class=c1 data-voice=A>                                      its colour and its letter
    <cite>Anna:</cite>                                                   only where the voice changes
    <time datetime=PT1S>0:01</time>
    <p><span data-t="1gs nw 0 by">Front desk?</span> <span data-t="...">...</span></p>
    </section>

`data-t` has the times of a sentence in ms as numbers of base 36: its start, its length, and then for each word how
much later than the word before (the first: than the sentence) it starts. A word ends after the next space of the text.
If it does not, its length follows in capital letters, a number of base 26 in UTF-16 units: `0Cby`.

For programs that read the file, each sentence has `data-testid`, `data-start-ms` and `data-end-ms` too. In a page of
more than 2,000 sentences, which must stay small, the script sets them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from shared.transcript.formats.context import RenderContext
from shared.transcript.formats.page_controls import HELP, LABELS, PLAYER, TOOLS
from shared.transcript.formats.page_speakers import (
    draw_map,
    escape_text,
    format_speakers,
    format_time,
    format_voice,
    get_number,
)
from shared.transcript.formats.page_times import format_times
from shared.transcript.formats.paragraphs import group_sentences
from shared.transcript.models import Sentence, Transcript
from shared.transcript.text import clean_text, encode_pieces, needs_space_between

_MAX_NAMED_SENTENCES = 2_000
_PAGE_FOLDER = Path(__file__).parents[1] / "page"

# White space that style and script do without. A string or a template stays as it is.
_STYLE_SPACES = re.compile(r'("[^"]*")|\s*([{}])\s*|([,:;])\s')
_SCRIPT_SPACES = re.compile(r'("(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)|\s*([{}()\[\];,=<>+*/?:|&!-]+)\s*')

_KANA, _HANGUL, _HAN = (
    re.compile("[\u3041-\u30ff]"),
    re.compile("[\uac00-\ud7a3]"),
    re.compile("[\u3400-\u9fff]"),
)
_ENGINE_LANGUAGE = re.compile(r"\d+k_([a-z]{2,3})(?![a-z])")
_CJK_LANGUAGES = frozenset(("zh", "yue", "ja", "ko"))


def render(context: RenderContext) -> bytes:
    """Return the page in UTF-8."""
    return encode_pieces(_pieces(context.transcript, context.heading))


class Assets(NamedTuple):
    """The style and the script as they are in the page."""

    style: str
    script: str


@cache
def load_assets() -> Assets:
    """Load page.css and page.js as every page has them: without comments and needless white space."""
    return Assets(_load("page.css", _STYLE_SPACES), _load("page.js", _SCRIPT_SPACES))


def _load(name: str, spaces: re.Pattern[str]) -> str:
    """Return a source without the lines that are only a comment, and without white space beside punctuation.

    Every statement of the sources ends with a semicolon, so that the script does not need its line ends.
    """
    lines = map(str.strip, (_PAGE_FOLDER / name).read_text(encoding="utf-8").splitlines())
    code = "\n".join(line for line in lines if line and not line.startswith(("//", "/*")))
    return spaces.sub(lambda match: "".join(filter(None, match.groups())), code).replace(";}", "}")


def _pieces(transcript: Transcript, title: str) -> Iterator[str]:
    name = clean_text(transcript.recording.key.rpartition("/")[2])
    language = _Languages(transcript.engine)
    languages = Counter(language.find(sentence.text) for sentence in transcript.sentences)
    main_language = max(languages, key=languages.__getitem__, default=language.find(title))
    total_ms = max([transcript.duration_ms or 0, *[max(sentence[:2]) for sentence in transcript.sentences]])
    yield from _head(title)
    duration = "" if transcript.duration_ms is None else f' data-duration="{transcript.duration_ms}"'
    yield f'<body data-id="{escape_text(transcript.job_id)}" data-name="{escape_text(name)}"{duration}>\n'
    yield f'<header>\n<h1 dir="auto" lang="{language.find(title)}">{escape_text(title)}</h1>\n'
    about = [f"<bdi>{escape_text(name)}</bdi>"] if name and name != title else []
    if transcript.duration_ms is not None:
        about.append(format_time(transcript.duration_ms))
    yield f'<p class="about">{" · ".join(about)}</p>\n'
    yield from format_speakers(transcript)
    yield f'</header>\n{TOOLS}<main data-testid="transcript" lang="{main_language}">\n'
    if not transcript.sentences:
        yield "<p data-label>No speech was recognised.</p>\n"
    yield from _paragraphs(transcript, language, main_language)
    yield "</main>\n"
    yield PLAYER.format(
        source=escape_text(_build_source(transcript.recording.key)),
        map="".join(draw_map(transcript, total_ms)),
        seconds=-(-total_ms // 1000),
        total=format_time(total_ms),
    )
    yield f"{HELP}{LABELS}"
    yield f"<script>{load_assets().script}</script>\n</body>\n</html>\n"


def _head(title: str) -> Iterator[str]:
    style, script = load_assets()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; media-src 'self' blob:; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
    yield f"<title>{escape_text(title)}</title>\n<style>{style}</style>\n</head>\n"


def _hash(source: str) -> str:
    return f"sha256-{b64encode(sha256(source.encode()).digest()).decode()}"


def _paragraphs(transcript: Transcript, language: _Languages, main_language: str) -> Iterator[str]:
    last_number: int | None = None
    has_names = len(transcript.sentences) <= _MAX_NAMED_SENTENCES
    for group in group_sentences(transcript, attrgetter("label")):
        first = group[0]
        label, number = transcript.get_label(first), get_number(first)
        text = "".join([sentence.text for sentence in group])
        attributes = [format_voice(number)] if number and label else []
        if (own_language := language.find(text)) != main_language:
            attributes.append(f"lang={own_language}")
        # Five hours have thousands of these lines, so they are short: HTML needs no quotes around simple values.
        yield f"<section{''.join([f' {attribute}' for attribute in attributes])}>"
        if label and number != last_number:
            yield f"<cite>{escape_text(label)}:</cite>"
        last_number = number
        yield f"<time datetime=PT{first.start_ms // 1000}S>{format_time(first.start_ms)}</time>\n<p>"
        before = ""
        for sentence in group:
            space = " " if needs_space_between(before, sentence.text) else ""
            names = _format_names(sentence) if has_names else ""
            yield f'{space}<span{names} data-t="{format_times(sentence)}">'
            yield f"{escape_text(sentence.text, quote=False)}</span>"
            before = sentence.text
        yield "</p></section>\n"


def _format_names(sentence: Sentence) -> str:
    return f" data-testid=sentence data-start-ms={sentence.start_ms} data-end-ms={sentence.end_ms}"


def _build_source(key: str) -> str:
    """Return the relative URL of the recording, which may be beside the page."""
    return quote(key.rpartition("/")[2], safe="", errors="replace")


class _Languages:
    """Names the language of a text by its script, and by the engine where several languages share the script."""

    def __init__(self, engine: str) -> None:
        match = _ENGINE_LANGUAGE.match(engine)
        engine_language = match[1] if match else "zh"
        # Tencent's engine `16k_ca` is for Cantonese, whose code is `yue`.
        self._engine_language = "yue" if engine_language == "ca" else engine_language

    def find(self, text: str) -> str:
        """Return the code of the language."""
        if text.isascii():
            pass
        elif _KANA.search(text):
            return "ja"
        elif _HANGUL.search(text):
            return "ko"
        elif _HAN.search(text):
            return self._engine_language if self._engine_language in _CJK_LANGUAGES else "zh"
        return "en" if self._engine_language in _CJK_LANGUAGES else self._engine_language
