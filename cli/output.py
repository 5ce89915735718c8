"""The one place through which everything passes that the command prints: text, JSON, error messages, stack traces.

Secrets are replaced (`cli/redaction.py`). Control characters are escaped, because names of objects and messages of the
cloud are other people's text, which must not move the cursor, colour a line or hide a part of it. Chinese and emoji
stay as they are.

    print(), warnings, stack traces ──▶ SafeStream ─────────────────┐
    SafeConsole (escapes before it measures) ──▶ SafeStream.rendered ├──▶ the real stdout or stderr
    print_json ──▶ CleanText ────────────────────────────────────────┘
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Iterable
from typing import Any, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

from cli import line_breaks
from cli.redaction import SECRETS

# C0, DEL, C1; marks and overrides of the writing direction; separators of lines and paragraphs; the byte order mark and
# annotations, which are invisible; halves of surrogate pairs, which no terminal can show.
_CONTROL = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff"
_IN_LINE = re.compile(f"[{_CONTROL}]")
_IN_TEXT = re.compile(f"(?![\n\t])[{_CONTROL}]")
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_MAX_SHORT_ESCAPE = 0xFF

line_breaks.install()


def escape_line(text: str) -> str:
    r"""Escape every control character, line breaks and tabs too: `\x1b`, `\n`, `\u202e`."""
    return _IN_LINE.sub(_escape_character, text)


def escape_text(text: str) -> str:
    """Escape control characters in a text that may have lines and tabs."""
    return _IN_TEXT.sub(_escape_character, text)


def escape_markup(text: object) -> str:
    """Escape a value for one line of rich's markup."""
    return escape(escape_line(str(text)))


def _escape_character(match: re.Match[str]) -> str:
    code = ord(match[0])
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(match[0])
    return named or (f"\\x{code:02x}" if code <= _MAX_SHORT_ESCAPE else f"\\u{code:04x}")


def clean(text: str) -> str:
    """Hide secrets, then escape control characters: a secret may contain some."""
    return text if isinstance(text, CleanText) else escape_text(SECRETS.hide(text))


class CleanText(str):
    """A text that is already without secrets and control characters, or is meant to be given away, as an address is."""

    __slots__ = ()


def format_json(document: Any, encoding: str = "utf-8", indent: int | None = 2) -> CleanText:
    """Format a document for programs. Secrets are hidden before: JSON stays valid whatever they look like.

    With `indent` None it is one line.
    """
    ensure_ascii = "utf" not in encoding.lower()
    text = json.dumps(_hide_values(document), ensure_ascii=ensure_ascii, indent=indent)
    return CleanText(_IN_TEXT.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def _hide_values(value: Any) -> Any:
    if isinstance(value, str):
        return value if isinstance(value, CleanText) else SECRETS.hide(value)
    if isinstance(value, dict):
        return {SECRETS.hide(str(name)): _hide_values(member) for name, member in value.items()}
    return [_hide_values(member) for member in value] if isinstance(value, list | tuple) else value


def print_json(console: Console, document: Any) -> None:
    """Print a document for programs, without wrapping or colours."""
    console.file.write(CleanText(format_json(document, console.encoding) + "\n"))
    console.file.flush()


def print_json_line(console: Console, document: Any) -> None:
    """Print a document as one line, for programs that read a line at a time."""
    console.file.write(CleanText(format_json(document, console.encoding, None) + "\n"))
    console.file.flush()


class SafeConsole(Console):
    """A console for other people's text: what it prints is clean before it is measured, so columns stay aligned."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Render a string, also one of a table's cells."""
        return super().render_str(clean(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render anything; every printed object passes here."""
        if isinstance(renderable, Text) and clean(renderable.plain) != renderable.plain:
            renderable = Text(
                clean(renderable.plain), renderable.style, no_wrap=renderable.no_wrap, end=renderable.end
            )
        for segment in super().render(renderable, options):
            # The console's own control codes move the cursor of a progress line.
            yield segment if segment.control else segment._replace(text=clean(segment.text))


class SafeStream:
    """A text stream in front of the real one. Everything else than writing is the real stream's.

    With `is_rendered` a SafeConsole writes to it, whose own control codes pass; without, only colours do.
    """

    def __init__(self, stream: TextIO, *, is_rendered: bool = False) -> None:
        self._stream, self._is_rendered = stream, is_rendered

    @property
    def rendered(self) -> TextIO:
        """The stream for a SafeConsole."""
        return cast("TextIO", SafeStream(self._stream, is_rendered=True))

    def write(self, text: str) -> int:
        """Write a text without its secrets and control characters."""
        self._stream.write(text if isinstance(text, CleanText) else self._clean(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        self.write("".join(lines))

    def _clean(self, text: str) -> str:
        hidden = SECRETS.hide(text)
        if self._is_rendered:
            return hidden
        # The list has the colours at its odd places.
        return "".join(
            part if number % 2 else escape_text(part) for number, part in enumerate(_COLOUR.split(hidden))
        )

    def __getattr__(self, name: str) -> Any:
        if name in {"buffer", "detach"}:  # the way around this stream
            raise AttributeError(name)
        return getattr(self._stream, name)


def protect_streams() -> None:
    """Put a SafeStream in front of stdout and stderr. A character that the terminal cannot show is escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, SafeStream):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, SafeStream(stream))


def create_console(*, stderr: bool = False) -> SafeConsole:
    """The console of a command."""
    stream = sys.stderr if stderr else sys.stdout
    return SafeConsole(file=stream.rendered if isinstance(stream, SafeStream) else stream, highlight=False)


def print_stack_trace(error: BaseException) -> None:
    """Print an error that is a bug, in one piece: a secret could be split between two writes."""
    sys.stderr.write(CleanText(clean("".join(traceback.format_exception(error)))))
