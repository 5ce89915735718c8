"""The formats a transcript can be written in, by the name the FORMATS setting uses."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from shared.transcript.captions import Cue, cues
from shared.transcript.json_document import render_json
from shared.transcript.model import Transcript
from shared.transcript.plain_text import render_txt
from shared.transcript.srt import render_srt
from shared.transcript.vtt import render_vtt


class Draft:
    """A transcript, and the cues that both kinds of subtitles show: of hours of speech, they are laid out only once."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript

    @cached_property
    def cues(self) -> list[Cue]:
        """The cues, laid out when they are first asked for."""
        return cues(self.transcript)


class Format(NamedTuple):
    """How a format is written: `write` gives the whole file, the same bytes for an equal transcript."""

    extension: str
    content_type: str
    write: Callable[[Draft], bytes]

    def render(self, transcript: Transcript) -> bytes:
        """Write this format alone."""
        return self.write(Draft(transcript))


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "json": Format(".json", "application/json", lambda draft: render_json(draft.transcript)),
        "txt": Format(".txt", "text/plain; charset=utf-8", lambda draft: render_txt(draft.transcript)),
        "srt": Format(".srt", "application/x-subrip; charset=utf-8", lambda draft: render_srt(draft.cues)),
        "vtt": Format(".vtt", "text/vtt; charset=utf-8", lambda draft: render_vtt(draft.cues)),
    }
)


def render_each(transcript: Transcript, names: Iterable[str]) -> Iterator[tuple[Format, bytes]]:
    """Write the named formats, each when it is asked for: of the files, one at a time stands in memory."""
    draft = Draft(transcript)
    for name in names:
        yield FORMATS[name], FORMATS[name].write(draft)
