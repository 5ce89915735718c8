"""Continues the work of an attempt that died or was deferred: finds the job that it may have left, else submits one.

Here is decided whether a job may be submitted again. Called by the sweep only.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

from shared.errors import OutcomeUnknown, RequestRejected, ScribeError
from shared.messages import message
from shared.recordings.changed_options import compare_options
from shared.recordings.content import UNREADABLE_STATUSES, find_in_listing, raise_unless_about_object
from shared.recordings.context import Context
from shared.recordings.failures import BUCKET_REMOVED, LONG_WAIT, Failure
from shared.recordings.ingest import reopen_with_job, unreadable_failure, wait_for_restore
from shared.recordings.models import Result, Status
from shared.recordings.options import choose_for_recording, log_choice
from shared.recordings.outputs import fail_recording, has_error_object, has_own_transcripts
from shared.recordings.proof import compute_nonce, is_own_job
from shared.recordings.receipt import TRANSCRIBED, Receipt, Recording
from shared.recordings.receipt_store import ReceiptStore
from shared.recordings.submit import (
    LONG_WAIT_S,
    defer_to_sweep,
    has_lease,
    record_job,
    submit_job,
    write_wait_report,
)
from shared.recordings.supersede import close_superseded, head_recording
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectMetadata
from shared.tencent.speech import TOO_MANY_JOBS
from shared.tencent.speech_models import CANCELLED, FAILED, Job, JobFilter

MAX_LOOKUP_PAGES = 100
# The clock of a function may differ from that of the speech service. Which job is meant is decided by its secret, so a
# wide window costs a few requests at most.
LOOKUP_MARGIN_S = 900.0
MIN_LOOKUP_S = 4.0  # times have whole seconds
_BEIJING = timezone(timedelta(hours=8))


def resume_attempt(ctx: Context, receipt: Receipt, *, may_submit: bool = True) -> Result:
    """Continue the work of a dead or deferred attempt. First look for a job that it may have left.

    With `may_submit` False, leave it at that: what has no job becomes deferred.
    """
    store = ctx.receipts(receipt.bucket)
    secret = ctx.create_secret()
    claim = _claim(ctx, store, receipt, compute_nonce(secret))
    if isinstance(claim, Result):
        return claim
    try:
        ended, claim = _prepare_attempt(ctx, receipt, claim)
    except Exception:
        _release(ctx, store, claim)
        raise
    if ended:
        return ended
    if not may_submit:
        return defer_to_sweep(ctx, claim, reason=message("the queue has no room"))
    return submit_job(ctx, claim, secret)


def report_long_wait(ctx: Context, receipt: Receipt) -> Result:
    """Write an error object for a recording that has waited for more than a day; it keeps waiting, as it is."""
    store = ctx.receipts(receipt.bucket)
    claim = _claim(ctx, store, receipt, compute_nonce(ctx.create_secret()))
    if isinstance(claim, Result):
        return claim
    try:
        reported = write_wait_report(ctx, receipt)
        if not has_lease(ctx, claim):
            return _give_way(ctx, receipt)
        store.update(reported)
    finally:
        _release(ctx, store, claim)
    return Result.of(receipt, Status.DEFERRED, reason=LONG_WAIT.text)


def _claim(ctx: Context, store: ReceiptStore, receipt: Receipt, nonce: str) -> Receipt | Result:
    """Claim the next attempt; the result if it belongs to another."""
    claim = store.claim_next_attempt(receipt, nonce, ctx.now(), ctx.settings.lease_s)
    if claim is None:
        return Result.of(receipt, Status.IN_PROGRESS, reason=message("another attempt claimed it"))
    try:
        if store.is_unchanged(receipt):
            return claim
    except Exception:
        _release(ctx, store, claim)
        raise
    # The receipt was stale: another attempt continued or ended the work and released its own claim.
    _release(ctx, store, claim)
    return Result.of(receipt, Status.IN_PROGRESS, reason=message("another attempt continued"))


def _release(ctx: Context, store: ReceiptStore, claim: Receipt) -> None:
    """Delete the claim of an attempt that does not continue, or the next sweeps would wait for it.

    After its lease, the next attempt may count on it: then it stays.
    """
    if has_lease(ctx, claim):
        with suppress(ScribeError):
            store.release_claim(claim)


def _prepare_attempt(ctx: Context, receipt: Receipt, claim: Receipt) -> tuple[Result | None, Receipt]:
    """Return the result if the work ends without a submit; else None and the receipt, stored as this attempt's own."""
    store = ctx.receipts(receipt.bucket)
    if not receipt.deferred:
        job = find_job_by_receipt(ctx, receipt)
        is_slow = ctx.now() > claim.lease_expires_s - ctx.settings.lease_s / 2
        if not has_lease(ctx, claim) or (is_slow and not store.is_unchanged(receipt)):
            # The search took so long that the next attempt may have begun, and noted a job.
            _release(ctx, store, claim)
            return _give_way(ctx, receipt), claim
        if job:
            return record_job(ctx, claim, job), claim
        if _was_done_by_another(store, receipt):
            store.delete_open(claim)
            return Result.of(
                receipt, Status.ALREADY_DONE, reason=message("another attempt ended before")
            ), claim
    try:
        head = head_recording(ctx, claim)
    except RequestRejected as error:
        return _end_unreadable(ctx, claim, error), claim
    if not has_lease(ctx, claim):
        return _give_way(ctx, receipt), claim
    if head and head.etag != claim.etag:
        return _end_superseded(ctx, claim, head.etag, head.size), claim
    if head and head.is_archived:
        result = wait_for_restore(ctx, claim._replace(modified_s=head.modified_s))
        store.delete_open(claim)
        return result, claim
    current = _take_later_options(ctx, claim, head)
    if isinstance(current, Result):
        return current, claim
    claim = current
    # GIVE_UP_AFTER is for results: what was not submitted waits as long as it has to, and its time begins now.
    claim = claim._replace(
        modified_s=head.modified_s if head else claim.modified_s,
        created_s=ctx.now() if receipt.deferred or ctx.is_expired(receipt.created_s) else receipt.created_s,
    )
    store.update(claim)
    return None, claim


def _take_later_options(ctx: Context, claim: Receipt, head: ObjectMetadata | None) -> Receipt | Result:
    """Return the receipt with the options of the same content, uploaded again before anything was paid.

    One request if it was, for the sidecar. The result if the recording cannot be submitted with them.
    """
    if head is None or not 0 < claim.modified_s < head.modified_s:
        return claim
    choice = choose_for_recording(ctx, claim.recording, head)
    if choice.invalid:
        failed = claim._replace(modified_s=head.modified_s)
        return fail_recording(ctx, failed, Failure(choice.invalid))
    if not any(compare_options(claim, choice, is_upload=False)):
        return claim
    log_choice(ctx, claim.key, choice)
    return claim.with_options(choice.options, choice.sources)


def _was_done_by_another(store: ReceiptStore, receipt: Receipt) -> bool:
    """Check for a job that was paid and ended while this receipt's attempt was paused before it wrote the receipt."""
    done = store.get_done(receipt.id)
    return done is not None and bool(done.job_id) and done.job_id not in receipt.superseded_job_ids


def _give_way(ctx: Context, receipt: Receipt) -> Result:
    """End an attempt that took so long that another may have begun: it writes nothing."""
    ctx.log.warning("attempt_too_slow", key=receipt.key, receipt_id=receipt.id)
    return Result.of(receipt, Status.IN_PROGRESS, reason=message("its lease expires soon"))


def end_removed(ctx: Context, receipt: Receipt) -> Result:
    """End the work on a recording whose bucket was taken out of INPUT_BUCKETS, unless its job is paid for already."""
    job = None
    if not receipt.deferred:
        try:
            job = find_job_by_receipt(ctx, receipt)
        except RequestRejected:
            if ctx.now() - receipt.waits_since_s <= LONG_WAIT_S:
                raise  # the role may not list the jobs any more, or not for the moment
    return record_job(ctx, receipt, job) if job else fail_recording(ctx, receipt, Failure(BUCKET_REMOVED))


def _end_superseded(ctx: Context, claim: Receipt, etag: str, size: int) -> Result:
    """Close a receipt whose content was replaced by this one, which may have been transcribed before.

    The error object of the replaced content may stand in place of those transcripts. If they came back within the same
    second, their event is that of an upload that was seen, so nothing else writes them again.
    """
    current = ctx.receipts(claim.bucket).get_done(Recording(claim.bucket, claim.key, etag, size).id)
    is_transcribed = current is not None and current.state is TRANSCRIBED
    if (
        current
        and is_transcribed
        and (has_error_object(ctx, current) or not has_own_transcripts(ctx, current))
    ):
        reopen_with_job(ctx, current.modified_s, current, current)
    return close_superseded(ctx, claim)


def _end_unreadable(ctx: Context, claim: Receipt, error: RequestRejected) -> Result:
    """End an attempt at a recording that COS does not show any more. Raises the error if it is not about the object."""
    if error.status not in UNREADABLE_STATUSES:
        raise error
    listed = find_in_listing(ctx, claim.bucket, claim.key)
    if listed is None:
        raise error
    if listed.etag != claim.etag:
        return _end_superseded(ctx, claim, listed.etag, listed.size)
    raise_unless_about_object(ctx, claim.bucket, claim.key, error)
    if not has_lease(ctx, claim):
        return _give_way(ctx, claim)
    claim = claim._replace(modified_s=parse_timestamp(listed.modified))
    return fail_recording(ctx, claim, unreadable_failure(error))


def find_job_by_receipt(ctx: Context, receipt: Receipt) -> Job | None:
    """Return the first job that an attempt of this receipt submitted, or None. One request per queue and 100 jobs.

    Raises OutcomeUnknown if there are too many jobs to search: not found would not mean not submitted.
    """
    # QUEUE_ID may have changed, and another program have a queue of its own.
    queue_ids = [queue.queue_id for queue in ctx.speech.iter_queues(receipt.bucket)]
    if ctx.settings.queue_id:
        queue_ids.insert(0, ctx.settings.queue_id)
    from_s, to_s = receipt.created_s - LOOKUP_MARGIN_S, receipt.lease_expires_s + LOOKUP_MARGIN_S
    own_jobs = [
        job
        for queue_id in dict.fromkeys(queue_ids or [""])
        for job in _list_own_jobs(ctx, receipt, queue_id, from_s, to_s)
    ]
    return min(own_jobs, key=_order_by_time, default=None)


def _order_by_time(job: Job) -> tuple[float, bool]:
    """Order jobs so that the real one comes first: who copies a secret from the list of jobs comes later.

    Times have whole seconds. Of the same second, a copy that failed does not come before the real one.
    """
    return parse_timestamp(job.created), job.state in {FAILED, CANCELLED}


def _list_own_jobs(ctx: Context, receipt: Receipt, queue_id: str, from_s: float, to_s: float) -> list[Job]:
    """List the receipt's own jobs of a queue in this time; in two halves if there are too many for one list."""
    job_filter = JobFilter(
        queue_id=queue_id,
        created_from=_format_ci_time(from_s),
        created_to=_format_ci_time(to_s),
        newest_first=False,
    )
    try:
        return [
            job
            for job in ctx.speech.iter_jobs(receipt.bucket, job_filter, max_pages=MAX_LOOKUP_PAGES)
            if job.job_id not in receipt.superseded_job_ids and is_own_job(receipt, job)
        ]
    except OutcomeUnknown as error:
        if error.code != TOO_MANY_JOBS or to_s - from_s < MIN_LOOKUP_S:
            raise
    middle_s = (from_s + to_s) / 2
    return [
        job
        for start_s, end_s in ((from_s, middle_s), (middle_s, to_s))
        for job in _list_own_jobs(ctx, receipt, queue_id, start_s, end_s)
    ]


def _format_ci_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, _BEIJING).strftime("%Y-%m-%dT%H:%M:%S%z")
