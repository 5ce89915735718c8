"""SubRip subtitles, one block per cue. There is no specification: the behaviour of common players is the reference."""

import re
from collections.abc import Iterable, Iterator

from shared.transcript.caption_limits import CaptionLimits
from shared.transcript.captions import Cue, format_time
from shared.transcript.formats.context import RenderContext
from shared.transcript.text import encode_pieces, replace_markup

# Two times on one line begin a cue in some readers, also without an arrow between them.
_TIME = re.compile(r"(?<=\d):(?=\d{1,2}[.,]\d)")
_RATIO = "\u2236"  # looks like a colon, and is as wide


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
            if label and (label != last_label or len(cue.parts) > 1):
                shown = limits.format_label(label) + shown
            yield f"{_TIME.sub(_RATIO, shown)}\n"
            last_label = label
