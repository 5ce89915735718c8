"""Plain text for reading: paragraphs, with a label where there are several speakers, and their time on request."""

from collections.abc import Iterator

from shared.transcript.formats.context import RenderContext
from shared.transcript.formats.paragraphs import build_paragraphs, format_clock
from shared.transcript.models import Transcript
from shared.transcript.text import encode_pieces


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
    for start_ms, label, text in build_paragraphs(transcript):
        clock = f"[{format_clock(start_ms)}] " if transcript.layout.has_times else ""
        speaker = f"{label}: " if label else ""
        yield f"{separator}{clock}{speaker}{text}\n"
        separator = "\n"
