"""SubRip subtitles, one block per cue. There is no specification: the behaviour of common players is the reference."""

from collections.abc import Iterable, Iterator

from shared.transcript.captions import Cue, format_time
from shared.transcript.text import encode_pieces


def render_srt(cues: Iterable[Cue]) -> bytes:
    """Return SubRip in UTF-8. With several speakers, a label marks each change. The file of silence is empty."""
    return encode_pieces(_pieces(cues))


def _pieces(cues: Iterable[Cue]) -> Iterator[str]:
    last_label = None
    for number, cue in enumerate(cues, start=1):
        if number > 1:
            yield "\n"
        yield f"{number}\n{format_time(cue.start_ms, ',')} --> {format_time(cue.end_ms, ',')}\n"
        for label, text in cue.parts:
            shown = _replace_markup(text)
            show_label = label and (label != last_label or len(cue.parts) > 1)
            yield f"{label}: {shown}\n" if show_label else f"{shown}\n"
            last_label = label


def _replace_markup(text: str) -> str:
    """Replace the characters that players read as markup by their full-width forms, because SRT has no escapes.

    Players hide `<...>` and `{...}` as styling, and read a backslash before some letters as a line break. The
    full-width forms are visible in every player, and also split `-->`. Players show `&` as it is.
    """
    text = text.replace("<", "＜").replace(">", "＞")
    return text.replace("{", "｛").replace("}", "｝").replace("\\", "＼")
