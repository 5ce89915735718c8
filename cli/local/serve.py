"""`scribe local`: keep the local cloud running, and print what happens in it."""

from __future__ import annotations

import errno
import json
import shlex
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from cli.config import Commands
from cli.errors import OperatorError
from cli.language import _, ngettext, translate
from cli.local.activity import (
    Activity,
    ActivityLog,
    Failed,
    NotSubmitted,
    Transcribed,
    UnseenEntries,
    Uploaded,
)
from cli.local.clients import build_examples
from cli.local.emulator import (
    ERROR_SUFFIX,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    LocalPipeline,
    deploy_local_pipeline,
)
from cli.local.live import AdminClient
from cli.local.progress import PlainProgress
from cli.local.results import get_error_text, output_key
from cli.local.rules import describe_rules, load_local_rules
from cli.local.samples import load_sample_uploads
from cli.local.screen import describe_command, format_duration, format_words
from cli.local.speech import SpeechOptions
from cli.output import escape_markup
from cli.redaction import SECRETS
from shared.errors import CloudError

POLL_INTERVAL_S = 0.5
PROGRESS_INTERVAL_S = 5.0  # between two looks at the list of jobs, which may be long


def serve(console: Console, data: Path, port: int, speech: SpeechOptions) -> None:
    """Run a local cloud until an interrupt. `data` keeps its state; `port` 0 takes a free one.

    Raises EmulatorError, OperatorError (options, a port that is taken), CloudError, OSError.
    """
    check_port(port)
    rules = load_local_rules()
    for line in describe_rules(rules):
        console.print(escape_markup(line), soft_wrap=True)
    arguments = speech.prepare(lambda line: console.print(escape_markup(line), soft_wrap=True))
    arguments += ["--timers", "--port", str(port)]
    with (
        deploy_local_pipeline(data, arguments, engine=speech.engine_name, uses_rules=True) as pipeline,
        closing(AdminClient(pipeline.emulator)) as admin,
    ):
        _print_introduction(console, pipeline, speech)
        _upload_samples(console, pipeline, speech)
        _print_activities(console, pipeline, admin)


def check_port(port: int) -> None:
    """Raise OperatorError if a port cannot be used; 0 always can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise OperatorError(
                    _(
                        "port {port} is taken by another program, perhaps another `scribe local`: stop it, or choose "
                        "another port with --port",
                        port=port,
                    )
                ) from None
            raise OperatorError(
                _(
                    "port {port} cannot be used ({reason}): choose one from 1024 to 65535 with --port",
                    port=port,
                    reason=error.strerror,
                )
            ) from None


def format_restart(data: Path, emulator_endpoint: str, speech: SpeechOptions) -> str:
    """Format the command that starts the same local cloud again, at the same address and with the same key."""
    words = ["local", "--data", str(data), "--port", emulator_endpoint.rpartition(":")[2]]
    if speech.is_whisper:
        words += ["--speech", speech.speech.value]
    for option, value in (("--speech-model", speech.model), ("--engine", speech.engine)):
        words += [option, value] if value else []
    return f"{describe_command()} {' '.join(map(shlex.quote, words))}"


def _print_introduction(console: Console, pipeline: LocalPipeline, speech: SpeechOptions) -> None:
    emulator, data = pipeline.emulator, pipeline.data
    # This key opens the cloud on this machine only, and its user needs it.
    for value in (emulator.secret_id, emulator.secret_key):
        SECRETS.remove(value)
    commands = Commands(data / ".env")
    command, doctor = describe_command(), escape_markup(commands.doctor)
    page = escape_markup(commands.line("console", "--write"))
    place = {"endpoint": emulator.endpoint, "data": escape_markup(data)}
    key = {"secret_id": emulator.secret_id, "secret_key": emulator.secret_key}
    lines = [
        _("Local cloud at [bold]{endpoint}[/], data in {data}.", **place),
        _(
            "Upload to {bucket}; the transcripts appear in {output_bucket}, below.",
            bucket=INPUT_BUCKET,
            output_bucket=OUTPUT_BUCKET,
        ),
        _("Clients keep their settings if you start it with the same port and data folder next time:"),
        f"  {escape_markup(format_restart(data, emulator.endpoint, speech))}",
        "",
        _("In another terminal:"),
        f"  {escape_markup(command)} invoke upload events/cos-put.json",  # not translated
        f"  {escape_markup(command)} {doctor.removeprefix('scribe ')}    " + _("(and every other command)"),
        f"  {escape_markup(command)} {page.removeprefix('scribe ')}    "
        + _("(all recordings in the browser)"),
        "",
        _(
            "Any COS client: region {region}, HTTP proxy {endpoint}, scheme http,",
            region=emulator.region,
            endpoint=emulator.endpoint,
        ),
        _("secret id {secret_id}, secret key {secret_key}. To copy:", **key),
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
    for example in build_examples(emulator, data, time.time()):
        # Without indentation, which Python would refuse.
        console.print(Text(f"\n# {example.title}\n{example.text}"), soft_wrap=True)
    console.print("\n" + _("Ctrl-C stops the local cloud.") + "\n")


def _upload_samples(console: Console, pipeline: LocalPipeline, speech: SpeechOptions) -> None:
    samples = load_sample_uploads(reads_every_language=speech.is_whisper)
    missing = [upload for upload in samples if not pipeline.has(upload)]
    if len(missing) < len(samples):
        present = len(samples) - len(missing)
        console.print(
            ngettext(
                "{count} sample are there from an earlier start.",
                "{count} samples are there from an earlier start.",
                present,
                count=present,
            )
        )
    for upload in missing:
        pipeline.upload(upload)


def _print_activities(console: Console, pipeline: LocalPipeline, admin: AdminClient) -> None:
    def load(key: str) -> Mapping[str, Any] | None:
        try:
            document = json.loads(pipeline.clients.cos.get(OUTPUT_BUCKET, key).body)
        except (CloudError, ValueError):
            return None  # replaced or deleted since
        return document if isinstance(document, dict) else None

    log, progress = ActivityLog(load), PlainProgress(console)
    requests, invocations = UnseenEntries(), UnseenEntries()
    next_progress_s = 0.0
    while True:
        new_invocations = invocations.filter(admin.get(f"invocations?since={invocations.since}"))
        new_requests = requests.filter(admin.get(f"requests?since={requests.since}"))
        for activity in log.process(new_requests, new_invocations):
            console.print(format_activity(activity), soft_wrap=True)
        if not log.open_keys:
            progress.update({})
        elif time.monotonic() >= next_progress_s:
            next_progress_s = time.monotonic() + PROGRESS_INTERVAL_S
            statuses = admin.load_statuses()
            progress.update({key: statuses[key] for key in sorted(log.open_keys) if key in statuses})
        time.sleep(POLL_INTERVAL_S)


def format_activity(activity: Activity) -> str:
    """Format an activity as one line of console markup."""
    key = escape_markup(activity.key)
    if isinstance(activity, Uploaded):
        return _("↑ {key} uploaded", key=key)
    if isinstance(activity, NotSubmitted):
        if activity.status == "already_done":
            return _("- {key}: transcribed before, nothing to do", key=key)
        return _(
            "- {key}: not a recording, {reason}", key=key, reason=escape_markup(translate(activity.reason))
        )
    if activity.seconds is not None:
        key = _("{key} ({took})", key=key, took=format_duration(activity.seconds * 1000))
    if isinstance(activity, Transcribed):
        if activity.words is None or activity.duration_ms is None:
            return _("[green]✓[/] {key}: transcribed", key=key)
        words, duration = format_words(activity.words), format_duration(activity.duration_ms)
        return _("[green]✓[/] {key}: {words} in {duration} of audio", key=key, words=words, duration=duration)
    return _("[red]✗[/] {key}: {problem}", key=key, problem=escape_markup(_format_error(activity)))


def _format_error(failed: Failed) -> str:
    message = (get_error_text(failed.error, "message") or _("it failed")).rstrip(".。")
    cause = failed.error.get("cloud_message")
    place = f"{OUTPUT_BUCKET}/{output_key(failed.key, ERROR_SUFFIX)}"
    if cause:
        return _("{message} ({cause}); see {place}", message=message, cause=cause, place=place)
    return _("{message}; see {place}", message=message, place=place)
