"""Why a recording has no transcript, for the person who uploaded it: `<recording>.error.json`."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from shared.errors import CloudError
from shared.recordings.failure_texts import (
    CANCELLED_JOB,
    INTERNAL_JOB_FAILURE,
    JOB_FAILURES,
    OTHER_JOB_FAILURE,
    OTHER_REFUSAL,
    REFUSALS,
    SWITCHED_OFF,
    Explanation,
)
from shared.recordings.receipt import Receipt
from shared.tencent.speech_models import CANCELLED, Job

SCHEMA, VERSION = "urn:scribe:error", 1


class Failure(NamedTuple):
    """An explanation, and the cloud's own code, message and request id where it gave any."""

    explanation: Explanation
    code: str = ""
    message: str = ""
    request_id: str = ""


def refused(error: CloudError) -> Failure:
    """CI would not take the job."""
    explanation = REFUSALS.get(error.code, OTHER_REFUSAL)
    if error.code.endswith("UnBinded"):
        # MediaBucketUnBinded is published; its twin for speech is not, so the ending decides.
        explanation = SWITCHED_OFF
    return Failure(explanation, error.code, error.message, error.request_id)


def job_failed(job: Job) -> Failure:
    """The job ended without a result."""
    explanation = JOB_FAILURES.get(job.code, OTHER_JOB_FAILURE)
    if job.code.startswith("InternalError"):
        explanation = INTERNAL_JOB_FAILURE
    if job.state == CANCELLED:
        explanation = CANCELLED_JOB
    return Failure(explanation, job.code, job.message)


def error_object(receipt: Receipt, failure: Failure) -> bytes:
    """The bytes of `<recording>.error.json`: the same for the same failure."""
    told = failure.explanation
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "version": VERSION,
        "recording": {
            "bucket": receipt.bucket,
            "region": receipt.region,
            "key": receipt.key,
            "etag": receipt.etag,
            "size": receipt.size,
        },
        "kind": told.kind.value,
        "what": told.what,
        "what_zh": told.what_zh,
        "next_step": told.next_step,
        "next_step_zh": told.next_step_zh,
        "trying_again_helps": told.trying_again_helps,
        "tried_again_by_itself": told.waits,
        "code": failure.code,
        "message": failure.message,
        "request_id": failure.request_id,
        "job_id": receipt.job_id,
        "attempts": receipt.attempt,
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"
