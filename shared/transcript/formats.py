"""The formats a transcript can be written in, by the name the FORMATS setting uses."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.transcript.json_document import render_json
from shared.transcript.model import Transcript
from shared.transcript.plain_text import render_txt
from shared.transcript.srt import render_srt
from shared.transcript.vtt import render_vtt


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is written. `render` gives the whole file and returns the same bytes for an equal transcript."""

    extension: str
    content_type: str
    render: Callable[[Transcript], bytes]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "json": Format(".json", "application/json", render_json),
        "txt": Format(".txt", "text/plain; charset=utf-8", render_txt),
        "srt": Format(".srt", "application/x-subrip; charset=utf-8", render_srt),
        "vtt": Format(".vtt", "text/vtt; charset=utf-8", render_vtt),
    }
)
