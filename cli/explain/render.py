"""An Explanation as text for people: readable on 80 columns, columns aligned also with Chinese in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.explain.models import Explanation, MatchingRule, State
from cli.output import escape_line
from shared.options.model import Value, format_value

INDENT = 2
OFFLINE = (
    "Nothing was read from the bucket: neither its metadata and sidecar, nor whether it was transcribed."
)


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print an explanation."""
    # A key can be long; wrapped by the terminal it can still be copied.
    title = Text(escape_line(explanation.key), "bold")
    console.print(title, soft_wrap=True)
    console.print(Text(f"in {escape_line(explanation.bucket)}"), soft_wrap=True)
    _print_lines(console, _format_sentence(_describe_recording(explanation)))
    if explanation.is_recording is False:
        return
    _print_lines(console, _format_sentence(explanation.state.message if explanation.state else OFFLINE))
    if explanation.state and explanation.state.exists:
        _print_section(console, "In the bucket", _format_table(_list_facts(explanation.state)))
    for heading, lines in (
        ("Refused: nothing would be submitted or paid", [each.reason for each in explanation.refusals]),
        ("", [each.reason_zh for each in explanation.refusals]),
        ("Warnings", list(explanation.warnings)),
    ):
        if lines:
            _print_section(console, heading, *map(_format_sentence, lines))
    rows = [
        (name, format_value(name, choice.value) or '""', choice.source)
        for name, choice in explanation.options.items()
    ]
    if rows:
        _print_section(console, "Options, and where each comes from", _format_table(rows))
    if explanation.rules:
        rules = _format_table([_format_rule(rule) for rule in explanation.rules])
        _print_section(console, "Rules that match, in their order", rules)
    if explanation.job:
        members = _format_table(_list_members(explanation.job))
        _print_section(console, "The job, as Cloud Infinite gets it", members)
    if explanation.outputs:
        console.print(f"\n[bold]Transcripts, in {escape_line(explanation.output_bucket)}[/]", soft_wrap=True)
        for key in explanation.outputs:
            console.print(Text(" " * INDENT + escape_line(key)), soft_wrap=True)


def format_options(options: Mapping[str, Value]) -> str:
    """Format options as a list: `engine 8k_zh, channels 2`."""
    return ", ".join(f"{name} {format_value(name, value)}" for name, value in options.items())


def _describe_recording(explanation: Explanation) -> str:
    if explanation.is_recording is False:
        return f"Not a recording, so it costs nothing: {explanation.reason}."
    if explanation.is_recording is None:
        return f"Not known whether it is a recording: {explanation.reason}."
    return "A recording."


def _list_facts(state: State) -> Iterator[tuple[str, str]]:
    yield "uploaded", state.modified
    yield "size", f"{state.size:,} bytes"
    yield "sidecar", "yes" if state.has_sidecar else "none"
    yield "receipt", state.receipt or "none"
    if state.job_id:
        yield "job", state.job_id


def _list_members(job: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in job.items():
        if isinstance(value, Mapping):
            yield name, ""
            yield from ((" " * INDENT + member, text) for member, text in value.items())
        else:
            yield name, str(value)


def _format_rule(rule: MatchingRule) -> tuple[str, str, str]:
    return rule.source, ", ".join(rule.patterns), format_options(rule.options)


def _print_section(console: Console, heading: str, *contents: RenderableType) -> None:
    console.print(f"\n[bold]{heading}[/]" if heading else "")
    for content in contents:
        _print_lines(console, content)


def _print_lines(console: Console, content: RenderableType) -> None:
    """Print without the blanks at the end of a line, with which rich fills the width."""
    for line in console.render_lines(content, pad=False):
        console.print(Text("".join(segment.text for segment in line).rstrip()), soft_wrap=True)


def _format_sentence(text: str) -> RenderableType:
    return Padding(Text(escape_line(text)), (0, 0, 0, INDENT))


def _format_table(rows: Iterable[tuple[str, ...]]) -> RenderableType:
    """Format rows in columns; a long value is folded inside its own."""
    lines = list(rows)
    table = Table.grid(padding=(0, INDENT, 0, 0))
    table.add_column(no_wrap=True)
    for _ in lines[0][1:]:
        table.add_column(overflow="fold")
    for line in lines:
        table.add_row(*(Text(escape_line(cell)) for cell in line))
    return Padding(table, (0, 0, 0, INDENT))
