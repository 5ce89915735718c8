"""Posts notifications about ended jobs to their callback addresses: functions of this cloud, or loopback addresses.

A notification is delivered at least once, also after a restart. It is dropped after MAX_ATTEMPTS failed attempts, or
when its address is neither a function nor a loopback address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localcloud.ci.models import Job, Queue
from localcloud.store import Store

if TYPE_CHECKING:  # most local clouds notify functions only, and httpx takes a sixth of the time of a start
    import httpx

_log = logging.getLogger("localcloud.notify")
# The real service's attempts and its condition for success are not documented: this is a guess.
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
    """The address is on another machine; the stand-in sends nothing there."""

    def __str__(self) -> str:
        return f"{self.args[0]} is neither a function of this cloud nor this machine"


CallFunction = Callable[[str, str, bytes], Awaitable[int]]  # (URL, content type, body) -> status


@dataclass(frozen=True, slots=True)
class OutgoingNotification:
    """A body to post to a callback address after `wait_s` seconds; `is_only_try`: one attempt, no retry."""

    body: bytes
    wait_s: float = 0.0
    is_only_try: bool = False


@dataclass(frozen=True, slots=True)
class PendingNotification:
    """A notification that is not delivered yet; `body_format` is XML or JSON."""

    number: int
    job_id: str
    url: str
    body_format: str
    body: bytes
    attempts: int


def notification_target(job: Job, queue: Queue) -> tuple[str, str] | None:
    """Return URL and format (XML, JSON) for a job's notification: its own CallBack, else its queue's URL."""
    spec = job.spec
    if spec.callback == "no":
        return None
    if spec.callback:
        return spec.callback, spec.callback_format or "XML"
    if queue.notify.is_enabled:
        return queue.notify.url, spec.callback_format or queue.notify.result_format
    return None


class Notifier:
    """Stores notifications and delivers those that are due."""

    def __init__(
        self,
        store: Store,
        *,
        owns_host: Callable[[str], bool],
        call_function: CallFunction,
        retry_delay_s: float,
        build_posts: Callable[[Job, str], Sequence[OutgoingNotification]],
    ) -> None:
        """`build_posts` returns what to post for a job in a format, XML or JSON."""
        self._db = store.db
        self._owns_host = owns_host
        self._call_function = call_function
        self._retry_delay_s = retry_delay_s
        self._build_posts = build_posts
        self._client: httpx.AsyncClient | None = None
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._deliveries: dict[int, asyncio.Task[None]] = {}
        store.create(_SCHEMA)

    def enqueue(self, job: Job, queue: Queue) -> None:
        """Store the notifications of an ended job, if it has a callback address; a cancelled job has none."""
        target = notification_target(job, queue)
        if target is None or job.state == "Cancel":
            return
        url, body_format = target
        now = time.time()
        self._db.executemany(
            "INSERT INTO notifications (job_id, url, form, body, attempts, due_s) VALUES (?, ?, ?, ?, ?, ?)",
            [
                (
                    job.job_id,
                    url,
                    body_format,
                    post.body,
                    MAX_ATTEMPTS - 1 if post.is_only_try else 0,
                    now + post.wait_s,
                )
                for post in self._build_posts(job, body_format)
            ],
        )
        self._wake.set()

    def count(self) -> int:
        """Count the notifications that are not delivered yet."""
        return int(self._db.execute("SELECT COUNT(*) FROM notifications").fetchone()[0])

    def is_pending(self, job_id: str) -> bool:
        """Whether a notification of this job waits for its first attempt."""
        return bool(
            self._db.execute(
                "SELECT 1 FROM notifications WHERE job_id = ? AND attempts = 0 LIMIT 1", (job_id,)
            ).fetchone()
        )

    async def start(self) -> None:
        """Start to deliver; notifications of an earlier run are due at once."""
        self._db.execute("UPDATE notifications SET due_s = ?", (time.time(),))
        self._loop = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop; notifications that are not delivered stay due."""
        tasks = [task for task in (self._loop, *self._deliveries.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            now = time.time()
            rows = self._db.execute(
                "SELECT number, job_id, url, form, body, attempts, due_s FROM notifications ORDER BY due_s LIMIT ?",
                (_MAX_CONCURRENT_DELIVERIES + 1,),
            ).fetchall()
            waits = []
            for *fields, due_s in rows:
                pending = PendingNotification(*fields)
                if pending.number in self._deliveries:
                    continue
                if len(self._deliveries) >= _MAX_CONCURRENT_DELIVERIES:
                    break
                if due_s > now:
                    waits.append(due_s - now)
                    break
                self._start_delivery(pending)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), min(waits, default=None))

    def _start_delivery(self, pending: PendingNotification) -> None:
        task = asyncio.create_task(self._deliver(pending))
        self._deliveries[pending.number] = task

        def on_done(done: asyncio.Task[None]) -> None:
            del self._deliveries[pending.number]
            if not done.cancelled() and done.exception() is not None:
                _log.error(
                    "notification of job %s stopped with an error", pending.job_id, exc_info=done.exception()
                )
            self._wake.set()

        task.add_done_callback(on_done)

    async def _deliver(self, pending: PendingNotification) -> None:
        try:
            error = await self._post(pending)
        except _ExternalHostError as reason:
            _log.warning("notification of job %s is not sent: %s", pending.job_id, reason)
            self._delete(pending)
            return
        if error == "":
            self._delete(pending)
        elif pending.attempts + 1 >= MAX_ATTEMPTS:
            _log.warning(
                "notification of job %s given up after %d attempts: %s", pending.job_id, MAX_ATTEMPTS, error
            )
            self._delete(pending)
        else:
            _log.info("notification of job %s is tried again: %s", pending.job_id, error)
            self._db.execute(
                "UPDATE notifications SET attempts = attempts + 1, due_s = ? WHERE number = ?",
                (time.time() + self._retry_delay_s * (pending.attempts + 1), pending.number),
            )

    def _delete(self, pending: PendingNotification) -> None:
        self._db.execute("DELETE FROM notifications WHERE number = ?", (pending.number,))

    def _get_client(self) -> httpx.AsyncClient:
        """Return the client for receivers on this machine."""
        if self._client is None:
            import httpx  # noqa: PLC0415

            # The developer's environment (proxies, netrc) must have no effect; redirects are not followed. Loading the
            # certificates of all authorities takes 20 ms, and no address is https.
            no_authorities = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._client = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S, verify=no_authorities)
        return self._client

    async def _post(self, pending: PendingNotification) -> str:
        """Post one notification; return the error, or an empty string. Raises _ExternalHostError."""
        content_type = "application/json" if pending.body_format == "JSON" else "application/xml"
        parts = urlsplit(pending.url)
        try:
            if self._owns_host(parts.netloc):
                status = await self._call_function(pending.url, content_type, pending.body)
            elif parts.scheme == "http" and parts.hostname in _LOOPBACK:
                response = await self._get_client().post(
                    pending.url, content=pending.body, headers={"content-type": content_type}
                )
                status = response.status_code
            else:
                raise _ExternalHostError(parts.netloc)  # noqa: TRY301 - it belongs beside the two other cases
        except _ExternalHostError:
            raise
        except Exception as error:  # noqa: BLE001 - any error of the receiver is one failed attempt
            return f"{type(error).__name__}: {error}"
        return "" if 200 <= status < 300 else f"status {status}"  # noqa: PLR2004 - any 2xx
