"""SubRip subtitles, one cue a block. The format has no specification: what the players agree on counts."""

from collections.abc import Iterator, Sequence

from shared.transcript.captions import Cue

# SRT has no way to escape. Players take `<...>` and `{...}` for styling and hide it, and a backslash before some
# letters for a line break. Speech hardly ever holds these signs; where it does, their full-width forms are shown by
# every player, and lose no text. `-->` is broken up by the same means. `&` is plain text to players and stays.
_FULL_WIDTH = str.maketrans("<>{}\\", "＜＞｛｝＼")


def render_srt(shown: Sequence[Cue]) -> bytes:
    """Write SubRip subtitles in UTF-8. Where there are several voices, a label marks each change. Silence is empty."""
    return "\n".join(_blocks(shown)).encode()


def _blocks(shown: Sequence[Cue]) -> Iterator[str]:
    last_label = None
    for number, cue in enumerate(shown, start=1):
        lines = []
        for part in cue.parts:
            first, *rest = (line.translate(_FULL_WIDTH) for line in part.lines)
            new_voice = part.label != last_label or len(cue.parts) > 1
            lines += [f"{part.label}: {first}" if part.label and new_voice else first, *rest]
            last_label = part.label
        text = "\n".join(lines)
        yield f"{number}\n{_clock(cue.start_ms)} --> {_clock(cue.end_ms)}\n{text}\n"


def _clock(time_ms: int) -> str:
    seconds, ms = divmod(time_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{ms:03}"
