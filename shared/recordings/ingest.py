"""From an uploaded object to its speech job: is it a recording, is it new, and if so, submit it.

`submit_job` is the only place that spends money.
"""

from __future__ import annotations

from shared.errors import NotFound, OutcomeUnknown, QueueFull, RequestRejected, Throttled
from shared.recordings.context import Context
from shared.recordings.failures import (
    EMPTY,
    TOO_LARGE,
    UNSUPPORTED_KEY,
    Failure,
    FailureReason,
    fail_recording,
    failure_from_rejection,
    invalid_metadata,
    write_error_object,
)
from shared.recordings.keys import is_output_key, raw_result_key
from shared.recordings.models import SUPERSEDED, TRANSCRIBED, Receipt, Recording, Result, Status
from shared.recordings.options import InvalidOption, RecordingOptions, parse_options
from shared.settings import Settings
from shared.tencent.cos import ObjectMetadata
from shared.tencent.speech_models import Job, JobRequest
from shared.tencent.xml import XmlError

MAX_RECORDING_BYTES = 512 * 1024 * 1024  # CI document 1045/73385: normal recognition, 512 MB and 5 hours

# The share of the lease that a submit may need: with less time left, another attempt could start before it ends.
MIN_LEASE_FRACTION = 0.2


def ingest(ctx: Context, bucket: str, key: str) -> Result:
    """Submit the recording unless that was done before.

    Costs seven requests for a new recording, one more if the submit is rejected, and at most three for a redelivered
    event. Raises CloudError or DeadlineExceeded before the receipt exists; after that, the sweep repairs what fails.
    """
    skipped = check_skipped(ctx.settings, bucket, key)
    if skipped:
        return skipped
    try:
        head = ctx.input_cos.head(bucket, key)
    except NotFound:
        return Result(Status.OBJECT_NOT_FOUND, bucket, key)
    recording = Recording(bucket, key, head.etag, head.size)
    done = ctx.receipts(bucket).get_done(recording.id)
    if done is None:
        return _start(ctx, recording, head, done_before=None)
    if done.state is not SUPERSEDED and head.modified_s == done.modified_s:
        return _already_done(done)
    return _ingest_again(ctx, recording, head, done)


def check_skipped(settings: Settings, bucket: str, key: str) -> Result | None:
    """Return the result for an object that is not a recording to transcribe; None if it is one."""
    if bucket not in settings.input_buckets:
        return Result(Status.UNKNOWN_BUCKET, bucket, key)
    if key.endswith("/"):
        return Result(Status.SKIPPED, bucket, key, reason="a folder marker")
    if is_output_key(settings, bucket, key):
        return Result(Status.SKIPPED, bucket, key, reason="an output of Scribe")
    if not key.startswith(settings.input_prefix):
        return Result(Status.SKIPPED, bucket, key, reason="outside INPUT_PREFIX")
    return None


def _already_done(done: Receipt) -> Result:
    return Result.of(done, Status.ALREADY_DONE, reason=done.outcome)


def _ingest_again(ctx: Context, recording: Recording, head: ObjectMetadata, done: Receipt) -> Result:
    """Handle the same content uploaded again after its receipt was closed: COS reports another time than the receipt.

    After a failure the cause was probably removed, and after SUPERSEDED no one knows which content the job read: both
    are new work. A transcript may have been overwritten by that of other content: the receipt is reopened with the paid
    job, and the sweep writes its transcripts again.
    """
    if done.state is not TRANSCRIBED:
        return _start(ctx, recording, head, done_before=done)
    ctx.receipts(recording.bucket).update(done.reopen(head.modified_s, ctx.now()))
    return Result.of(done, Status.REOPENED)


def _start(
    ctx: Context, recording: Recording, head: ObjectMetadata, *, done_before: Receipt | None
) -> Result:
    options, invalid_reason = _parse_options(ctx, recording, head)
    now_s = ctx.now()
    receipt = Receipt(
        id=recording.id,
        bucket=recording.bucket,
        region=ctx.input_cos.region,
        key=recording.key,
        etag=recording.etag,
        size=recording.size,
        engine=options.engine,
        channels=options.channels,
        nonce=ctx.create_nonce(),
        attempt=1,
        modified_s=head.modified_s,
        created_s=now_s,
        lease_expires_s=now_s + ctx.settings.lease_s,
        superseded_job_ids=done_before.all_job_ids if done_before else (),
    )
    if invalid_reason:
        return fail_recording(ctx, receipt, Failure(invalid_reason))
    store = ctx.receipts(recording.bucket)
    if not store.create(receipt):
        return Result.of(receipt, Status.IN_PROGRESS)
    done = store.get_done(recording.id)
    if done and done != done_before:
        # While this attempt was paused, another began and ended: its receipt was in done/ before it left open/.
        store.delete_open(receipt)
        if done.state is SUPERSEDED:
            return ingest(
                ctx, recording.bucket, recording.key
            )  # other content was uploaded: start from HEAD again
        return _already_done(done)
    return submit_job(ctx, receipt)


def _parse_options(
    ctx: Context, recording: Recording, head: ObjectMetadata
) -> tuple[RecordingOptions, FailureReason | None]:
    """Return the options, and the reason if the recording cannot be submitted."""
    default = RecordingOptions(ctx.settings.engine, 1)
    if recording.size == 0:
        return default, EMPTY
    if recording.size > MAX_RECORDING_BYTES:
        return default, TOO_LARGE
    try:
        return parse_options(ctx.settings.engine, head.metadata), None
    except InvalidOption as error:
        return default, invalid_metadata(str(error))


def submit_job(ctx: Context, receipt: Receipt) -> Result:
    """Submit the job of an open receipt that this attempt owns, and record the job's id in it.

    The receipt stays open until the work ends; the sweep continues from there. Raises CloudError or DeadlineExceeded if
    not even that could be recorded.
    """
    if ctx.now() > receipt.lease_expires_s - MIN_LEASE_FRACTION * ctx.settings.lease_s:
        # Another attempt may start while this one submits. Nothing is paid; the sweep continues.
        return Result.of(receipt, Status.IN_PROGRESS, reason="its lease expires soon")
    try:
        job = ctx.speech.create_job(receipt.bucket, _build_job_request(ctx, receipt))
    except XmlError:
        return fail_recording(ctx, receipt, Failure(UNSUPPORTED_KEY))
    except Throttled as error:
        ctx.log.warning("submit_deferred", key=receipt.key, error=str(error))
        reason = "the queue is full" if isinstance(error, QueueFull) else "throttled"
        return defer_to_sweep(ctx, receipt, reason=reason)
    except OutcomeUnknown as error:
        ctx.log.warning("submit_outcome_unknown", key=receipt.key, error=str(error))
        return Result.of(receipt, Status.IN_PROGRESS, reason="the response to the submit was lost")
    except RequestRejected as error:
        failure = failure_from_rejection(error)
        if not failure.reason.retried_automatically:
            return fail_recording(ctx, receipt, failure)
        # The operator must act; the error object tells the uploader why there is no transcript yet.
        write_error_object(ctx, receipt, failure)
        ctx.log.error("operator_action_required", key=receipt.key, error=str(error))
        return defer_to_sweep(ctx, receipt, reason=failure.reason.message)
    return record_job(ctx, receipt, job)


def record_job(ctx: Context, receipt: Receipt, job: Job) -> Result:
    """Record the job of an open receipt in it."""
    submitted = receipt.with_job(job.job_id)
    ctx.receipts(receipt.bucket).update(submitted)
    return Result.of(submitted, Status.SUBMITTED)


def defer_to_sweep(ctx: Context, receipt: Receipt, *, reason: str) -> Result:
    """Leave the submit to the sweep: no job is running, so the next attempt need not wait for the lease."""
    ctx.receipts(receipt.bucket).update(receipt.defer(ctx.now()))
    return Result.of(receipt, Status.DEFERRED, job_id="", reason=reason)


def _build_job_request(ctx: Context, receipt: Receipt) -> JobRequest:
    settings = ctx.settings
    return JobRequest(
        input_key=receipt.key,
        output_bucket=settings.output_bucket_for(receipt.bucket),
        output_region=ctx.output_cos.region,
        output_key=raw_result_key(settings, receipt.id),
        engine=receipt.engine,
        channels=receipt.channels,
        user_data=receipt.id,
        queue_id=settings.queue_id,
    )
