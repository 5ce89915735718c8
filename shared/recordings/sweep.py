"""What the other two functions missed: jobs whose notification never came, attempts that died before they submitted.

Its cost follows the work in flight: one request lists 1,000 open receipts, one reads each that is due, one asks for
ten jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from itertools import islice

from shared.errors import CloudError, OutOfTime
from shared.recordings import failure
from shared.recordings.desk import Desk
from shared.recordings.endings import end_failed
from shared.recordings.finish import ask_for, finish
from shared.recordings.ledger import Ledger, OpenEntry
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import Receipt
from shared.recordings.submit import take_over

JOBS_A_QUERY = 10


@dataclass(slots=True)
class Tally:
    """How a sweep or an audit went: how often each outcome, and whether it had to stop before the end."""

    outcomes: dict[str, int] = field(default_factory=dict)
    troubles: int = 0
    stopped_early: bool = False

    def count(self, outcome: Outcome) -> None:
        """Adds one."""
        self.outcomes[outcome.step.value] = self.outcomes.get(outcome.step.value, 0) + 1


def sweep(desk: Desk) -> Tally:
    """Brings all open work that is due nearer to its end. Stops, and says so, when time runs out."""
    tally = Tally()
    state_buckets = dict.fromkeys(map(desk.settings.output_bucket_for, desk.settings.input_buckets))
    try:
        for state_bucket in state_buckets:
            _sweep_bucket(desk, state_bucket, tally)
    except OutOfTime as error:
        tally.stopped_early = True
        desk.log.warning("the sweep stopped early and goes on next time", why=str(error))
    return tally


def _sweep_bucket(desk: Desk, state_bucket: str, tally: Tally) -> None:
    ledger = Ledger(desk.output_cos, desk.settings, state_bucket)
    due = (entry for entry in ledger.open_entries() if is_due(desk, entry.modified))
    for entries in _portions(due, JOBS_A_QUERY):
        waiting: dict[str, list[Receipt]] = {}
        for entry in entries:
            receipt = ledger.find_open(entry.id)
            if receipt is None or receipt.bucket not in desk.settings.input_buckets:
                continue
            if receipt.job_id:
                waiting.setdefault(receipt.bucket, []).append(receipt)
            elif desk.now() >= receipt.lease_until_s or not desk.settings.sweep_after_s:
                _step(desk, tally, receipt, partial(take_over, desk.in_region(receipt.region), receipt))
        for bucket, receipts in waiting.items():
            _finish_all(desk, bucket, receipts, tally)


def is_due(desk: Desk, modified: str) -> bool:
    """Whether something written at this time (ISO 8601) is old enough: younger work is still in good hands."""
    try:
        written = datetime.fromisoformat(modified.replace("Z", "+00:00"))
    except ValueError:
        return True
    return desk.now() - written.replace(tzinfo=written.tzinfo or timezone.utc).timestamp() >= (
        desk.settings.sweep_after_s
    )


def _finish_all(desk: Desk, bucket: str, receipts: list[Receipt], tally: Tally) -> None:
    try:
        found = ask_for(desk, bucket, [receipt.job_id for receipt in receipts])
    except CloudError as error:
        tally.troubles += len(receipts)
        desk.log.error("could not ask for jobs", bucket=bucket, error=str(error))
        return
    jobs = {job.job_id: job for job in found.jobs}
    for receipt in receipts:
        job = jobs.get(receipt.job_id)
        if job:
            _step(desk, tally, receipt, partial(finish, desk, bucket, job, receipt=receipt))
        elif receipt.job_id in found.unknown:
            _step(desk, tally, receipt, partial(end_failed, desk, receipt, failure.job_lost(receipt.job_id)))


def _step(desk: Desk, tally: Tally, receipt: Receipt, take: Callable[[], Outcome]) -> None:
    """Takes one step and counts it. One recording's trouble does not stop the others; running out of time does."""
    try:
        outcome = take()
    except OutOfTime:
        raise
    except Exception as error:  # noqa: BLE001 - one odd receipt must not stop every sweep to come
        tally.troubles += 1
        reason = f"{type(error).__name__}: {error}"
        desk.log.error("could not mend", bucket=receipt.bucket, key=receipt.key, error=reason)
        return
    tally.count(outcome)
    if outcome.step is not Step.STILL_RUNNING:
        desk.log.info("mended", **outcome.summary())


def _portions(entries: Iterable[OpenEntry], size: int) -> Iterator[list[OpenEntry]]:
    iterator = iter(entries)
    while portion := list(islice(iterator, size)):
        yield portion
