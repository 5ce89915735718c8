"""The page to read and hear: one HTML file without requests to any other host, which is opened from a disk.

It is also a valid HTML transcript of Podcasting 2.0: `<cite>`, `<time>` and `<p>` for each sentence. Source: the page
transcripts.md of the podcast namespace.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from shared.transcript.formats.context import RenderContext
from shared.transcript.models import Transcript
from shared.transcript.text import encode_pieces


def render(context: RenderContext) -> bytes:
    """Return the page in UTF-8."""
    return encode_pieces(_pieces(context.transcript))


def _pieces(transcript: Transcript) -> Iterator[str]:
    yield '<!doctype html>\n<meta charset="utf-8">\n<main data-testid="transcript">\n'
    for sentence in transcript.sentences:
        label = transcript.get_label(sentence)
        if label:
            yield f"<cite>{escape(label)}:</cite>\n"
        yield f'<p data-testid="sentence" data-start-ms="{sentence.start_ms}" data-end-ms="{sentence.end_ms}">'
        yield f"{escape(sentence.text)}</p>\n"
    yield "</main>\n"
