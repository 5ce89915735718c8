"""SCF as a service of API 3.0: its actions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from localcloud.api3.models import ApiError, ApiRequest
from localcloud.runtime.registry import FunctionRegistry
from localcloud.scf.deployer import DeploymentManager
from localcloud.scf.models import CodeStore, FunctionStore
from localcloud.scf.responses import FunctionApi, InvokeApi, TriggerApi
from localcloud.scf.validation import Region
from localcloud.store import Store

_Action = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]


class ScfService:
    """Implements ApiService for one region of one account."""

    def __init__(
        self,
        store: Store,
        registry: FunctionRegistry,
        *,
        region: str,
        appid: str,
        build_code_url: Callable[[str], str],
        deploy_delay_s: float,
        find_taken_rule: Callable[[str], str],
        has_bucket: Callable[[str], bool],
        propagation_delay_s: float,
        is_assumable: Callable[[str], bool],
        has_service_role: Callable[[], bool],
        can_write_buckets: Callable[[], bool],
    ) -> None:
        """What was deployed before runs again in `registry`.

        `build_code_url` returns the URL of a function's uploaded code. `propagation_delay_s`: how long a deletion
        or a URL is not yet known everywhere. `has_service_role`: whether the account has SCF_QcsRole;
        `can_write_buckets`: whether that role may write rules to buckets.
        `find_taken_rule`: the error code for a bucket whose rule another product has, or an empty string.
        """
        self._region = Region(region, appid)
        self._functions = FunctionStore(store)
        self._codes = CodeStore(store.folder / "functions" / "code")
        reserved_names = registry.names
        self._deployments = DeploymentManager(self._functions, self._codes, registry, deploy_delay_s)
        functions = FunctionApi(
            self._functions,
            self._deployments,
            self._codes,
            self._region,
            is_reserved=reserved_names.__contains__,
            is_assumable=is_assumable,
            has_service_role=has_service_role,
            build_code_url=build_code_url,
            propagation_delay_s=propagation_delay_s,
        )
        triggers = TriggerApi(
            self._functions,
            self._deployments,
            self._region,
            find_taken_rule=find_taken_rule,
            has_bucket=has_bucket,
            list_cos_rules=lambda: registry.cos_triggers,
            can_write_buckets=can_write_buckets,
            propagation_delay_s=propagation_delay_s,
        )
        invocations = InvokeApi(self._functions, self._deployments, registry)
        self._concurrent_actions: Mapping[str, _Action] = {
            "GetFunction": functions.get,
            "GetFunctionAddress": functions.get_address,
            "ListFunctions": functions.list,
            "ListNamespaces": functions.list_namespaces,
            "ListTriggers": triggers.list,
            "Invoke": invocations.invoke,
            "GetFunctionEventInvokeConfig": invocations.get_retry_config,
        }
        self._serialized_actions: Mapping[str, _Action] = {
            "CreateFunction": functions.create,
            "UpdateFunctionCode": functions.update_code,
            "UpdateFunctionConfiguration": functions.update_configuration,
            "DeleteFunction": functions.delete,
            "CreateTrigger": triggers.create,
            "UpdateTrigger": triggers.update,
            "UpdateTriggerStatus": triggers.update_status,
            "DeleteTrigger": triggers.delete,
            "UpdateFunctionEventInvokeConfig": invocations.set_retry_config,
        }
        self._lock = asyncio.Lock()

    async def handle(self, request: ApiRequest) -> Mapping[str, Any]:
        """Handle one request. Raises ApiError."""
        if request.region != self._region.name:
            raise ApiError(
                "UnsupportedRegion",
                f"Functions run in {self._region.name} here, not in {request.region!r}.",
            )
        if request.action in self._concurrent_actions:
            return await self._concurrent_actions[request.action](request.params)
        if request.action not in self._serialized_actions:
            raise ApiError("InvalidAction", f"This stand-in has no action {request.action} of scf.")
        async with self._lock:
            return await self._serialized_actions[request.action](request.params)

    def get_zip_file(self, name: str) -> Path | None:
        """Return the code of a deployed function as it was uploaded."""
        record = self._functions.get(name)
        return self._codes.zip_file(record.code) if record else None

    async def close(self) -> None:
        """Stop; unfinished deployments are finished at the next start."""
        await self._deployments.close()
