"""Asynchronous events on their way to a function: kept in memory, and tried again when the function fails."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from localcloud.scf.runner import NO_SUCH_FUNCTION, Attempt, Runner, new_request_id

MAX_EVENT_BYTES = 128 * 1024  # 583/11637
TOO_LARGE = 406  # 583/42611

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a failed event is tried again, and how old it may be then, in seconds. SCF documents, 583/41138"""

    attempts: int = 2
    lifetime_s: int = 21_600


class Deliveries:
    """Every asynchronous event that is not done with. One that is still here when this closes is lost."""

    def __init__(self, runner: Runner, retries_of: Callable[[str], Retries], retry_delay_s: float) -> None:
        """`retries_of` tells a function's rule by its key, at each failure anew."""
        self._runner = runner
        self._retries_of = retries_of
        self._retry_delay_s = retry_delay_s
        self._under_way: set[asyncio.Task[None]] = set()

    def add(self, function: str, trigger: str, event: Mapping[str, Any]) -> None:
        """Accept an event for the function of that key."""
        self.add_text(function, trigger, json.dumps(event, ensure_ascii=False))

    def add_text(self, function: str, trigger: str, event: str) -> str:
        """Accept an event that is JSON text already; its request id.

        SCF keeps the id over all attempts, as its logs suggest.
        """
        attempt = Attempt(function, trigger, event, new_request_id())
        if len(event.encode()) > MAX_EVENT_BYTES:
            error = f"an asynchronous event has at most {MAX_EVENT_BYTES} bytes"
            self._runner.refuse(replace(attempt, is_last=True), TOO_LARGE, error)
            return attempt.request_id
        task = asyncio.create_task(self._deliver(attempt))
        self._under_way.add(task)
        task.add_done_callback(self._delivered)
        return attempt.request_id

    async def idle(self, timeout_s: float) -> bool:
        """Wait until no event is queued, running or due for another try; False if that takes longer."""
        deadline = time.monotonic() + timeout_s
        while self._under_way:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                return False
            await asyncio.wait(self._under_way, timeout=remaining_s)
        return True

    async def close(self) -> None:
        """Forget them all."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _delivered(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("an event could not be delivered", exc_info=task.exception())

    async def _deliver(self, attempt: Attempt) -> None:
        """Run an event until it succeeds or its attempts are used up."""
        accepted_s = time.monotonic()
        while True:
            retries = self._retries_of(attempt.function)
            is_last = (
                attempt.number > retries.attempts
                or time.monotonic() + self._retry_delay_s - accepted_s > retries.lifetime_s
            )
            invocation = await self._runner.run(replace(attempt, is_last=is_last))
            # That the function is gone is an error of the request: not tried again. SCF documents, 583/9694
            if invocation.outcome == "ok" or is_last or invocation.code == NO_SUCH_FUNCTION:
                return
            await asyncio.sleep(self._retry_delay_s)
            attempt = replace(attempt, number=attempt.number + 1)
