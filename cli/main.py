"""The `scribe` command."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from cli.demo import run_demo
from cli.invoke import invoke as invoke_function
from cli.local import INPUT_BUCKET, OUTPUT_BUCKET, put, running_pipeline
from cli.samples import sample_uploads
from cli.standin import StandinError
from shared.errors import ScribeError

app = typer.Typer(
    help="Upload a recording to Tencent COS; its transcript appears in the output bucket.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

LOCAL_FOLDER = Path("scribe-local")
INTERRUPTED = 130  # what shells give for Ctrl-C

T = TypeVar("T")


@app.command()
def demo(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Your own recordings, in English. Without any, the samples.", exists=True, dir_okay=False
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--results", help="Where the results are left.")] = Path(
        "scribe-demo"
    ),
) -> None:
    """Run the whole pipeline on this machine, with real speech recognition and no account."""
    console = Console(highlight=False)
    if not _guarded(console, lambda: run_demo(console, files or [], folder)):
        raise typer.Exit(1)


@app.command()
def local(
    data: Annotated[Path, typer.Option(help="Where the stand-in keeps its state.")] = LOCAL_FOLDER,
) -> None:
    """Keep the pipeline running on this machine, to upload to it with any COS client."""
    console = Console(highlight=False)
    _guarded(console, lambda: _stay(console, data))


@app.command()
def invoke(
    function: Annotated[str, typer.Argument(help="upload, callback or sweep")],
    event: Annotated[
        Path, typer.Argument(help="A file such as events/cos-put.json", exists=True, dir_okay=False)
    ],
    data: Annotated[
        Path, typer.Option(help="The folder of a running stand-in, see `scribe local`.")
    ] = LOCAL_FOLDER,
) -> None:
    """Run one function once on one event, and show what it did."""
    console = Console(highlight=False)
    if not _guarded(console, lambda: invoke_function(console, data, function, event)):
        raise typer.Exit(1)


def _stay(console: Console, data: Path) -> None:
    with running_pipeline(data, ["--timers"]) as pipeline:
        standin = pipeline.standin
        for upload in sample_uploads():
            put(pipeline, upload)
        console.print(f"A cloud runs at [bold]{standin.endpoint}[/]; its files are in {escape(str(data))}.")
        console.print("It has just got the samples, so that the events in events/ speak of something.")
        console.print(
            f"Upload to {INPUT_BUCKET}; the transcripts come to {OUTPUT_BUCKET}. With any COS client:"
        )
        console.print(f"  region {standin.region}, HTTP proxy {standin.endpoint}, scheme http")
        console.print(f"  secret id {standin.secret_id}", f"  secret key {standin.secret_key}", sep="\n")
        console.print("In another terminal: scribe invoke upload events/cos-put.json")
        console.print("Ctrl-C ends it.")
        while True:
            time.sleep(3600)


def _guarded(console: Console, work: Callable[[], T]) -> T:
    """Runs a command's work. Whatever goes wrong is one line that says what, and an exit status; no stack trace."""
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, _interrupt)
    try:
        return work()
    except KeyboardInterrupt:
        console.print("\nStopped.")
        raise typer.Exit(INTERRUPTED) from None
    except (ScribeError, StandinError, OSError, ValueError) as error:
        Console(stderr=True, highlight=False).print(f"[red]scribe:[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    app()
