"""The `scribe` command: arguments, help texts, exit statuses.

Each command imports what it needs when it runs: clients of HTTP, the SDK and the local cloud take up to a second, which
`scribe --help` and a mistake in the arguments need not wait for.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from cli.config import ENV_FILE, check_secrets_not_tracked, create_context
from cli.errors import OperatorError
from cli.help import ScribeCommand, ScribeGroup, confirm
from cli.language import N_, _, format_exception, join_words, ngettext, translate
from cli.local.speech import Speech, SpeechOptions
from cli.operate.app import PANEL, register
from cli.output import create_console, escape_line, escape_markup, print_stack_trace, protect_streams
from shared.errors import CloudError, ScribeError, SettingsError


class ScribeApp(typer.Typer):
    """The application. Everything that it prints passes `cli/output.py`, a stack trace too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line. Raises SystemExit."""
        protect_streams()
        try:
            return super().__call__(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - a bug; its text may quote a secret
            print_stack_trace(error)
            raise SystemExit(1) from None

    def command(self, *args: Any, **kwargs: Any) -> Callable[[CommandFunction], CommandFunction]:
        """Add a command, as `typer.Typer.command` does."""
        return super().command(*args, **{"cls": ScribeCommand, **kwargs})


app = ScribeApp(
    cls=ScribeGroup,
    help="Automatic transcription: upload a recording to COS, get its transcript in COS.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

LOCAL_PANEL, CLOUD_PANEL = N_("On this machine"), N_("On Tencent Cloud")
LOCAL_FOLDER = Path("scribe-local")
DEMO_FOLDER = Path("scribe-demo")
INTERRUPTED = 130  # the exit status of shells after Ctrl-C
MAX_MESSAGE_LENGTH = 300  # characters of a message of the operating system

T = TypeVar("T")
CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])

EnvFile = Annotated[
    Path,
    typer.Option(
        "--env-file",
        help="Path to the .env file. Environment variables take precedence.",
        metavar="FILE",
        dir_okay=False,
    ),
]

SpeechOption = Annotated[
    Speech,
    typer.Option(help="pocketsphinx: English, quick to install. whisper: 99 languages, with punctuation."),
]
SpeechModelOption = Annotated[
    str,
    typer.Option(
        "--speech-model", metavar="DIR_OR_NAME", help="Whisper's model: a folder or a name. Default: base."
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="The setting ENGINE, e.g. 16k_zh. Default: 16k_en; with whisper, detected."
    ),
]


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # noqa: PLC0415

        print(f"scribe {version('scribe-cos')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Define the options of the command itself."""


@app.command(rich_help_panel=LOCAL_PANEL)
def demo(
    *,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE_OR_FOLDER",
            help="Your own recordings: files, and folders with all recordings below them. Default: the samples.",
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--results", metavar="DIR", help="Folder for the results.")
    ] = DEMO_FOLDER,
    speech: SpeechOption = Speech.POCKETSPHINX,
    speech_model: SpeechModelOption = "",
    engine: EngineOption = "",
    with_notices: Annotated[
        bool, typer.Option("--notify", help="Also receive a signed notice of each recording, and print them.")
    ] = False,
) -> None:
    """Transcribe samples on this machine with real speech recognition.

    Deploys Scribe to a local cloud and uploads recordings to it. Needs no account. A text beside a recording
    (talk.mp3.transcript.txt) is returned as its transcript, in any language.
    """
    from cli.local.demo import run_demo  # noqa: PLC0415
    from cli.local.recordings import InvalidArguments, load_own_recordings  # noqa: PLC0415

    console = create_console()
    try:
        own = load_own_recordings(files) if files else None
    except InvalidArguments as error:
        raise typer.BadParameter(f"\n{error}", param_hint="FILE_OR_FOLDER") from None
    options = SpeechOptions(speech, speech_model, engine)
    if not _run(console, lambda: run_demo(console, own, folder, options, with_notices=with_notices)):
        raise typer.Exit(1)


@app.command(rich_help_panel=LOCAL_PANEL)
def local(
    *,
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for the state of the local cloud.")
    ] = LOCAL_FOLDER,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="Port on 127.0.0.1. Default: any free one.",
            show_default=False,
        ),
    ] = 0,
    speech: SpeechOption = Speech.POCKETSPHINX,
    speech_model: SpeechModelOption = "",
    engine: EngineOption = "",
) -> None:
    """Keep a local cloud with Scribe running, for any COS client.

    Prints each upload, result and error.
    """
    from cli.local.serve import serve  # noqa: PLC0415

    console = create_console()
    options = SpeechOptions(speech, speech_model, engine)
    _run(console, lambda: serve(console, data, port, options))


@app.command(rich_help_panel=LOCAL_PANEL)
def invoke(
    function: Annotated[str, typer.Argument(metavar="FUNCTION", help="upload, callback or sweep")],
    event: Annotated[
        Path,
        typer.Argument(
            metavar="EVENT",
            help="JSON file of an event, e.g. events/cos-put.json",
            exists=True,
            dir_okay=False,
        ),
    ],
    data: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of the running `scribe local`.")
    ] = LOCAL_FOLDER,
) -> None:
    """Run one function on one event in the local cloud.

    Prints its requests, its log and its result.
    """
    from cli.local.invoke import invoke as invoke_function  # noqa: PLC0415

    console = create_console()
    if not _run(console, lambda: invoke_function(console, data, function, event)):
        raise typer.Exit(1)


@app.command(rich_help_panel=CLOUD_PANEL)
def deploy(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be changed; change nothing.")
    ] = False,
    make_buckets: Annotated[
        bool, typer.Option("--make-buckets", help="Create missing buckets as private buckets.")
    ] = False,
    no_roles: Annotated[bool, typer.Option("--no-roles", help="Do not create or update CAM roles.")] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Overwrite existing notification URLs on the speech queues."),
    ] = False,
    callback: Annotated[
        str,
        typer.Option(
            metavar="queue|job",
            help="What notifies of a finished job: the speech queue, or each job itself. Default: as deployed.",
        ),
    ] = "",
    copy_receipts: Annotated[
        bool,
        typer.Option(
            "--copy-receipts", help="Copy the receipts first when OUTPUT_BUCKET or STATE_PREFIX changes."
        ),
    ] = False,
    resume_queue: Annotated[
        bool, typer.Option("--resume-queue", help="Start speech queues that are paused.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Do not ask: accept the costs and open recordings that the plan names."),
    ] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Create or update everything in serverless.yml. Safe to re-run."""
    from cli.deploy import command  # noqa: PLC0415

    console = create_console()
    _warn_if_tracked(env_file)
    options = command.DeployOptions(
        dry_run=dry_run,
        make_buckets=make_buckets,
        with_roles=not no_roles,
        take_over=take_over,
        yes=yes,
        copy_receipts=copy_receipts,
        resume_queue=resume_queue,
        callback=callback,
    )
    ask = confirm if sys.stdin.isatty() else None
    if not _run(console, lambda: command.deploy(console, create_context(env_file), options, ask)):
        raise typer.Exit(1)


@app.command(rich_help_panel=CLOUD_PANEL)
def remove(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Delete functions, triggers and roles. Keeps buckets and objects."""
    from cli.deploy import command  # noqa: PLC0415

    console = create_console()
    if not _run(
        console, lambda: command.remove(console, create_context(env_file), lambda: yes or _confirm())
    ):
        raise typer.Exit(1)


@app.command(rich_help_panel=CLOUD_PANEL)
def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Check the deployment and print a fix for each failure."""
    from cli.doctor import command  # noqa: PLC0415

    console = create_console()
    _warn_if_tracked(env_file)
    if not _run(console, lambda: command.doctor(console, create_context(env_file), as_json=as_json)):
        raise typer.Exit(1)


@app.command(rich_help_panel=CLOUD_PANEL)
def policy(
    which: Annotated[
        str,
        typer.Argument(
            metavar="POLICY", help="upload, callback, sweep, deployer, roles or operator. Default: all."
        ),
    ] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the policy documents only.")] = False,
    create_role: Annotated[
        bool, typer.Option("--create-role", help="Create or update the functions' roles in the account.")
    ] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Print the CAM policies: what each role may do, and why."""
    from cli.policy import command  # noqa: PLC0415

    console, stderr = create_console(), create_console(stderr=True)
    options = command.PolicyOptions(which, as_json=as_json, create_role=create_role)
    _run(console, lambda: command.policy(console, stderr, options, create_context(env_file)))


@app.command(rich_help_panel=CLOUD_PANEL)
def explain(
    key: Annotated[
        str, typer.Argument(help="The key of an object, there or not: calls/a.mp3", metavar="KEY")
    ],
    *,
    bucket: Annotated[
        str, typer.Option(metavar="NAME", help="Its input bucket. Default: the only one.")
    ] = "",
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="As if uploaded with these metadata only: speakers=auto. Can be repeated.",
        ),
    ] = None,
    sidecar: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="As if this file were its sidecar.", exists=True, dir_okay=False),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=0, metavar="BYTES", help="As if it had this size in bytes.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Read nothing from the bucket.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Say what would happen to a recording and why: its options, the job, the places of its transcripts.

    Changes nothing. Without a key of an account nothing is read from the bucket.
    """
    from cli.explain import command  # noqa: PLC0415

    try:
        names = [command.parse_metadata_argument(each) for each in metadata or ()]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--metadata") from None
    options = command.ExplainOptions(
        key,
        bucket,
        dict(names) if metadata is not None else None,
        sidecar,
        size,
        offline=offline,
        as_json=as_json,
    )
    console = create_console()
    if not _run(console, lambda: command.explain(console, create_context(env_file), options)):
        raise typer.Exit(1)


@app.command(rich_help_panel=CLOUD_PANEL)
def notify(
    *,
    test: Annotated[
        bool, typer.Option("--test", help="Send one test notice to each target; print what it answered.")
    ] = False,
    target: Annotated[
        str, typer.Option(metavar="NAME", help="Only this target, e.g. feishu-sales. Default: all of them.")
    ] = "",
    reset: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Forget the failures of a target, also that it wanted no more notices."
        ),
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --reset.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """List the targets of notices with their state, or send each a test notice.

    Addresses and secrets are never printed. Test notices are sent from this machine.
    """
    from cli.notices import command  # noqa: PLC0415

    if reset and (test or target or as_json):
        raise typer.BadParameter(_("it is used alone, or with --yes"), param_hint="--reset")
    console = create_console()
    _warn_if_tracked(env_file)
    options = command.NotifyOptions(test=test, target=target, reset=reset, as_json=as_json)
    ask = None if yes else _confirm_reset
    try:
        passed = _run(console, lambda: command.notify(console, create_context(env_file), options, ask))
    except command.WrongUse as error:
        hint = "--reset" if reset else "--target" if target else "--test"
        raise typer.BadParameter(escape_line(str(error)), param_hint=hint) from None
    if not passed:
        raise typer.Exit(1)


def _confirm_reset(question: str) -> bool:
    """Ask on the terminal. Raises OperatorError without one."""
    if not sys.stdin.isatty():
        raise OperatorError(_("nothing was changed: no terminal to confirm on. Use --yes"))
    return confirm(question)


def _confirm() -> bool:
    """Ask on the terminal. Raises OperatorError without one."""
    if not sys.stdin.isatty():
        raise OperatorError(_("nothing was removed: no terminal to confirm on. Use --yes"))
    return confirm(_("Remove it?"))


def _warn_if_tracked(env_file: Path) -> None:
    if warning := check_secrets_not_tracked(env_file):
        create_console(stderr=True).print(f"! {escape_markup(warning)}", style="yellow", soft_wrap=True)


def _run(console: Console, work: Callable[[], T]) -> T:
    """Run the work of a command. An error becomes one line and exit status 1, never a stack trace."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        return work()
    except KeyboardInterrupt:
        console.print("\n" + _("Stopped."))
        raise typer.Exit(INTERRUPTED) from None
    except (OperatorError, ScribeError, OSError, ValueError) as error:
        message = escape(format_error(error))
        create_console(stderr=True).print(f"[red]scribe:[/] {message}", soft_wrap=True)
        raise typer.Exit(1) from None


def format_error(error: Exception) -> str:
    """Format an error as one line. A message of the operating system is cut: it can list thousands of files."""
    if isinstance(error, SettingsError):
        return format_settings_error(error)
    text = format_exception(error)
    if not isinstance(error, OSError):
        # Only our own messages have several lines; the cloud's may quote a name with a line break.
        return escape_line(text) if isinstance(error, CloudError) else text
    files = [escape_line(str(name)) for name in (error.filename, error.filename2) if name]
    text = error.strerror or text
    text = text if len(text) <= MAX_MESSAGE_LENGTH else f"{text[:MAX_MESSAGE_LENGTH]}..."
    return _("{files}: {problem}", files=join_words(files), problem=text) if files else text


def format_settings_error(error: SettingsError) -> str:
    """Format every mistake in the settings, in one line."""
    mistakes = _("; ").join(map(translate, error.mistakes))
    return ngettext(
        "{count} setting is wrong: {mistakes}",
        "{count} settings are wrong: {mistakes}",
        len(error.mistakes),
        mistakes=mistakes,
    )


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


register(app, _run)


@app.command(name="console", rich_help_panel=PANEL)
def open_console(
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Allow uploads and retries. Without it nothing can be changed.")
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="Port on 127.0.0.1. Default: any free one.",
            show_default=False,
        ),
    ] = 0,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Do not start a browser; print the address only.")
    ] = False,
    env_file: EnvFile = ENV_FILE,
) -> None:
    """Open a page with all recordings in the browser: upload, read, hear, search, see costs. Ends with Ctrl-C."""
    from cli.console import command  # noqa: PLC0415

    console = create_console()
    _warn_if_tracked(env_file)
    options = command.ConsoleOptions(port, can_write=write, opens_browser=not no_open)
    _run(console, lambda: command.run_console(console, create_context(env_file), options))
    sys.stdout.flush()
    command.end_process()


if __name__ == "__main__":
    app()
