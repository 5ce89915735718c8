"""How a recording's work ends: with transcripts or an error object. The receipt is moved last."""

from __future__ import annotations

from shared.errors import NotFound
from shared.recordings.desk import Desk
from shared.recordings.failure import Failure, error_object
from shared.recordings.names import ERROR, transcript_key
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import FAILED, Receipt
from shared.tencent.cos import ObjectMetadata

ERROR_TYPE = "application/json; charset=utf-8"


def end_failed(desk: Desk, receipt: Receipt, failure: Failure) -> Outcome:
    """Writes the error object beside where the transcript would be, then closes the receipt."""
    tell(desk, receipt, failure)
    close(desk, receipt, FAILED)
    why = failure.explanation.what
    return Outcome(Step.FAILED, receipt.bucket, receipt.key, receipt.id, receipt.job_id, why=why)


def tell(desk: Desk, receipt: Receipt, failure: Failure) -> None:
    """Writes the error object."""
    bucket = desk.settings.output_bucket_for(receipt.bucket)
    key = transcript_key(desk.settings, receipt.bucket, receipt.key, ERROR)
    desk.output_cos.put(bucket, key, error_object(receipt, failure), content_type=ERROR_TYPE)


def close(desk: Desk, receipt: Receipt, outcome: str) -> None:
    """Moves the receipt to done: only when all that belongs to the outcome is written."""
    finished = receipt._replace(outcome=outcome, waiting=False, finished_s=desk.now())
    desk.ledger_for(receipt.bucket).finish(finished)


def written_now(desk: Desk, receipt: Receipt) -> ObjectMetadata | None:
    """What the recording holds now. None if it is deleted: its transcript is asked for and paid for all the same."""
    try:
        return desk.input_cos.head(receipt.bucket, receipt.key)
    except NotFound:
        return None
