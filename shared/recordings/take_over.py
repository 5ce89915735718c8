"""A dead or waiting attempt's work, gone on with: only the sweep does that."""

from __future__ import annotations

from shared.recordings.desk import Desk
from shared.recordings.endings import end_superseded, written_now
from shared.recordings.find_job import find_job
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import Receipt
from shared.recordings.submit import note_job, submit


def take_over(desk: Desk, receipt: Receipt) -> Outcome:
    """Goes on with the receipt of an attempt that is dead or waits: first looks whether it left a job."""
    ledger = desk.ledger_for(receipt.bucket)
    mine = ledger.claim(receipt, desk.nonce(), desk.now(), desk.settings.lease_s)
    if mine is None:
        return Outcome(
            Step.UNDER_WAY, receipt.bucket, receipt.key, receipt.id, why="another attempt took over"
        )
    if ledger.find_open(receipt.id) != receipt:
        # It was stale: meanwhile another went on with the work or ended it, and took its own claim away.
        ledger.drop_claim(mine)
        return Outcome(
            Step.UNDER_WAY, receipt.bucket, receipt.key, receipt.id, why="another attempt went on meanwhile"
        )
    job = None if receipt.waiting else find_job(desk, receipt)
    if job:
        return note_job(desk, mine, job)
    now = written_now(desk, mine)
    if now and now.etag != mine.etag:
        return end_superseded(desk, mine)
    mine = mine._replace(modified_s=now.modified_s if now else mine.modified_s)
    ledger.update(mine)
    return submit(desk, mine)
