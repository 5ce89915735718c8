"""How many waiting recordings the sweep may submit: as many as the queue can take without becoming the next problem."""

from __future__ import annotations

from shared.recordings.desk import Desk
from shared.tencent.speech_models import JobFilter

# Some work ahead keeps the queue busy until the next sweep: jobs of a minute, ten at a time, for five minutes and more.
AHEAD = 20


class Pace:
    """Counts the jobs in each bucket's queue once, when it is first asked, and then what it allows."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._room: dict[str, int] = {}

    def allows(self, bucket: str) -> bool:
        """Whether one more may be submitted. MAX_IN_FLIGHT bounds it, else the queue's own limits do."""
        if bucket not in self._room:
            self._room[bucket] = self._count_room(bucket)
        self._room[bucket] -= 1
        return self._room[bucket] >= 0

    def allow_none(self, bucket: str) -> None:
        """From now on none may be submitted."""
        self._room[bucket] = 0

    def _count_room(self, bucket: str) -> int:
        queues = self._desk.speech.list_queues(bucket).queues
        wanted = self._desk.settings.queue_id
        queue = next((one for one in queues if one.queue_id == wanted), queues[0] if queues else None)
        bound = self._desk.settings.max_in_flight
        if queue:
            sensible = min(queue.max_size or AHEAD, AHEAD * max(queue.max_concurrent, 1))
            bound = min(bound or sensible, queue.max_size or sensible)
        return bound - self._in_queue(bucket, queue.queue_id if queue else "", bound)

    def _in_queue(self, bucket: str, queue_id: str, enough: int) -> int:
        """Jobs that are not finished; more than `enough` need not be counted."""
        unfinished = JobFilter(queue_id=queue_id, states=("Submitted", "Running"))
        count, token = 0, ""
        while count < enough:
            page = self._desk.speech.list_jobs(bucket, unfinished, token=token)
            count += len(page.jobs)
            token = page.next_token
            if not token:
                break
        return count
