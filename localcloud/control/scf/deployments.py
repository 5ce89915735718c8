"""From a record to a running function: the states between, and everything again after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace

from localcloud.control.calls import Refusal
from localcloud.control.scf.catalogue import Catalogue
from localcloud.control.scf.code import CodeFolders
from localcloud.control.scf.records import (
    ABOUT_TO_UPDATE,
    ACTIVE,
    CREATE_FAILED,
    CREATING,
    UPDATE_FAILED,
    UPDATING,
    Deployed,
)
from localcloud.control.scf.trigger_settings import running
from localcloud.scf import Functions

STATUS_ERROR = "FailedOperation.FunctionStatusError"


class Deployments:
    """Puts what is deployed into the registry of running functions, after the time that it takes.

    Half of that time a new function is Creating. Then it can run, but it is changed once more; and whatever is changed
    stays Active for a moment before it is Updating.
    """

    def __init__(self, catalogue: Catalogue, codes: CodeFolders, registry: Functions, delay_s: float) -> None:
        """Everything deployed before runs again at once."""
        self._catalogue = catalogue
        self._codes = codes
        self._registry = registry
        self._delay_s = delay_s
        self._under_way: set[asyncio.Task[None]] = set()
        codes.keep_only([each.code for each in catalogue.all()])
        for each in catalogue.all():
            if each.is_deploying:
                self._finish(each, None)
            elif each.status != CREATE_FAILED:
                self._run(each)

    def create(self, new: Deployed) -> None:
        """Make a function."""
        self._catalogue.put(replace(new, status=CREATING))
        self._start(self._make(new.name))

    def update(self, before: Deployed, after: Deployed) -> None:
        """Change a function; what it was before serves meanwhile, and goes on if the change fails."""
        self._catalogue.put(replace(after, status=ABOUT_TO_UPDATE, reason="", reason_code=""))
        self._start(self._change(before, self._delay_s / 2))

    def delete(self, gone: Deployed) -> None:
        """Take a function away; an event under way ends."""
        self._catalogue.remove(gone.name)
        self._registry.remove(gone.name)

    def change(self, deployed: Deployed) -> None:
        """Let triggers and the rule for retries count at once."""
        self._catalogue.put(deployed)
        self._start_with(deployed)

    async def close(self) -> None:
        """Leave what is under way to the next start."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _make(self, name: str) -> None:
        await asyncio.sleep(self._delay_s / 2)
        made = self._finish(self._now(name), None)
        if made.status == ACTIVE and self._delay_s:
            self._catalogue.put(replace(made, status=ABOUT_TO_UPDATE))
            await self._change(made, self._delay_s / 4)

    async def _change(self, before: Deployed, step_s: float) -> None:
        await asyncio.sleep(step_s)
        self._catalogue.put(replace(self._now(before.name), status=UPDATING))
        await asyncio.sleep(step_s)
        now = self._now(before.name)
        self._finish(now, replace(before, retries=now.retries))

    def _now(self, name: str) -> Deployed:
        """The record of this moment: the rule for retries may change at any time."""
        return self._catalogue.known(name)

    def _finish(self, deployed: Deployed, before: Deployed | None) -> Deployed:
        if (self._codes.folder(deployed.code) / deployed.module).is_file():
            active = replace(deployed, status=ACTIVE)
            self._catalogue.put(active)
            self._run(active)
            return active
        failed = replace(
            before or deployed,
            status=CREATE_FAILED if deployed.status == CREATING else UPDATE_FAILED,
            reason_code="InvalidParameterValue.Handler",  # which codes stand here is not documented
            reason=f"The code has no {deployed.module} at its root, which the handler names.",
        )
        self._catalogue.put(failed)
        return failed

    def _run(self, deployed: Deployed) -> None:
        self._registry.put(deployed.running(self._codes.folder(deployed.code)))
        self._start_with(deployed)

    def _start_with(self, deployed: Deployed) -> None:
        self._registry.set_triggers(deployed.name, [running(deployed, each) for each in deployed.triggers])
        self._registry.set_retries(deployed.name, deployed.retries)


def check_active(deployed: Deployed, busy: str = STATUS_ERROR) -> Deployed:
    """The function, unless it is being deployed, whatever it shows, or could not be. Raises Refusal.

    `busy` is the code while it is being deployed: SCF has one of its own for most actions (sdk, errorcodes.py).
    """
    if deployed.is_deploying or deployed.status == CREATE_FAILED:
        state = UPDATING if deployed.status == ABOUT_TO_UPDATE else deployed.status
        raise Refusal(
            STATUS_ERROR if state == CREATE_FAILED else busy,
            f"The function {deployed.name} is in state {state}; this can be done when it is {ACTIVE}.",
        )
    return deployed
