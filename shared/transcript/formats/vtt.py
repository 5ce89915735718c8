"""WebVTT captions. Source of the syntax: the W3C's WebVTT specification."""

from collections.abc import Iterable, Iterator

from shared.transcript.captions import Cue, format_time
from shared.transcript.text import encode_pieces


def render_vtt(cues: Iterable[Cue]) -> bytes:
    """Return WebVTT in UTF-8. With several speakers, each part has a voice tag. The file of silence is a header."""
    return encode_pieces(_pieces(cues))


def _pieces(cues: Iterable[Cue]) -> Iterator[str]:
    yield "WEBVTT\n"
    for cue in cues:
        yield f"\n{format_time(cue.start_ms, '.')} --> {format_time(cue.end_ms, '.')}\n"
        for label, text in cue.parts:
            escaped = _escape(text)
            yield f"<v {label}>{escaped}</v>\n" if label else f"{escaped}\n"


def _escape(text: str) -> str:
    # The specification requires the first two; the third keeps `-->` out of a cue's text.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
