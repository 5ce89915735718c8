"""What the demo shows: a line as each recording is finished, then a table, then the first transcript."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.verdict import complaints
from cli.watch import ENDINGS, OUTPUT_PREFIX, Result


def line_of(result: Result) -> str:
    """One result in one line."""
    wrong = complaints(result)
    mark = "[red]✗[/]" if wrong else "[green]✓[/]"
    return f"{mark} {escape(result.upload.key)}: {escape(outcome_of(result))} after {result.seconds:.1f} s"


def outcome_of(result: Result) -> str:
    """The end of a recording's work in a few words."""
    if not result.complete:
        return "no result in time"
    if result.failed:
        return "error object, as expected" if not complaints(result) else "error object"
    said = result.document().get("sentences", [])
    count = sum(len(sentence["words"]) or 1 for sentence in said)
    return f"{count} words" if said else "silence: empty transcript"


def table_of(results: Sequence[Result], folder: Path) -> Table:
    """Recording, duration, time taken, outcome, and where each file lies."""
    table = Table(title=f"Results, in {folder}", title_justify="left")
    for name in ("Recording", "Duration", "Took", "Outcome", "Files"):
        table.add_column(name, overflow="fold", justify="right" if name in {"Duration", "Took"} else "left")
    for result in results:
        wrong = complaints(result)
        outcome = escape(outcome_of(result)) + "".join(f"\n[red]{escape(text)}[/]" for text in wrong)
        table.add_row(
            escape(result.upload.key),
            _duration(result),
            f"{result.seconds:.1f} s",
            outcome,
            escape(_files_of(result)),
        )
    return table


def _files_of(result: Result) -> str:
    """`transcripts/a.mp3` and the endings that lie there: the names differ in nothing else."""
    base = next((key.removesuffix("." + name) for name, (key, _) in result.files.items()), "none")
    return " ".join([base, *(f".{name}" for name in result.files)])


def _duration(result: Result) -> str:
    milliseconds = result.document().get("duration_ms")
    return f"{milliseconds / 1000:.1f} s" if isinstance(milliseconds, int) else "-"


def show_words(console: Console, results: Sequence[Result]) -> None:
    """The first transcript that has words, and every error object's explanation."""
    spoken = next((result for result in results if result.files.get("txt", ("", b""))[1]), None)
    if spoken:
        console.print(f"\n[bold]{escape(spoken.upload.key)}[/] reads:")
        console.print(escape(spoken.files["txt"][1].decode("utf-8")), end="")
    for result in results:
        if result.failed:
            told = result.document()
            console.print(f"\n[bold]{escape(result.upload.key)}[/] has an error object:")
            for name in ("message", "next_step", "code", "cloud_message"):
                if told.get(name):
                    console.print(f"  {name}: {escape(str(told[name]))}")


def make_folder(folder: Path) -> None:
    """Where the results will lie. Raises OSError that says what to do."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"the results cannot be put in {folder} ({error.strerror}); name another --results"
        ) from None


def save(results: Sequence[Result], folder: Path) -> None:
    """Copies every file into a folder, under the name it has in the output bucket. An earlier run's files give way."""
    for result in results:
        for name in ENDINGS:
            (folder / f"{OUTPUT_PREFIX}{result.upload.key}.{name}").unlink(missing_ok=True)
        for key, body in result.files.values():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
