"""Paragraphs for reading: consecutive sentences of one speaker. TXT, MD and DOCX have the same ones."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.transcript.models import Transcript
from shared.transcript.text import display_width, join_sentences

_MAX_PAUSE_MS = 2_000
_MAX_WIDTH = 600


class Paragraph(NamedTuple):
    """Consecutive sentences of one speaker; the label is None where there is only one speaker."""

    start_ms: int
    label: str | None
    text: str


def build_paragraphs(transcript: Transcript) -> Iterator[Paragraph]:
    """Yield paragraphs. One ends at a change of speaker, before a pause over 2 s, or when it reaches 600 columns."""
    label: str | None = None
    texts: list[str] = []
    start_ms = width = end_ms = 0
    for sentence in transcript.sentences:
        new_label = transcript.get_label(sentence)
        is_new = new_label != label or sentence.start_ms - end_ms > _MAX_PAUSE_MS or width >= _MAX_WIDTH
        if texts and is_new:
            yield Paragraph(start_ms, label, join_sentences(texts))
            texts, width = [], 0
        if not texts:
            start_ms = sentence.start_ms
        label = new_label
        texts.append(sentence.text)
        width += display_width(sentence.text)
        end_ms = max(end_ms, sentence.end_ms)
    if texts:
        yield Paragraph(start_ms, label, join_sentences(texts))


def format_clock(time_ms: int) -> str:
    """Return `hh:mm:ss`, the whole seconds of a time; hours may have more than two digits."""
    seconds = time_ms // 1000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
