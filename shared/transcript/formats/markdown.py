"""Markdown for notes, wikis and issues: a heading, and a line for each paragraph, with its speaker and time.

What the recording says is never markup, also not of the widespread extensions of CommonMark: links without brackets,
tables, formulas, short codes of emoji, highlighted and hidden text. Source: CommonMark 0.31, which lets a backslash
stand before every punctuation mark of ASCII.
"""

import re
from collections.abc import Iterator

from shared.transcript.formats.context import RenderContext
from shared.transcript.formats.paragraphs import build_paragraphs, format_clock
from shared.transcript.text import encode_pieces

# No line begins with a text, so that marks which count there only need no backslash. A dot or a colon gets one if it
# could be inside a link or a short code, but not in numbers and times: `example\.com`, `10:30`, `1.5`.
_MARKUP = re.compile(
    r"[\\`*_{}\[\]<>&~|$^#@]|([=+%])(?=\1)|\.(?=[^\W\d])|(?<!\d)\.(?=\d)|:(?=[^\s\d])|(?<!\d):(?=\d)"
)


def render(context: RenderContext) -> bytes:
    """Return Markdown in UTF-8. The file of a silent recording is its heading."""
    return encode_pieces(_pieces(context))


def escape_markdown(text: str) -> str:
    """Return a line of text as Markdown that shows the same text."""
    return _MARKUP.sub(r"\\\g<0>", text)


def _pieces(context: RenderContext) -> Iterator[str]:
    yield f"# {escape_markdown(context.heading)}\n"
    for start_ms, label, text in build_paragraphs(context.transcript):
        speaker = f"**{escape_markdown(label)}** " if label else ""
        yield f"\n{speaker}({format_clock(start_ms)}) {escape_markdown(text)}\n"
