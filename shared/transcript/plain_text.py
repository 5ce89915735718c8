"""The transcript to be read: paragraphs, labelled where there are several voices."""

from collections.abc import Iterator
from typing import NamedTuple

from shared.transcript.model import Transcript
from shared.transcript.typography import columns, join_sentences

_PAUSE_MS = 2_000
_LONG_COLUMNS = 600


class Paragraph(NamedTuple):
    """What one voice says in one go; the label is None where there is one voice only."""

    label: str | None
    text: str


def paragraphs(transcript: Transcript) -> Iterator[Paragraph]:
    """Give paragraphs: a new one at a change of voice, after a pause of 2 s, or when one has grown to 600 columns."""
    label: str | None = None
    said: list[str] = []
    width = end_ms = 0
    for sentence in transcript.sentences:
        new = sentence.label != label or sentence.start_ms - end_ms > _PAUSE_MS or width >= _LONG_COLUMNS
        if said and new:
            yield Paragraph(label, join_sentences(said))
            said, width = [], 0
        label = sentence.label
        said.append(sentence.text)
        width += columns(sentence.text)
        end_ms = max(end_ms, sentence.end_ms)
    if said:
        yield Paragraph(label, join_sentences(said))


def render_txt(transcript: Transcript) -> bytes:
    """Write the paragraphs in UTF-8 with an empty line between them. Silence is an empty file."""
    lines = (
        f"{paragraph.label}: {paragraph.text}\n" if paragraph.label else f"{paragraph.text}\n"
        for paragraph in paragraphs(transcript)
    )
    return "\n".join(lines).encode()
