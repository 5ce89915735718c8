"""Continues the work of an attempt that died or was deferred: finds the job that it may have left, else submits one.

Here is decided whether a job may be submitted again. Called by the sweep only.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

from shared.errors import OutcomeUnknown, RequestRejected, ScribeError
from shared.recordings.complete import close_superseded, head_recording
from shared.recordings.context import Context, parse_timestamp
from shared.recordings.failures import fail_recording
from shared.recordings.ingest import (
    UNREADABLE_STATUSES,
    find_in_listing,
    raise_unless_about_object,
    record_job,
    submit_job,
    unreadable_failure,
    wait_for_restore,
)
from shared.recordings.models import Receipt, Result, Status
from shared.tencent.speech_models import Job, JobFilter

MAX_LOOKUP_PAGES = 100
CLOCK_SKEW_S = 60
_BEIJING = timezone(timedelta(hours=8))


def resume_attempt(ctx: Context, receipt: Receipt) -> Result:
    """Continue the work of a dead or deferred attempt. First look for a job that it may have left."""
    store = ctx.receipts(receipt.bucket)
    claim = store.claim_next_attempt(receipt, ctx.create_nonce(), ctx.now(), ctx.settings.lease_s)
    if claim is None:
        return Result.of(receipt, Status.IN_PROGRESS, reason="another attempt claimed it")
    try:
        if not store.is_unchanged(receipt):
            # The receipt was stale: another attempt continued or ended the work and released its own claim.
            store.release_claim(claim)
            return Result.of(receipt, Status.IN_PROGRESS, reason="another attempt continued")
        ended, claim = _prepare_attempt(ctx, receipt, claim)
    except Exception:
        with suppress(ScribeError):
            store.release_claim(claim)  # or the next sweeps would wait for it
        raise
    return ended or submit_job(ctx, claim)


def _prepare_attempt(ctx: Context, receipt: Receipt, claim: Receipt) -> tuple[Result | None, Receipt]:
    """Return the result if the work ends without a submit; else None and the receipt, stored as this attempt's own."""
    job = None if receipt.deferred else find_job_by_receipt(ctx, receipt)
    if job:
        return record_job(ctx, claim, job), claim
    store = ctx.receipts(receipt.bucket)
    try:
        head = head_recording(ctx, claim)
    except RequestRejected as error:
        return _end_unreadable(ctx, claim, error), claim
    if head and head.etag != claim.etag:
        return close_superseded(ctx, claim), claim
    if head and head.is_archived:
        result = wait_for_restore(ctx, claim._replace(modified_s=head.modified_s))
        store.delete_open(claim)
        return result, claim
    # GIVE_UP_AFTER is for results: what was not submitted waits as long as it has to, and its time begins now.
    claim = claim._replace(
        modified_s=head.modified_s if head else claim.modified_s,
        created_s=ctx.now() if receipt.deferred or ctx.is_expired(receipt.created_s) else receipt.created_s,
    )
    store.update(claim)
    return None, claim


def _end_unreadable(ctx: Context, claim: Receipt, error: RequestRejected) -> Result:
    """End an attempt at a recording that COS does not show any more. Raises the error if it is not about the object."""
    if error.status not in UNREADABLE_STATUSES:
        raise error
    listed = find_in_listing(ctx, claim.bucket, claim.key)
    if listed is None:
        raise error
    if listed.etag != claim.etag:
        return close_superseded(ctx, claim)
    raise_unless_about_object(ctx, claim.bucket, claim.key, error)
    claim = claim._replace(modified_s=parse_timestamp(listed.modified))
    return fail_recording(ctx, claim, unreadable_failure(error))


def find_job_by_receipt(ctx: Context, receipt: Receipt) -> Job | None:
    """Return the job whose UserData is this receipt's id, or None if there is none. One request per 100 jobs.

    Raises OutcomeUnknown if there are too many jobs to search: not found would not mean not submitted.
    """
    job_filter = JobFilter(
        queue_id=ctx.settings.queue_id or _get_queue_id(ctx, receipt.bucket),
        created_from=_format_ci_time(receipt.created_s - CLOCK_SKEW_S),
        created_to=_format_ci_time(
            receipt.lease_expires_s + CLOCK_SKEW_S
        ),  # no attempt submits after its lease
        newest_first=False,
    )
    token = ""
    for _ in range(MAX_LOOKUP_PAGES):
        page = ctx.speech.list_jobs(receipt.bucket, job_filter, token=token)
        for job in page.jobs:
            if job.job_id and job.user_data == receipt.id and job.job_id not in receipt.superseded_job_ids:
                return job
        if not page.next_token:
            return None
        token = page.next_token
    raise OutcomeUnknown(
        resource=f"{receipt.bucket}/{receipt.key}",
        code="TooManyJobs",
        message="cannot determine whether it was submitted",
    )


def _format_ci_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, _BEIJING).strftime("%Y-%m-%dT%H:%M:%S%z")


def _get_queue_id(ctx: Context, bucket: str) -> str:
    """Return the bucket's queue: listing jobs requires its id (DescribeSpeechJobs 460/46230), and a bucket has one."""
    queues = ctx.speech.list_queues(bucket).queues
    return queues[0].queue_id if queues else ""
