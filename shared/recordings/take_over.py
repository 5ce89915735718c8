"""A dead or waiting attempt's work, gone on with: only the sweep does that."""

from __future__ import annotations

from contextlib import suppress

from shared.errors import ScribeError
from shared.recordings.desk import Desk
from shared.recordings.due import is_overdue
from shared.recordings.endings import written_now
from shared.recordings.find_job import find_job
from shared.recordings.finish import give_up
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import Receipt
from shared.recordings.replaced import supersede
from shared.recordings.submit import note_job, submit


def take_over(desk: Desk, receipt: Receipt) -> Outcome:
    """Goes on with the receipt of an attempt that is dead or waits: first looks whether it left a job."""
    ledger = desk.ledger_for(receipt.bucket)
    mine = ledger.claim(receipt, desk.nonce(), desk.now(), desk.settings.lease_s)
    if mine is None:
        return _under_way(receipt, "another attempt took over")
    try:
        if not ledger.is_current(receipt):
            # It was stale: meanwhile another went on with the work or ended it, and took its own claim away.
            ledger.drop_claim(mine)
            return _under_way(receipt, "another attempt went on meanwhile")
        ended, mine = _prepare(desk, receipt, mine)
    except Exception:
        with suppress(ScribeError):
            ledger.drop_claim(mine)  # or the next sweeps would have to wait for it
        raise
    return ended or submit(desk, mine)


def _prepare(desk: Desk, receipt: Receipt, mine: Receipt) -> tuple[Outcome | None, Receipt]:
    """What ends the work without a submit, if anything does; else the receipt, written as this attempt's own."""
    job = None if receipt.waiting else find_job(desk, receipt)
    if job:
        return note_job(desk, mine, job), mine
    if is_overdue(desk, receipt.created_s):
        outcome = give_up(desk, receipt)
        desk.ledger_for(receipt.bucket).drop_claim(mine)
        return outcome, mine
    now = written_now(desk, mine)
    if now and now.etag != mine.etag:
        return supersede(desk, mine), mine
    mine = mine._replace(modified_s=now.modified_s if now else mine.modified_s)
    desk.ledger_for(receipt.bucket).update(mine)
    return None, mine


def _under_way(receipt: Receipt, why: str) -> Outcome:
    return Outcome(Step.UNDER_WAY, receipt.bucket, receipt.key, receipt.id, why=why)
