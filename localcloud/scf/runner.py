"""Runs one attempt of one event in an instance, and records how it ended."""

import time
from collections.abc import Callable, Iterator, Mapping
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
from localcloud.scf.pool import Pool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to handle an event, which is JSON text. `is_last`: a failure loses the event."""

    function: Function
    trigger: str
    event: str
    request_id: str
    number: int = 1
    is_last: bool = False


class Runner:
    """The pools of all functions, and the journal of what ran in them."""

    def __init__(
        self,
        functions: Mapping[str, Function],
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
        self._holders: dict[str, Instance] = {}
        self._pools = {key: Pool(function, where, max_instances) for key, function in functions.items()}

    async def run(self, attempt: Attempt) -> Invocation:
        """Run it as soon as an instance is free, for at most the function's timeout, and record it."""
        function = attempt.function
        # Attempts of one event share their request id: what earlier ones asked is not this one's.
        asked_before = len(self._requests_of(attempt.request_id))
        async with self._pools[function.key].instance() as (instance, cold):
            started_s = time.time()
            outcome = await instance.load(function.init_timeout_s) if cold else None
            if outcome is None:
                with self._serving(attempt, instance) as context:
                    outcome = await instance.call(attempt.event, context, function.timeout_s)
        requests = tuple(self._requests_of(attempt.request_id)[asked_before:])
        return self._record(attempt, outcome, started_s, requests, cold=cold)

    def refuse(self, attempt: Attempt, code: int, error: str) -> Invocation:
        """Record an attempt that the platform does not even begin."""
        outcome = Outcome("error", code, None, error, (), 0.0, None)
        return self._record(attempt, outcome, time.time(), (), cold=False)

    async def close(self) -> None:
        """End every instance, also in the middle of an event."""
        for pool in self._pools.values():
            await pool.close()

    def kill(self, secret_id: str) -> bool:
        """Kill the instance that was given that key for what it does now; False if there is none."""
        instance = self._holders.get(secret_id)
        if instance is not None:
            instance.kill()
        return instance is not None

    @contextmanager
    def _serving(self, attempt: Attempt, instance: Instance) -> Iterator[dict[str, Any]]:
        """The context for an attempt; while it lasts, the instance can be found by the key in it."""
        function = attempt.function
        variables, secret_id = instance_variables(function, self._where), ""
        if function.has_role:
            key = self._issue_key(function.key, attempt.request_id)
            secret_id = key.secret_id
            variables.update(key.variables())
            self._holders[secret_id] = instance
        try:
            yield context_of(function, self._where, request_id=attempt.request_id, variables=variables)
        finally:
            self._holders.pop(secret_id, None)

    def _record(
        self, attempt: Attempt, outcome: Outcome, started_s: float, requests: tuple[str, ...], *, cold: bool
    ) -> Invocation:
        invocation = Invocation(
            number=self._journal.next_number(),
            function=attempt.function.key,
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
        note = [runtime_note(attempt.function)] if cold and runtime_note(attempt.function) else []
        limits = f"Limits:{attempt.function.timeout_s}s,{attempt.function.memory_mib}MB"
        self._journal.add(invocation, [*note, *outcome.lines], limits)
        return invocation
