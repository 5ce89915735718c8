"""Why a recording has no transcript, in words for the person who uploaded it: `<recording>.error.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shared.errors import CloudError
from shared.recordings.receipt import Receipt
from shared.tencent.speech_values import CANCELLED, Job

SCHEMA, VERSION = "urn:scribe:error", 1


@dataclass(frozen=True, slots=True)
class Failure:
    """What happened, whether trying again can help, and what to do next. `code` and `message` are the cloud's own."""

    what: str
    next_step: str
    trying_again_helps: bool = False
    code: str = ""
    message: str = ""
    request_id: str = ""


# CI error codes 460/42867. A code that is not here is told as it came.
_REFUSALS: dict[str, tuple[str, str]] = {
    "ResourceNotFound": (
        "The recording was gone when the speech service looked for it.",
        "Upload it again.",
    ),
    "ResourceAccessDenied": (
        "The speech service may not read the recording.",
        "Grant the service role CI_QCSRole access to the bucket, then upload the recording again.",
    ),
    "CIRoleNotExist": (
        "The account has no service role CI_QCSRole, so the speech service cannot read the bucket.",
        "Open the Cloud Infinite console once and agree to create the role, then upload the recording again.",
    ),
    "AccessDenied": (
        "The function's role may not submit speech jobs.",
        "Grant it ci:CreateAsrJobs on the bucket and cam:PassRole, then upload the recording again.",
    ),
    "QueueNotFound": (
        "The queue in QUEUE_ID does not exist in this bucket.",
        "Correct or remove the setting QUEUE_ID, then upload the recording again.",
    ),
    "InvalidArgument": (
        "The speech service does not accept this combination of settings.",
        "Check ENGINE and the recording's x-cos-meta-engine and x-cos-meta-channels, then upload it again.",
    ),
}
_UNBOUND = (
    "Speech recognition is not switched on for the bucket.",
    "Switch it on (Cloud Infinite console, the bucket's intelligent voice page), then upload the recording again.",
)


def refused(error: CloudError) -> Failure:
    """CI would not take the job."""
    what, next_step = _REFUSALS.get(
        error.code, ("The speech service refused the job.", "See code and message.")
    )
    if error.code.endswith("UnBinded"):
        what, next_step = _UNBOUND
    return Failure(
        what=what,
        next_step=next_step,
        trying_again_helps=error.code == "ResourceNotFound",
        code=error.code,
        message=error.message,
        request_id=error.request_id,
    )


def job_failed(job: Job) -> Failure:
    """The job ended without a result. Codes of failed speech jobs are not published: both texts go along verbatim."""
    if job.state == CANCELLED:
        return Failure(
            what="The speech job was cancelled.",
            next_step="Upload the recording again if it should be transcribed after all.",
            trying_again_helps=True,
            code=job.code,
            message=job.message,
        )
    return Failure(
        what="The speech service could not recognise this recording.",
        next_step="Listen to it: is it audio in a common format, under 512 MB and 5 hours? "
        "If it plays, upload it again; if it fails again, show code and message to Tencent's support.",
        code=job.code,
        message=job.message,
    )


def job_lost(job_id: str) -> Failure:
    """CI does not know the job of the receipt any more."""
    return Failure(
        what=f"The speech service no longer knows the job {job_id}, and its result was never fetched.",
        next_step="Upload the recording again; the job may be billed a second time.",
        trying_again_helps=True,
    )


def unfit(reason: str, next_step: str) -> Failure:
    """The recording cannot be submitted as it is; nothing was paid."""
    return Failure(what=reason, next_step=next_step)


def error_object(receipt: Receipt, failure: Failure) -> bytes:
    """The bytes of `<recording>.error.json`: the same for the same failure."""
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
        "what": failure.what,
        "next_step": failure.next_step,
        "trying_again_helps": failure.trying_again_helps,
        "code": failure.code,
        "message": failure.message,
        "request_id": failure.request_id,
        "job_id": receipt.job_id,
        "attempts": receipt.attempt,
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"
