"""The output formats, by the name that the FORMATS setting uses. To add one: write a module here and list it.

Which of them a deployment writes is the FORMATS setting; its default is `DEFAULT_FORMATS` in shared/settings.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from shared.transcript.captions import Cue, build_cues
from shared.transcript.formats.json_document import render_json
from shared.transcript.formats.plain_text import render_txt
from shared.transcript.formats.srt import render_srt
from shared.transcript.formats.vtt import render_vtt
from shared.transcript.models import Transcript


class RenderContext:
    """A transcript and its cues, which are built once for all subtitle formats."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript

    @cached_property
    def cues(self) -> list[Cue]:
        """The cues, built on first use."""
        return build_cues(self.transcript)


class Format(NamedTuple):
    """An output format. `write` returns the whole file, always the same bytes for an equal transcript."""

    extension: str
    content_type: str
    write: Callable[[RenderContext], bytes]

    def render(self, transcript: Transcript) -> bytes:
        """Return the file in this format only."""
        return self.write(RenderContext(transcript))


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "json": Format(".json", "application/json", lambda context: render_json(context.transcript)),
        "txt": Format(".txt", "text/plain; charset=utf-8", lambda context: render_txt(context.transcript)),
        "srt": Format(
            ".srt", "application/x-subrip; charset=utf-8", lambda context: render_srt(context.cues)
        ),
        "vtt": Format(
            ".vtt",
            "text/vtt; charset=utf-8",
            lambda context: render_vtt(context.cues, context.transcript.title),
        ),
    }
)


def render_formats(transcript: Transcript, names: Iterable[str]) -> Iterator[tuple[Format, bytes]]:
    """Yield each named format with its file, one at a time, so that memory holds one file only."""
    context = RenderContext(transcript)
    for name in names:
        yield FORMATS[name], FORMATS[name].write(context)
