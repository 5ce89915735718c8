"""Other content was put in the recording's place while its job was at work, and stayed, or went again.

COS knows of no content but the present one. What lay there in between is known only by its own receipt: content that
came and went unseen, because its event was lost or late, leaves no trace that could be asked for.
"""

from __future__ import annotations

from shared.recordings.desk import Desk
from shared.recordings.endings import close, written_now
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import SUPERSEDED, TRANSCRIBED, Receipt
from shared.recordings.submit import wait_for_sweep
from shared.tencent.cos import ObjectMetadata


def end_if_replaced(desk: Desk, receipt: Receipt, job_id: str) -> Outcome | None:
    """Ends the work when the job's words or failure are not the recording's own; None if they are.

    `receipt` is open, or was closed as failed, and is as it was read. One request where nothing was written since.
    """
    now = written_now(desk, receipt)
    is_back = now is not None and now.etag == receipt.etag
    if now and is_back and now.modified_s == receipt.modified_s:
        return None
    if (is_back or now is None) and not _may_have_heard_other_content(desk, receipt, job_id):
        return None
    if not receipt.outcome and not desk.ledger_for(receipt.bucket).is_current(receipt):
        return _outcome(Step.UNDER_WAY, receipt, job_id, why="another went on with it meanwhile")
    others = tuple(one for one in receipt.all_jobs if one != job_id)
    of_job = receipt._replace(job_id=job_id, older_jobs=others)
    if now and is_back:
        desk.log.warning("the job may have heard other content", key=receipt.key, job=job_id)
        return wait_for_sweep(
            desk, _afresh(desk, of_job, now), why="the content changed and came back meanwhile"
        )
    return supersede(desk, of_job)


def supersede(desk: Desk, receipt: Receipt) -> Outcome:
    """Closes the receipt without a word: the newer content has its own event, its own receipt and its own ending."""
    ledger = desk.ledger_for(receipt.bucket)
    if _spoke_before(desk, receipt, receipt.job_id):
        ledger.drop_open(receipt)  # what was closed as transcribed stays so
        return _outcome(Step.SUPERSEDED, receipt, receipt.job_id)
    close(desk, receipt, SUPERSEDED)
    now = written_now(desk, receipt)
    if now and now.etag == receipt.etag:
        # It came back while this was being closed, and its event may have found it still open.
        anew = _afresh(desk, receipt, now)._replace(nonce=desk.nonce(), attempt=1, waiting=True)
        if ledger.create(anew):
            return _outcome(Step.WAITING, receipt, "", why="the content came back just now")
    return _outcome(Step.SUPERSEDED, receipt, receipt.job_id)


def _may_have_heard_other_content(desk: Desk, receipt: Receipt, job_id: str) -> bool:
    """Whether other content was written here after the recording was taken in, by COS's clock."""
    if _spoke_before(desk, receipt, job_id):
        return False
    others = desk.ledger_for(receipt.bucket).others_of(receipt)
    return any(other.modified_s >= receipt.modified_s for other in others)


def _spoke_before(desk: Desk, receipt: Receipt, job_id: str) -> bool:
    """Whether this very job's words were written before: then they are this content's, whatever lay here since."""
    done = desk.ledger_for(receipt.bucket).find_done(receipt.id) if job_id else None
    return done is not None and (done.outcome, done.job_id) == (TRANSCRIBED, job_id)


def _afresh(desk: Desk, receipt: Receipt, now: ObjectMetadata) -> Receipt:
    """The receipt of new work on the same content, whose jobs so far do not count."""
    now_s = desk.now()
    return receipt._replace(
        job_id="", older_jobs=receipt.all_jobs, modified_s=now.modified_s, created_s=now_s,
        lease_until_s=now_s, outcome="", finished_s=0.0,
    )  # fmt: skip


def _outcome(step: Step, receipt: Receipt, job_id: str, *, why: str = "") -> Outcome:
    return Outcome(step, receipt.bucket, receipt.key, receipt.id, job_id, why=why)
