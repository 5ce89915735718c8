"""An object was written: is it a recording of ours, is it new, and if so, submit it."""

from __future__ import annotations

from shared.errors import NotFound
from shared.recordings.desk import Desk
from shared.recordings.endings import end_failed
from shared.recordings.failure import Failure
from shared.recordings.failure_texts import EMPTY, TOO_LARGE, Explanation, wrong_metadata
from shared.recordings.names import is_ours
from shared.recordings.options import Options, WrongOption, options_for
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import SUPERSEDED, TRANSCRIBED, Receipt
from shared.recordings.recording import Recording
from shared.recordings.submit import submit
from shared.settings import Settings
from shared.tencent.cos import ObjectMetadata

LARGEST_BYTES = 512 * 1024 * 1024  # CI document 1045/73385: normal recognition, 512 MB and 5 hours


def take_in(desk: Desk, bucket: str, key: str) -> Outcome:
    """Submits the recording unless that was done before.

    Costs seven requests for a new recording, one more if the submit is refused, and at most three for an event that is
    delivered again. Once the receipt lies there, what goes wrong is the sweep's to mend; before that it raises
    CloudError or OutOfTime.
    """
    reason = left_alone(desk.settings, bucket, key)
    if reason:
        return reason
    try:
        head = desk.input_cos.head(bucket, key)
    except NotFound:
        return Outcome(Step.GONE, bucket, key)
    recording = Recording(bucket, key, head.etag, head.size)
    done = desk.ledger_for(bucket).find_done(recording.id)
    if done is None:
        return _begin(desk, recording, head, None)
    if done.outcome != SUPERSEDED and head.modified_s == done.modified_s:
        return _already_done(done)
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


def _already_done(done: Receipt) -> Outcome:
    return Outcome(Step.ALREADY_DONE, done.bucket, done.key, done.id, done.job_id, why=done.outcome)


def _uploaded_again(desk: Desk, recording: Recording, head: ObjectMetadata, done: Receipt) -> Outcome:
    """The same content, written once more after its work was closed: COS tells another time than the receipt.

    After a failure somebody mended something, and where other content stood here while the job was at work nobody
    knows what it heard: both are new work. A good transcript may have been replaced by that of other content: the
    receipt is opened again with the job that is paid for, and the sweep writes its transcript anew.
    """
    if done.outcome != TRANSCRIBED:
        return _begin(desk, recording, head, done)
    reopened = done._replace(outcome="", finished_s=0.0, created_s=desk.now(), modified_s=head.modified_s)
    desk.ledger_for(recording.bucket).update(reopened)
    return Outcome(Step.REOPENED, recording.bucket, recording.key, recording.id, done.job_id)


def _begin(desk: Desk, recording: Recording, head: ObjectMetadata, done_before: Receipt | None) -> Outcome:
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
        modified_s=head.modified_s,
        created_s=now,
        lease_until_s=now + desk.settings.lease_s,
        older_jobs=done_before.all_jobs if done_before else (),
    )
    if problem:
        return end_failed(desk, receipt, Failure(problem))
    ledger = desk.ledger_for(recording.bucket)
    if not ledger.create(receipt):
        return Outcome(Step.UNDER_WAY, recording.bucket, recording.key, recording.id)
    done = ledger.find_done(recording.id)
    if done and done != done_before:
        # While this attempt stood still, another began and ended: its receipt went to done/ before it left open/.
        ledger.drop_open(receipt)
        if done.outcome == SUPERSEDED:
            return take_in(desk, recording.bucket, recording.key)  # other content came: which lies here now?
        return _already_done(done)
    return submit(desk, receipt)


def _read_options(
    desk: Desk, recording: Recording, head: ObjectMetadata
) -> tuple[Options, Explanation | None]:
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
