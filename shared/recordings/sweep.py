"""Repairs what the other two functions missed: lost notifications, dead attempts, deferred submits.

The cost follows the work in flight, not the history: one request lists 1,000 open receipts, one reads each that is due,
one fetches up to ten jobs. Concurrent sweeps are harmless: completing a job twice writes the same bytes, and attempts
are claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice

from shared.errors import (
    CloudError,
    DeadlineExceeded,
    NotFound,
    RequestRejected,
    safe_error_message,
)
from shared.recordings.complete import (
    complete_job,
    expire_recording,
    fetch_jobs,
    recover_transcripts,
)
from shared.recordings.context import Context
from shared.recordings.failures import BUCKET_REMOVED, Failure
from shared.recordings.keys import cursor_key
from shared.recordings.limiter import InFlightLimiter
from shared.recordings.models import Result, Status, Summary
from shared.recordings.receipt import FAILED, InvalidReceipt, Receipt, is_receipt_id
from shared.recordings.receipt_store import MAX_RECEIPT_BYTES, STATE_METADATA, OpenReceipt
from shared.recordings.resume import end_removed, report_long_wait, resume_attempt
from shared.recordings.submit import has_waited_long
from shared.tencent.speech_models import FAILED as JOB_FAILED
from shared.tencent.speech_models import Job

JOBS_PER_QUERY = 10
# Results come with the jobs: ten short ones or one of five hours, an hour of MP3 being about 60 MB.
MAX_BYTES_PER_QUERY = 60_000_000
MAX_CURSOR_BYTES = 4096
MAX_REFUSED_TRIES = 50
RESERVED_S = 15.0  # for the current batch, and to store the cursor
AUDIT_SHARE = 0.5  # of what is left after the sweep; an audit follows only if the sweep was not stopped early
NOTICES_SHARE = 0.1  # of the sweep's time, kept for notices: transcripts do not wait for a target that hangs


def reconcile(ctx: Context) -> Summary:
    """Continue all open work that is due, then send the notices that are due.

    When time runs out, store a cursor; the next sweep continues there.
    """
    summary = Summary()
    reserved_s = RESERVED_S + (ctx.remaining_s() * NOTICES_SHARE if ctx.announcer else 0.0)
    state_buckets = list(dict.fromkeys(map(ctx.settings.output_bucket_for, ctx.settings.input_buckets)))
    for state_bucket in state_buckets:
        try:
            _BucketSweep(ctx, state_bucket, summary, reserved_s).run()
        except DeadlineExceeded as error:
            summary.stopped_early = True
            ctx.log.warning("sweep_stopped_early", reason=str(error))
            break
        except CloudError as error:
            # Continue with the other buckets.
            summary.add_error()
            ctx.log.error("bucket_sweep_failed", bucket=state_bucket, error=str(error))
    ctx.send_notices()
    if ctx.announcer:
        reserved_s = 0.0 if summary.stopped_early else ctx.remaining_s() * AUDIT_SHARE
        ctx.announcer.send_due(ctx, state_buckets, reserved_s)
    return summary


class _BucketSweep:
    """One pass over the open receipts of one state bucket. `cursor` is the last id of the last batch that was begun.

    `reserved_s` is how much of the function's time is left to others.
    """

    def __init__(self, ctx: Context, state_bucket: str, summary: Summary, reserved_s: float) -> None:
        self.ctx = ctx
        self.state_bucket = state_bucket
        self.store = ctx.receipts_in(state_bucket)
        self.summary = summary
        self.reserved_s = reserved_s
        self.limiter = InFlightLimiter(ctx)
        self.refused: list[Receipt] = []
        self.refused_number = 0
        self.has_cursor = True
        self.cursor = self._load_cursor()

    def run(self) -> None:
        start_cursor = self.cursor
        try:
            due = (entry for entry in self.store.list_open(start_cursor) if self.ctx.is_due(entry.modified))
            for entries in _batches(due, JOBS_PER_QUERY):
                self._check_deadline()
                # Set before the work: if the time runs out here, the next sweep goes on after what was slow.
                ids = [entry.id for entry in entries if is_receipt_id(entry.id)]
                self.cursor = ids[-1] if ids else self.cursor
                self._process(entries)
            self._submit_refused()
        except DeadlineExceeded:
            with suppress(DeadlineExceeded, CloudError):
                self.ctx.output_cos.put(
                    self.state_bucket,
                    cursor_key(self.ctx.settings),
                    self.cursor.encode(),
                    metadata=STATE_METADATA,
                )
            raise
        if self.has_cursor:
            self.ctx.output_cos.delete(self.state_bucket, cursor_key(self.ctx.settings))

    def _check_deadline(self) -> None:
        if self.ctx.remaining_s() < self.reserved_s:
            raise DeadlineExceeded("too little of the function's time limit is left")

    def _load_cursor(self) -> str:
        """Return the cursor. One that cannot be read starts a new round."""
        key = cursor_key(self.ctx.settings)
        try:
            body = self.ctx.output_cos.get(self.state_bucket, key, max_bytes=MAX_CURSOR_BYTES).body
        except NotFound:
            self.has_cursor = False
            return ""
        except RequestRejected as error:
            self.ctx.log.warning("sweep_cursor_unreadable", error=str(error))
            return ""
        cursor = body.decode("ascii", "ignore")
        return cursor if is_receipt_id(cursor) else ""  # a marker that COS refuses would end every sweep

    def _process(self, entries: Iterable[OpenReceipt]) -> None:
        with_jobs: list[Receipt] = []
        without_jobs: list[Receipt] = []
        for entry in entries:
            receipt = self._read(entry)
            if receipt is None:
                continue
            if receipt.job_id:
                with_jobs.append(receipt)
            elif self._is_attempt_over(receipt):
                without_jobs.append(receipt)
        for receipts in _group_for_query(with_jobs):
            self._complete_jobs(receipts)
        for receipt in without_jobs:
            self._resume(receipt)

    def _read(self, entry: OpenReceipt) -> Receipt | None:
        """Read a receipt; None if it is not one of this deployment's, or none at all, which is logged."""
        try:
            if entry.size > MAX_RECEIPT_BYTES:
                raise InvalidReceipt(f"not a receipt: it has {entry.size} bytes")  # noqa: TRY301 - as one that is read
            receipt = self.store.get_open(entry.id)
        except (InvalidReceipt, CloudError) as error:
            self.summary.add_error()
            self.ctx.log.error("receipt_unreadable", receipt_id=entry.id, error=str(error))
            return None
        if receipt and receipt.id != entry.id:
            self.summary.add_error()
            self.ctx.log.error(
                "receipt_unreadable", receipt_id=entry.id, error="it is the receipt of another id"
            )
            return None
        is_own = receipt and receipt.deployment and receipt.deployment == self.ctx.deployment
        if receipt and self._is_removed(receipt) and not is_own:
            # Another deployment's, or from before receipts named their deployment.
            self.ctx.log.info(
                "receipt_skipped", receipt_id=entry.id, reason="its bucket is not in INPUT_BUCKETS"
            )
            return None
        return receipt

    def _is_removed(self, receipt: Receipt) -> bool:
        return receipt.bucket not in self.ctx.settings.input_buckets

    def _is_attempt_over(self, receipt: Receipt) -> bool:
        """Check whether the lease expired. SWEEP_AFTER 0 (for tests) treats every attempt as dead."""
        return self.ctx.now() >= receipt.lease_expires_s or not self.ctx.settings.sweep_after_s

    def _resume(self, receipt: Receipt) -> None:
        ctx = self.ctx.for_region(receipt.region)
        if self._is_removed(receipt):
            # Nothing more is paid for a bucket that the operator took out.
            self._run_step(receipt, partial(end_removed, ctx, receipt))
            return
        if ctx.now() < receipt.retry_at_s:
            self._report_wait(ctx, receipt)
        elif receipt.refusals:
            self._remember_refused(receipt)
        else:
            self._submit(ctx, receipt)

    def _submit(self, ctx: Context, receipt: Receipt) -> None:
        if self._acquire_slot(receipt.bucket):
            self._run_attempt(ctx, receipt)
        elif receipt.deferred:
            self._report_wait(ctx, receipt)
        else:
            # An attempt died: its job may be paid for, and is looked for also while the queue has no room.
            self._run_attempt(ctx, receipt, may_submit=False)

    def _run_attempt(self, ctx: Context, receipt: Receipt, *, may_submit: bool = True) -> None:
        result = self._run_step(receipt, partial(resume_attempt, ctx, receipt, may_submit=may_submit))
        if result is None and has_waited_long(ctx, receipt):
            self._run_step(
                receipt, partial(report_long_wait, ctx, receipt)
            )  # it fails in the same way each time
        elif result and may_submit:
            self.limiter.note_outcome(receipt.bucket, is_refused=result.status is Status.DEFERRED)

    def _report_wait(self, ctx: Context, receipt: Receipt) -> None:
        if has_waited_long(ctx, receipt):
            self._run_step(receipt, partial(report_long_wait, ctx, receipt))
        else:
            self.summary.add(Status.DEFERRED)

    def _remember_refused(self, receipt: Receipt) -> None:
        """Keep a random choice of the recordings that were refused before, so that each has its turn in time.

        They are tried last, and a few that are refused for reasons of their own hold up no others.
        """
        self.refused_number += 1
        index = int(self.ctx.output_cos.client.random() * self.refused_number)
        if len(self.refused) < MAX_REFUSED_TRIES:
            self.refused.append(receipt)
        elif index < MAX_REFUSED_TRIES:
            self.summary.add(Status.DEFERRED)
            self.refused[index] = receipt
        else:
            self.summary.add(Status.DEFERRED)

    def _submit_refused(self) -> None:
        for receipt in self.refused:
            self._check_deadline()
            ctx = self.ctx.for_region(receipt.region)
            if self.limiter.is_refusing(receipt.bucket) or not self._acquire_slot(receipt.bucket):
                self._report_wait(ctx, receipt)
            else:
                self._run_attempt(ctx, receipt)

    def _acquire_slot(self, bucket: str) -> bool:
        """Ask the limiter for a slot. A queue that cannot be queried gets no new jobs in this sweep."""
        try:
            return self.limiter.acquire(bucket)
        except CloudError as error:
            self.limiter.block(bucket)
            self.summary.add_error()
            self.ctx.log.error("queue_lookup_failed", bucket=bucket, error=str(error))
            return False

    def _complete_jobs(self, receipts: list[Receipt]) -> None:
        """Complete receipts of one bucket and region in one query; one by one if that fails, for whatever reason.

        One member, or one slow answer, must not hold up the others. A single member is reported when it is overdue.
        """
        first = receipts[0]
        ctx = self.ctx.for_region(first.region)
        jobs: dict[str, Job] = {}
        try:
            lookup = fetch_jobs(ctx, first.bucket, [receipt.job_id for receipt in receipts])
            jobs = {job.job_id: job for job in lookup.jobs}
        except CloudError as error:
            if len(receipts) > 1:
                for receipt in receipts:
                    self._complete_jobs([receipt])
                return
            if not isinstance(error, NotFound):
                self._note_failed_lookup(ctx, first, error)
                return
        for receipt in receipts:
            self._run_step(receipt, partial(self._complete, ctx, receipt, jobs.get(receipt.job_id)))

    def _note_failed_lookup(self, ctx: Context, receipt: Receipt, error: CloudError) -> None:
        if ctx.is_expired(receipt.created_s):
            failure = Failure(BUCKET_REMOVED) if self._is_removed(receipt) else None
            self._run_step(receipt, partial(expire_recording, ctx, receipt, failure))
            return
        self.summary.add_error()
        ctx.log.error(
            "job_lookup_failed",
            bucket=receipt.bucket,
            key=receipt.key,
            job_id=receipt.job_id,
            error=str(error),
        )

    def _complete(self, ctx: Context, receipt: Receipt, job: Job | None) -> Result:
        if job and job.state == JOB_FAILED and self._clean_up_if_closed(receipt):
            return Result.of(receipt, Status.ALREADY_DONE)
        result = None
        if job:
            result = complete_job(ctx, receipt.bucket, job, receipt=receipt, may_read_raw_result=True)
        if result is None and (recovered := recover_transcripts(ctx, receipt)):
            return recovered
        is_unfinished = result is None or result.status in {Status.JOB_RUNNING, Status.UNKNOWN_JOB}
        if is_unfinished and ctx.is_expired(receipt.created_s):
            return expire_recording(ctx, receipt)
        if result is None:
            # This may be a temporary fault of the service; the result is paid for, so the next sweep asks again.
            ctx.log.warning("job_unknown_to_ci", key=receipt.key, job_id=receipt.job_id)
            return Result.of(receipt, Status.JOB_RUNNING)
        return result

    def _clean_up_if_closed(self, receipt: Receipt) -> bool:
        """Check whether a notification closed the receipt before the response to the submit reopened it; clean up."""
        done = self.store.get_done(receipt.id)
        if done is None or done.job_id != receipt.job_id or done.state is not FAILED:
            return False
        if self.store.is_unchanged(receipt):
            self.store.delete_open(receipt)
        return True

    def _run_step(self, receipt: Receipt, step: Callable[[], Result]) -> Result | None:
        """Run one step, count and return its result; None after an error.

        Errors of one recording do not stop the others; the deadline does.
        """
        try:
            result = step()
        except DeadlineExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - one unusual receipt must not stop every later sweep
            self.summary.add_error()
            self.ctx.log.error(
                "reconcile_failed", bucket=receipt.bucket, key=receipt.key, error=safe_error_message(error)
            )
            return None
        self.summary.add(result.status)
        if result.status is not Status.JOB_RUNNING:
            self.ctx.log.info("receipt_reconciled", **result.as_log_fields())
        return result


def _batches(entries: Iterable[OpenReceipt], size: int) -> Iterator[list[OpenReceipt]]:
    iterator = iter(entries)
    while batch := list(islice(iterator, size)):
        yield batch


def _group_for_query(receipts: list[Receipt]) -> Iterator[list[Receipt]]:
    """Group receipts for one query: of one bucket and region, and not too long together."""
    group: list[Receipt] = []
    for receipt in receipts:
        is_same_place = all((r.bucket, r.region) == (receipt.bucket, receipt.region) for r in group)
        is_small = sum(r.size for r in group) + receipt.size <= MAX_BYTES_PER_QUERY
        if group and not (is_same_place and is_small):
            yield group
            group = []
        group.append(receipt)
    if group:
        yield group
