"""Paragraphs for reading: consecutive sentences of one speaker. TXT, MD, DOCX and the page have the same ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from shared.transcript.models import Sentence, Transcript
from shared.transcript.text import display_width, join_sentences

_MAX_PAUSE_MS = 2_000
_MAX_WIDTH = 600


class Paragraph(NamedTuple):
    """Consecutive sentences of one speaker; the label is None where there is only one speaker."""

    start_ms: int
    label: str | None
    text: str


def build_paragraphs(transcript: Transcript) -> Iterator[Paragraph]:
    """Yield paragraphs, as `group_sentences` divides the text. Voices with the same name are one speaker."""
    for sentences in group_sentences(transcript, transcript.get_label):
        texts = [sentence.text for sentence in sentences]
        yield Paragraph(sentences[0].start_ms, transcript.get_label(sentences[0]), join_sentences(texts))


def group_sentences(
    transcript: Transcript, get_speaker: Callable[[Sentence], str | None]
) -> Iterator[list[Sentence]]:
    """Yield the sentences of each paragraph.

    One ends at a change of speaker, before a pause over 2 s, or when it reaches 600 columns.
    """
    speaker: str | None = None
    group: list[Sentence] = []
    width = end_ms = 0
    for sentence in transcript.sentences:
        new_speaker = get_speaker(sentence)
        is_new = new_speaker != speaker or sentence.start_ms - end_ms > _MAX_PAUSE_MS or width >= _MAX_WIDTH
        if group and is_new:
            yield group
            group, width = [], 0
        speaker = new_speaker
        group.append(sentence)
        width += display_width(sentence.text)
        end_ms = max(end_ms, sentence.end_ms)
    if group:
        yield group


def format_clock(time_ms: int) -> str:
    """Return `hh:mm:ss`, the whole seconds of a time; hours may have more than two digits."""
    seconds = time_ms // 1000
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
