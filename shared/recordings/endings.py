"""The two ways a recording's work ends: transcripts, or an error object. In both the receipt is moved last."""

from __future__ import annotations

from dataclasses import replace

from shared.recordings.desk import Desk
from shared.recordings.failure import Failure, error_object
from shared.recordings.names import ERROR, transcript_key
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import FAILED, Receipt

ERROR_TYPE = "application/json; charset=utf-8"


def end_failed(desk: Desk, receipt: Receipt, failure: Failure) -> Outcome:
    """Writes the error object beside where the transcript would be, then closes the receipt."""
    bucket = desk.settings.output_bucket_for(receipt.bucket)
    key = transcript_key(desk.settings, receipt.bucket, receipt.key, ERROR)
    desk.output_cos.put(bucket, key, error_object(receipt, failure), content_type=ERROR_TYPE)
    close(desk, receipt, FAILED)
    return Outcome(Step.FAILED, receipt.bucket, receipt.key, receipt.id, receipt.job_id, why=failure.what)


def close(desk: Desk, receipt: Receipt, outcome: str) -> None:
    """Moves the receipt to done: only when all that belongs to the outcome is written."""
    finished = replace(receipt, outcome=outcome, finished_s=desk.now())
    desk.ledger_for(receipt.bucket).finish(finished)
