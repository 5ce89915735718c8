"""The `scribe` command."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from cli.choices import NoSuchFile, warning_of
from cli.demo import run_demo
from cli.errors import OperatorError
from cli.invoke import invoke as invoke_function
from cli.local import FUNCTIONS_FOLDER, INPUT_BUCKET, OUTPUT_BUCKET, deployed_pipeline, put
from cli.samples import sample_uploads
from cli.standin import StandinError
from cli.surroundings import ENV_FILE, Surroundings
from shared.errors import ScribeError

app = typer.Typer(
    help="Upload a recording to Tencent COS; its transcript appears in the output bucket.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

LOCAL_FOLDER = Path("scribe-local")
INTERRUPTED = 130  # what shells give for Ctrl-C
LONGEST_MESSAGE = 300  # characters, of what the system says

T = TypeVar("T")

EnvFile = Annotated[
    Path, typer.Option("--env-file", help="What you chose; the environment wins over it.", dir_okay=False)
]


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


@app.command()
def deploy(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    make_buckets: Annotated[
        bool, typer.Option("--make-buckets", help="Make buckets that do not exist, private.")
    ] = False,
    no_roles: Annotated[
        bool, typer.Option("--no-roles", help="Leave the functions' roles to somebody else.")
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Take the buckets' speech queues from whom they notify now."),
    ] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Make the cloud as serverless.yml says: roles, functions, triggers, speech recognition. Again: what changed."""
    # The SDK takes a third of a second to import, which the other commands save.
    from cli.deploy import command  # noqa: PLC0415

    console = Console(highlight=False)
    _warn(env_file)
    options = command.DeployOptions(
        dry_run=dry_run, make_buckets=make_buckets, with_roles=not no_roles, take_over=take_over
    )
    if not _guarded(console, lambda: command.deploy(console, _surroundings(env_file), options)):
        raise typer.Exit(1)


@app.command()
def remove(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Take away what deploy made. Buckets, recordings and transcripts stay."""
    from cli.deploy import command  # noqa: PLC0415

    console = Console(highlight=False)
    if not _guarded(
        console, lambda: command.remove(console, _surroundings(env_file), lambda: yes or _agrees())
    ):
        raise typer.Exit(1)


@app.command()
def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Look at what runs: one line for each check, and what mends what is wrong."""
    from cli.doctor import command  # noqa: PLC0415

    console = Console(highlight=False)
    _warn(env_file)
    if not _guarded(console, lambda: command.doctor(console, _surroundings(env_file), as_json=as_json)):
        raise typer.Exit(1)


@app.command()
def policy(
    which: Annotated[
        str, typer.Argument(help="upload, callback, sweep, deployer or roles; without it, all of them.")
    ] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: the documents only.")] = False,
    create_role: Annotated[
        bool, typer.Option("--create-role", help="Make or mend the functions' roles in the account.")
    ] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Show what each function may do and why, and what whoever deploys needs."""
    from cli.policy import command  # noqa: PLC0415

    console, stderr = Console(highlight=False), Console(highlight=False, stderr=True)
    options = command.PolicyOptions(which, as_json=as_json, create_role=create_role)
    _guarded(console, lambda: command.policy(console, stderr, options, _surroundings(env_file)))


def _agrees() -> bool:
    """Asks. Raises OperatorError where nobody is there to answer."""
    if not sys.stdin.isatty():
        raise OperatorError(
            "nothing was removed: nobody can be asked here. To remove it without being asked: --yes"
        )
    return typer.confirm("Remove it?")


def _warn(env_file: Path) -> None:
    if warning := warning_of(env_file):
        Console(stderr=True, highlight=False).print(f"! {escape(warning)}", style="yellow", soft_wrap=True)


def _surroundings(env_file: Path) -> Surroundings:
    """Raises NoSuchFile for a file that was named and is not there; without one the environment may say it all."""
    if env_file != ENV_FILE and not env_file.exists():
        raise NoSuchFile(env_file)
    return Surroundings(FUNCTIONS_FOLDER, env_file, os.environ, Path.home())


def _stay(console: Console, data: Path) -> None:
    with deployed_pipeline(data, ["--timers"]) as pipeline:
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
        env_file = escape(str(data / ".env"))
        console.print("In another terminal: scribe invoke upload events/cos-put.json", soft_wrap=True)
        console.print(f"or scribe doctor, deploy and remove with --env-file {env_file}", soft_wrap=True)
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
    except (OperatorError, ScribeError, StandinError, OSError, ValueError) as error:
        told = escape(_told(error))
        Console(stderr=True, highlight=False).print(f"[red]scribe:[/] {told}", soft_wrap=True)
        raise typer.Exit(1) from None


def _told(error: Exception) -> str:
    """What our own errors say is whole; the system's may be a list of every file that there was."""
    if not isinstance(error, OSError):
        return str(error)
    files = " and ".join(str(name) for name in (error.filename, error.filename2) if name)
    text = error.strerror or str(error)
    text = text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."
    return f"{files}: {text}" if files else text


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    app()
