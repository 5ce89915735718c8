"""The event stream of the console: one task asks the cloud for changes while pages listen, and all pages get them.

changed     rows that changed or were removed (recordings.py), or `reload`: read the list again
problem     the cloud cannot be asked now, with what to do; it is asked again
recovered   it answers again
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from cli.console.media import wait_until_gone
from cli.console.recordings import Change, Recordings
from cli.language import _
from cli.output import print_stack_trace
from cli.redaction import SECRETS

BUSY_POLL_S, IDLE_POLL_S = 1.5, 10.0
HEARTBEAT_S = 15.0
MAX_QUEUED = 50  # events that a page did not take; it reads the list again then

Event = tuple[str, dict[str, Any]]


class EventHub:
    """Asks for changes while a page listens. It belongs to one event loop.

    `before_retry` is called in a worker thread before the cloud is asked again that could not be asked.
    """

    def __init__(self, recordings: Recordings, before_retry: Callable[[], None] = lambda: None) -> None:
        self._recordings = recordings
        self._before_retry = before_retry
        self._queues: set[asyncio.Queue[Event]] = set()
        self._poller: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._problem = ""
        self.stopped = asyncio.Event()

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[Event]]:
        """Give the queue of events for one page. The first one starts to ask the cloud, the last one ends it."""
        queue: asyncio.Queue[Event] = asyncio.Queue(MAX_QUEUED)
        self._queues.add(queue)
        if self._problem:
            queue.put_nowait(("problem", {"message": self._problem}))
        if self._poller is None:
            self._poller = asyncio.get_running_loop().create_task(self._poll())
        try:
            yield queue
        finally:
            self._queues.discard(queue)
            if not self._queues and self._poller:
                self._poller.cancel()
                self._poller = None

    @property
    def is_asking(self) -> bool:
        """Whether the cloud is asked for changes: while a page listens."""
        return self._poller is not None

    def wake(self) -> None:
        """Ask the cloud at once: something was uploaded or tried again."""
        self._wake.set()

    def stop(self) -> None:
        """End all streams."""
        self.stopped.set()

    def publish(self, change: Change | None) -> None:
        """Send a change to every page, and whether the cloud could be asked if that is different from before."""
        problem = self._recordings.problem
        if problem != self._problem:
            self._problem = problem
            self._send(("problem", {"message": problem}) if problem else ("recovered", {}))
        if change:
            self._send(("changed", change.as_json()))

    def _send(self, event: Event) -> None:
        for queue in self._queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                revision = self._recordings.revision
                counts = self._recordings.count()
                queue.put_nowait(("changed", Change(revision, counts, reload=True).as_json()))
            else:
                queue.put_nowait(event)

    async def _poll(self) -> None:
        while True:
            try:
                if self._problem:
                    await run_in_threadpool(self._before_retry)
                self.publish(await run_in_threadpool(self._recordings.refresh))
            except Exception as error:  # noqa: BLE001 - a bug; the list stays as it is, and it is tried again
                problem = _(
                    "This is a mistake in Scribe itself: the terminal of `scribe console` shows more."
                )
                if problem != self._problem:  # once, not all night
                    print_stack_trace(error)
                self._recordings.problem = problem
                self.publish(None)
            pause_s = BUSY_POLL_S if self._recordings.is_busy else IDLE_POLL_S
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause_s)
            self._wake.clear()


class EventStream:
    """The response with events, until the page is closed or the console stops.

    `last_revision` is what a page had that connects again; "" for the first time.
    """

    def __init__(self, hub: EventHub, recordings: Recordings, last_revision: str = "") -> None:
        self._hub = hub
        self._recordings = recordings
        self._last_revision = last_revision

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send events, and a comment when there are none for a while."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        gone = asyncio.ensure_future(wait_until_gone(receive))
        stopped = asyncio.ensure_future(self._hub.stopped.wait())
        taken: asyncio.Future[Event] | None = None
        try:
            with self._hub.subscribe() as queue:
                await _send_piece(send, self._greet())
                while not (gone.done() or stopped.done()):
                    taken = taken or asyncio.ensure_future(queue.get())
                    await asyncio.wait(
                        (gone, stopped, taken), timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
                    )
                    if taken.done():
                        await _send_piece(send, format_event(*taken.result()))
                        taken = None
                    elif not (gone.done() or stopped.done()):
                        await _send_piece(send, ":\n\n")
        finally:
            for future in (gone, stopped, taken):
                if future:
                    future.cancel()
        if not gone.done() or gone.cancelled():
            with suppress(OSError):
                await send({"type": "http.response.body", "body": b""})

    def _greet(self) -> str:
        """Return the first event: a page that was cut off for a while reads the list again."""
        revision = self._recordings.revision
        is_behind = bool(self._last_revision) and self._last_revision != str(revision)
        change = Change(revision, self._recordings.count(), reload=is_behind)
        return format_event("changed", change.as_json())


def format_event(name: str, data: dict[str, Any]) -> str:
    """Format an event. JSON in ASCII has no line break, so that no text can begin another event."""
    number = f"id: {data['revision']}\n" if "revision" in data else ""
    return f"{number}event: {name}\ndata: {SECRETS.hide(json.dumps(data))}\n\n"


async def _send_piece(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
