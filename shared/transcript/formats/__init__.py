"""The output formats, by the name that the FORMATS setting uses.

To add one: write a module here, list it, and name it in shared/options/model.py; if its extension is not its name, also
in shared/recordings/keys.py. Neither of the two loads this package.

Which of them a deployment writes is the FORMATS setting; its default is that of the option `formats` in
shared/options/model.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import NamedTuple

from shared.transcript.formats.context import RenderContext
from shared.transcript.models import Transcript


class Format(NamedTuple):
    """An output format. The module has `render(context)`, and is loaded on first use.

    `render` returns the whole file, always the same bytes for an equal transcript.
    """

    extension: str
    content_type: str
    module: str

    def write(self, context: RenderContext) -> bytes:
        """Return the file of a transcript that other formats are written from, too."""
        module = import_module(f"{__name__}.{self.module}")
        render: Callable[[RenderContext], bytes] = module.render
        return render(context)

    def render(self, transcript: Transcript) -> bytes:
        """Return the file in this format only."""
        return self.write(RenderContext(transcript))


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "json": Format(".json", "application/json", "json_document"),
        "txt": Format(".txt", "text/plain; charset=utf-8", "plain_text"),
        "srt": Format(".srt", "application/x-subrip; charset=utf-8", "srt"),
        "vtt": Format(".vtt", "text/vtt; charset=utf-8", "vtt"),
        "html": Format(".html", "text/html; charset=utf-8", "html_page"),
        "md": Format(".md", "text/markdown; charset=utf-8", "markdown"),
        "docx": Format(
            ".docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "word_document",
        ),
        "csv": Format(".csv", "text/csv; charset=utf-8", "csv_table"),
        "podcast": Format(".podcast.json", "application/json", "podcast"),
    }
)


def render_formats(transcript: Transcript, names: Iterable[str]) -> Iterator[tuple[Format, bytes]]:
    """Yield each named format with its file, one at a time, so that memory holds one file only."""
    context = RenderContext(transcript)
    for name in names:
        yield FORMATS[name], FORMATS[name].write(context)
