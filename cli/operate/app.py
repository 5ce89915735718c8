"""The arguments and help texts of the operator's commands. Each imports what it needs when it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from cli.config import ENV_FILE, create_context
from cli.errors import OperatorError
from cli.help import confirm
from cli.language import N_, _
from cli.output import create_console, escape_line

PANEL = N_("Every day")
T = TypeVar("T")
Run = Callable[[Console, Callable[[], bool]], bool]

EnvFile = Annotated[
    Path,
    typer.Option(
        "--env-file",
        help="Path to the .env file. Environment variables take precedence.",
        metavar="FILE",
        dir_okay=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Bucket = Annotated[
    str, typer.Option("--bucket", metavar="NAME", help="The input bucket. Default: the only one.")
]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help="2d, 12h, 2026-11-01 or a time with its zone.")
]
Keys = Annotated[
    list[str] | None, typer.Argument(metavar="KEY...", help="Keys of recordings, such as calls/a.mp3.")
]


class StateChoice(str, Enum):
    """The states that `--state` takes."""

    OPEN = "open"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


def register(app: typer.Typer, run: Run) -> None:  # noqa: C901, PLR0915 - one function for each command
    """Add the commands. `run` turns errors into one line and an exit status."""

    @app.command(name="list", rich_help_panel=PANEL)
    def list_recordings(
        prefix: Annotated[
            str, typer.Argument(metavar="PREFIX", help="Only keys that begin with it. Default: all.")
        ] = "",
        *,
        state: Annotated[
            StateChoice | None,
            typer.Option(help="Only this state. Default: all; of those that are done, the newest."),
        ] = None,
        since: Since = "",
        limit: Annotated[
            int, typer.Option(min=1, metavar="N", help="At most so many that are done. Default: 100.")
        ] = 100,
        watch: Annotated[
            bool,
            typer.Option("--watch", "-w", help="Print changes until Ctrl-C; with --json one object a line."),
        ] = False,
        bucket: Annotated[
            str, typer.Option(metavar="NAME", help="Only this input bucket. Default: all.")
        ] = "",
        as_json: AsJson = False,
        env_file: EnvFile = ENV_FILE,
    ) -> None:
        """List recordings with their states: what is open, what waits, what failed, what is done."""
        from cli.operate import list_command  # noqa: PLC0415
        from cli.operate.times import parse_since_s  # noqa: PLC0415

        since_s = _parse("--since", lambda: parse_since_s(since, time.time()))
        options = list_command.ListOptions(
            prefix, state.value if state else "", since_s, limit, bucket, watch=watch, as_json=as_json
        )
        _finish(run, lambda console: list_command.list_recordings(console, create_context(env_file), options))

    @app.command(rich_help_panel=PANEL)
    def why(
        key: Annotated[str, typer.Argument(metavar="KEY", help="The key of a recording: calls/a.mp3")],
        *,
        bucket: Bucket = "",
        as_json: AsJson = False,
        env_file: EnvFile = ENV_FILE,
    ) -> None:
        """Tell the whole story of a recording: what happened, what failed, what happens next and when."""
        from cli.operate import why as why_command  # noqa: PLC0415

        options = why_command.WhyOptions(key, bucket, as_json=as_json)
        _finish(run, lambda console: why_command.why(console, create_context(env_file), options))

    @app.command(rich_help_panel=PANEL)
    def retry(
        keys: Keys = None,
        *,
        failed: Annotated[
            bool,
            typer.Option(
                "--failed", help="Every failed recording; with a PREFIX in place of KEY, those below it."
            ),
        ] = False,
        bucket: Bucket = "",
        yes: Yes = False,
        as_json: AsJson = False,
        env_file: EnvFile = ENV_FILE,
    ) -> None:
        """Try recordings again that failed. What was paid for is never paid again. Asks with --failed only."""
        from cli.operate import retry as retry_command  # noqa: PLC0415

        if not keys and not failed:
            raise typer.BadParameter(_("name keys of recordings, or use --failed"), param_hint="KEY...")
        options = retry_command.RetryOptions(tuple(keys or ()), bucket, failed=failed, as_json=as_json)
        ask = None if yes else _confirm
        _finish(run, lambda console: retry_command.retry(console, create_context(env_file), options, ask))

    @app.command(rich_help_panel=PANEL)
    def backfill(
        prefix: Annotated[
            str, typer.Argument(metavar="PREFIX", help="Only keys that begin with it. Default: all.")
        ] = "",
        *,
        since: Annotated[
            str, typer.Option("--since", metavar="TIME", help="Only what was uploaded from then on.")
        ] = "",
        until: Annotated[
            str, typer.Option("--until", metavar="TIME", help="Only what was uploaded before.")
        ] = "",
        missed: Annotated[
            bool,
            typer.Option(
                "--missed",
                help="Only uploads that Scribe did not notice. It finds them itself within six hours; this is at once.",
            ),
        ] = False,
        bucket: Annotated[
            str, typer.Option(metavar="NAME", help="Only this input bucket. Default: all.")
        ] = "",
        yes: Annotated[
            bool, typer.Option("--yes", help="Submit them. Without it nothing is changed or paid.")
        ] = False,
        as_json: AsJson = False,
        env_file: EnvFile = ENV_FILE,
    ) -> None:
        """Transcribe recordings that were in the bucket before. Without --yes: says how many, and what it costs."""
        from cli.operate import backfill as backfill_command  # noqa: PLC0415
        from cli.operate.times import parse_bound_s, parse_since_s  # noqa: PLC0415

        since_s = _parse("--since", lambda: parse_since_s(since, time.time()))
        until_s = _parse("--until", lambda: parse_bound_s(until, time.time()))
        options = backfill_command.BackfillOptions(
            prefix, bucket, since_s, until_s, missed=missed, yes=yes, as_json=as_json
        )
        _finish(run, lambda console: backfill_command.backfill(console, create_context(env_file), options))

    @app.command(rich_help_panel=PANEL)
    def forget(
        keys: Annotated[
            list[str],
            typer.Argument(
                metavar="KEY...", help="Keys of recordings; with a slash at the end, everything below it."
            ),
        ],
        *,
        recording: Annotated[
            bool, typer.Option("--recording", help="Delete the recording itself, too.")
        ] = False,
        bucket: Bucket = "",
        yes: Yes = False,
        as_json: AsJson = False,
        env_file: EnvFile = ENV_FILE,
    ) -> None:
        """Delete everything that Scribe has of a recording: transcripts, error, receipts, raw text, notices."""
        from cli.operate import forget as forget_command  # noqa: PLC0415

        options = forget_command.ForgetOptions(tuple(keys), bucket, with_recording=recording, as_json=as_json)
        ask = None if yes else _confirm
        _finish(run, lambda console: forget_command.forget(console, create_context(env_file), options, ask))

    @app.command(rich_help_panel=PANEL)
    def cost(
        *,
        month: Annotated[
            str, typer.Option(metavar="YYYY-MM", help="Which month, in UTC+8. Default: the current one.")
        ] = "",
        as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for a spreadsheet.")] = False,
        as_json: AsJson = False,
        env_file: EnvFile = ENV_FILE,
    ) -> None:
        """Say how many minutes were recognised in a month, for each folder, and what they cost."""
        from cli.operate import cost as cost_command  # noqa: PLC0415
        from cli.operate.times import parse_month  # noqa: PLC0415

        if as_csv and as_json:
            raise typer.BadParameter(_("use one of --csv and --json"), param_hint="--csv")
        name = _parse("--month", lambda: parse_month(month, time.time()))
        options = cost_command.CostOptions(name, as_csv=as_csv, as_json=as_json)
        _finish(run, lambda console: cost_command.cost(console, create_context(env_file), options))

    @app.command(name="open", rich_help_panel=PANEL)
    def open_page(
        key: Annotated[str, typer.Argument(metavar="KEY", help="The key of a recording: calls/a.mp3")],
        *,
        bucket: Bucket = "",
        no_open: Annotated[
            bool, typer.Option("--no-open", help="Do not start a browser; print where the page is.")
        ] = False,
        as_json: AsJson = False,
        env_file: EnvFile = ENV_FILE,
    ) -> None:
        """Open the page of a recording in the browser, to read and hear it."""
        from cli.operate import pages  # noqa: PLC0415

        options = pages.OpenOptions(key, bucket, starts_browser=not no_open, as_json=as_json)
        _finish(run, lambda console: pages.open_page(console, create_context(env_file), options))

    @app.command(rich_help_panel=PANEL)
    def link(
        key: Annotated[str, typer.Argument(metavar="KEY", help="The key of a recording: calls/a.mp3")],
        *,
        lifetime: Annotated[
            str, typer.Option("--for", metavar="TIME", help="How long it works, such as 12h. Default: 7d.")
        ] = "7d",
        bucket: Bucket = "",
        as_json: AsJson = False,
        env_file: EnvFile = ENV_FILE,
    ) -> None:
        """Print an address of the page of a recording that works without an account, for some days."""
        from cli.operate import pages  # noqa: PLC0415
        from cli.operate.times import parse_duration_s  # noqa: PLC0415

        lifetime_s = _parse("--for", lambda: parse_duration_s(lifetime))
        options = pages.LinkOptions(key, bucket, lifetime_s, as_json=as_json)
        _finish(run, lambda console: pages.link(console, create_context(env_file), options))


def _finish(run: Run, work: Callable[[Console], bool]) -> None:
    console = create_console()
    if not run(console, lambda: work(console)):
        raise typer.Exit(1)


def _parse(option: str, parse: Callable[[], T]) -> T:
    """Run a parser of an argument; its ValueError is wrong use."""
    try:
        return parse()
    except ValueError as error:
        raise typer.BadParameter(escape_line(str(error)), param_hint=option) from None


def _confirm(question: str) -> bool:
    """Ask on the terminal. Raises OperatorError without one."""
    if not sys.stdin.isatty():
        raise OperatorError(_("nothing was changed: no terminal to confirm on. Use --yes"))
    return confirm(question)
