"""Tells the ends of jobs to their callback addresses, which are functions of this cloud or on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from localcloud.ci.models import Job, Queue
from localcloud.store import Store

_log = logging.getLogger("localcloud.notify")
# How often the real service tries, and what it takes for success, is not documented: this is a guess.
MAX_ATTEMPTS = 3
_TIMEOUT_S = 15.0
_MAX_CONCURRENT_DELIVERIES = 16
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notifications (
    number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, url TEXT NOT NULL, form TEXT NOT NULL,
    body BLOB NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due_s REAL NOT NULL
)
"""


class _ExternalHostError(Exception):
    """Nothing may leave this machine."""

    def __str__(self) -> str:
        return f"{self.args[0]} is neither a function of this cloud nor this machine"


CallFunction = Callable[[str, str, bytes], Awaitable[int]]  # (URL, content type, body) -> status


@dataclass(frozen=True, slots=True)
class OutgoingNotification:
    """What is posted to a callback address, after that many seconds; `is_only_try`: it is not tried again."""

    body: bytes
    wait_s: float = 0.0
    is_only_try: bool = False


@dataclass(frozen=True, slots=True)
class PendingNotification:
    """A notification that was not delivered yet."""

    number: int
    job_id: str
    url: str
    form: str
    body: bytes
    attempts: int


def notification_target(job: Job, queue: Queue) -> tuple[str, str] | None:
    """Where and in which form (XML, JSON) a job's end is told: its own CallBack, else its queue's URL."""
    spec = job.spec
    if spec.callback == "no":
        return None
    if spec.callback:
        return spec.callback, spec.callback_format or "XML"
    if queue.notify.is_enabled:
        return queue.notify.url, spec.callback_format or queue.notify.result_format
    return None


class Notifier:
    """Delivers what is due, at least once, also after a restart."""

    def __init__(
        self,
        store: Store,
        *,
        owns_host: Callable[[str], bool],
        call_function: CallFunction,
        retry_delay_s: float,
        build_posts: Callable[[Job, str], Sequence[OutgoingNotification]],
    ) -> None:
        """`build_posts` says what is told of a job, in the form XML or JSON."""
        self._db = store.db
        self._owns_host = owns_host
        self._call_function = call_function
        self._retry_delay_s = retry_delay_s
        self._build_posts = build_posts
        self._client: httpx.AsyncClient | None = None
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._under_way: dict[int, asyncio.Task[None]] = {}
        store.create(_SCHEMA)

    def enqueue(self, job: Job, queue: Queue) -> None:
        """Make a notification due, if anybody wants to hear of this job."""
        target = notification_target(job, queue)
        if target is None or job.state == "Cancel":
            return
        url, form = target
        now = time.time()
        self._db.executemany(
            "INSERT INTO notifications (job_id, url, form, body, attempts, due_s) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    job.job_id,
                    url,
                    form,
                    post.body,
                    MAX_ATTEMPTS - 1 if post.is_only_try else 0,
                    now + post.wait_s,
                )
                for post in self._build_posts(job, form)
            ],
        )
        self._wake.set()

    def count(self) -> int:
        """How many are not delivered yet."""
        return int(self._db.execute("SELECT COUNT(*) FROM notifications").fetchone()[0])

    def is_pending(self, job_id: str) -> bool:
        """Whether a notification of this job waits for its first attempt."""
        return bool(
            self._db.execute(
                "SELECT 1 FROM notifications WHERE job_id = ? AND attempts = 0 LIMIT 1", (job_id,)
            ).fetchone()
        )

    async def start(self) -> None:
        """Begin to deliver; what an earlier run left is due at once."""
        # Nothing of the developer's environment (proxies, netrc) takes part, and redirects are not followed.
        self._client = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S)
        self._db.execute("UPDATE notifications SET due_s = ?", (time.time(),))
        self._loop = asyncio.create_task(self._deliver_for_ever())

    async def close(self) -> None:
        """Stop; what is not delivered stays due."""
        tasks = [task for task in (self._loop, *self._under_way.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _deliver_for_ever(self) -> None:
        while True:
            self._wake.clear()
            now = time.time()
            rows = self._db.execute(
                "SELECT number, job_id, url, form, body, attempts, due_s FROM notifications ORDER BY due_s LIMIT ?",
                (_MAX_CONCURRENT_DELIVERIES + 1,),
            ).fetchall()
            waits = []
            for *fields, due_s in rows:
                due = PendingNotification(*fields)
                if due.number in self._under_way:
                    continue
                if len(self._under_way) >= _MAX_CONCURRENT_DELIVERIES:
                    break
                if due_s > now:
                    waits.append(due_s - now)
                    break
                self._begin(due)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), min(waits, default=None))

    def _begin(self, due: PendingNotification) -> None:
        task = asyncio.create_task(self._deliver(due))
        self._under_way[due.number] = task

        def ended(done: asyncio.Task[None]) -> None:
            del self._under_way[due.number]
            if not done.cancelled() and done.exception() is not None:
                _log.error("notification of job %s broke off", due.job_id, exc_info=done.exception())
            self._wake.set()

        task.add_done_callback(ended)

    async def _deliver(self, due: PendingNotification) -> None:
        try:
            said = await self._post(due)
        except _ExternalHostError as error:
            _log.warning("notification of job %s is not sent: %s", due.job_id, error)
            self._forget(due)
            return
        if said == "":
            self._forget(due)
        elif due.attempts + 1 >= MAX_ATTEMPTS:
            _log.warning(
                "notification of job %s given up after %d attempts: %s", due.job_id, MAX_ATTEMPTS, said
            )
            self._forget(due)
        else:
            _log.info("notification of job %s is tried again: %s", due.job_id, said)
            self._db.execute(
                "UPDATE notifications SET attempts = attempts + 1, due_s = ? WHERE number = ?",
                (time.time() + self._retry_delay_s * (due.attempts + 1), due.number),
            )

    def _forget(self, due: PendingNotification) -> None:
        self._db.execute("DELETE FROM notifications WHERE number = ?", (due.number,))

    async def _post(self, due: PendingNotification) -> str:
        """Post it; what went wrong, or nothing. Raises _ExternalHostError."""
        content_type = "application/json" if due.form == "JSON" else "application/xml"
        parts = urlsplit(due.url)
        try:
            if self._owns_host(parts.netloc):
                status = await self._call_function(due.url, content_type, due.body)
            elif parts.scheme == "http" and parts.hostname in _LOOPBACK:
                assert self._client is not None
                answer = await self._client.post(
                    due.url, content=due.body, headers={"content-type": content_type}
                )
                status = answer.status_code
            else:
                raise _ExternalHostError(parts.netloc)  # noqa: TRY301 - it belongs beside the two other cases
        except _ExternalHostError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the receiver does is one failed attempt
            return f"{type(error).__name__}: {error}"
        return "" if 200 <= status < 300 else f"status {status}"  # noqa: PLR2004 - any 2xx
