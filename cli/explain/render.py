"""An Explanation as text for people: readable on 80 columns, columns aligned also with Chinese in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.explain.models import Explanation, MatchingRule, State
from cli.language import N_, _, choose_text, is_chinese, ngettext, translate
from cli.output import escape_line
from shared.options.check import describe_source
from shared.options.model import Value, format_value
from shared.recordings.receipt import ReceiptState

INDENT = 2
OFFLINE = N_(
    "Nothing was read from the bucket: neither its metadata and sidecar, nor whether it was transcribed."
)

_STATES = {
    ReceiptState.SUBMITTING.value: N_("submitting"),
    ReceiptState.DEFERRED.value: N_("deferred"),
    ReceiptState.SUBMITTED.value: N_("submitted"),
    ReceiptState.TRANSCRIBED.value: N_("transcribed"),
    ReceiptState.FAILED.value: N_("failed"),
    ReceiptState.SUPERSEDED.value: N_("superseded"),
    ReceiptState.WAITING.value: N_("waiting"),
}


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print an explanation."""
    # A key can be long; wrapped by the terminal it can still be copied.
    title = Text(escape_line(explanation.key), "bold")
    console.print(title, soft_wrap=True)
    console.print(Text(_("in {bucket}", bucket=escape_line(explanation.bucket))), soft_wrap=True)
    _print_lines(console, _format_sentence(_describe_recording(explanation)))
    if explanation.is_recording is False:
        return
    _print_lines(console, _format_sentence(explanation.state.message if explanation.state else _(OFFLINE)))
    if explanation.state and explanation.state.exists:
        _print_section(console, _("In the bucket"), _format_table(_list_facts(explanation.state)))
    for heading, lines in (
        (
            _("Refused: nothing would be submitted or paid"),
            [choose_text(each.reason, each.reason_zh) for each in explanation.refusals],
        ),
        ("", [] if is_chinese() else [each.reason_zh for each in explanation.refusals]),
        (_("Warnings"), list(explanation.warnings)),
    ):
        if lines:
            _print_section(console, heading, *map(_format_sentence, lines))
    rows = [
        (name, format_value(name, choice.value) or '""', translate(describe_source(choice.source)))
        for name, choice in explanation.options.items()
    ]
    if rows:
        _print_section(console, _("Options, and where each comes from"), _format_table(rows))
    if explanation.rules:
        rules = _format_table([_format_rule(rule) for rule in explanation.rules])
        _print_section(console, _("Rules that match, in their order"), rules)
    if explanation.job:
        members = _format_table(_list_members(explanation.job))
        _print_section(console, _("The job, as Cloud Infinite gets it"), members)
    if explanation.outputs:
        heading = _("Transcripts, in {bucket}", bucket=escape_line(explanation.output_bucket))
        console.print(f"\n[bold]{heading}[/]", soft_wrap=True)
        for key in explanation.outputs:
            console.print(Text(" " * INDENT + escape_line(key)), soft_wrap=True)


def format_options(options: Mapping[str, Value]) -> str:
    """Format options as a list: `engine 8k_zh, channels 2`."""
    return ", ".join(f"{name} {format_value(name, value)}" for name, value in options.items())


def _describe_recording(explanation: Explanation) -> str:
    if explanation.is_recording is False:
        return _("Not a recording, so it costs nothing: {reason}.", reason=explanation.reason)
    if explanation.is_recording is None:
        return _("Not known whether it is a recording: {reason}.", reason=explanation.reason)
    return _("A recording.")


def _list_facts(state: State) -> Iterator[tuple[str, str]]:
    yield _("uploaded"), state.modified
    yield _("size"), ngettext("{count} bytes", "{count} bytes", state.size)
    yield _("sidecar"), _("yes") if state.has_sidecar else _("none")
    yield _("receipt"), _(_STATES[state.receipt]) if state.receipt else _("none")
    if state.job_id:
        yield _("job"), state.job_id


def _list_members(job: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in job.items():
        if isinstance(value, Mapping):
            yield name, ""
            yield from ((" " * INDENT + member, text) for member, text in value.items())
        else:
            yield name, str(value)


def _format_rule(rule: MatchingRule) -> tuple[str, str, str]:
    return translate(describe_source(rule.source)), ", ".join(rule.patterns), format_options(rule.options)


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
    for _cell in lines[0][1:]:
        table.add_column(overflow="fold")
    for line in lines:
        table.add_row(*(Text(escape_line(cell)) for cell in line))
    return Padding(table, (0, 0, 0, INDENT))
