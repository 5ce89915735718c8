"""What the other two functions missed: lost notifications, dead attempts, and what waits to be submitted.

Its cost follows the work in flight, never the history: one request lists 1,000 open receipts, one reads each that is
due, one asks for up to ten jobs. Two sweeps at once do no harm: jobs are finished alike, attempts are claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from shared.errors import CloudError, DeadlineExceeded, NotFound, safe_error_message
from shared.recordings.desk import Desk
from shared.recordings.due import is_due, is_overdue
from shared.recordings.finish import ask_for, finish, give_up
from shared.recordings.ledger import Ledger, OpenEntry
from shared.recordings.names import cursor_key
from shared.recordings.outcome import Outcome, Step
from shared.recordings.pace import Pace
from shared.recordings.receipt import FAILED, BadReceipt, Receipt
from shared.recordings.take_over import take_over
from shared.recordings.tally import Tally
from shared.tencent.client import UNREADABLE_RESPONSE
from shared.tencent.speech_models import FAILED as JOB_FAILED
from shared.tencent.speech_models import Job

JOBS_A_QUERY = 10
LAST_SECONDS = 15.0  # for the portion that is at work, and to note where it stopped
# Results come with the jobs: ten short ones or one of five hours, an hour of MP3 being about this large.
BYTES_A_QUERY = 60_000_000


def sweep(desk: Desk) -> Tally:
    """Brings all open work that is due nearer to its end. When time runs out it notes where; the next goes on there."""
    tally = Tally()
    for state_bucket in dict.fromkeys(map(desk.settings.output_bucket_for, desk.settings.input_buckets)):
        try:
            _Sweep(desk, state_bucket, tally).run()
        except DeadlineExceeded as error:
            tally.stopped_early = True
            desk.log.warning("the sweep stopped early and goes on next time", why=str(error))
            break
        except CloudError as error:
            # The other buckets must not wait for this one to be mended.
            tally.trouble()
            desk.log.error("could not sweep", bucket=state_bucket, error=str(error))
    return tally


class _Sweep:
    """One pass over the open receipts of one state bucket. `reached` is the last id that was attended to."""

    def __init__(self, desk: Desk, state_bucket: str, tally: Tally) -> None:
        self.desk = desk
        self.bucket = state_bucket
        self.ledger = Ledger(desk.output_cos, desk.settings, state_bucket)
        self.tally = tally
        self.pace = Pace(desk)
        self.reached = self._cursor()

    def run(self) -> None:
        began_after = self.reached
        try:
            due = (e for e in self.ledger.open_entries(began_after) if is_due(self.desk, e.modified))
            for entries in _portions(due, JOBS_A_QUERY):
                self._look_at_the_clock()
                self._attend_to(entries)
                self.reached = entries[-1].id
        except DeadlineExceeded:
            with suppress(DeadlineExceeded, CloudError):
                self.desk.output_cos.put(self.bucket, cursor_key(self.desk.settings), self.reached.encode())
            raise
        if began_after:
            self.desk.output_cos.delete(self.bucket, cursor_key(self.desk.settings))

    def _look_at_the_clock(self) -> None:
        if self.desk.seconds_left() < LAST_SECONDS:
            raise DeadlineExceeded("little is left of the function's time limit")

    def _attend_to(self, entries: Iterable[OpenEntry]) -> None:
        with_jobs: list[Receipt] = []
        without: list[Receipt] = []
        for entry in entries:
            receipt = self._read(entry)
            if receipt is None:
                continue
            if receipt.job_id:
                with_jobs.append(receipt)
            elif self._is_dead(receipt):
                without.append(receipt)
        for receipts in _askable(with_jobs):
            self._finish(receipts)
        for receipt in without:
            self._without_job(receipt)

    def _read(self, entry: OpenEntry) -> Receipt | None:
        try:
            receipt = self.ledger.find_open(entry.id)
        except (BadReceipt, CloudError) as error:
            self.tally.trouble()
            self.desk.log.error("a receipt cannot be read", receipt=entry.id, error=str(error))
            return None
        if receipt and receipt.bucket not in self.desk.settings.input_buckets:
            self.desk.log.warning(
                "a receipt of a bucket that is no longer in INPUT_BUCKETS", receipt=entry.id
            )
            return None
        return receipt

    def _is_dead(self, receipt: Receipt) -> bool:
        """SWEEP_AFTER 0 takes even a live attempt for dead: it is for tests, where nothing else is at work."""
        return self.desk.now() >= receipt.lease_until_s or not self.desk.settings.sweep_after_s

    def _without_job(self, receipt: Receipt) -> None:
        if is_overdue(self.desk, receipt.created_s) or self._has_room(receipt.bucket):
            self._step(receipt, partial(take_over, self.desk.in_region(receipt.region), receipt))
        else:
            self.tally.count(Step.WAITING)

    def _has_room(self, bucket: str) -> bool:
        """A queue that cannot be asked gets no new jobs in this sweep; everything else goes on."""
        try:
            return self.pace.allows(bucket)
        except CloudError as error:
            self.pace.allow_none(bucket)
            self.tally.trouble()
            self.desk.log.error("could not ask for the queue", bucket=bucket, error=str(error))
            return False

    def _finish(self, receipts: list[Receipt]) -> None:
        """Receipts of one bucket and region, asked for together; one by one if the service refuses them together."""
        first = receipts[0]
        desk = self.desk.in_region(first.region)
        try:
            found = ask_for(desk, first.bucket, [receipt.job_id for receipt in receipts])
        except CloudError as error:
            is_unreadable = error.code == UNREADABLE_RESPONSE
            if len(receipts) > 1 and (is_unreadable or not error.retryable):
                for receipt in receipts:
                    self._finish([receipt])
                return
            if is_unreadable and is_overdue(desk, first.created_s):
                self._step(first, partial(give_up, desk, first))
                return
            if not isinstance(error, NotFound):
                self.tally.trouble()
                self.desk.log.error("could not ask for jobs", bucket=first.bucket, error=str(error))
                return
            found = None
        jobs = {job.job_id: job for job in found.jobs} if found else {}
        for receipt in receipts:
            self._step(receipt, partial(self._end, desk, receipt, jobs.get(receipt.job_id)))

    def _end(self, desk: Desk, receipt: Receipt, job: Job | None) -> Outcome:
        if job and job.state == JOB_FAILED and self._was_closed(receipt):
            return Outcome(Step.ALREADY_DONE, receipt.bucket, receipt.key, receipt.id, receipt.job_id)
        outcome = finish(desk, receipt.bucket, job, receipt=receipt) if job else None
        if (outcome is None or outcome.step is Step.STILL_RUNNING) and is_overdue(desk, receipt.created_s):
            return give_up(desk, receipt)
        if outcome is None:
            # Unknown today may be a passing fault of the service; the result is paid for, so it is asked for again.
            self.desk.log.warning("CI does not know the job", key=receipt.key, job=receipt.job_id)
            return Outcome(Step.STILL_RUNNING, receipt.bucket, receipt.key, receipt.id, receipt.job_id)
        return outcome

    def _was_closed(self, receipt: Receipt) -> bool:
        """A notification that overtook the submit's answer closed it; then the answer opened it once more."""
        done = self.ledger.find_done(receipt.id)
        if done is None or done.job_id != receipt.job_id or done.outcome != FAILED:
            return False
        if self.ledger.is_current(receipt):
            self.ledger.drop_open(receipt)
        return True

    def _step(self, receipt: Receipt, take: Callable[[], Outcome]) -> None:
        """Takes one step and counts it. One recording's trouble does not stop the others; running out of time does."""
        try:
            outcome = take()
        except DeadlineExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - one odd receipt must not stop every sweep to come
            self.tally.trouble()
            self.desk.log.error(
                "could not mend", bucket=receipt.bucket, key=receipt.key, error=safe_error_message(error)
            )
            return
        self.tally.count(outcome.step)
        if outcome.step is not Step.STILL_RUNNING:
            self.desk.log.info("swept", **outcome.summary())

    def _cursor(self) -> str:
        try:
            found = self.desk.output_cos.get(self.bucket, cursor_key(self.desk.settings))
        except NotFound:
            return ""
        return found.body.decode("ascii", "ignore")


def _portions(entries: Iterable[OpenEntry], size: int) -> Iterator[list[OpenEntry]]:
    iterator = iter(entries)
    while portion := list(islice(iterator, size)):
        yield portion


def _askable(receipts: list[Receipt]) -> Iterator[list[Receipt]]:
    """Receipts that can be asked for in one query: of one bucket and region, and not too long together."""
    portion: list[Receipt] = []
    for receipt in receipts:
        alike = all((r.bucket, r.region) == (receipt.bucket, receipt.region) for r in portion)
        if portion and not (alike and sum(r.size for r in portion) + receipt.size <= BYTES_A_QUERY):
            yield portion
            portion = []
        portion.append(receipt)
    if portion:
        yield portion
