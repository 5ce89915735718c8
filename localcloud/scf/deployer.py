"""Deploys functions: puts records into the runtime, with the states in between, and again after a restart.

    CreateFunction ──▶ Creating ──▶ Active ──▶ UpdatePending ──▶ Updating ──▶ Active
                          │                                         │
                          ▼                                         ▼
                     CreateFailed                              UpdateFailed
    UpdateFunctionCode, UpdateFunctionConfiguration: Active ──▶ UpdatePending ──▶ Updating ──▶ ...

UpdatePending is shown as Active.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import replace

from localcloud.api3.models import ApiError
from localcloud.runtime.cron import Cron
from localcloud.runtime.models import CosTrigger, HttpTrigger, TimerTrigger, Trigger
from localcloud.runtime.registry import FunctionRegistry
from localcloud.scf.models import (
    ACTIVE,
    CREATE_FAILED,
    CREATING,
    UPDATE_FAILED,
    UPDATE_PENDING,
    UPDATING,
    CodeStore,
    FunctionRecord,
    FunctionStore,
    TriggerRecord,
)

STATUS_ERROR = "FailedOperation.FunctionStatusError"


class DeploymentManager:
    """Puts deployed functions into the registry of running functions, after a delay.

    A new function is Creating for half of the delay. Then it can run, but it is updated once more, as in the cloud; and
    every update stays Active for a moment before it is Updating.
    """

    def __init__(
        self, functions: FunctionStore, codes: CodeStore, registry: FunctionRegistry, delay_s: float
    ) -> None:
        """Everything that was deployed before runs again at once."""
        self._functions = functions
        self._codes = codes
        self._registry = registry
        self._delay_s = delay_s
        self._tasks: set[asyncio.Task[None]] = set()
        codes.prune([record.code for record in functions.all()])
        for record in functions.all():
            if record.is_deploying:
                self._finish(record, None)
            elif record.status != CREATE_FAILED:
                self._run(record)

    def create(self, record: FunctionRecord) -> None:
        """Create a function."""
        self._functions.put(replace(record, status=CREATING))
        self._start(self._create(record.name))

    def update(self, before: FunctionRecord, after: FunctionRecord) -> None:
        """Update a function; the old one runs in the meantime, and stays if the update fails."""
        self._functions.put(replace(after, status=UPDATE_PENDING, reason="", reason_code=""))
        self._start(self._update(before, self._delay_s / 2))

    def delete(self, record: FunctionRecord) -> None:
        """Delete a function; a running event ends."""
        self._functions.remove(record.name)
        self._registry.remove(record.name)

    def apply(self, record: FunctionRecord) -> None:
        """Apply changed triggers and a changed retry configuration at once."""
        self._functions.put(record)
        self._apply_triggers(record)

    async def close(self) -> None:
        """Stop; unfinished deployments are finished at the next start."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, deployment: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(deployment)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _create(self, name: str) -> None:
        await asyncio.sleep(self._delay_s / 2)
        created = self._finish(self._current(name), None)
        if created.status == ACTIVE and self._delay_s:
            self._functions.put(replace(created, status=UPDATE_PENDING))
            await self._update(created, self._delay_s / 4)

    async def _update(self, before: FunctionRecord, step_s: float) -> None:
        await asyncio.sleep(step_s)
        self._functions.put(replace(self._current(before.name), status=UPDATING))
        await asyncio.sleep(step_s)
        current = self._current(before.name)
        self._finish(current, replace(before, retry_config=current.retry_config))

    def _current(self, name: str) -> FunctionRecord:
        # Read it again after each wait: the retry configuration can change at any time.
        return self._functions.require(name)

    def _finish(self, record: FunctionRecord, before: FunctionRecord | None) -> FunctionRecord:
        if (self._codes.folder(record.code) / record.module).is_file():
            active = replace(record, status=ACTIVE)
            self._functions.put(active)
            self._run(active)
            return active
        failed = replace(
            before or record,
            status=CREATE_FAILED if record.status == CREATING else UPDATE_FAILED,
            reason_code="InvalidParameterValue.Handler",  # the real codes are not documented
            reason=f"The code has no {record.module} at its root, which the handler names.",
        )
        self._functions.put(failed)
        return failed

    def _run(self, record: FunctionRecord) -> None:
        self._registry.put(record.to_runtime(self._codes.folder(record.code)))
        self._apply_triggers(record)

    def _apply_triggers(self, record: FunctionRecord) -> None:
        triggers = [to_runtime_trigger(record, trigger) for trigger in record.triggers]
        self._registry.set_triggers(record.name, triggers)
        self._registry.set_retry_config(record.name, record.retry_config)


def to_runtime_trigger(record: FunctionRecord, trigger: TriggerRecord) -> Trigger:
    """Convert a trigger to one that starts the function here."""
    key = record.name
    if trigger.type == "timer":
        cron = Cron.parse(trigger.desc)
        return TimerTrigger(key, trigger.name, cron, trigger.argument, enabled=trigger.enabled)
    desc = json.loads(trigger.desc)
    if trigger.type == "http":
        enabled = trigger.enabled and desc["NetConfig"]["EnableExtranet"]
        return HttpTrigger(key, desc["AuthType"], enabled=enabled, url_id=trigger.url_id)
    bucket, _, region = trigger.name.removesuffix(".myqcloud.com").rpartition(".cos.")
    rule = desc["filter"]
    return CosTrigger(
        key, bucket, region, desc["event"], rule["Prefix"], rule["Suffix"], enabled=trigger.enabled
    )


def check_active(record: FunctionRecord, busy_code: str = STATUS_ERROR) -> FunctionRecord:
    """Return the function. Raises ApiError while it is being deployed, whatever is shown, or if its creation failed.

    `busy_code` is the code while it is being deployed: SCF has a separate one for most actions (sdk, errorcodes.py).
    """
    if record.is_deploying or record.status == CREATE_FAILED:
        state = UPDATING if record.status == UPDATE_PENDING else record.status
        raise ApiError(
            STATUS_ERROR if state == CREATE_FAILED else busy_code,
            f"The function {record.name} is in state {state}; this can be done when it is {ACTIVE}.",
        )
    return record
