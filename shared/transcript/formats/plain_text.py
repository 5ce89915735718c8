"""Plain text for reading: paragraphs, with a label where there are several speakers."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.transcript.models import Transcript
from shared.transcript.text import display_width, encode_pieces, join_sentences

_MAX_PAUSE_MS = 2_000
_MAX_WIDTH = 600


class Paragraph(NamedTuple):
    """Consecutive sentences of one speaker; the label is None where there is only one speaker."""

    label: str | None
    text: str


def build_paragraphs(transcript: Transcript) -> Iterator[Paragraph]:
    """Yield paragraphs. One ends at a change of speaker, before a pause over 2 s, or when it reaches 600 columns."""
    label: str | None = None
    texts: list[str] = []
    width = end_ms = 0
    for sentence in transcript.sentences:
        is_new = sentence.label != label or sentence.start_ms - end_ms > _MAX_PAUSE_MS or width >= _MAX_WIDTH
        if texts and is_new:
            yield Paragraph(label, join_sentences(texts))
            texts, width = [], 0
        label = sentence.label
        texts.append(sentence.text)
        width += display_width(sentence.text)
        end_ms = max(end_ms, sentence.end_ms)
    if texts:
        yield Paragraph(label, join_sentences(texts))


def render_txt(transcript: Transcript) -> bytes:
    """Return the paragraphs in UTF-8 with an empty line between them. The file of a silent recording is empty."""
    return encode_pieces(_pieces(transcript))


def _pieces(transcript: Transcript) -> Iterator[str]:
    for number, (label, text) in enumerate(build_paragraphs(transcript)):
        if number:
            yield "\n"
        yield f"{label}: {text}\n" if label else f"{text}\n"
