"""Plain text for reading: paragraphs, with a label where there are several speakers."""

from collections.abc import Iterator

from shared.transcript.formats.context import RenderContext
from shared.transcript.formats.paragraphs import build_paragraphs
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
    for _, label, text in build_paragraphs(transcript):
        yield f"{separator}{label}: {text}\n" if label else f"{separator}{text}\n"
        separator = "\n"
