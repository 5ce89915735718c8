"""WebVTT captions. Source of the syntax: the W3C's WebVTT specification."""

from collections.abc import Iterator, Sequence

from shared.transcript.captions import Cue, Part

# The specification asks for the first two; the third keeps `-->` out of a cue's text.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render_vtt(shown: Sequence[Cue]) -> bytes:
    """Write WebVTT in UTF-8. Where there are several voices, each stands in a voice tag. Silence is the header only."""
    return "\n".join(["WEBVTT\n", *_blocks(shown)]).encode()


def _blocks(shown: Sequence[Cue]) -> Iterator[str]:
    for cue in shown:
        text = "\n".join(map(_voice, cue.parts))
        yield f"{_clock(cue.start_ms)} --> {_clock(cue.end_ms)}\n{text}\n"


def _voice(part: Part) -> str:
    text = "\n".join(part.lines).translate(_ESCAPES)
    return f"<v {part.label}>{text}</v>" if part.label else text


def _clock(time_ms: int) -> str:
    seconds, ms = divmod(time_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"
