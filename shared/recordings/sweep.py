"""Repairs what the other two functions missed: lost notifications, dead attempts, deferred submits.

The cost follows the work in flight, not the history: one request lists 1,000 open receipts, one reads each that is due,
one fetches up to ten jobs. Concurrent sweeps are harmless: completing a job twice writes the same bytes, and attempts
are claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import islice

from shared.errors import (
    CloudError,
    DeadlineExceeded,
    NotFound,
    OutcomeUnknown,
    RequestRejected,
    ScribeError,
    safe_error_message,
)
from shared.recordings.complete import (
    close_superseded,
    complete_job,
    expire_recording,
    fetch_jobs,
    head_recording,
    recover_transcripts,
)
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
from shared.recordings.keys import cursor_key
from shared.recordings.models import FAILED, InvalidReceipt, Receipt, Result, Status, Summary
from shared.recordings.receipt_store import STATE_METADATA, OpenReceipt
from shared.tencent.client import UNREADABLE_RESPONSE
from shared.tencent.speech_models import FAILED as JOB_FAILED
from shared.tencent.speech_models import Job, JobFilter

JOBS_PER_QUERY = 10
# Results come with the jobs: ten short ones or one of five hours, an hour of MP3 being about 60 MB.
MAX_BYTES_PER_QUERY = 60_000_000
RESERVED_S = 15.0  # for the current batch, and to store the cursor

# Jobs per worker that keep the queue busy until the next sweep: jobs of a minute, for five minutes and more.
QUEUE_DEPTH_PER_WORKER = 20

# Jobs that wait in a paused queue are in state Pause (436/98454); the page of 2020 calls them Submitted.
UNFINISHED_STATES = ("Submitted", "Running", "Pause")

MAX_LOOKUP_PAGES = 100
CLOCK_SKEW_S = 60
_BEIJING = timezone(timedelta(hours=8))


def reconcile(ctx: Context) -> Summary:
    """Continue all open work that is due. When time runs out, store a cursor; the next sweep continues there."""
    summary = Summary()
    for state_bucket in dict.fromkeys(map(ctx.settings.output_bucket_for, ctx.settings.input_buckets)):
        try:
            _BucketSweep(ctx, state_bucket, summary).run()
        except DeadlineExceeded as error:
            summary.stopped_early = True
            ctx.log.warning("sweep_stopped_early", reason=str(error))
            break
        except CloudError as error:
            # Continue with the other buckets.
            summary.add_error()
            ctx.log.error("bucket_sweep_failed", bucket=state_bucket, error=str(error))
    return summary


class _BucketSweep:
    """One pass over the open receipts of one state bucket. `cursor` is the last id that was processed."""

    def __init__(self, ctx: Context, state_bucket: str, summary: Summary) -> None:
        self.ctx = ctx
        self.state_bucket = state_bucket
        self.store = ctx.receipts_in(state_bucket)
        self.summary = summary
        self.limiter = InFlightLimiter(ctx)
        self.cursor = self._load_cursor()

    def run(self) -> None:
        start_cursor = self.cursor
        try:
            due = (entry for entry in self.store.list_open(start_cursor) if self.ctx.is_due(entry.modified))
            for entries in _batches(due, JOBS_PER_QUERY):
                self._check_deadline()
                self._process(entries)
                self.cursor = entries[-1].id
        except DeadlineExceeded:
            with suppress(DeadlineExceeded, CloudError):
                self.ctx.output_cos.put(
                    self.state_bucket,
                    cursor_key(self.ctx.settings),
                    self.cursor.encode(),
                    metadata=STATE_METADATA,
                )
            raise
        if start_cursor:
            self.ctx.output_cos.delete(self.state_bucket, cursor_key(self.ctx.settings))

    def _check_deadline(self) -> None:
        if self.ctx.remaining_s() < RESERVED_S:
            raise DeadlineExceeded("too little of the function's time limit is left")

    def _load_cursor(self) -> str:
        try:
            content = self.ctx.output_cos.get(self.state_bucket, cursor_key(self.ctx.settings))
        except NotFound:
            return ""
        return content.body.decode("ascii", "ignore")

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
        try:
            receipt = self.store.get_open(entry.id)
        except (InvalidReceipt, CloudError) as error:
            self.summary.add_error()
            self.ctx.log.error("receipt_unreadable", receipt_id=entry.id, error=str(error))
            return None
        if receipt and receipt.bucket not in self.ctx.settings.input_buckets:
            self.ctx.log.warning(
                "receipt_skipped", receipt_id=entry.id, reason="its bucket is not in INPUT_BUCKETS any more"
            )
            return None
        return receipt

    def _is_attempt_over(self, receipt: Receipt) -> bool:
        """Check whether the lease expired. SWEEP_AFTER 0 (for tests) treats every attempt as dead."""
        return self.ctx.now() >= receipt.lease_expires_s or not self.ctx.settings.sweep_after_s

    def _resume(self, receipt: Receipt) -> None:
        if self.ctx.now() < receipt.retry_at_s or not self._acquire_slot(receipt.bucket):
            self.summary.add(Status.DEFERRED)
            return
        result = self._run_step(
            receipt, partial(resume_attempt, self.ctx.for_region(receipt.region), receipt)
        )
        if result and result.status is Status.DEFERRED:
            # What refused this job would refuse the others as well.
            self.limiter.block(receipt.bucket)

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
        """Complete receipts of one bucket and region in one query; one by one if CI rejects the query."""
        first = receipts[0]
        ctx = self.ctx.for_region(first.region)
        jobs: dict[str, Job] = {}
        try:
            lookup = fetch_jobs(ctx, first.bucket, [receipt.job_id for receipt in receipts])
            jobs = {job.job_id: job for job in lookup.jobs}
        except CloudError as error:
            is_unreadable = error.code == UNREADABLE_RESPONSE
            if len(receipts) > 1 and (is_unreadable or not error.retryable):
                for receipt in receipts:
                    self._complete_jobs([receipt])
                return
            if is_unreadable and ctx.is_expired(first.created_s):
                self._run_step(first, partial(expire_recording, ctx, first))
                return
            if not isinstance(error, NotFound):
                self.summary.add_error()
                ctx.log.error("job_lookup_failed", bucket=first.bucket, error=str(error))
                return
        for receipt in receipts:
            self._run_step(receipt, partial(self._complete, ctx, receipt, jobs.get(receipt.job_id)))

    def _complete(self, ctx: Context, receipt: Receipt, job: Job | None) -> Result:
        if job and job.state == JOB_FAILED and self._clean_up_if_closed(receipt):
            return Result.of(receipt, Status.ALREADY_DONE)
        result = complete_job(ctx, receipt.bucket, job, receipt=receipt) if job else None
        if result is None and (recovered := recover_transcripts(ctx, receipt)):
            return recovered
        is_unfinished = result is None or result.status is Status.JOB_RUNNING
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


class InFlightLimiter:
    """Limits how many deferred recordings a sweep submits, so that it does not overfill the queue.

    Counts the jobs of each bucket's queue once, on first use.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._free_slots: dict[str, int] = {}

    def acquire(self, bucket: str) -> bool:
        """Take a slot; return False if none is left.

        The limit is MAX_IN_FLIGHT, else the queue's own. Raises CloudError.
        """
        if bucket not in self._free_slots:
            self._free_slots[bucket] = self._count_free_slots(bucket)
        self._free_slots[bucket] -= 1
        return self._free_slots[bucket] >= 0

    def block(self, bucket: str) -> None:
        """Allow no more submits for this bucket."""
        self._free_slots[bucket] = 0

    def _count_free_slots(self, bucket: str) -> int:
        queues = self._ctx.speech.list_queues(bucket).queues
        queue_id = self._ctx.settings.queue_id
        queue = next((q for q in queues if q.queue_id == queue_id), queues[0] if queues else None)
        limit = self._ctx.settings.max_in_flight
        if queue:
            default_limit = QUEUE_DEPTH_PER_WORKER * max(queue.max_concurrent, 1)
            default_limit = min(queue.max_size or QUEUE_DEPTH_PER_WORKER, default_limit)
            limit = min(limit or default_limit, queue.max_size or default_limit)
        return limit - self._count_unfinished(bucket, queue.queue_id if queue else "", limit)

    def _count_unfinished(self, bucket: str, queue_id: str, limit: int) -> int:
        """Count unfinished jobs; stop at the limit."""
        job_filter = JobFilter(queue_id=queue_id, states=UNFINISHED_STATES)
        count, token = 0, ""
        while count < limit:
            page = self._ctx.speech.list_jobs(bucket, job_filter, token=token)
            count += len(page.jobs)
            token = page.next_token
            if not token:
                break
        return count


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
    claim = claim._replace(modified_s=head.modified_s if head else claim.modified_s, created_s=ctx.now())
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
