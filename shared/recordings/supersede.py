"""Does the result of a job belong to the recording as it is now, or to content or options that were replaced?

A recording can be overwritten while its job is running. COS only knows the current content; earlier content is known
only by its own receipt. Content that came and went without an event leaves no trace.
"""

from __future__ import annotations

from shared.errors import NotFound, RequestRejected
from shared.recordings.changed_options import NO_DIFFERENCE, compare_options, take_text_options
from shared.recordings.content import UNREADABLE_STATUSES, find_in_listing, head_content
from shared.recordings.context import Context
from shared.recordings.models import Result, Status
from shared.recordings.options import choose_for_recording, log_choice
from shared.recordings.proof import compute_nonce
from shared.recordings.receipt import SUPERSEDED, TRANSCRIBED, Receipt
from shared.recordings.submit import defer_to_sweep
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectMetadata


def check_content(ctx: Context, receipt: Receipt, job_id: str) -> Receipt | Result:
    """Return the receipt if the job's result belongs to the recording as it is now, else end or restart the work.

    The receipt gets another title, names or formats if the recording was uploaded with them while the job was running;
    other options of the job are new work. `receipt` is open, or was closed as FAILED, and is as it was read. One
    request if the recording is unchanged.
    """
    head, has_metadata = _get_content(ctx, receipt)
    has_same_content = head is not None and head.etag == receipt.etag
    if head and has_same_content and head.modified_s in {0.0, receipt.modified_s}:
        return receipt
    may_be_same = has_same_content or head is None
    if may_be_same and not _may_have_read_other_content(ctx, receipt, job_id):
        is_later_upload = head is not None and 0 < receipt.modified_s < head.modified_s
        if head and has_metadata and is_later_upload and receipt.is_open and not head.is_archived:
            return _take_later_options(ctx, receipt, job_id, head)
        return receipt
    if receipt.is_open and not ctx.receipts(receipt.bucket).is_unchanged(receipt):
        return Result.of(receipt, Status.IN_PROGRESS, job_id=job_id, reason="another attempt continued")
    receipt = receipt.select_job(job_id)
    if head and has_same_content:
        ctx.log.warning("content_changed_during_job", key=receipt.key, job_id=job_id)
        restarted = receipt.restart(head.modified_s, ctx.now())
        return defer_to_sweep(ctx, restarted, reason="the content changed and came back during the job")
    return close_superseded(ctx, receipt)


def _take_later_options(
    ctx: Context, receipt: Receipt, job_id: str, head: ObjectMetadata
) -> Receipt | Result:
    """Compare the options of the job with those of the same content, uploaded again while the job was running.

    One request more, for the sidecar. Options that cannot be used are left to the event of that upload.
    """
    choice = choose_for_recording(ctx, receipt.recording, head)
    difference = NO_DIFFERENCE if choice.invalid else compare_options(receipt, choice, is_upload=False)
    if not difference.job:
        return take_text_options(receipt, choice) if difference.text else receipt
    if not ctx.receipts(receipt.bucket).is_unchanged(receipt):
        return Result.of(receipt, Status.IN_PROGRESS, job_id=job_id, reason="another attempt continued")
    ctx.log.info("uploaded_with_other_options", key=receipt.key, options=list(difference.job))
    log_choice(ctx, receipt.key, choice)
    restarted = receipt.select_job(job_id).restart(head.modified_s, ctx.now())
    restarted = restarted.with_options(choice.options, choice.sources)
    return defer_to_sweep(ctx, restarted, reason="it was uploaded again with other options")


def close_superseded(ctx: Context, receipt: Receipt) -> Result:
    """Close the receipt as SUPERSEDED: the newer content has its own event, receipt and result."""
    store = ctx.receipts(receipt.bucket)
    if _was_transcribed_before(ctx, receipt, receipt.job_id):
        store.delete_open(receipt)  # what was closed as TRANSCRIBED stays so
        return Result.of(receipt, Status.SUPERSEDED)
    store.close(receipt.close(SUPERSEDED, ctx.now()))
    head, _ = _get_content(ctx, receipt)
    if head and head.etag == receipt.etag:
        # The content came back while the receipt was being closed, and its event may have met the open receipt.
        restarted = receipt.restart(head.modified_s, ctx.now())
        nonce = compute_nonce(ctx.create_secret())
        if store.create(restarted._replace(nonce=nonce, attempt=1), ctx.now()):
            return Result.of(receipt, Status.DEFERRED, job_id="", reason="the content came back")
    return Result.of(receipt, Status.SUPERSEDED)


def head_recording(ctx: Context, receipt: Receipt) -> ObjectMetadata | None:
    """Return the recording's current metadata; None if it was deleted, which does not end its work: it is paid for."""
    try:
        return head_content(ctx, receipt.bucket, receipt.key)
    except NotFound:
        return None


def _get_content(ctx: Context, receipt: Receipt) -> tuple[ObjectMetadata | None, bool]:
    """Return what identifies the recording's content (None if it was deleted), and whether that has its metadata.

    If COS does not show the object any more, the listing still has its ETag and time: the result is paid for.
    """
    try:
        return head_recording(ctx, receipt), True
    except RequestRejected as error:
        if error.status not in UNREADABLE_STATUSES:
            raise
    listed = find_in_listing(ctx, receipt.bucket, receipt.key)
    head = ObjectMetadata(listed.etag, listed.size, "", parse_timestamp(listed.modified)) if listed else None
    return head, False


def _may_have_read_other_content(ctx: Context, receipt: Receipt, job_id: str) -> bool:
    """Check whether other content was written under this key after the recording, by COS's clock."""
    if _was_transcribed_before(ctx, receipt, job_id):
        return False
    others = ctx.receipts(receipt.bucket).iter_other_content(receipt)
    written_s = receipt.modified_s or receipt.created_s - 1  # COS did not say when it was written
    return any(other.modified_s >= written_s for other in others)


def _was_transcribed_before(ctx: Context, receipt: Receipt, job_id: str) -> bool:
    """Check whether the transcript of this job was written before: it then belongs to this content."""
    done = ctx.receipts(receipt.bucket).get_done(receipt.id) if job_id else None
    return done is not None and (done.state, done.job_id) == (TRANSCRIBED, job_id)
