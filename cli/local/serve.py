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
from cli.local.results import output_key
from cli.local.rules import describe_rules, load_local_rules
from cli.local.samples import load_sample_uploads
from cli.local.screen import describe_command, format_count, format_duration
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
                    f"port {port} is taken by another program, perhaps another `scribe local`: "
                    "stop it, or choose another port with --port"
                ) from None
            raise OperatorError(
                f"port {port} cannot be used ({error.strerror}): choose one from 1024 to 65535 with --port"
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
    lines = [
        f"Local cloud at [bold]{emulator.endpoint}[/], data in {escape_markup(data)}.",
        f"Upload to {INPUT_BUCKET}; the transcripts appear in {OUTPUT_BUCKET}, below.",
        "Clients keep their settings if you start it with the same port and data folder next time:",
        f"  {escape_markup(format_restart(data, emulator.endpoint, speech))}",
        "",
        "In another terminal:",
        f"  {escape_markup(command)} invoke upload events/cos-put.json",
        f"  {escape_markup(command)} {doctor.removeprefix('scribe ')}    (and every other command)",
        f"  {escape_markup(command)} {page.removeprefix('scribe ')}    (all recordings in the browser)",
        "",
        f"Any COS client: region {emulator.region}, HTTP proxy {emulator.endpoint}, scheme http,",
        f"secret id {emulator.secret_id}, secret key {emulator.secret_key}. To copy:",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
    for example in build_examples(emulator, data, time.time()):
        # Without indentation, which Python would refuse.
        console.print(Text(f"\n# {example.title}\n{example.text}"), soft_wrap=True)
    console.print("\nCtrl-C stops the local cloud.\n")


def _upload_samples(console: Console, pipeline: LocalPipeline, speech: SpeechOptions) -> None:
    samples = load_sample_uploads(reads_every_language=speech.is_whisper)
    missing = [upload for upload in samples if not pipeline.has(upload)]
    if len(missing) < len(samples):
        console.print(
            f"{format_count(len(samples) - len(missing), 'sample')} are there from an earlier start."
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
        return f"↑ {key} uploaded"
    if isinstance(activity, NotSubmitted):
        if activity.status == "already_done":
            return f"- {key}: transcribed before, nothing to do"
        return f"- {key}: not a recording, {escape_markup(activity.reason)}"
    after = "" if activity.seconds is None else f" ({format_duration(activity.seconds * 1000)})"
    if isinstance(activity, Transcribed):
        if activity.words is None or activity.duration_ms is None:
            return f"[green]✓[/] {key}{after}: transcribed"
        words = format_count(activity.words, "word") if activity.words else "no speech"
        return f"[green]✓[/] {key}{after}: {words} in {format_duration(activity.duration_ms)} of audio"
    return f"[red]✗[/] {key}{after}: {escape_markup(_format_error(activity))}"


def _format_error(failed: Failed) -> str:
    message = str(failed.error.get("message") or "it failed").rstrip(".")
    cause = failed.error.get("cloud_message")
    place = f"{OUTPUT_BUCKET}/{output_key(failed.key, ERROR_SUFFIX)}"
    return f"{message}{f' ({cause})' if cause else ''}; see {place}"
