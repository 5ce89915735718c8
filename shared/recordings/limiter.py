"""How many deferred recordings one sweep may submit: the free places of the speech queue."""

from __future__ import annotations

from itertools import islice

from shared.recordings.context import Context
from shared.tencent.speech import MAX_JOBS_PER_PAGE
from shared.tencent.speech_models import JobFilter

# Jobs per worker that keep the queue busy until the next sweep: jobs of a minute, for five minutes and more.
QUEUE_DEPTH_PER_WORKER = 20
MAX_REFUSED_IN_ROW = 5
MAX_SPARSE_PAGES = 20  # pages of a list may be empty, or shorter than asked for

# Jobs that wait in a paused queue are in state Pause (436/98454); the page of 2020 calls them Submitted.
UNFINISHED_STATES = ("Submitted", "Running", "Pause")


class InFlightLimiter:
    """Limits how many deferred recordings a sweep submits, so that it does not overfill the queue.

    Counts the jobs of each bucket's queue once, on first use.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._free_slots: dict[str, int] = {}
        self._refused_in_row: dict[str, int] = {}

    def note_outcome(self, bucket: str, *, is_refused: bool) -> None:
        """Count refused submits in a row."""
        self._refused_in_row[bucket] = self._refused_in_row.get(bucket, 0) + 1 if is_refused else 0

    def is_refusing(self, bucket: str) -> bool:
        """Check for MAX_REFUSED_IN_ROW: what refuses them would refuse all others that were refused before as well."""
        return self._refused_in_row.get(bucket, 0) >= MAX_REFUSED_IN_ROW

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
        max_pages = MAX_SPARSE_PAGES + limit // MAX_JOBS_PER_PAGE
        jobs = self._ctx.speech.iter_jobs(bucket, job_filter, max_pages=max_pages)
        return sum(1 for _ in islice(jobs, limit))
