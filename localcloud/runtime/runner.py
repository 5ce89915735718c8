"""Runs events in function instances, retries asynchronous ones, and records every invocation."""

import asyncio
import json
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from localcloud.runtime.instances import (
    Instance,
    InstancePool,
    InvocationResult,
    PoolClosed,
    RuntimeEnvironment,
    TemporaryCredentials,
    build_context,
    build_environment,
    runtime_warning,
)
from localcloud.runtime.models import Function

# SCF status codes, 583/42611
EVENT_TOO_LARGE = 406
NO_SUCH_FUNCTION = 435
MAX_ASYNC_EVENT_BYTES = 128 * 1024  # 583/11637
_MAX_INVOCATIONS = 10_000
_MAX_LINES_IN_MEMORY = 2_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Invocation:
    """The record of one call of a handler.

    `trigger` is cos, http, timer or invoke; `attempt` counts from 1; `outcome` is ok, error, timeout, crash
    or load-error; `log` are the function's own lines; `requests` its requests to the cloud; `cold` means that
    an instance was started for it; `memory_mib` is the instance's peak; `code` is SCF's status code;
    `dropped` means that an asynchronous event failed for the last time and is lost.
    """

    number: int
    function: str
    request_id: str
    trigger: str
    attempt: int
    started_s: float
    duration_ms: float
    outcome: str
    result: object
    error: str
    log: tuple[str, ...]
    requests: tuple[str, ...]
    cold: bool
    memory_mib: float | None
    code: int = 200
    dropped: bool = False


class InvocationLog:
    """The last 10,000 invocations in memory, oldest first, and `<function>.log` files in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._invocations: deque[Invocation] = deque(maxlen=_MAX_INVOCATIONS)
        self._last_number = 0

    def next_number(self) -> int:
        """Return the number of the next invocation, counted from 1."""
        self._last_number += 1
        return self._last_number

    def since(self, number: int) -> list[Invocation]:
        """Return the invocations with a higher number."""
        return [invocation for invocation in self._invocations if invocation.number > number]

    def add(self, invocation: Invocation, lines: Sequence[str], limits: str) -> None:
        """Add an invocation, and append its output `lines` to the file, between the platform's own lines."""
        self._invocations.append(invocation)
        request = f"RequestId: {invocation.request_id}"
        text = [f"START {request} trigger={invocation.trigger} attempt={invocation.attempt}", *lines]
        if invocation.error:
            text.append(f"ERROR {request} {invocation.outcome}: {invocation.error.rstrip()}")
        text.append(f"END {request}")
        memory = "" if invocation.memory_mib is None else f" MemUsage:{invocation.memory_mib:.1f}MB"
        cold = " Coldstart" if invocation.cold else ""
        dropped = " the event is dropped" if invocation.dropped else ""
        text.append(
            f"REPORT {request} Duration:{invocation.duration_ms:.1f}ms{memory} {limits}{cold}{dropped}"
        )
        started = datetime.fromtimestamp(invocation.started_s, timezone.utc)
        timestamp = started.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        with (self._folder / f"{invocation.function}.log").open("a", encoding="utf-8") as file:
            file.writelines(f"{timestamp} {line}\n" for part in text for line in part.splitlines() or [""])


def truncate_lines(lines: Sequence[str]) -> tuple[str, ...]:
    """Truncate a very long log to the part that stays in memory; the file has all of it."""
    if len(lines) <= _MAX_LINES_IN_MEMORY:
        return tuple(lines)
    omitted = len(lines) - _MAX_LINES_IN_MEMORY
    return (*lines[:_MAX_LINES_IN_MEMORY], f"({omitted} more lines in the log file)")


def new_request_id() -> str:
    """Create a request id in SCF's format."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class InvocationAttempt:
    """One attempt to run an event, which is JSON text, in the function of that key.

    `is_last`: after a failure the event is dropped.
    """

    function: str
    trigger: str
    event: str
    request_id: str
    number: int = 1
    is_last: bool = False


class InvocationRunner:
    """The functions that can run, with their instance pools and the log of their invocations."""

    def __init__(
        self,
        runtime: RuntimeEnvironment,
        *,
        invocation_log: InvocationLog,
        issue_credentials: Callable[[str, str], TemporaryCredentials],
        requests_for: Callable[[str], list[str]],
        max_instances: int,
    ) -> None:
        self._runtime = runtime
        self._invocation_log = invocation_log
        self._issue_credentials = issue_credentials
        self._requests_for = requests_for
        self._max_instances = max_instances
        self._instances_by_secret_id: dict[str, Instance] = {}
        self._pools: dict[str, InstancePool] = {}
        self._retired: set[InstancePool] = set()
        self._drain_tasks: set[asyncio.Task[None]] = set()

    @property
    def functions(self) -> dict[str, Function]:
        """The functions that can run, by key."""
        return {key: pool.function for key, pool in self._pools.items()}

    def put(self, function: Function) -> None:
        """Add a function, or replace the one with its key; a running event ends in the old code."""
        self.remove(function.key)
        self._pools[function.key] = InstancePool(function, self._runtime, self._max_instances)

    def remove(self, key: str) -> None:
        """Start no more events of a function; a running one ends. Does nothing if the function does not exist."""
        pool = self._pools.pop(key, None)
        if pool is None:
            return
        pool.retire()
        self._retired = {retired for retired in self._retired if not retired.is_idle}
        if not pool.is_idle:
            self._retired.add(pool)
            task = asyncio.create_task(pool.drain())
            self._drain_tasks.add(task)
            task.add_done_callback(self._drain_tasks.discard)

    async def run(self, attempt: InvocationAttempt) -> Invocation:
        """Run an attempt as soon as an instance is free, up to the function's timeout, and record it."""
        while attempt.function in self._pools:
            try:
                return await self._run_in(self._pools[attempt.function], attempt)
            except PoolClosed:
                continue  # the function was replaced while this attempt waited: use the new code
        return self.reject(
            attempt, NO_SUCH_FUNCTION, f"the function {attempt.function} does not exist any more"
        )

    async def _run_in(self, pool: InstancePool, attempt: InvocationAttempt) -> Invocation:
        function = pool.function
        # All attempts of an event have the same request id: leave out the requests of earlier attempts.
        earlier_requests = len(self._requests_for(attempt.request_id))
        async with pool.acquire() as (instance, is_cold):
            started_s = time.time()
            result = await instance.load(function.init_timeout_s) if is_cold else None
            if result is None:
                with self._prepare_context(function, attempt, instance) as context:
                    result = await instance.call(attempt.event, context, function.timeout_s)
        requests = tuple(self._requests_for(attempt.request_id)[earlier_requests:])
        warning = [runtime_warning(function)] if is_cold and runtime_warning(function) else []
        invocation = self._build_invocation(attempt, result, started_s, requests, is_cold=is_cold)
        limits = f"Limits:{function.timeout_s}s,{function.memory_mib}MB"
        self._invocation_log.add(invocation, [*warning, *result.lines], limits)
        return invocation

    def reject(self, attempt: InvocationAttempt, code: int, error: str) -> Invocation:
        """Record an attempt that the platform does not start."""
        result = InvocationResult("error", code, None, error, (), 0.0, None)
        invocation = self._build_invocation(attempt, result, time.time(), (), is_cold=False)
        self._invocation_log.add(invocation, (), "not begun")
        return invocation

    async def close(self) -> None:
        """Terminate every instance, also busy ones."""
        await asyncio.gather(*self._drain_tasks, return_exceptions=True)
        for pool in [*self._pools.values(), *self._retired]:
            await pool.close()

    def kill(self, secret_id: str) -> bool:
        """Kill the instance whose current invocation has that secret id; False if there is none."""
        instance = self._instances_by_secret_id.get(secret_id)
        if instance is not None:
            instance.kill()
        return instance is not None

    @contextmanager
    def _prepare_context(
        self, function: Function, attempt: InvocationAttempt, instance: Instance
    ) -> Iterator[dict[str, Any]]:
        """Build the context of an attempt; inside the block `kill` finds the instance by its credentials."""
        variables, secret_id = build_environment(function, self._runtime), ""
        if function.role is not None:
            credentials = self._issue_credentials(function.key, attempt.request_id)
            secret_id = credentials.secret_id
            variables.update(credentials.variables())
            self._instances_by_secret_id[secret_id] = instance
        try:
            yield build_context(function, self._runtime, request_id=attempt.request_id, variables=variables)
        finally:
            self._instances_by_secret_id.pop(secret_id, None)

    def _build_invocation(
        self,
        attempt: InvocationAttempt,
        result: InvocationResult,
        started_s: float,
        requests: tuple[str, ...],
        *,
        is_cold: bool,
    ) -> Invocation:
        return Invocation(
            number=self._invocation_log.next_number(),
            function=attempt.function,
            request_id=attempt.request_id,
            trigger=attempt.trigger,
            attempt=attempt.number,
            started_s=started_s,
            duration_ms=result.duration_ms,
            outcome=result.kind,
            result=result.result,
            error=result.error,
            log=truncate_lines(result.lines),
            requests=requests,
            cold=is_cold,
            memory_mib=result.memory_mib,
            code=result.code,
            dropped=attempt.is_last and result.kind != "ok",
        )


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """How often a failed event is retried, and how old it may be then. SCF documents, 583/41138"""

    attempts: int = 2
    lifetime_s: int = 21_600


class AsyncEventQueue:
    """The asynchronous events that are not finished, in memory: they are lost when the queue closes."""

    def __init__(
        self,
        runner: InvocationRunner,
        get_retry_config: Callable[[str], RetryConfig],
        retry_delay_s: float,
    ) -> None:
        """`get_retry_config` returns a function's configuration by its key; it is called at each failure."""
        self._runner = runner
        self._get_retry_config = get_retry_config
        self._retry_delay_s = retry_delay_s
        self._tasks: set[asyncio.Task[None]] = set()

    def enqueue(self, function: str, trigger: str, event: Mapping[str, Any]) -> None:
        """Accept an event for the function of that key."""
        self.enqueue_json(function, trigger, json.dumps(event, ensure_ascii=False))

    def enqueue_json(self, function: str, trigger: str, event: str) -> str:
        """Accept an event that is JSON text; returns its request id.

        All attempts have the same id, as SCF's logs suggest.
        """
        attempt = InvocationAttempt(function, trigger, event, new_request_id())
        if len(event.encode()) > MAX_ASYNC_EVENT_BYTES:
            error = f"an asynchronous event has at most {MAX_ASYNC_EVENT_BYTES} bytes"
            self._runner.reject(replace(attempt, is_last=True), EVENT_TOO_LARGE, error)
            return attempt.request_id
        task = asyncio.create_task(self._deliver(attempt))
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return attempt.request_id

    async def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no event is queued, running or waiting for a retry; False after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        while self._tasks:
            remaining_s = deadline_s - time.monotonic()
            if remaining_s <= 0:
                return False
            await asyncio.wait(self._tasks, timeout=remaining_s)
        return True

    async def close(self) -> None:
        """Drop all events."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("an event could not be delivered", exc_info=task.exception())

    async def _deliver(self, attempt: InvocationAttempt) -> None:
        """Run an event until it succeeds or has no attempts left."""
        accepted_s = time.monotonic()
        while True:
            config = self._get_retry_config(attempt.function)
            is_last = (
                attempt.number > config.attempts
                or time.monotonic() + self._retry_delay_s - accepted_s > config.lifetime_s
            )
            invocation = await self._runner.run(replace(attempt, is_last=is_last))
            # A deleted function is a request error, which is not retried. SCF documents, 583/9694
            if invocation.outcome == "ok" or is_last or invocation.code == NO_SUCH_FUNCTION:
                return
            await asyncio.sleep(self._retry_delay_s)
            attempt = replace(attempt, number=attempt.number + 1)
