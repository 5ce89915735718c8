"""WebVTT captions. Source of the syntax: the W3C's WebVTT specification."""

from collections.abc import Iterable, Iterator

from shared.transcript.captions import Cue, format_time
from shared.transcript.formats.context import RenderContext
from shared.transcript.text import encode_pieces


def render(context: RenderContext) -> bytes:
    """Return WebVTT in UTF-8. With several speakers, each part has a voice tag. The file of silence is a header."""
    return encode_pieces(_pieces(context.cues, context.transcript.title))


def _pieces(cues: Iterable[Cue], title: str) -> Iterator[str]:
    # The header has no escapes, and must not contain an arrow.
    yield f"WEBVTT - {title.replace('-->', '--＞')}\n" if title else "WEBVTT\n"
    for cue in cues:
        yield f"\n{format_time(cue.start_ms, '.')} --> {format_time(cue.end_ms, '.')}\n"
        for label, text in cue.parts:
            escaped = _escape(text)
            yield f"<v {_escape(label)}>{escaped}</v>\n" if label else f"{escaped}\n"


def _escape(text: str) -> str:
    # In a text, the specification requires the first two, and the third keeps `-->` out; in the name of a voice, it
    # requires the first and the third.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
