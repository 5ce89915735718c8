"""`scribe demo`: upload recordings to Scribe on a local cloud, wait for the transcripts, compare and print them.

recordings.py, samples.py ──▶ uploads ──▶ live.py (waits) ──▶ results.py (compares)
                                             │                    ├──▶ results_folder.py (saves)
                                             └──▶ progress.py     └──▶ screen.py (prints)
    receiver.py ──▶ notices.py (with --notify: what a webhook receives)
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console

from cli.language import _, ngettext
from cli.local.emulator import INPUT_BUCKET, OUTPUT_PREFIX, LocalPipeline, deploy_local_pipeline
from cli.local.live import AdminClient, wait_for_results
from cli.local.notices import print_notices
from cli.local.progress import DemoProgress
from cli.local.receiver import run_notice_receiver
from cli.local.recordings import OwnRecordings
from cli.local.results import UploadResult, find_mismatches, find_recordings
from cli.local.results_folder import ResultsFolder, SaveReport
from cli.local.rules import describe_rules, load_local_rules, with_rule_formats
from cli.local.samples import Upload, load_sample_uploads
from cli.local.screen import (
    find_first_transcript,
    format_line,
    print_captions,
    print_errors,
    print_next_steps,
    print_table,
    print_text,
)
from cli.local.speech import SpeechOptions
from cli.output import escape_markup

NOTICES_TIMEOUT_S = 20.0  # after the last transcript; the functions try at once


def run_demo(
    console: Console,
    own: OwnRecordings | None,
    folder: Path,
    speech: SpeechOptions,
    *,
    with_notices: bool = False,
) -> bool:
    """Transcribe the samples, or the user's own recordings, and print the results. Return whether all are as expected.

    `with_notices` also receives a notice of each recording on this machine, and prints them.
    Raises EmulatorError, OperatorError (options), CloudError, OSError.
    """
    # The samples are compared with what is known of them, so no rule applies to them.
    rules = load_local_rules() if own else None
    uploads = own.uploads if own else load_sample_uploads(reads_every_language=speech.is_whisper)
    uploads = [with_rule_formats(upload, rules) for upload in uploads]
    results_folder = ResultsFolder(folder)
    results_folder.create()  # first, because the results would be lost without it
    for note in [*(own.notes if own else []), *describe_rules(rules)]:
        console.print(escape_markup(note), soft_wrap=True)
    arguments = speech.prepare(lambda line: console.print(escape_markup(line), soft_wrap=True))
    with tempfile.TemporaryDirectory(prefix="scribe-") as temporary, ExitStack() as stack:
        start = time.monotonic()
        receiver = stack.enter_context(run_notice_receiver()) if with_notices else None
        with console.status(_("Starting a local cloud and deploying Scribe to it")):
            pipeline = stack.enter_context(
                deploy_local_pipeline(
                    Path(temporary) / "cloud",
                    arguments,
                    engine=speech.engine_name,
                    uses_rules=rules is not None,
                    settings=receiver.settings if receiver else {},
                )
            )
        seconds = time.monotonic() - start
        console.print(
            _(
                "Local cloud at {endpoint}, Scribe deployed in {seconds:.1f} s.",
                endpoint=pipeline.emulator.endpoint,
                seconds=seconds,
            )
        )
        if receiver:
            console.print(_("Notices go to {url}, which verifies their signatures.", url=receiver.url))
        results = _upload_and_wait(console, pipeline, uploads)
        notices = receiver.wait_for(len(results), NOTICES_TIMEOUT_S) if receiver else []
    report = results_folder.save(
        dict(entry for result in results for entry in result.files.values()), find_recordings(results)
    )
    print_table(console, results, folder)
    _print_save_report(console, report, folder)
    first = find_first_transcript(results)
    if first:
        print_text(console, first, folder)
    print_captions(console, results)
    print_errors(console, results, folder)
    mismatches = [result for result in results if find_mismatches(result)]
    if mismatches:
        text = ngettext(
            "{failed} of {count} recording failed.",
            "{failed} of {count} recordings failed.",
            len(results),
            failed=len(mismatches),
            count=len(results),
        )
        console.print(f"\n[red]{text}[/]")
    elif not own:
        console.print(f"\n[green]{_('All expected words and files are there.')}[/]")
    all_notified = receiver is None or print_notices(
        console, receiver, notices, [each.upload.key for each in results]
    )
    print_next_steps(console, first, folder, is_whisper=speech.is_whisper)
    return not mismatches and all_notified


def _upload_and_wait(
    console: Console, pipeline: LocalPipeline, uploads: Sequence[Upload]
) -> list[UploadResult]:
    upload_times: dict[Upload, float] = {}
    console.print(
        ngettext(
            "Uploading {count} recording to {bucket}:",
            "Uploading {count} recordings to {bucket}:",
            len(uploads),
            bucket=INPUT_BUCKET,
            count=len(uploads),
        )
    )
    for upload in uploads:
        pipeline.upload(upload)
        upload_times[upload] = time.monotonic()
        console.print(f"↑ {escape_markup(upload.key)}")
    results = []
    with (
        closing(AdminClient(pipeline.emulator)) as admin,
        DemoProgress(console, len(uploads)) as progress,
    ):
        for result in wait_for_results(
            pipeline.clients.cos, admin.load_statuses, upload_times, on_status=progress.update
        ):
            console.print(format_line(result))
            results.append(result)
    order = {upload: number for number, upload in enumerate(upload_times)}
    return sorted(results, key=lambda result: order[result.upload])


def _print_save_report(console: Console, report: SaveReport, folder: Path) -> None:
    if report.removed:
        console.print(
            ngettext(
                "{count} file of an earlier run removed.",
                "{count} files of an earlier run removed.",
                report.removed,
                count=report.removed,
            )
        )
    if report.renamed:
        console.print(
            ngettext(
                "{count} changed or other file in the way: kept, renamed to {name}, ...",
                "{count} changed or other files in the way: kept, renamed to {name}, ...",
                len(report.renamed),
                name=escape_markup(report.renamed[0].name),
                count=len(report.renamed),
            )
        )
    if report.others:
        console.print(
            ngettext(
                "{count} other file in {folder}: not of this run, left as they are.",
                "{count} other files in {folder}: not of this run, left as they are.",
                report.others,
                folder=escape_markup(folder / OUTPUT_PREFIX),
                count=report.others,
            )
        )
