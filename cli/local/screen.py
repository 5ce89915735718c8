"""What `scribe demo` prints about its results: lines, a table, the start of a transcript, errors, next steps."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from cli.config import PROJECT_FOLDER
from cli.language import _, ngettext
from cli.local.emulator import ERROR_SUFFIX, OUTPUT_FORMATS, OUTPUT_PREFIX
from cli.local.results import (
    NO_RESULT,
    PAGE_SUFFIX,
    UploadResult,
    count_words,
    find_mismatches,
    get_error_text,
    output_key,
)
from cli.output import escape_line, escape_markup, escape_text

MAX_TEXT_LINES = 8  # of a transcript
MAX_CAPTIONS = 2
MAX_NAMES = 5  # of recordings with the same error
MIN_TEXT_WIDTH = 20
_GAP = "  "  # between the columns, and before a paragraph
_TENTHS_PER_MINUTE = 600


def format_duration(milliseconds: float) -> str:
    """Format a duration as people write it: `6.7 s` below a minute, then `17:45` and `1:02:03`."""
    tenths = round(milliseconds / 100)
    if tenths < _TENTHS_PER_MINUTE:
        return _("{seconds:.1f} s", seconds=tenths / 10)
    return format_clock(milliseconds)


def format_clock(milliseconds: float) -> str:
    """Format a time of a recording in minutes and seconds: `0:07`, `17:45`, `1:02:03`."""
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def format_words(count: int) -> str:
    """Format the number of words in a transcript: `1 word`, `2 words`."""
    return ngettext("{count} word", "{count} words", count, count=count) if count else _("no speech")


def format_outcome(result: UploadResult) -> str:
    """Format the outcome in a few words."""
    if not result.complete:
        return _(NO_RESULT)
    if result.failed:
        return _("failed, as expected") if result.fails_as_expected else _("failed")
    if "json" not in result.files:
        return _("transcribed")  # a rule chose other formats
    return format_words(count_words(result.document()))


def format_line(result: UploadResult) -> str:
    """Format one result as a line of console markup."""
    mark = "[red]✗[/]" if find_mismatches(result) else "[green]✓[/]"
    took = format_duration(result.seconds * 1000)
    text = _(
        "{key} ({took}): {outcome}",
        key=escape_markup(result.upload.key),
        took=took,
        outcome=escape_markup(format_outcome(result)),
    )
    return f"{mark} {text}"


class _Row(NamedTuple):
    name: str
    duration: str
    took: str
    outcome: str


def print_table(console: Console, results: Sequence[UploadResult], folder: Path) -> None:
    """Print recording, duration, time taken and outcome of each result; below, what differs from a sample.

    A table if every name fits into its column as a whole, else two lines for each recording.
    """
    rows = [_build_row(result) for result in results]
    suffixes = " ".join(OUTPUT_FORMATS)
    title = _(
        "[bold]Results in {folder}[/] ({suffixes})",
        folder=escape_markup(folder / OUTPUT_PREFIX),
        suffixes=suffixes,
    )
    console.print(f"\n{title}")
    header = _Row(_("Recording"), _("Length"), _("Took"), _("Outcome"))
    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= console.width:
        for number, row in enumerate((header, *rows)):
            cells = _GAP.join(_align(row, widths)).rstrip()
            console.print(Text(cells, style="" if number else "bold"), no_wrap=True)
    else:
        for row in rows:
            console.print(Text(row.name, style="bold"))
            line = _("{duration}, took {took}: {outcome}", **row._asdict())
            console.print(Text(f"  {line}"))
    for result in results:
        for mismatch in find_mismatches(result):
            if result.complete and not (result.failed and not result.fails_as_expected):
                text = _("{name}: {problem}", name=result.upload.key, problem=mismatch)
                console.print(f"[red]✗ {escape_markup(text)}[/]")


def _build_row(result: UploadResult) -> _Row:
    milliseconds = result.document().get("duration_ms")
    return _Row(
        escape_line(result.upload.key),
        format_duration(milliseconds) if isinstance(milliseconds, int) else "-",
        format_duration(result.seconds * 1000),
        format_outcome(result),
    )


def _align(row: _Row, widths: Sequence[int]) -> list[str]:
    """Fill the cells of a row: numbers at the right, texts at the left. A Chinese character is two columns wide."""
    return [
        " " * (width - cell_len(cell)) + cell if number in {1, 2} else cell + " " * (width - cell_len(cell))
        for number, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def find_first_transcript(results: Iterable[UploadResult]) -> UploadResult | None:
    """Return the first result that has words."""
    return next((result for result in results if result.text("txt")), None)


def print_text(console: Console, result: UploadResult, folder: Path) -> None:
    """Print the first lines of a transcript, wrapped to the width of the terminal."""
    lines = Text(escape_text(result.text("txt")).strip()).wrap(console, console.width)
    console.print("\n" + _("Text of [bold]{key}[/]:", key=escape_markup(result.upload.key)))
    for line in lines[:MAX_TEXT_LINES]:
        console.print(Text(line.plain.rstrip()), no_wrap=True)
    if len(lines) > MAX_TEXT_LINES:
        file = folder / output_key(result.upload.key, "txt")
        text = _(
            "… {count:,} more lines in {file}", count=len(lines) - MAX_TEXT_LINES, file=escape_markup(file)
        )
        console.print(text, soft_wrap=True)


def print_captions(console: Console, results: Iterable[UploadResult]) -> None:
    """Print the first captions of the Chinese sample, if there is one."""
    for result in results:
        if result.upload.language == "zh" and result.text("srt"):
            console.print("\n" + _("Captions of [bold]{key}[/]:", key=escape_markup(result.upload.key)))
            captions = result.text("srt").strip().split("\n\n")[:MAX_CAPTIONS]
            for line in "\n\n".join(captions).splitlines():
                console.print(Text(escape_line(line)), no_wrap=True, overflow="ellipsis")
            return


def print_errors(console: Console, results: Sequence[UploadResult], folder: Path) -> None:
    """Print every kind of error once, with the recordings that have it and what to do."""
    kinds: dict[tuple[str, ...], list[UploadResult]] = {}
    for result in results:
        if result.failed:
            error = result.document()
            texts = [get_error_text(error, name) for name in ("message", "next_step")]
            kind = (str(error.get("code") or ""), *texts)
            kinds.setdefault(kind, []).append(result)
    for (code, message, next_step), failed in kinds.items():
        is_expected = all(result.fails_as_expected for result in failed)
        names = [result.upload.key for result in failed]
        shown = escape_markup(format_names(names))
        title = (
            _("[bold]Failed, as expected:[/] {names}", names=shown)
            if is_expected
            else _("[bold]Failed:[/] {names}", names=shown)
        )
        console.print(f"\n{title}")
        lines = [_("{message} ({code})", message=message, code=code) if code else message]
        # The cloud's own message can name the file, so it differs within a kind.
        causes = dict.fromkeys(str(result.document().get("cloud_message") or "") for result in failed)
        lines += [
            _("Cause (cloud_message): {cause}", cause=cause)
            for cause in list(filter(None, causes))[:MAX_NAMES]
        ]
        lines += [_("What to do: {next_step}", next_step=next_step)] if next_step else []
        for line in lines:
            _print_indented(console, escape_line(line))
        file = folder / output_key(names[0], ERROR_SUFFIX)
        console.print("  " + _("Error object: {file}", file=escape_markup(file)), soft_wrap=True)


def _print_indented(console: Console, text: str) -> None:
    for line in Text(text).wrap(console, max(MIN_TEXT_WIDTH, console.width - len(_GAP))):
        console.print(Text(_GAP + line.plain.rstrip()), no_wrap=True)


def format_names(names: Sequence[str]) -> str:
    """Format names as a list; of many only the first ones: `a.mp3, b.mp3 and 7 more`."""
    shown = _(", ").join(names[:MAX_NAMES])
    if len(names) <= MAX_NAMES:
        return shown
    return _("{names} and {count} more", names=shown, count=len(names) - MAX_NAMES)


def print_next_steps(
    console: Console, result: UploadResult | None, folder: Path, *, is_whisper: bool
) -> None:
    """Print which files to open, how to transcribe own recordings, how to deploy; the page to open comes last."""
    console.print("\n" + _("Next:"))
    if result:
        for suffix, meaning in (("txt", _("the text")), ("srt", _("captions for a video player"))):
            path = escape_markup(folder / output_key(result.upload.key, suffix))
            text = _("Open {file} ({meaning})", file=path, meaning=meaning)
            console.print(f"  {text}", soft_wrap=True)
    command = describe_command()
    option = " --speech whisper" if is_whisper else ""  # not translated
    console.print("  " + (_("Your own recordings:") if is_whisper else _("Your own recordings, in English:")))
    place = _("FILE_OR_FOLDER")
    console.print(f"    {escape_markup(command)} demo{option} {place}...", soft_wrap=True)
    if not is_whisper:
        console.print("  " + _("Chinese and other languages:"))
        line = f"{command} demo --speech whisper"  # not translated
        if _is_in_project():
            line = "make demo SPEECH=whisper"  # not translated
        console.print(f"    {escape_markup(line)}", soft_wrap=True)
    console.print("  " + _("Deploy to Tencent Cloud: docs/deploy.md"))
    if result and PAGE_SUFFIX in result.files:
        page = escape_markup(shlex.quote(str(folder / output_key(result.upload.key, PAGE_SUFFIX))))
        text = _("[bold]Open {page} in a browser[/] to read and hear it.", page=page)
        console.print(f"\n{text}", soft_wrap=True)


def _is_in_project() -> bool:
    return Path.cwd() == PROJECT_FOLDER


def describe_command() -> str:
    """How to type this command: `scribe`, or its path when the shell does not find it, such as .venv/bin/scribe."""
    script, known = Path(sys.argv[0]), shutil.which("scribe")
    if script.name != "scribe" or not script.exists() or (known and script.samefile(known)):
        return "scribe"
    path = script.absolute()
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
