"""Runs one attempt of one event in an instance, and records how it ended."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from localcloud.scf.deployment import Function
from localcloud.scf.environment import (
    Surroundings,
    TemporaryKey,
    context_of,
    instance_variables,
    runtime_note,
)
from localcloud.scf.instances import Instance, Outcome
from localcloud.scf.invocations import Invocation, Journal, kept_lines
from localcloud.scf.pool import Pool, RetiredError

NO_SUCH_FUNCTION = 435  # SCF status codes, 583/42611


def new_request_id() -> str:
    """A request id as SCF makes them."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to handle an event, which is JSON text, by the function of that key.

    `is_last`: a failure loses the event.
    """

    function: str
    trigger: str
    event: str
    request_id: str
    number: int = 1
    is_last: bool = False


class Runner:
    """The functions that can run now, their pools, and the journal of what ran in them."""

    def __init__(
        self,
        where: Surroundings,
        *,
        journal: Journal,
        issue_key: Callable[[str, str], TemporaryKey],
        requests_of: Callable[[str], list[str]],
        max_instances: int,
    ) -> None:
        self._where = where
        self._journal = journal
        self._issue_key = issue_key
        self._requests_of = requests_of
        self._most = max_instances
        self._holders: dict[str, Instance] = {}
        self._pools: dict[str, Pool] = {}
        self._retired: set[Pool] = set()
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def functions(self) -> dict[str, Function]:
        """What can run, by key."""
        return {key: pool.function for key, pool in self._pools.items()}

    def put(self, function: Function) -> None:
        """Run this from now on, in place of what had its key; an event under way ends in the old code."""
        self.remove(function.key)
        self._pools[function.key] = Pool(function, self._where, self._most)

    def remove(self, key: str) -> None:
        """Begin no more events of a function; one under way ends. Nothing happens when there is none."""
        pool = self._pools.pop(key, None)
        if pool is None:
            return
        pool.retire()
        self._retired = {old for old in self._retired if not old.is_quiet}
        if not pool.is_quiet:
            self._retired.add(pool)
            task = asyncio.create_task(pool.drain())
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def run(self, attempt: Attempt) -> Invocation:
        """Run it as soon as an instance is free, for at most the function's timeout, and record it."""
        while attempt.function in self._pools:
            try:
                return await self._run_in(self._pools[attempt.function], attempt)
            except RetiredError:
                continue  # it waited for old code: on to the new
        return self.refuse(attempt, NO_SUCH_FUNCTION, f"there is no function {attempt.function} any more")

    async def _run_in(self, pool: Pool, attempt: Attempt) -> Invocation:
        function = pool.function
        # Attempts of one event share their request id: what earlier ones asked is not this one's.
        asked_before = len(self._requests_of(attempt.request_id))
        async with pool.instance() as (instance, cold):
            started_s = time.time()
            outcome = await instance.load(function.init_timeout_s) if cold else None
            if outcome is None:
                with self._serving(function, attempt, instance) as context:
                    outcome = await instance.call(attempt.event, context, function.timeout_s)
        requests = tuple(self._requests_of(attempt.request_id)[asked_before:])
        note = [runtime_note(function)] if cold and runtime_note(function) else []
        invocation = self._invocation(attempt, outcome, started_s, requests, cold=cold)
        limits = f"Limits:{function.timeout_s}s,{function.memory_mib}MB"
        self._journal.add(invocation, [*note, *outcome.lines], limits)
        return invocation

    def refuse(self, attempt: Attempt, code: int, error: str) -> Invocation:
        """Record an attempt that the platform does not even begin."""
        outcome = Outcome("error", code, None, error, (), 0.0, None)
        invocation = self._invocation(attempt, outcome, time.time(), (), cold=False)
        self._journal.add(invocation, (), "not begun")
        return invocation

    async def close(self) -> None:
        """End every instance, also in the middle of an event."""
        await asyncio.gather(*self._retiring, return_exceptions=True)
        for pool in [*self._pools.values(), *self._retired]:
            await pool.close()

    def kill(self, secret_id: str) -> bool:
        """Kill the instance that was given that key for what it does now; False if there is none."""
        instance = self._holders.get(secret_id)
        if instance is not None:
            instance.kill()
        return instance is not None

    @contextmanager
    def _serving(self, function: Function, attempt: Attempt, instance: Instance) -> Iterator[dict[str, Any]]:
        """The context for an attempt; while it lasts, the instance can be found by the key in it."""
        variables, secret_id = instance_variables(function, self._where), ""
        if function.role is not None:
            key = self._issue_key(function.key, attempt.request_id)
            secret_id = key.secret_id
            variables.update(key.variables())
            self._holders[secret_id] = instance
        try:
            yield context_of(function, self._where, request_id=attempt.request_id, variables=variables)
        finally:
            self._holders.pop(secret_id, None)

    def _invocation(
        self, attempt: Attempt, outcome: Outcome, started_s: float, requests: tuple[str, ...], *, cold: bool
    ) -> Invocation:
        return Invocation(
            number=self._journal.next_number(),
            function=attempt.function,
            request_id=attempt.request_id,
            trigger=attempt.trigger,
            attempt=attempt.number,
            started_s=started_s,
            duration_ms=outcome.duration_ms,
            outcome=outcome.kind,
            result=outcome.result,
            error=outcome.error,
            log=kept_lines(outcome.lines),
            requests=requests,
            cold=cold,
            memory_mib=outcome.memory_mib,
            code=outcome.code,
            dropped=attempt.is_last and outcome.kind != "ok",
        )
