"""Text for people: lines, indented paragraphs and columns that stay aligned with Chinese in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.language import _, is_chinese
from cli.output import escape_line

INDENT = 2


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print one line, however long: what the terminal wraps can still be copied."""
    console.print(Text(escape_line(text), style), soft_wrap=True)


def print_indented(console: Console, text: str, indent: int = INDENT, style: str = "") -> None:
    """Print a paragraph in the width of the terminal."""
    print_block(console, Padding(Text(escape_line(text), style), (0, 0, 0, indent)))


def join_sentences(*sentences: str) -> str:
    """Put whole sentences one after the other; empty ones are left out."""
    return ("" if is_chinese() else " ").join(filter(None, sentences))


def join_clauses(texts: Iterable[str]) -> str:
    """Join parts of a sentence that have commas of their own."""
    return ("；" if is_chinese() else "; ").join(texts)


def end_sentence(text: str) -> str:
    """Put a full stop after a text."""
    return _("{text}.", text=text.rstrip("。"))


def print_columns(console: Console, rows: Iterable[Sequence[str]], indent: int = INDENT) -> None:
    """Print rows in columns: the last is folded inside its own, the others are as wide as they need to be."""
    lines = list(rows)
    if not lines:
        return
    table = Table.grid(padding=(0, INDENT, 0, 0))
    for _column in lines[0][:-1]:
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(*(Text(escape_line(cell)) for cell in line))
    print_block(console, Padding(table, (0, 0, 0, indent)))


def print_block(console: Console, content: RenderableType) -> None:
    """Print without the blanks at the end of a line, with which rich fills the width."""
    for line in console.render_lines(content, pad=False):
        text = Text()
        for segment in line:
            text.append(segment.text, segment.style)
        text.rstrip()
        console.print(text, soft_wrap=True)


def pad(text: str, width: int) -> str:
    """Fill a text with blanks up to a width in columns of a terminal: a Chinese character has two."""
    return text + " " * (width - cell_len(text))
