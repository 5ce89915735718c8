"""From an uploaded object to its speech job: is it a recording, is it new, and if so, submit it (submit.py)."""

from __future__ import annotations

from shared.errors import NotFound, RequestRejected
from shared.messages import message
from shared.options.model import RecordingOptions
from shared.recordings.changed_options import NO_DIFFERENCE, compare_options, take_text_options
from shared.recordings.content import (
    UNREADABLE_STATUSES,
    find_in_listing,
    head_content,
    raise_unless_about_object,
)
from shared.recordings.context import Context
from shared.recordings.failures import (
    ARCHIVED,
    UNREADABLE,
    Failure,
    FailureReason,
)
from shared.recordings.filters import check_skipped, check_skipped_by_metadata, is_sidecar_event
from shared.recordings.index import FORGOTTEN_REASON, is_forgotten, open_index
from shared.recordings.keys import FULL_NAME, get_stem
from shared.recordings.models import Result, Status
from shared.recordings.options import OptionChoice, choose_for_recording, log_choice
from shared.recordings.outputs import (
    add_error_object,
    delete_error_object,
    fail_unsubmitted,
    has_error_object,
    has_own_transcripts,
    has_same_names,
    report_wait,
)
from shared.recordings.proof import compute_nonce
from shared.recordings.receipt import (
    BUDGET_CODE,
    FAILED,
    SUPERSEDED,
    TRANSCRIBED,
    WAITING,
    Receipt,
    Recording,
)
from shared.recordings.receipt_store import ReceiptStore
from shared.recordings.sidecars import report_late_sidecar
from shared.recordings.submit import defer_to_sweep, submit_job
from shared.settings import OUTPUT_NAMES
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectMetadata


def ingest(
    ctx: Context,
    bucket: str,
    key: str,
    *,
    is_restore: bool = False,
    is_upload: bool = False,
    is_remembered: bool = False,
) -> Result:
    """Submit the recording unless that was done before.

    Costs eight requests for a new recording, one more if the submit is refused for now, three more if it is rejected
    for good, one more if it is not known whether the bucket of the receipts has versioning (two more if it has), at
    most four for a redelivered event, and three for a sidecar. With OUTPUT_NAMES=short up to six more for a new
    recording, and one for any other (output_names.py). Raises CloudError, DeadlineExceeded, or SettingsError
    for wrong rules, before the receipt exists; after that, the sweep repairs what fails.

    `is_restore`: the object was not uploaded but restored from an archive. `is_upload`: it was uploaded a moment ago;
    an audit, or the event of a copy, does not know. `is_remembered`: the caller knows that the operator did not have it
    forgotten. Without both, a recording without a closed receipt costs one request more, and is left alone if it was.
    """
    if is_sidecar_event(ctx.settings, bucket, key):
        return report_late_sidecar(ctx, bucket, key)
    skipped = check_skipped(ctx.settings, bucket, key)
    if skipped:
        return skipped
    try:
        head = head_content(ctx, bucket, key)
    except NotFound:
        return Result(Status.OBJECT_NOT_FOUND, bucket, key)
    except RequestRejected as error:
        return _process_unreadable(ctx, bucket, key, error)
    skipped = check_skipped_by_metadata(ctx.settings, bucket, key, head)
    if skipped:
        return skipped
    recording = Recording(bucket, key, head.etag, head.size)
    store = ctx.receipts(bucket)
    if is_restore and head.modified_s < ctx.settings.since_s and not store.get_waiting(recording.id):
        return Result(Status.SKIPPED, bucket, key, reason=message("restored, but uploaded before SINCE"))
    done = store.get_done(recording.id)
    is_over = done is not None and done.state is not SUPERSEDED and is_same_upload(head.modified_s, done)
    if done and is_over and not _is_tried_again(store, done):
        return _already_done(done)
    if not (done or is_upload or is_remembered) and is_forgotten(ctx, recording, head.modified_s):
        return Result(Status.SKIPPED, bucket, key, reason=FORGOTTEN_REASON)
    choice = choose_for_recording(ctx, recording, head)
    if done and done.state is TRANSCRIBED:
        return _ingest_again(ctx, recording, head, done, choice, is_upload=is_upload)
    return start_new_work(ctx, recording, head, choice, done_before=done)


def _is_tried_again(store: ReceiptStore, done: Receipt) -> bool:
    """Check whether the operator tried a failed recording again, and it has waited since. One request if it failed."""
    waiting = store.get_waiting(done.id) if done.state is FAILED else None
    return waiting is not None and waiting.finished_s > done.finished_s


def is_same_upload(modified_s: float, done: Receipt) -> bool:
    """Check whether the object was not written again since its receipt. Without a time nothing is paid again."""
    if done.modified_s:
        return modified_s in {0.0, done.modified_s}
    return modified_s <= done.finished_s


def _process_unreadable(ctx: Context, bucket: str, key: str, error: RequestRejected) -> Result:
    """Fail a recording that COS does not show to anyone who asks as Scribe does, until the object changes.

    That is one encrypted with a customer's key (400), or one denied by its own rule (403) while its neighbours can be
    read. Raises the error if the cause is not the object itself. The listing has what HEAD does not say.
    """
    if error.status not in UNREADABLE_STATUSES:
        raise error
    listed = find_in_listing(ctx, bucket, key)
    if listed is None:
        return Result(Status.OBJECT_NOT_FOUND, bucket, key)
    recording = Recording(bucket, key, listed.etag, listed.size)
    modified_s = parse_timestamp(listed.modified)
    store = ctx.receipts(bucket)
    done = store.get_done(recording.id)
    if done and (done.modified_s == modified_s or done.state is TRANSCRIBED):
        return _already_done(done)
    if in_flight := store.get_open(recording.id):
        # It could be read before: its job may be paid, and the result is written whatever COS shows now.
        return Result.of(in_flight, Status.IN_PROGRESS)
    raise_unless_about_object(ctx, bucket, key, error)
    if ctx.settings.has_recording_extension(key) is None:
        return Result(
            Status.SKIPPED,
            bucket,
            key,
            reason=message("no extension, and COS does not show its Content-Type"),
        )
    choice = OptionChoice(RecordingOptions(ctx.settings.engine))
    superseded_job_ids = done.all_job_ids if done else ()
    receipt = _build_receipt(ctx, recording, choice, modified_s, superseded_job_ids, ctx.create_secret())
    return _fail_unsubmitted(ctx, receipt, unreadable_failure(error))


def unreadable_failure(error: RequestRejected) -> Failure:
    """Build the failure of a recording that COS does not show."""
    return Failure(UNREADABLE, error.code, error.message, error.request_id)


def _already_done(done: Receipt) -> Result:
    return Result.of(done, Status.ALREADY_DONE, reason=done.outcome)


def _ingest_again(
    ctx: Context,
    recording: Recording,
    head: ObjectMetadata,
    done: Receipt,
    choice: OptionChoice,
    *,
    is_upload: bool,
) -> Result:
    """Handle transcribed content that was uploaded again: COS reports another time than the receipt.

    With other options for the job (changed_options.py) it is new work, also if that has waited for the budget since its
    upload. Otherwise its transcript may have been overwritten by that of other content, or has another title or another
    name (OUTPUT_NAMES) now: then the receipt is reopened with the paid job, and the sweep writes its transcripts again.
    An object that was only touched (its metadata or its storage class changed by a copy onto itself) still has its
    transcripts: nothing is to do.
    """
    # Of an attempt that was paused: someone uploaded the recording after its HEAD, and that was transcribed.
    is_stale = head.modified_s < done.modified_s
    if choice.invalid and not is_stale:
        return _report_invalid_again(ctx, head, done, choice.invalid)
    difference = NO_DIFFERENCE if is_stale else compare_options(done, choice, is_upload=is_upload)
    if not (is_stale or is_upload or difference.job):
        as_upload = compare_options(done, choice, is_upload=True)
        if as_upload.job and _is_held(ctx, done):
            difference = as_upload
    if difference.job:
        if head.is_archived:
            # Its transcripts stay until it is restored: the time of the receipt still differs then.
            return _already_done(done)
        ctx.log.info("uploaded_with_other_options", key=recording.key, options=list(difference.job))
        return start_new_work(ctx, recording, head, choice, done_before=done)
    store = ctx.receipts(recording.bucket)
    named = done if is_stale else done._replace(output_name=_choose_output_name(ctx, recording))
    is_renamed = not has_same_names(ctx, done, named)
    # An open receipt of other content may be about to write other transcripts.
    is_complete = not is_renamed and has_own_transcripts(ctx, done) and not has_error_object(ctx, done)
    if is_complete and not difference.text and not store.has_other_open(done):
        # Otherwise an upload with other options was transcribed in this moment.
        if store.get_done(done.id) == done:
            store.update_done(done._replace(modified_s=head.modified_s))
        return _already_done(done)
    if difference.text:
        log_choice(ctx, recording.key, choice)
    changed = take_text_options(named, choice) if difference.text else named
    return reopen_with_job(ctx, head.modified_s, done, changed)


def _is_held(ctx: Context, done: Receipt) -> bool:
    """Check whether an upload of transcribed content with other options waits for the budget. One request."""
    waiting = ctx.receipts(done.bucket).get_waiting(done.id)
    return (
        waiting is not None and waiting.refusal_code == BUDGET_CODE and waiting.finished_s > done.finished_s
    )


def reopen_with_job(ctx: Context, modified_s: float, done: Receipt, changed: Receipt) -> Result:
    """Reopen a closed receipt with its paid job (REOPENED), unless there is other work on the same content.

    `changed` is `done` with what the reopened receipt has new.
    """
    store = ctx.receipts(done.bucket)
    now_s = ctx.now()
    reopened = changed.reopen(modified_s, now_s)._replace(
        nonce=compute_nonce(ctx.create_secret()), lease_expires_s=now_s
    )
    created = store.create(reopened, now_s)
    if created is None:
        return Result.of(done, Status.IN_PROGRESS)
    current = store.get_done(done.id)
    if current != done:
        store.delete_open(created)
        return _already_done(current or done)
    return Result.of(done, Status.REOPENED)


def _report_invalid_again(ctx: Context, head: ObjectMetadata, done: Receipt, reason: FailureReason) -> Result:
    """Write the error object beside the transcripts, which are paid for. An upload with good options removes it."""
    store = ctx.receipts(done.bucket)
    in_flight = store.get_open(done.id)
    if in_flight:
        return Result.of(in_flight, Status.IN_PROGRESS)
    add_error_object(ctx, done, Failure(reason))
    if store.get_done(done.id) != done:
        delete_error_object(ctx, done)  # a later upload was transcribed in this moment
        return _already_done(done)
    store.update_done(done._replace(modified_s=head.modified_s))
    return Result.of(done, Status.FAILED, reason=reason.text)


def start_new_work(
    ctx: Context,
    recording: Recording,
    head: ObjectMetadata,
    choice: OptionChoice,
    *,
    done_before: Receipt | None,
    may_submit: bool = True,
) -> Result:
    """Start new work. After a failure the cause was probably removed; after SUPERSEDED no one knows what a job read.

    `done_before` is the closed receipt as it was read: if it has changed since, nothing is paid. With `may_submit`
    False the submit is left to the sweep.
    """
    superseded_job_ids = done_before.all_job_ids if done_before else ()
    secret = ctx.create_secret()
    receipt = _build_receipt(ctx, recording, choice, head.modified_s, superseded_job_ids, secret)
    store = ctx.receipts(recording.bucket)
    if choice.invalid or head.is_archived:
        return _end_without_job(ctx, receipt, choice)
    created = store.create(receipt, receipt.created_s)
    if created is None:
        return Result.of(receipt, Status.IN_PROGRESS)
    receipt = created
    if head.was_restored:
        store.delete_waiting(receipt.id)
    done = store.get_done(recording.id)
    is_other_upload = done is not None and done.state is FAILED and not is_same_upload(head.modified_s, done)
    if done and done != done_before and not is_other_upload:
        # While this attempt was paused, another began and ended: its receipt was in done/ before it left open/.
        store.delete_open(receipt)
        if done.state is SUPERSEDED:
            return ingest(
                ctx, recording.bucket, recording.key
            )  # other content was uploaded: start from HEAD again
        return _already_done(done)
    if done and done.state is FAILED:
        open_index(ctx, recording.bucket).remove_failed(receipt.id)
    log_choice(ctx, recording.key, choice)
    if not may_submit:
        return defer_to_sweep(ctx, receipt, reason=message("the queue has no room"))
    return submit_job(ctx, receipt, secret)


def _end_without_job(ctx: Context, receipt: Receipt, choice: OptionChoice) -> Result:
    """Report that the options are invalid or, if they are not, that the recording is in an archive."""
    in_flight = ctx.receipts(receipt.bucket).get_open(receipt.id)
    if in_flight:
        # Its job may run: the metadata, ENGINE or the storage class can have changed since.
        return Result.of(in_flight, Status.IN_PROGRESS)
    if choice.invalid:
        return _fail_unsubmitted(ctx, receipt, Failure(choice.invalid))
    return wait_for_restore(ctx, receipt)


def _fail_unsubmitted(ctx: Context, receipt: Receipt, failure: Failure) -> Result:
    failed = fail_unsubmitted(ctx, receipt, failure)
    return failed or Result.of(receipt, Status.ALREADY_DONE, reason=message("a later upload was transcribed"))


def _build_receipt(
    ctx: Context,
    recording: Recording,
    choice: OptionChoice,
    modified_s: float,
    superseded_job_ids: tuple[str, ...],
    secret: str,
) -> Receipt:
    now_s = ctx.now()
    return Receipt(
        id=recording.id,
        bucket=recording.bucket,
        region=ctx.input_cos.region,
        key=recording.key,
        etag=recording.etag,
        size=recording.size,
        engine=choice.options.engine,
        channels=choice.options.channels,
        nonce=compute_nonce(secret),
        attempt=1,
        modified_s=modified_s,
        created_s=now_s,
        waits_since_s=now_s,
        lease_expires_s=now_s + ctx.settings.lease_s,
        superseded_job_ids=superseded_job_ids,
        deployment=ctx.deployment,
        output_name=_choose_output_name(ctx, recording),
    ).with_options(choice.options, choice.sources)


def _choose_output_name(ctx: Context, recording: Recording) -> str:
    if ctx.settings.output_names == OUTPUT_NAMES[0] and get_stem(recording.key) != recording.key:
        return FULL_NAME
    # A cold start should not load what few deployments need.
    from shared.recordings.output_names import choose_output_name  # noqa: PLC0415

    return choose_output_name(ctx, recording.bucket, recording.key)


def wait_for_restore(ctx: Context, receipt: Receipt) -> Result:
    """Report once that the recording is in an archive. Its restore, or the audit, submits it."""
    store = ctx.receipts(receipt.bucket)
    waiting = store.get_waiting(receipt.id)
    is_reported = waiting is not None and waiting.refusal_code != BUDGET_CODE
    if waiting is None or not is_reported or waiting.modified_s != receipt.modified_s:
        report_wait(ctx, receipt, Failure(ARCHIVED))
        store.wait(receipt.close(WAITING, ctx.now()))
    return Result.of(receipt, Status.WAITING, reason=ARCHIVED.text)
