"""An object was written: is it a recording of ours, is it new, and if so, submit it."""

from __future__ import annotations

from dataclasses import replace

from shared.errors import NotFound
from shared.recordings.desk import Desk
from shared.recordings.endings import end_failed
from shared.recordings.failure import Failure
from shared.recordings.failure_texts import EMPTY, TOO_LARGE, Explanation, wrong_metadata
from shared.recordings.names import is_ours
from shared.recordings.options import Options, WrongOption, options_for
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import FAILED, Receipt
from shared.recordings.recording import Recording
from shared.recordings.submit import submit, take_over
from shared.settings import Settings
from shared.tencent.cos import Head

LARGEST_BYTES = 512 * 1024 * 1024  # CI document 1045/73385: normal recognition, 512 MB and 5 hours


def take_in(desk: Desk, bucket: str, key: str) -> Outcome:
    """Submits the recording unless that was done before.

    Costs seven requests for a new recording and at most three for an event that is delivered again; a refused submit
    and the take-over of a dead attempt cost a few more. Raises CloudError or OutOfTime.
    """
    reason = left_alone(desk.settings, bucket, key)
    if reason:
        return reason
    try:
        head = desk.input_cos.head(bucket, key)
    except NotFound:
        return Outcome(Step.GONE, bucket, key)
    recording = Recording(bucket, key, head.etag, head.size)
    ledger = desk.ledger_for(bucket)
    open_receipt = ledger.find_open(recording.id)
    if open_receipt:
        return _go_on(desk, open_receipt)
    done = ledger.find_done(recording.id)
    if done is None:
        return _begin(desk, recording, head)
    if head.modified_s <= done.finished_s:
        return Outcome(Step.ALREADY_DONE, bucket, key, recording.id, done.job_id, why=done.outcome)
    return _uploaded_again(desk, recording, head, done)


def left_alone(settings: Settings, bucket: str, key: str) -> Outcome | None:
    """Why an object is no recording of ours; None if it is one."""
    if bucket not in settings.input_buckets:
        return Outcome(Step.OTHER_BUCKET, bucket, key)
    if key.endswith("/"):
        return Outcome(Step.NOT_A_RECORDING, bucket, key, why="a folder mark")
    if is_ours(settings, bucket, key):
        return Outcome(Step.NOT_A_RECORDING, bucket, key, why="an output of this pipeline")
    if not key.startswith(settings.input_prefix):
        return Outcome(Step.NOT_A_RECORDING, bucket, key, why="outside INPUT_PREFIX")
    return None


def _go_on(desk: Desk, receipt: Receipt) -> Outcome:
    if receipt.job_id or desk.now() < receipt.lease_until_s:
        return Outcome(Step.UNDER_WAY, receipt.bucket, receipt.key, receipt.id, receipt.job_id)
    return take_over(desk, receipt)


def _uploaded_again(desk: Desk, recording: Recording, head: Head, done: Receipt) -> Outcome:
    """The same content, written after its work was closed.

    After a failure somebody mended something: it is new work. Otherwise other content may have stood here meanwhile,
    with its own transcript in this one's place: the receipt is opened again with the job that is paid for, and the
    sweep writes its transcript anew.
    """
    if done.outcome == FAILED or not done.job_id:
        return _begin(desk, recording, head)
    reopened = replace(done, outcome="", finished_s=0.0, created_s=desk.now())
    desk.ledger_for(recording.bucket).update(reopened)
    return Outcome(Step.REOPENED, recording.bucket, recording.key, recording.id, done.job_id)


def _begin(desk: Desk, recording: Recording, head: Head) -> Outcome:
    options, problem = _read_options(desk, recording, head)
    now = desk.now()
    receipt = Receipt(
        id=recording.id,
        bucket=recording.bucket,
        region=desk.input_cos.region,
        key=recording.key,
        etag=recording.etag,
        size=recording.size,
        engine=options.engine,
        channels=options.channels,
        nonce=desk.nonce(),
        attempt=1,
        created_s=now,
        lease_until_s=now + desk.settings.lease_s,
    )
    if problem:
        return end_failed(desk, receipt, Failure(problem))
    if not desk.ledger_for(recording.bucket).create(receipt):
        return Outcome(
            Step.UNDER_WAY, recording.bucket, recording.key, recording.id, why="another attempt was first"
        )
    return submit(desk, receipt)


def _read_options(desk: Desk, recording: Recording, head: Head) -> tuple[Options, Explanation | None]:
    """The options, and what makes this recording unfit to be submitted, if anything does."""
    fallback = Options(desk.settings.engine, 1)
    if recording.size == 0:
        return fallback, EMPTY
    if recording.size > LARGEST_BYTES:
        return fallback, TOO_LARGE
    try:
        return options_for(desk.settings.engine, head.metadata), None
    except WrongOption as wrong:
        return fallback, wrong_metadata(str(wrong))
