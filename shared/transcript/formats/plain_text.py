"""Plain text for reading: paragraphs, with a label where there are several speakers."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.transcript.formats.context import RenderContext
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
        new_label = transcript.get_label(sentence)
        is_new = new_label != label or sentence.start_ms - end_ms > _MAX_PAUSE_MS or width >= _MAX_WIDTH
        if texts and is_new:
            yield Paragraph(label, join_sentences(texts))
            texts, width = [], 0
        label = new_label
        texts.append(sentence.text)
        width += display_width(sentence.text)
        end_ms = max(end_ms, sentence.end_ms)
    if texts:
        yield Paragraph(label, join_sentences(texts))


def render(context: RenderContext) -> bytes:
    """Return the title and the paragraphs in UTF-8 with empty lines between them.

    The file of a silent recording without a title is empty.
    """
    return encode_pieces(_pieces(context.transcript))


def _pieces(transcript: Transcript) -> Iterator[str]:
    separator = ""
    if transcript.title:
        yield f"{transcript.title}\n"
        separator = "\n"
    for label, text in build_paragraphs(transcript):
        yield f"{separator}{label}: {text}\n" if label else f"{separator}{text}\n"
        separator = "\n"
