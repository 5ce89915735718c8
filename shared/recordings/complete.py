"""From a finished job to the transcripts, the error object, or a superseded receipt.

A notification only says which jobs to look at: results are taken from CI's own response and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.errors import CloudError, NotFound, RequestRejected, safe_error_message
from shared.events import NotifiedJob
from shared.messages import message
from shared.options.model import OPTIONS
from shared.options.parse import Choice
from shared.recordings.context import Context
from shared.recordings.failures import NO_RESULT_IN_TIME, RESULT_GONE, Failure, failure_from_job
from shared.recordings.index import open_index
from shared.recordings.keys import OUTPUT_MARK, raw_result_key
from shared.recordings.models import Result, Status
from shared.recordings.outputs import (
    copy_transcripts,
    delete_error_object,
    fail_recording,
    formats_for,
    has_any_own_transcript,
    has_own_transcripts,
    has_same_names,
    keep_names,
    read_own_transcript,
    remove_other_outputs,
    write_error_object,
    write_transcripts,
)
from shared.recordings.proof import compute_nonce, is_own_job, parse_user_data
from shared.recordings.receipt import FAILED, TRANSCRIBED, Receipt
from shared.recordings.submit import LONG_WAIT_S, retry_later
from shared.recordings.supersede import check_content
from shared.tencent.client import TOO_LARGE
from shared.tencent.clock import parse_timestamp
from shared.tencent.speech_models import FINAL_STATES, SUCCESS, Job, JobLookup, JobResult
from shared.transcript import (
    Layout,
    RecordingRef,
    Transcript,
    build_transcript,
    name_transcript,
    parse_json,
    parse_sentence,
    render_formats,
)

NOTE_PAUSES_S = (0.2, 0.5, 1.0)
_UNKNOWN_JOB_STATUSES = frozenset({400, 404})
_EMPTY_RESULT = JobResult(audio_seconds="", lines="", details=(), flash=())
# CI stores the raw result before it says that the job is finished. A later one is not of this job: a user who may
# submit jobs in the bucket can have the speech service write to any key.
RAW_RESULT_TOLERANCE_S = 300.0


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
    ctx.send_notices()
    if failure:
        raise failure
    return results


def _process_job(ctx: Context, notified_job: NotifiedJob) -> Result:
    job_id, hint = notified_job
    failure: CloudError | None = None
    # Only the operator's buckets are queried; the hint, which anyone could send, only decides the order.
    for bucket in sorted(ctx.settings.input_buckets, key=lambda bucket: bucket != hint):
        try:
            lookup = fetch_jobs(ctx, bucket, [job_id])
        except CloudError as error:
            # An unknown id is no error in the documented responses, but an id of another form may be one.
            is_unknown = isinstance(error, RequestRejected) and error.status in _UNKNOWN_JOB_STATUSES
            failure = failure if is_unknown else error
            ctx.log.warning("job_lookup_failed", job_id=job_id, bucket=bucket, error=str(error))
            continue
        for job in lookup.jobs:
            if job.job_id == job_id:
                return complete_job(ctx, bucket, job)
    if failure:
        raise failure
    return Result(Status.UNKNOWN_JOB, job_id=job_id, reason=message("no input bucket has this job"))


def fetch_jobs(ctx: Context, bucket: str, job_ids: Sequence[str]) -> JobLookup:
    """Fetch jobs from CI, their sentences already parsed for the transcript."""
    return ctx.speech.get_jobs(bucket, job_ids, detail_parser=parse_sentence)


def complete_job(
    ctx: Context, bucket: str, job: Job, *, receipt: Receipt | None = None, may_read_raw_result: bool = False
) -> Result:
    """End the work of a finished job, if it is the job of a receipt that is not done yet.

    Pass a `receipt` that was just read to save a request. A second call writes the same bytes. Costs at most six
    requests plus one per format. Raises CloudError, InvalidReceipt or DeadlineExceeded; the receipt is then still open.
    """
    label = parse_user_data(job.user_data)
    receipt_id = label.receipt_id if label and label.receipt_id.startswith(bucket + "/") else ""
    if job.state not in FINAL_STATES:
        return Result(Status.JOB_RUNNING, bucket, job.input_key, receipt_id, job.job_id, job.state)
    receipt = receipt or (ctx.receipts(bucket).get_open(receipt_id) if receipt_id else None)
    if receipt is None:
        return _complete_without_open_receipt(ctx, bucket, job, receipt_id)
    if job.job_id in receipt.superseded_job_ids:
        return _superseded_job(Status.IN_PROGRESS, receipt, job)
    if receipt.bucket != bucket or not is_own_job(receipt, job):
        reason = message("it is not the job of this recording")
        return Result(Status.UNKNOWN_JOB, bucket, job.input_key, job_id=job.job_id, reason=reason)
    if not receipt.job_id:
        receipt = _wait_for_note(ctx, receipt)
    if not receipt.job_id:
        # Others can copy what the list of jobs shows. The sweep takes the first job with the secret for the real one.
        reason = message("the receipt does not note this job yet")
        return Result.of(receipt, Status.IN_PROGRESS, job_id=job.job_id, reason=reason)
    if receipt.job_id != job.job_id:
        return Result.of(
            receipt, Status.IN_PROGRESS, job_id=job.job_id, reason=message("a later job is running")
        )
    if job.state == SUCCESS:
        return _write_job_result(ctx, receipt, job, may_read_raw_result=may_read_raw_result)
    return _fail_job(ctx, receipt, job)


def _wait_for_note(ctx: Context, receipt: Receipt) -> Receipt:
    """Read the receipt again until it notes its job: the answer to the submit may have come a moment ago."""
    for pause_s in NOTE_PAUSES_S:
        ctx.speech.client.sleep(pause_s)
        current = ctx.receipts(receipt.bucket).get_open(receipt.id)
        if current is None or current.job_id:
            return current or receipt
    return receipt


def expire_recording(ctx: Context, receipt: Receipt, failure: Failure | None = None) -> Result:
    """Report that no result came within GIVE_UP_AFTER. A later result still replaces the error object.

    What was transcribed before keeps its transcripts. `failure` is the reason if it is known better.
    """
    recovered = recover_transcripts(ctx, receipt)
    if recovered:
        return recovered
    if failure:
        return fail_recording(ctx, receipt, failure)  # the role may not look at the recording any more
    checked_s = ctx.now()
    current = check_content(ctx, receipt, receipt.job_id)
    if isinstance(current, Result):
        return current
    return fail_recording(ctx, current, Failure(NO_RESULT_IN_TIME), checked_s=checked_s)


def _complete_without_open_receipt(ctx: Context, bucket: str, job: Job, receipt_id: str) -> Result:
    done = ctx.receipts(bucket).get_done(receipt_id) if receipt_id else None
    if done and job.job_id in done.superseded_job_ids:
        return _superseded_job(Status.ALREADY_DONE, done, job)
    if done is None or not is_own_job(done, job):
        return Result(Status.UNKNOWN_JOB, bucket, job.input_key, job_id=job.job_id)
    if done.state is FAILED and job.state == SUCCESS and done.job_id == job.job_id:
        return _write_late_result(ctx, done, job)
    return Result.of(done, Status.ALREADY_DONE, job_id=job.job_id, reason=done.outcome)


def _write_late_result(ctx: Context, done: Receipt, job: Job) -> Result:
    """Write the result of a receipt that expired too early: it is paid for.

    The receipt is open during that, so that the sweep goes on if this invocation ends in the middle.
    """
    now_s = ctx.now()
    reopened = done.reopen(done.modified_s, now_s)._replace(
        nonce=compute_nonce(ctx.create_secret()), lease_expires_s=now_s + ctx.settings.lease_s
    )
    store = ctx.receipts(done.bucket)
    created = store.create(reopened, now_s)
    if created is None:
        return Result.of(done, Status.IN_PROGRESS, job_id=job.job_id, reason=message("it was uploaded again"))
    current = store.get_done(done.id)
    if current is None or (current.state, current.job_id) != (FAILED, done.job_id):
        # In this moment another invocation wrote the result, or the operator had the recording forgotten.
        store.delete_open(created)
        return Result.of(done, Status.ALREADY_DONE, job_id=job.job_id, reason=message("its receipt changed"))
    result = _write_job_result(ctx, created, job)
    if result.status is Status.TRANSCRIBED:
        open_index(ctx, done.bucket).remove_failed(done.id)
    return result


def _superseded_job(status: Status, receipt: Receipt, job: Job) -> Result:
    reason = message("an earlier job, from before the recording was uploaded again")
    return Result.of(receipt, status, job_id=job.job_id, reason=reason)


def _fail_job(ctx: Context, receipt: Receipt, job: Job) -> Result:
    checked_s = ctx.now()
    current = check_content(ctx, receipt, job.job_id)
    if isinstance(current, Result):
        return current
    failure = failure_from_job(job)
    failure = failure._replace(cloud_message=ctx.speech.client.hide_secrets(failure.cloud_message))
    if failure.reason.retried_automatically:
        # The job failed for a reason that is not the recording's, such as an empty account: a new job will be needed.
        ctx.log.error("operator_action_required", key=receipt.key, job_id=job.job_id, error=failure.code)
        restarted = receipt.select_job(job.job_id).restart(receipt.modified_s, ctx.now())
        counted = restarted._replace(refusals=receipt.refusals, refusal_code=receipt.refusal_code)
        result = retry_later(ctx, counted, failure)
        if receipt.versioned:
            ctx.receipts(receipt.bucket).release_claim(receipt)  # its name has the lease, which ended
        return result
    return fail_recording(ctx, receipt.with_job(job.job_id), failure, checked_s=checked_s)


def _write_job_result(
    ctx: Context, receipt: Receipt, job: Job, *, may_read_raw_result: bool = False
) -> Result:
    current = check_content(ctx, receipt, job.job_id)
    if isinstance(current, Result):
        return current
    noted = current.with_job(job.job_id)
    result = job.result
    if result is None or not result.has_text:
        # Nothing was said only if the service sends an empty text. Without any, the text may come a moment later.
        recovered = recover_transcripts(ctx, receipt) if may_read_raw_result else None
        if recovered:
            return recovered
        # A job before it, with other options, wrote to the same key.
        begun_s = parse_timestamp(job.created) if receipt.superseded_job_ids else 0.0
        ended_s = parse_timestamp(job.ended)
        stored = _read_raw_result(ctx, noted, ended_s, begun_s) if may_read_raw_result else None
        if stored is None:
            reason = message("the job is finished, but its text is not there yet")
            return Result.of(receipt, Status.JOB_RUNNING, job_id=job.job_id, reason=reason)
        result = (result or _EMPTY_RESULT)._replace(lines=stored.lines)
    if not (result.details or result.lines or result.flash):
        # The service may have forgotten the words of a job of long ago, although it still knows the job.
        recovered = recover_transcripts(ctx, receipt)
        if recovered:
            return recovered
    return _write_transcript(ctx, noted, _build_transcript(noted, result), job)


def recover_transcripts(ctx: Context, receipt: Receipt) -> Result | None:
    """Write the transcripts of a reopened receipt again when CI has forgotten its job; None if it was not reopened.

    With other options than before, or if one is missing, they are written from their own JSON format. Without that from
    the text that CI stored in the bucket, with the times of sentences but not of words. Without that text, the job is
    looked at again for a day, because one answer without it may be a mistake of the service; then what was transcribed
    stays as it is: it is never paid twice, and is no failure.
    """
    store = ctx.receipts(receipt.bucket)
    done = store.get_done(receipt.id)
    if done is None or (done.state, done.job_id) != (TRANSCRIBED, receipt.job_id):
        return None  # also if it was transcribed before with other options, and this is new work
    current = check_content(ctx, receipt, receipt.job_id)
    if isinstance(current, Result):
        return current
    receipt = current
    is_changed = (receipt.options, receipt.sources) != (done.options, done.sources)
    if is_changed and (rewritten := _write_from_json(ctx, receipt, done)):
        return rewritten
    if not has_same_names(ctx, receipt, done):
        copy_transcripts(ctx, receipt, done)
    if has_own_transcripts(ctx, receipt):
        remove_other_outputs(ctx, receipt)
        return _close_as_written(ctx, keep_names(ctx, receipt, done), done)
    # A format is missing, such as one that is new by default. The JSON has more than the text that CI stored.
    if not is_changed and (rewritten := _write_from_json(ctx, receipt, done)):
        return rewritten
    result = _read_raw_result(ctx, receipt, done.finished_s)
    if result:
        return _write_transcript(ctx, receipt, _build_transcript(receipt, result))
    ctx.log.warning("result_forgotten", key=receipt.key, job_id=receipt.job_id)
    if ctx.now() - receipt.created_s <= (ctx.settings.give_up_after_s or LONG_WAIT_S):
        return Result.of(
            receipt, Status.JOB_RUNNING, reason=message("its result is not there for the moment")
        )
    if has_any_own_transcript(ctx, receipt):
        delete_error_object(ctx, receipt)
    else:
        write_error_object(ctx, receipt, Failure(RESULT_GONE))
    store.close(receipt.close(TRANSCRIBED, ctx.now()))
    return Result.of(receipt, Status.ALREADY_DONE, reason=message("its job and its raw result are gone"))


def _close_as_written(ctx: Context, receipt: Receipt, done: Receipt) -> Result:
    """Close a receipt whose transcripts are there. As they were for `done`, they were announced."""
    if ctx.announcer and (receipt.options, receipt.sources) != (done.options, done.sources):
        ctx.announcer.announce_written(ctx, receipt)
    ctx.receipts(receipt.bucket).close(receipt.close(TRANSCRIBED, ctx.now()))
    return Result.of(receipt, Status.ALREADY_DONE, reason=message("its transcripts are there"))


def _write_from_json(ctx: Context, receipt: Receipt, done: Receipt) -> Result | None:
    """Write the transcripts again from the one in JSON, which has every word; None if there is none of its own.

    It may still have the name of `done`.
    """
    body = read_own_transcript(ctx, receipt, "json")
    if body is None and not has_same_names(ctx, receipt, done):
        body = read_own_transcript(ctx, done, "json")
    try:
        transcript = parse_json(body) if body else None
    except ValueError as error:
        ctx.log.warning("transcript_unreadable", key=receipt.key, job_id=receipt.job_id, error=str(error))
        return None
    return _write_transcript(ctx, receipt, transcript) if transcript else None


def _read_raw_result(
    ctx: Context, receipt: Receipt, written_by_s: float, written_from_s: float = 0.0
) -> JobResult | None:
    """Read the text that CI itself stored in the output bucket; None if it is gone, or was not written in this time."""
    bucket = ctx.settings.output_bucket_for(receipt.bucket)
    try:
        content = ctx.output_cos.get(bucket, raw_result_key(ctx.settings, receipt.id))
    except NotFound:
        return None
    except RequestRejected as error:
        if error.code != TOO_LARGE:
            raise
        ctx.log.warning("raw_result_too_large", key=receipt.key, job_id=receipt.job_id)
        return None
    # A copy to another place is new too, but has Scribe's mark, which the speech service cannot write.
    is_copy = OUTPUT_MARK in content.head.metadata
    if not is_copy and content.head.modified_s > written_by_s + RAW_RESULT_TOLERANCE_S:
        ctx.log.warning("raw_result_too_new", key=receipt.key, job_id=receipt.job_id)
        return None
    if content.head.modified_s < written_from_s:
        ctx.log.warning("raw_result_too_old", key=receipt.key, job_id=receipt.job_id)
        return None
    return _EMPTY_RESULT._replace(lines=content.body.decode("utf-8", "replace"))


def _write_transcript(
    ctx: Context, receipt: Receipt, transcript: Transcript, job: Job | None = None
) -> Result:
    """Write a transcript with the receipt's title, names and layout in its formats, and close the receipt.

    `job` is what it was made from; None if it is written again from what is left of a job that is in the index.
    """
    if job:
        # Before the transcripts: whatever is written of a job, the index has it.
        open_index(ctx, receipt.bucket).add_finished(
            receipt, _get_ended_s(receipt, job), _get_seconds(transcript)
        )
    options = receipt.recording_options
    choices = {
        name: Choice(getattr(options, OPTIONS[name].field), source)
        for name, source in receipt.sources.items()
    }
    layout = Layout(options.caption_width, options.caption_lines, options.caption_seconds, options.times)
    named = name_transcript(transcript, options.title, options.speaker_names, choices, layout)
    rendered = render_formats(named, formats_for(ctx, receipt))
    write_transcripts(ctx, receipt, rendered)
    if ctx.announcer:
        ctx.announcer.announce_done(ctx, receipt, named)
    ctx.receipts(receipt.bucket).close(receipt.close(TRANSCRIBED, ctx.now()))
    return Result.of(receipt, Status.TRANSCRIBED)


def _get_ended_s(receipt: Receipt, job: Job) -> float:
    """Return when a job ended: the same whenever its transcripts are written."""
    return parse_timestamp(job.ended) or parse_timestamp(job.created) or receipt.created_s


def _get_seconds(transcript: Transcript) -> float:
    """Return the length of a recording, or the end of its last sentence if the service does not say it."""
    if transcript.duration_ms is not None:
        return transcript.duration_ms / 1000
    return max((sentence.end_ms for sentence in transcript.sentences), default=0) / 1000


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
