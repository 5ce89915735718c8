"""SCF as API 3.0 offers it: which action is carried out by what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from localcloud.control.calls import Call, Refusal
from localcloud.control.scf.catalogue import Catalogue
from localcloud.control.scf.code import CodeFolders
from localcloud.control.scf.deployments import Deployments
from localcloud.control.scf.function_calls import FunctionCalls
from localcloud.control.scf.invoke_calls import InvokeCalls
from localcloud.control.scf.trigger_calls import TriggerCalls
from localcloud.control.scf.trigger_settings import Region
from localcloud.scf import Functions
from localcloud.store import Store

_Action = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class ScfService:
    """Implements ControlService for one region of one account."""

    def __init__(
        self,
        store: Store,
        registry: Functions,
        *,
        region: str,
        appid: str,
        endpoint: str,
        deploy_delay_s: float,
        has_bucket: Callable[[str], bool],
        settle_s: float,
        has_role: Callable[[str], bool],
        may_write_buckets: Callable[[], bool],
    ) -> None:
        """What was deployed before runs again in `registry`; `endpoint` is where uploaded code can be fetched.

        `settle_s` is how long a deletion, or an address, is not yet known everywhere.
        """
        where = Region(region, appid)
        self._region = region
        self._catalogue = Catalogue(store)
        self._codes = CodeFolders(store.folder / "functions" / "code")
        taken = registry.names
        self._deployments = Deployments(self._catalogue, self._codes, registry, deploy_delay_s)
        functions = FunctionCalls(
            self._catalogue,
            self._deployments,
            self._codes,
            where,
            is_taken=taken.__contains__,
            has_role=has_role,
            code_url=f"{endpoint}/-/code",
            settle_s=settle_s,
        )
        triggers = TriggerCalls(
            self._catalogue,
            self._deployments,
            where,
            has_bucket=has_bucket,
            cos_rules=lambda: registry.cos_triggers,
            may_write_buckets=may_write_buckets,
            settle_s=settle_s,
        )
        invoking = InvokeCalls(self._catalogue, self._deployments, registry)
        self._together: Mapping[str, _Action] = {
            "GetFunction": functions.get,
            "GetFunctionAddress": functions.address,
            "ListFunctions": functions.list,
            "ListNamespaces": functions.namespaces,
            "ListTriggers": triggers.list,
            "Invoke": invoking.invoke,
            "GetFunctionEventInvokeConfig": invoking.get_retries,
        }
        self._one_by_one: Mapping[str, _Action] = {
            "CreateFunction": functions.create,
            "UpdateFunctionCode": functions.update_code,
            "UpdateFunctionConfiguration": functions.update_configuration,
            "DeleteFunction": functions.delete,
            "CreateTrigger": triggers.create,
            "UpdateTrigger": triggers.update,
            "UpdateTriggerStatus": triggers.update_status,
            "DeleteTrigger": triggers.delete,
            "UpdateFunctionEventInvokeConfig": invoking.set_retries,
        }
        self._turn = asyncio.Lock()

    async def answer(self, call: Call) -> Mapping[str, Any]:
        """The members of `Response`, without RequestId. Raises Refusal."""
        if call.region != self._region:
            raise Refusal(
                "UnsupportedRegion", f"Functions run in {self._region} here, not in {call.region!r}."
            )
        if call.action in self._together:
            return await self._together[call.action](call.given)
        if call.action not in self._one_by_one:
            raise Refusal("InvalidAction", f"This stand-in has no action {call.action} of scf.")
        async with self._turn:
            return await self._one_by_one[call.action](call.given)

    def zip_file(self, name: str) -> Path | None:
        """The code of a deployed function as it was uploaded."""
        found = self._catalogue.find(name)
        return self._codes.zip_file(found.code) if found else None

    async def close(self) -> None:
        """Stop; what is being deployed is so at the next start."""
        await self._deployments.close()
