"""From a finished job to the transcripts, the error object, or a superseded receipt.

A notification only says which jobs to look at: results are taken from CI's own response and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.errors import NotFound, RequestRejected, safe_error_message
from shared.events import NotifiedJob
from shared.recordings.context import Context, parse_timestamp
from shared.recordings.failures import NO_RESULT_IN_TIME, Failure, fail_recording, failure_from_job
from shared.recordings.ingest import (
    UNREADABLE_STATUSES,
    defer_to_sweep,
    find_in_listing,
    has_own_transcripts,
    retry_later,
)
from shared.recordings.keys import (
    ERROR_EXTENSION,
    OUTPUT_MARK,
    TRANSCRIPT_MARK,
    raw_result_key,
    transcript_key,
)
from shared.recordings.models import (
    FAILED,
    SUPERSEDED,
    TRANSCRIBED,
    Receipt,
    Result,
    Status,
    is_receipt_id,
)
from shared.tencent.cos import ObjectMetadata
from shared.tencent.speech_models import FINAL_STATES, SUCCESS, Job, JobLookup, JobResult
from shared.transcript import RecordingRef, Transcript, build_transcript, parse_sentence, render_formats

_UNKNOWN_JOB_STATUSES = frozenset({400, 404})
_EMPTY_RESULT = JobResult(audio_seconds="", lines="", details=(), flash=())


def process_notification(ctx: Context, notified_jobs: Iterable[NotifiedJob]) -> list[Result]:
    """Complete every job that a notification names.

    Raises the last error after every job was tried.
    """
    results: list[Result] = []
    failure: Exception | None = None
    for notified_job in notified_jobs:
        try:
            result = _process_job(ctx, notified_job)
        except Exception as error:  # noqa: BLE001 - raised below, after the other jobs
            failure = error
            ctx.log.error("job_failed", job_id=notified_job.job_id, error=safe_error_message(error))
            continue
        results.append(result)
        ctx.log.info("job_processed", **result.as_log_fields())
    if failure:
        raise failure
    return results


def _process_job(ctx: Context, notified_job: NotifiedJob) -> Result:
    job_id, hint = notified_job
    # Only the operator's buckets are queried; the hint, which anyone could send, only decides the order.
    for bucket in sorted(ctx.settings.input_buckets, key=lambda bucket: bucket != hint):
        try:
            lookup = fetch_jobs(ctx, bucket, [job_id])
        except RequestRejected as error:
            if error.status not in _UNKNOWN_JOB_STATUSES:
                raise
            # An unknown id is no error in the documented responses, but an id of another form may be one.
            ctx.log.warning("job_lookup_rejected", job_id=job_id, bucket=bucket, error=str(error))
            continue
        for job in lookup.jobs:
            if job.job_id == job_id:
                return complete_job(ctx, bucket, job)
    return Result(Status.UNKNOWN_JOB, job_id=job_id, reason="no input bucket has this job")


def fetch_jobs(ctx: Context, bucket: str, job_ids: Sequence[str]) -> JobLookup:
    """Fetch jobs from CI, their sentences already parsed for the transcript."""
    return ctx.speech.get_jobs(bucket, job_ids, detail_parser=parse_sentence)


def complete_job(ctx: Context, bucket: str, job: Job, *, receipt: Receipt | None = None) -> Result:
    """End the work of a finished job, if it has a receipt and is not done yet.

    Pass a `receipt` that was just read to save a request. A second call writes the same bytes. Costs at most five
    requests plus one per format. Raises CloudError, InvalidReceipt or DeadlineExceeded; the receipt is then still open.
    """
    if job.state not in FINAL_STATES:
        return Result(Status.JOB_RUNNING, bucket, job.input_key, job.user_data, job.job_id, job.state)
    receipt = receipt or _get_open_receipt(ctx, bucket, job)
    if receipt is None:
        return _complete_without_open_receipt(ctx, bucket, job)
    if not _belongs_to(receipt, bucket, job):
        reason = "it is the job of another recording"
        return Result(Status.UNKNOWN_JOB, bucket, job.input_key, job_id=job.job_id, reason=reason)
    if job.job_id in receipt.superseded_job_ids:
        return _superseded_job(Status.IN_PROGRESS, receipt, job)
    if job.state == SUCCESS:
        return _write_transcripts(ctx, receipt, job)
    if receipt.job_id not in {"", job.job_id}:
        return Result.of(receipt, Status.IN_PROGRESS, job_id=job.job_id, reason="a later job is running")
    return _fail_job(ctx, receipt, job)


def expire_recording(ctx: Context, receipt: Receipt) -> Result:
    """Report that no result came within GIVE_UP_AFTER. A later result still replaces the error object.

    What was transcribed before keeps its transcripts.
    """
    recovered = recover_transcripts(ctx, receipt)
    if recovered:
        return recovered
    superseded = _close_if_superseded(ctx, receipt, receipt.job_id)
    return superseded or fail_recording(ctx, receipt, Failure(NO_RESULT_IN_TIME))


def _get_open_receipt(ctx: Context, bucket: str, job: Job) -> Receipt | None:
    return ctx.receipts(bucket).get_open(job.user_data) if _has_receipt_id(bucket, job) else None


def _has_receipt_id(bucket: str, job: Job) -> bool:
    """Check the job's UserData before it becomes a key: anyone with access to the bucket may set it."""
    return is_receipt_id(job.user_data) and job.user_data.startswith(bucket + "/")


def _complete_without_open_receipt(ctx: Context, bucket: str, job: Job) -> Result:
    done = ctx.receipts(bucket).get_done(job.user_data) if _has_receipt_id(bucket, job) else None
    if done is None:
        return Result(Status.UNKNOWN_JOB, bucket, job.input_key, job_id=job.job_id)
    if job.job_id in done.superseded_job_ids:
        return _superseded_job(Status.ALREADY_DONE, done, job)
    if done.state is FAILED and job.state == SUCCESS and _belongs_to(done, bucket, job):
        return _write_transcripts(ctx, done, job)  # the receipt expired too early, and the result is paid for
    return Result.of(done, Status.ALREADY_DONE, job_id=job.job_id, reason=done.outcome)


def _superseded_job(status: Status, receipt: Receipt, job: Job) -> Result:
    reason = "an earlier job, from before the recording was uploaded again"
    return Result.of(receipt, status, job_id=job.job_id, reason=reason)


def _belongs_to(receipt: Receipt, bucket: str, job: Job) -> bool:
    """Check that this is the recorded job; another job with the receipt's id must at least be for the same recording.

    Responses sometimes show the key with a leading slash, and never with white space at its ends.
    """
    is_same = receipt.job_id == job.job_id or _normalize_key(job.input_key) == _normalize_key(receipt.key)
    return receipt.bucket == bucket and is_same


def _normalize_key(key: str) -> str:
    return key.strip().removeprefix("/")


def _fail_job(ctx: Context, receipt: Receipt, job: Job) -> Result:
    superseded = _close_if_superseded(ctx, receipt, job.job_id)
    if superseded:
        return superseded
    failure = failure_from_job(job)
    if failure.reason.retried_automatically:
        # The job failed for a reason that is not the recording's, such as an empty account: a new job will be needed.
        ctx.log.error("operator_action_required", key=receipt.key, job_id=job.job_id, error=failure.code)
        restarted = receipt.select_job(job.job_id).restart(receipt.modified_s, ctx.now())
        counted = restarted._replace(refusals=receipt.refusals, refusal_code=receipt.refusal_code)
        result = retry_later(ctx, counted, failure)
        if receipt.versioned:
            ctx.receipts(receipt.bucket).release_claim(receipt)  # its name has the lease, which ended
        return result
    return fail_recording(ctx, receipt.with_job(job.job_id), failure)


def _write_transcripts(ctx: Context, receipt: Receipt, job: Job) -> Result:
    superseded = _close_if_superseded(ctx, receipt, job.job_id)
    if superseded:
        return superseded
    result = job.result or _EMPTY_RESULT
    if not (result.details or result.lines or result.flash):
        # The service may have forgotten the words of a job of long ago, although it still knows the job.
        recovered = recover_transcripts(ctx, receipt)
        if recovered:
            return recovered
    return _write_result(ctx, receipt.with_job(job.job_id), result)


def recover_transcripts(ctx: Context, receipt: Receipt) -> Result | None:
    """Write the transcripts of a reopened receipt again when CI has forgotten its job; None if it was not reopened.

    They are written from the text that CI stored in the bucket, with the times of sentences but not of words. Without
    that text, what was transcribed stays as it is: it is never paid twice, and is no failure.
    """
    store = ctx.receipts(receipt.bucket)
    done = store.get_done(receipt.id)
    if done is None or done.state is not TRANSCRIBED:
        return None
    if superseded := _close_if_superseded(ctx, receipt, receipt.job_id):
        return superseded
    reason = "its transcripts are there"
    if not has_own_transcripts(ctx, receipt):
        result = _read_raw_result(ctx, receipt)
        if result:
            return _write_result(ctx, receipt, result)
        ctx.log.warning("result_forgotten", key=receipt.key, job_id=receipt.job_id)
        reason = "its job and its raw result are gone"
    _delete_error_object(ctx, receipt)
    store.close(receipt.close(TRANSCRIBED, ctx.now()))
    return Result.of(receipt, Status.ALREADY_DONE, reason=reason)


def _read_raw_result(ctx: Context, receipt: Receipt) -> JobResult | None:
    """Read the text that CI itself stored in the output bucket; None if it is gone."""
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    try:
        lines = ctx.output_cos.get(bucket, raw_result_key(ctx.settings, receipt.id)).body
    except NotFound:
        return None
    return _EMPTY_RESULT._replace(lines=lines.decode("utf-8", "replace"))


def _delete_error_object(ctx: Context, receipt: Receipt) -> None:
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    ctx.output_cos.delete(bucket, transcript_key(ctx.settings, receipt.bucket, receipt.key, ERROR_EXTENSION))


def _write_result(ctx: Context, receipt: Receipt, result: JobResult) -> Result:
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    mark = {OUTPUT_MARK: f"{TRANSCRIPT_MARK} {receipt.job_id}"}
    for output_format, content in render_formats(_build_transcript(receipt, result), ctx.settings.formats):
        extension = output_format.extension.removeprefix(".")
        key = transcript_key(ctx.settings, receipt.bucket, receipt.key, extension)
        ctx.output_cos.put(bucket, key, content, content_type=output_format.content_type, metadata=mark)
    _delete_error_object(ctx, receipt)
    ctx.receipts(receipt.bucket).close(receipt.close(TRANSCRIBED, ctx.now()))
    return Result.of(receipt, Status.TRANSCRIBED)


def _build_transcript(receipt: Receipt, result: JobResult) -> Transcript:
    return build_transcript(
        recording=RecordingRef(
            bucket=receipt.bucket,
            region=receipt.region,
            key=receipt.key,
            etag=receipt.etag,
            size=receipt.size,
        ),
        engine=receipt.engine,
        job_id=receipt.job_id,
        channels=receipt.channels,
        audio_time=result.audio_seconds,
        details=result.details,
        lines=result.lines,
        flash=result.flash,
    )


# A recording that was overwritten while its job was running. COS only knows the current content; earlier content is
# known only by its own receipt. Content that came and went without an event leaves no trace.


def _close_if_superseded(ctx: Context, receipt: Receipt, job_id: str) -> Result | None:
    """End or restart the work if the job's result does not belong to the recording's content; None if it does.

    `receipt` is open, or was closed as FAILED, and is as it was read. One request if the recording is unchanged.
    """
    head = _get_content(ctx, receipt)
    has_same_content = head is not None and head.etag == receipt.etag
    if head and has_same_content and head.modified_s == receipt.modified_s:
        return None
    may_be_same = has_same_content or head is None
    if may_be_same and not _may_have_read_other_content(ctx, receipt, job_id):
        return None
    if receipt.is_open and not ctx.receipts(receipt.bucket).is_unchanged(receipt):
        return Result.of(receipt, Status.IN_PROGRESS, job_id=job_id, reason="another attempt continued")
    receipt = receipt.select_job(job_id)
    if head and has_same_content:
        ctx.log.warning("content_changed_during_job", key=receipt.key, job_id=job_id)
        restarted = receipt.restart(head.modified_s, ctx.now())
        return defer_to_sweep(ctx, restarted, reason="the content changed and came back during the job")
    return close_superseded(ctx, receipt)


def close_superseded(ctx: Context, receipt: Receipt) -> Result:
    """Close the receipt as SUPERSEDED: the newer content has its own event, receipt and result."""
    store = ctx.receipts(receipt.bucket)
    if _was_transcribed_before(ctx, receipt, receipt.job_id):
        store.delete_open(receipt)  # what was closed as TRANSCRIBED stays so
        return Result.of(receipt, Status.SUPERSEDED)
    store.close(receipt.close(SUPERSEDED, ctx.now()))
    head = _get_content(ctx, receipt)
    if head and head.etag == receipt.etag:
        # The content came back while the receipt was being closed, and its event may have met the open receipt.
        restarted = receipt.restart(head.modified_s, ctx.now())
        if store.create(restarted._replace(nonce=ctx.create_nonce(), attempt=1), ctx.now()):
            return Result.of(receipt, Status.DEFERRED, job_id="", reason="the content came back")
    return Result.of(receipt, Status.SUPERSEDED)


def head_recording(ctx: Context, receipt: Receipt) -> ObjectMetadata | None:
    """Return the recording's current metadata; None if it was deleted, which does not end its work: it is paid for."""
    try:
        return ctx.input_cos.head(receipt.bucket, receipt.key)
    except NotFound:
        return None


def _get_content(ctx: Context, receipt: Receipt) -> ObjectMetadata | None:
    """Return what identifies the recording's content; None if it was deleted.

    If COS does not show the object any more, the listing still has its ETag and time: the result is paid for.
    """
    try:
        return head_recording(ctx, receipt)
    except RequestRejected as error:
        if error.status not in UNREADABLE_STATUSES:
            raise
    listed = find_in_listing(ctx, receipt.bucket, receipt.key)
    return ObjectMetadata(listed.etag, listed.size, "", parse_timestamp(listed.modified)) if listed else None


def _may_have_read_other_content(ctx: Context, receipt: Receipt, job_id: str) -> bool:
    """Check whether other content was written under this key after the recording, by COS's clock."""
    if _was_transcribed_before(ctx, receipt, job_id):
        return False
    others = ctx.receipts(receipt.bucket).iter_other_content(receipt)
    return any(other.modified_s >= receipt.modified_s for other in others)


def _was_transcribed_before(ctx: Context, receipt: Receipt, job_id: str) -> bool:
    """Check whether the transcript of this job was written before: it then belongs to this content."""
    done = ctx.receipts(receipt.bucket).get_done(receipt.id) if job_id else None
    return done is not None and (done.state, done.job_id) == (TRANSCRIBED, job_id)
