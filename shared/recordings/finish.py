"""A job is said to be finished: ask CI, and write the transcripts from its answer and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from shared.recordings.desk import Desk
from shared.recordings.endings import close, end_failed
from shared.recordings.failure import Failure, job_failed
from shared.recordings.failure_texts import GAVE_UP
from shared.recordings.names import ERROR, transcript_key
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import FAILED, TRANSCRIBED, Receipt
from shared.recordings.recording import is_id
from shared.recordings.replaced import end_if_replaced
from shared.tencent.speech_models import FINAL_STATES, SUCCESS, Job, JobLookup, JobResult
from shared.transcript import RecordingRef, Transcript, build_transcript, read_sentence, render_each

_NOTHING_SAID = JobResult(audio_seconds="", lines="", details=(), flash=())


def ask_for(desk: Desk, bucket: str, job_ids: Sequence[str]) -> JobLookup:
    """The jobs as CI itself tells them, their sentences already in the transcript's form."""
    return desk.speech.get_jobs(bucket, job_ids, detail_parser=read_sentence)


def finish(desk: Desk, bucket: str, job: Job, *, receipt: Receipt | None = None) -> Outcome:
    """Brings a job of this bucket to its end, if it is ours, finished, and not yet done.

    `receipt` spares a request when it was just read. Doing it twice writes the same bytes. Costs at most five
    requests plus one per format. Raises CloudError, BadReceipt or OutOfTime; then the receipt is still open.
    """
    if job.state not in FINAL_STATES:
        return Outcome(Step.STILL_RUNNING, bucket, job.input_key, job.user_data, job.job_id, why=job.state)
    receipt = receipt or _open_receipt(desk, bucket, job)
    if receipt is None:
        return _without_receipt(desk, bucket, job)
    if not _belongs(receipt, bucket, job):
        return Outcome(
            Step.NOT_OURS, bucket, job.input_key, job_id=job.job_id, why="it is another recording's job"
        )
    if job.job_id in receipt.older_jobs:
        return _outlived(Step.UNDER_WAY, receipt, job)
    if job.state == SUCCESS:
        return _write(desk, receipt, job)
    if receipt.job_id not in {"", job.job_id}:
        return Outcome(Step.UNDER_WAY, bucket, receipt.key, receipt.id, job.job_id, why="a later job goes on")
    return _fail(desk, receipt, job)


def give_up(desk: Desk, receipt: Receipt) -> Outcome:
    """Tells that no result came in GIVE_UP_AFTER; one that comes later still replaces the error object."""
    ended = end_if_replaced(desk, receipt, receipt.job_id)
    return ended or end_failed(desk, receipt, Failure(GAVE_UP))


def _open_receipt(desk: Desk, bucket: str, job: Job) -> Receipt | None:
    """UserData is text that anybody with access to the bucket may set: it must look like an id to become a key."""
    if not is_id(job.user_data) or not job.user_data.startswith(bucket + "/"):
        return None
    return desk.ledger_for(bucket).find_open(job.user_data)


def _without_receipt(desk: Desk, bucket: str, job: Job) -> Outcome:
    known = is_id(job.user_data) and job.user_data.startswith(bucket + "/")
    done = desk.ledger_for(bucket).find_done(job.user_data) if known else None
    if done and job.job_id in done.older_jobs:
        return _outlived(Step.ALREADY_DONE, done, job)
    if done and done.outcome == FAILED and job.state == SUCCESS and _belongs(done, bucket, job):
        return _write(desk, done, job)  # it was given up too early, and its result is paid for
    if done:
        return Outcome(Step.ALREADY_DONE, bucket, done.key, done.id, job.job_id, why=done.outcome)
    return Outcome(Step.NOT_OURS, bucket, job.input_key, job_id=job.job_id)


def _outlived(step: Step, receipt: Receipt, job: Job) -> Outcome:
    why = "an older job, from before the recording was put there anew"
    return Outcome(step, receipt.bucket, receipt.key, receipt.id, job.job_id, why=why)


def _belongs(receipt: Receipt, bucket: str, job: Job) -> bool:
    """The job that we noted is ours; another one with our id must at least be of the same recording.

    Answers sometimes show the key with a leading slash, and never with white space at its ends.
    """
    same = receipt.job_id == job.job_id or _bare(job.input_key) == _bare(receipt.key)
    return receipt.bucket == bucket and same


def _bare(key: str) -> str:
    return key.strip().removeprefix("/")


def _fail(desk: Desk, receipt: Receipt, job: Job) -> Outcome:
    ended = end_if_replaced(desk, receipt, job.job_id)
    return ended or end_failed(desk, receipt._replace(job_id=job.job_id), job_failed(job))


def _write(desk: Desk, receipt: Receipt, job: Job) -> Outcome:
    ended = end_if_replaced(desk, receipt, job.job_id)
    if ended:
        return ended
    receipt = receipt._replace(job_id=job.job_id)
    bucket = desk.settings.output_bucket_for(receipt.bucket)
    transcript = _transcript(receipt, job)
    for form, content in render_each(transcript, desk.settings.formats):
        key = transcript_key(desk.settings, receipt.bucket, receipt.key, form.extension.removeprefix("."))
        desk.output_cos.put(bucket, key, content, content_type=form.content_type)
    desk.output_cos.delete(bucket, transcript_key(desk.settings, receipt.bucket, receipt.key, ERROR))
    close(desk, receipt, TRANSCRIBED)
    return Outcome(Step.TRANSCRIBED, receipt.bucket, receipt.key, receipt.id, job.job_id)


def _transcript(receipt: Receipt, job: Job) -> Transcript:
    result = job.result or _NOTHING_SAID
    return build_transcript(
        recording=RecordingRef(
            bucket=receipt.bucket,
            region=receipt.region,
            key=receipt.key,
            etag=receipt.etag,
            size=receipt.size,
        ),
        engine=receipt.engine,
        job_id=job.job_id,
        channels=receipt.channels,
        audio_time=result.audio_seconds,
        details=result.details,
        lines=result.lines,
        flash=result.flash,
    )
