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
from cli.local.emulator import ERROR_SUFFIX, OUTPUT_FORMATS, OUTPUT_PREFIX
from cli.local.results import NO_RESULT, PAGE_SUFFIX, UploadResult, count_words, find_mismatches, output_key
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
    return f"{tenths / 10:.1f} s" if tenths < _TENTHS_PER_MINUTE else format_clock(milliseconds)


def format_clock(milliseconds: float) -> str:
    """Format a time of a recording in minutes and seconds: `0:07`, `17:45`, `1:02:03`."""
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def format_count(count: int, noun: str) -> str:
    """Format a count of things: `1 word`, `2 words`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def format_outcome(result: UploadResult) -> str:
    """Format the outcome in a few words."""
    if not result.complete:
        return NO_RESULT
    if result.failed:
        return "failed, as expected" if result.fails_as_expected else "failed"
    if "json" not in result.files:
        return "transcribed"  # a rule chose other formats
    count = count_words(result.document())
    return format_count(count, "word") if count else "no speech"


def format_line(result: UploadResult) -> str:
    """Format one result as a line of console markup."""
    mark = "[red]✗[/]" if find_mismatches(result) else "[green]✓[/]"
    took = format_duration(result.seconds * 1000)
    return f"{mark} {escape_markup(result.upload.key)} ({took}): {escape_markup(format_outcome(result))}"


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
    console.print(f"\n[bold]Results in {escape_markup(folder / OUTPUT_PREFIX)}[/] ({suffixes})")
    header = _Row("Recording", "Length", "Took", "Outcome")
    widths = [max(map(cell_len, column)) for column in zip(header, *rows, strict=True)]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= console.width:
        for number, row in enumerate((header, *rows)):
            line = Text(_GAP.join(_align(row, widths)).rstrip(), style="" if number else "bold")
            console.print(line, no_wrap=True)
    else:
        for row in rows:
            console.print(Text(row.name, style="bold"))
            console.print(Text(f"  {row.duration}, took {row.took}: {row.outcome}"))
    for result in results:
        for mismatch in find_mismatches(result):
            if result.complete and not (result.failed and not result.fails_as_expected):
                console.print(f"[red]✗ {escape_markup(result.upload.key)}: {escape_markup(mismatch)}[/]")


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
    console.print(f"\nText of [bold]{escape_markup(result.upload.key)}[/]:")
    for line in lines[:MAX_TEXT_LINES]:
        console.print(Text(line.plain.rstrip()), no_wrap=True)
    if len(lines) > MAX_TEXT_LINES:
        file = folder / output_key(result.upload.key, "txt")
        console.print(
            f"… {len(lines) - MAX_TEXT_LINES:,} more lines in {escape_markup(file)}", soft_wrap=True
        )


def print_captions(console: Console, results: Iterable[UploadResult]) -> None:
    """Print the first captions of the Chinese sample, if there is one."""
    for result in results:
        if result.upload.language == "zh" and result.text("srt"):
            console.print(f"\nCaptions of [bold]{escape_markup(result.upload.key)}[/]:")
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
            kind = tuple(str(error.get(name) or "") for name in ("code", "message", "next_step"))
            kinds.setdefault(kind, []).append(result)
    for (code, message, next_step), failed in kinds.items():
        expected = ", as expected" if all(result.fails_as_expected for result in failed) else ""
        names = [result.upload.key for result in failed]
        console.print(f"\n[bold]Failed{expected}:[/] {escape_markup(format_names(names))}")
        lines = [message + (f" ({code})" if code else "")]
        # The cloud's own message can name the file, so it differs within a kind.
        causes = dict.fromkeys(str(result.document().get("cloud_message") or "") for result in failed)
        lines += [f"Cause (cloud_message): {cause}" for cause in list(filter(None, causes))[:MAX_NAMES]]
        lines += [f"What to do: {next_step}"] if next_step else []
        for line in lines:
            _print_indented(console, escape_line(line))
        file = folder / output_key(names[0], ERROR_SUFFIX)
        console.print(f"  Error object: {escape_markup(file)}", soft_wrap=True)


def _print_indented(console: Console, text: str) -> None:
    for line in Text(text).wrap(console, max(MIN_TEXT_WIDTH, console.width - len(_GAP))):
        console.print(Text(_GAP + line.plain.rstrip()), no_wrap=True)


def format_names(names: Sequence[str]) -> str:
    """Format names as a list; of many only the first ones: `a.mp3, b.mp3 and 7 more`."""
    shown = ", ".join(names[:MAX_NAMES])
    return f"{shown} and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else shown


def print_next_steps(
    console: Console, result: UploadResult | None, folder: Path, *, is_whisper: bool
) -> None:
    """Print which files to open, how to transcribe own recordings, how to deploy; the page to open comes last."""
    console.print("\nNext:")
    if result:
        for suffix, meaning in (("txt", "the text"), ("srt", "captions for a video player")):
            path = escape_markup(folder / output_key(result.upload.key, suffix))
            console.print(f"  Open {path} ({meaning})", soft_wrap=True)
    command = describe_command()
    option = " --speech whisper" if is_whisper else ""
    languages = "" if is_whisper else ", in English"
    console.print(f"  Your own recordings{languages}:")
    console.print(f"    {escape_markup(command)} demo{option} FILE_OR_FOLDER...", soft_wrap=True)
    if not is_whisper:
        console.print("  Chinese and other languages:")
        line = "make demo SPEECH=whisper" if _is_in_project() else f"{command} demo --speech whisper"
        console.print(f"    {escape_markup(line)}", soft_wrap=True)
    console.print("  Deploy to Tencent Cloud: docs/deploy.md")
    if result and PAGE_SUFFIX in result.files:
        page = escape_markup(shlex.quote(str(folder / output_key(result.upload.key, PAGE_SUFFIX))))
        console.print(f"\n[bold]Open {page} in a browser[/] to read and hear it.", soft_wrap=True)


def _is_in_project() -> bool:
    return Path.cwd() == PROJECT_FOLDER


def describe_command() -> str:
    """How to type this command: `scribe`, or its path when the shell does not find it, such as .venv/bin/scribe."""
    script, known = Path(sys.argv[0]), shutil.which("scribe")
    if script.name != "scribe" or not script.exists() or (known and script.samefile(known)):
        return "scribe"
    path = script.absolute()
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
