"""From a record to a running function: the states between, and everything again after a restart."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from localcloud.control.calls import Refusal
from localcloud.control.scf.catalogue import Catalogue
from localcloud.control.scf.code import CodeFolders
from localcloud.control.scf.records import (
    ACTIVE,
    CREATE_FAILED,
    CREATING,
    UPDATE_FAILED,
    UPDATING,
    Deployed,
)
from localcloud.control.scf.trigger_settings import running
from localcloud.scf import Functions


class Deployments:
    """Puts what is deployed into the registry of running functions, after the time that it takes."""

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
        self._begin(replace(new, status=CREATING), None)

    def update(self, before: Deployed, after: Deployed) -> None:
        """Change a function; what it was before serves meanwhile, and goes on if the change fails."""
        self._begin(replace(after, status=UPDATING, reason="", reason_code=""), before)

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

    def _begin(self, deployed: Deployed, before: Deployed | None) -> None:
        self._catalogue.put(deployed)
        task = asyncio.create_task(self._later(deployed, before))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _later(self, deployed: Deployed, before: Deployed | None) -> None:
        await asyncio.sleep(self._delay_s)
        self._finish(deployed, before)

    def _finish(self, deployed: Deployed, before: Deployed | None) -> None:
        if (self._codes.folder(deployed.code) / deployed.module).is_file():
            active = replace(deployed, status=ACTIVE)
            self._catalogue.put(active)
            self._run(active)
            return
        failed = replace(
            before or deployed,
            status=CREATE_FAILED if deployed.status == CREATING else UPDATE_FAILED,
            reason_code="InvalidParameterValue.Handler",  # which codes stand here is not documented
            reason=f"The code has no {deployed.module} at its root, which the handler names.",
        )
        self._catalogue.put(failed)

    def _run(self, deployed: Deployed) -> None:
        self._registry.put(deployed.running(self._codes.folder(deployed.code)))
        self._start_with(deployed)

    def _start_with(self, deployed: Deployed) -> None:
        self._registry.set_triggers(deployed.name, [running(deployed, each) for each in deployed.triggers])
        self._registry.set_retries(deployed.name, deployed.retries)


def check_active(deployed: Deployed) -> Deployed:
    """The function, unless it is being deployed or could not be. Raises Refusal."""
    if deployed.is_deploying or deployed.status == CREATE_FAILED:
        raise Refusal(
            "FailedOperation.FunctionStatusError",
            f"The function {deployed.name} is {deployed.status}; this can be done when it is {ACTIVE}.",
        )
    return deployed
