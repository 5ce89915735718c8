"""SubRip subtitles, one block per cue. There is no specification: the behaviour of common players is the reference."""

from collections.abc import Iterable, Iterator

from shared.transcript.caption_limits import CaptionLimits
from shared.transcript.captions import Cue, format_time
from shared.transcript.formats.context import RenderContext
from shared.transcript.text import encode_pieces, replace_markup


def render(context: RenderContext) -> bytes:
    """Return SubRip in UTF-8. With several speakers, a label marks each change. The file of silence is empty."""
    return encode_pieces(_pieces(context.cues, CaptionLimits.from_layout(context.transcript.layout)))


def _pieces(cues: Iterable[Cue], limits: CaptionLimits) -> Iterator[str]:
    last_label = None
    for number, cue in enumerate(cues, start=1):
        if number > 1:
            yield "\n"
        yield f"{number}\n{format_time(cue.start_ms, ',')} --> {format_time(cue.end_ms, ',')}\n"
        for label, text in cue.parts:
            shown = replace_markup(text)
            is_shown = label != last_label or len(cue.parts) > 1
            yield f"{limits.format_label(label)}{shown}\n" if label and is_shown else f"{shown}\n"
            last_label = label
