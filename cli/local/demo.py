"""`scribe demo`: upload recordings to Scribe on a local cloud, wait for the transcripts, compare and print them."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET, SETTINGS, LocalPipeline, deploy_local_pipeline
from cli.local.samples import ExpectedTranscript, Upload, build_uploads, load_sample_uploads
from cli.output import escape_markup
from shared.settings import load_settings
from shared.tencent.cos import CosClient

TIMEOUT_S = 100.0
# A megabyte of mp3 is one or two minutes of speech; recognition takes a fifth of that.
TIMEOUT_PER_MEGABYTE_S = 60.0
POLL_INTERVAL_S = 0.25
MAX_PRINTED_LINES = 20  # of a transcript

_SETTINGS = load_settings(SETTINGS)
OUTPUT_PREFIX, OUTPUT_FORMATS = _SETTINGS.output_prefix, _SETTINGS.formats
ERROR_SUFFIX = "error.json"
SUFFIXES = (*OUTPUT_FORMATS, ERROR_SUFFIX)


@dataclass(frozen=True, slots=True)
class UploadResult:
    """The output for one upload. `files` maps a suffix (`json`, `error.json`, ...) to its key and bytes."""

    upload: Upload
    seconds: float
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether there is an error object."""
        return ERROR_SUFFIX in self.files

    @property
    def complete(self) -> bool:
        """Whether there is an error object or every transcript file."""
        return self.failed or all(name in self.files for name in OUTPUT_FORMATS)

    def document(self) -> Mapping[str, Any]:
        """Return the JSON transcript or the error object; an empty mapping when there is neither."""
        suffix = ERROR_SUFFIX if self.failed else "json"
        if suffix not in self.files:
            return {}
        document = json.loads(self.files[suffix][1])
        return document if isinstance(document, dict) else {}


def run_demo(console: Console, files: Sequence[Path], folder: Path) -> bool:
    """Transcribe the samples, or the user's own files, and print the results. Return whether all are as expected.

    Raises EmulatorError, CloudError, OSError.
    """
    uploads = build_uploads(files) if files else load_sample_uploads()
    create_results_folder(folder)  # first, because the results would be lost without it
    with tempfile.TemporaryDirectory(prefix="scribe-") as temporary, ExitStack() as stack:
        start = time.monotonic()
        with console.status("Starting a local cloud and deploying Scribe to it"):
            pipeline = stack.enter_context(deploy_local_pipeline(Path(temporary) / "cloud"))
        seconds = time.monotonic() - start
        console.print(f"Local cloud at {pipeline.emulator.endpoint}, Scribe deployed ({seconds:.1f} s).")
        results = _upload_and_wait(console, pipeline, uploads)
    save_results(results, folder)
    console.print(build_table(results, folder))
    print_transcript(console, results, folder)
    print_errors(console, results)
    mismatches = [result for result in results if find_mismatches(result)]
    if mismatches:
        console.print(f"\n[red]{len(mismatches)} of {len(results)} recordings failed.[/]")
    elif files:
        console.print(f"\nThe transcripts are in {escape_markup(folder / OUTPUT_PREFIX)}.")
    else:
        console.print("\nAll expected words and files are there. Next:")
        console.print("  scribe demo FILE...  transcribes your own recordings (in English)", soft_wrap=True)
        console.print("  docs/deploy.md       explains how to deploy to Tencent Cloud", soft_wrap=True)
    return not mismatches


def _upload_and_wait(
    console: Console, pipeline: LocalPipeline, uploads: Sequence[Upload]
) -> list[UploadResult]:
    upload_times: dict[Upload, float] = {}
    for upload in uploads:
        pipeline.upload(upload)
        upload_times[upload] = time.monotonic()
        console.print(f"↑ {escape_markup(upload.key)} uploaded to {INPUT_BUCKET}")
    megabytes = sum(upload.path.stat().st_size for upload in uploads) / 1e6
    timeout_s = TIMEOUT_S + TIMEOUT_PER_MEGABYTE_S * megabytes
    results = []
    with console.status("Transcribing"):
        for result in wait_for_results(
            pipeline.clients.cos, OUTPUT_BUCKET, upload_times, timeout_s=timeout_s
        ):
            console.print(format_line(result))
            results.append(result)
    order = list(upload_times)
    return sorted(results, key=lambda result: order.index(result.upload))


def wait_for_results(
    cos: CosClient,
    bucket: str,
    upload_times: Mapping[Upload, float],
    *,
    timeout_s: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[UploadResult]:
    """Poll the output bucket; yield each result when it is complete, and after the timeout the incomplete ones.

    `upload_times` has the time (`now`) of each upload; the timeout starts with the call.
    """
    waiting = dict(upload_times)
    deadline = now() + timeout_s
    while waiting:
        timed_out = now() >= deadline
        keys = {item.key for item in cos.iter_objects(bucket, prefix=OUTPUT_PREFIX)}
        for upload, uploaded_at in list(waiting.items()):
            if timed_out or _is_complete(upload, keys):
                del waiting[upload]
                files = _download_files(cos, bucket, upload, keys)
                yield UploadResult(upload, now() - uploaded_at, files)
        if waiting:
            sleep(POLL_INTERVAL_S)


def _is_complete(upload: Upload, keys: set[str]) -> bool:
    base = f"{OUTPUT_PREFIX}{upload.key}."
    return base + ERROR_SUFFIX in keys or all(base + name in keys for name in OUTPUT_FORMATS)


def _download_files(
    cos: CosClient, bucket: str, upload: Upload, keys: set[str]
) -> dict[str, tuple[str, bytes]]:
    paths = {suffix: f"{OUTPUT_PREFIX}{upload.key}.{suffix}" for suffix in SUFFIXES}
    return {suffix: (key, cos.get(bucket, key).body) for suffix, key in paths.items() if key in keys}


def find_mismatches(result: UploadResult) -> list[str]:
    """Compare a result with what its sample holds. An empty list is a success."""
    if not result.complete:
        return ["no result in time"]
    expected = result.upload.expected
    if expected is not None and expected.fails:
        return _find_error_mismatches(result)
    if result.failed:
        return [str(result.document().get("message", "it failed"))]
    return [] if expected is None else _find_text_mismatches(result, expected)


def _find_error_mismatches(result: UploadResult) -> list[str]:
    if not result.failed:
        return ["an error object was expected"]
    error = result.document()
    return [f"the error object has no {name}" for name in ("message", "next_step") if not error.get(name)]


def _find_text_mismatches(result: UploadResult, expected: ExpectedTranscript) -> list[str]:
    sentences = result.document().get("sentences", [])
    mismatches = []
    if expected.words is not None:
        words = _split_words(" ".join(sentence["text"] for sentence in sentences))
        if words != _split_words(expected.words):
            mismatches.append(f"transcribed {' '.join(words)!r}, expected {expected.words!r}")
        for name in OUTPUT_FORMATS:
            text = result.files[name][1].decode("utf-8").lower()
            missing = [word for word in _split_words(expected.words) if word not in text]
            if missing:
                mismatches.append(f"{name} lacks {', '.join(missing)}")
    for number, channel_words in enumerate(expected.channels, start=1):
        words = _split_words(" ".join(s["text"] for s in sentences if s.get("channel") == number))
        if words != _split_words(channel_words):
            mismatches.append(
                f"channel {number}: transcribed {' '.join(words)!r}, expected {channel_words!r}"
            )
    return mismatches


def _split_words(text: str) -> list[str]:
    """Split a text into lower-case words without punctuation; each Chinese character is a word."""
    return re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+(?:'[^\W\u4e00-\u9fff]+)*", text.lower())


def format_line(result: UploadResult) -> str:
    """Format one result as a line of console markup."""
    mark = "[red]✗[/]" if find_mismatches(result) else "[green]✓[/]"
    outcome = escape_markup(format_outcome(result))
    return f"{mark} {escape_markup(result.upload.key)} ({result.seconds:.1f} s): {outcome}"


def format_outcome(result: UploadResult) -> str:
    """Format the outcome in a few words."""
    if not result.complete:
        return "no result in time"
    if result.failed:
        return "error object" if find_mismatches(result) else "error object (expected)"
    sentences = result.document().get("sentences", [])
    count = sum(len(sentence["words"]) or 1 for sentence in sentences)
    return f"{count} words" if sentences else "empty transcript (silence)"


def build_table(results: Sequence[UploadResult], folder: Path) -> Table:
    """Build a table with recording, duration, time taken, outcome and the suffixes of the files."""
    table = Table(title=f"Results in {folder / OUTPUT_PREFIX}", title_justify="left")
    for name in ("Recording", "Duration", "Took", "Outcome", "Files"):
        table.add_column(name, overflow="fold", justify="right" if name in {"Duration", "Took"} else "left")
    for result in results:
        outcome = format_outcome(result)
        lines = [
            escape_markup(outcome),
            *(f"[red]{escape_markup(text)}[/]" for text in find_mismatches(result) if text != outcome),
        ]
        table.add_row(
            escape_markup(result.upload.key),
            _format_duration(result),
            f"{result.seconds:.1f} s",
            "\n".join(lines),
            " ".join(f".{suffix}" for suffix in result.files) or "none",
        )
    return table


def _format_duration(result: UploadResult) -> str:
    milliseconds = result.document().get("duration_ms")
    return f"{milliseconds / 1000:.1f} s" if isinstance(milliseconds, int) else "-"


def print_transcript(console: Console, results: Sequence[UploadResult], folder: Path) -> None:
    """Print the first transcript that has words, or the start of a long one."""
    result = next((result for result in results if result.files.get("txt", ("", b""))[1]), None)
    if not result:
        return
    key, body = result.files["txt"]
    lines = body.decode("utf-8").splitlines()
    console.print(f"\nText of [bold]{escape_markup(result.upload.key)}[/]:")
    console.print(escape("\n".join(lines[:MAX_PRINTED_LINES])))
    if len(lines) > MAX_PRINTED_LINES:
        console.print(
            f"... {len(lines) - MAX_PRINTED_LINES} more lines in {escape_markup(folder / key)}",
            soft_wrap=True,
        )


def print_errors(console: Console, results: Sequence[UploadResult]) -> None:
    """Print every error object; recordings with the same error are listed together."""
    recordings: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for result in results:
        if result.failed:
            error = result.document()
            names = [name for name in ("message", "next_step", "code", "cloud_message") if error.get(name)]
            recordings.setdefault(tuple((name, str(error[name])) for name in names), []).append(
                result.upload.key
            )
    for fields, keys in recordings.items():
        console.print(f"\nError object of [bold]{escape_markup(', '.join(keys))}[/]:")
        for name, text in fields:
            console.print(f"  {name}: {escape_markup(text)}")


def create_results_folder(folder: Path) -> None:
    """Create the folder. Raises OSError with a message that names --results."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"the folder {folder} cannot be created ({error.strerror}); choose another one with --results"
        ) from None


def save_results(results: Sequence[UploadResult], folder: Path) -> None:
    """Write every file below `folder` under its key in the output bucket; replace the files of an earlier run."""
    for result in results:
        for suffix in SUFFIXES:
            (folder / f"{OUTPUT_PREFIX}{result.upload.key}.{suffix}").unlink(missing_ok=True)
        for key, body in result.files.values():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
