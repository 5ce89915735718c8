"""The actions of SCF: parameters in, response out. Codes: sdk, errorcodes.py."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from localcloud.api3.models import ApiError, parse_params
from localcloud.runtime.events import rules_overlap
from localcloud.runtime.models import CosTrigger
from localcloud.runtime.registry import MAX_SYNC_EVENT_BYTES, FunctionRegistry
from localcloud.runtime.runner import MAX_ASYNC_EVENT_BYTES, RetryConfig
from localcloud.scf import serializers
from localcloud.scf.deployer import STATUS_ERROR, DeploymentManager, check_active, to_runtime_trigger
from localcloud.scf.models import (
    CREATE_FAILED,
    CREATING,
    NAMESPACE,
    CodeStore,
    FunctionRecord,
    FunctionSettings,
    FunctionStore,
    TriggerRecord,
)
from localcloud.scf.validation import (
    CreateFunctionParams,
    CreateTriggerParams,
    FunctionParams,
    GetFunctionParams,
    InvokeParams,
    ListFunctionsParams,
    ListNamespacesParams,
    ListTriggersParams,
    QualifiedParams,
    Region,
    TriggerParams,
    UpdateCodeParams,
    UpdateConfigurationParams,
    UpdateInvokeConfigParams,
    UpdateTriggerParams,
    UpdateTriggerStatusParams,
    apply_changes,
    check_argument,
    check_function_name,
    check_handler,
    check_tags,
    get_zip,
    parse_enable,
    validate_trigger_desc,
)

# 583/11637
_MAX_FUNCTIONS = 50  # of a namespace
_MAX_TRIGGERS_PER_TYPE = 10
# 583/41138 and 583/51666
_MAX_RETRIES, _MIN_EVENT_AGE_S, _MAX_EVENT_AGE_S = 2, 60, 21_600
_TRIGGER_FILTERS: Mapping[str, Callable[[TriggerRecord], str]] = {
    "Type": lambda trigger: trigger.type,
    "Qualifier": lambda trigger: trigger.qualifier,
    "TriggerName": lambda trigger: trigger.name,
    "Description": lambda trigger: trigger.description,
}


def _require_function(functions: FunctionStore, params: FunctionParams) -> FunctionRecord:
    params.check_namespace()
    return functions.require(params.function_name)


class FunctionApi:
    """The actions on functions."""

    def __init__(
        self,
        functions: FunctionStore,
        deployments: DeploymentManager,
        codes: CodeStore,
        region: Region,
        *,
        is_reserved: Callable[[str], bool],
        is_assumable: Callable[[str], bool],
        has_service_role: Callable[[], bool],
        build_code_url: Callable[[str], str],
        propagation_delay_s: float,
    ) -> None:
        """`is_reserved`: whether a function of that name was not deployed with the API; `is_assumable`: SCF's roles.

        `has_service_role`: whether the account has SCF_QcsRole, without which it has no functions.
        """
        self._functions = functions
        self._deployments = deployments
        self._codes = codes
        self._region = region
        self._is_reserved = is_reserved
        self._is_assumable = is_assumable
        self._has_service_role = has_service_role
        self._build_code_url = build_code_url
        self._propagation_delay_s = propagation_delay_s
        self._deleted_until_s: dict[str, float] = {}

    async def create(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """CreateFunction."""
        request = parse_params(CreateFunctionParams, params)
        name = request.function_name
        check_function_name(name)
        request.check_namespace()
        if request.type != "Event":
            raise ApiError("InvalidParameterValue.FunctionType", "Only functions of type Event can run here.")
        if not self._has_service_role():
            # The SDK lists this code; that CreateFunction answers it for the missing service role is unconfirmed.
            raise ApiError(
                "UnauthorizedOperation.Role", "SCF is not authorized: the account has no role SCF_QcsRole."
            )
        if self._functions.get(name) or self._is_reserved(name):
            raise ApiError("ResourceInUse.Function", f"The function {name} exists already.")
        if len(self._functions.all()) >= _MAX_FUNCTIONS:
            raise ApiError("LimitExceeded.Function", f"A namespace has at most {_MAX_FUNCTIONS} functions.")
        settings = apply_changes(FunctionSettings(check_handler(request.handler), runtime=""), request)
        self._check_role(settings.role)
        tags = check_tags(request)
        zip_base64 = get_zip(request)
        now_s = time.time()
        self._deployments.create(
            FunctionRecord(
                name=name,
                namespace=NAMESPACE,
                function_id=f"lam-{secrets.token_hex(4)}",
                settings=settings,
                code=await asyncio.to_thread(self._codes.unpack, zip_base64),
                tags=tags,
                added_s=now_s,
                modified_s=now_s,
            )
        )
        return {}

    async def update_code(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateFunctionCode: the zip is in Code.ZipFile, or in ZipFile as older clients send it."""
        request = parse_params(UpdateCodeParams, params)
        before = check_active(
            _require_function(self._functions, request), "FailedOperation.UpdateFunctionCode"
        )
        handler = check_handler(before.settings.handler if request.handler is None else request.handler)
        zip_base64 = get_zip(request) if request.zip_file is None else request.zip_file
        after = replace(
            before,
            settings=replace(before.settings, handler=handler),
            code=await asyncio.to_thread(self._codes.unpack, zip_base64),
            modified_s=time.time(),
        )
        self._deployments.update(before, after)
        return {}

    async def update_configuration(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateFunctionConfiguration: what is absent stays; Environment replaces all variables."""
        request = parse_params(UpdateConfigurationParams, params)
        before = check_active(
            _require_function(self._functions, request), "FailedOperation.UpdateFunctionConfiguration"
        )
        settings = apply_changes(before.settings, request)
        self._check_role(settings.role)
        self._deployments.update(before, replace(before, settings=settings, modified_s=time.time()))
        return {}

    async def get(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """GetFunction. For a function that was just deleted, SCF first returns that the version does not exist."""
        request = parse_params(GetFunctionParams, params)
        name = request.function_name
        if not self._functions.get(name) and time.monotonic() < self._deleted_until_s.get(name, 0.0):
            # The public Terraform provider waits as long as it gets this code.
            raise ApiError(
                "ResourceNotFound.Version",
                f"The function {name} has no version {request.check_qualifier()}.",
            )
        record = _require_function(self._functions, request)
        return serializers.serialize_function(record, request.check_qualifier(), self._region)

    async def get_address(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """GetFunctionAddress: the URL of the uploaded zip, and its hash."""
        request = parse_params(QualifiedParams, params)
        record = _require_function(self._functions, request)
        request.check_qualifier()
        return {"Url": self._build_code_url(record.name), "CodeSha256": record.code.sha256}

    async def list(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListFunctions, by name."""
        request = parse_params(ListFunctionsParams, params)
        request.check_namespace()
        functions = [
            serializers.serialize_summary(record)
            for record in self._functions.all()
            if request.search_key in record.name
        ]
        page = functions[request.offset : request.offset + request.limit]
        return {"TotalCount": len(functions), "Functions": page}

    async def delete(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """DeleteFunction, with everything that belongs to the function."""
        record = _require_function(self._functions, parse_params(QualifiedParams, params))
        if record.is_deploying:
            check_active(record)
        self._deployments.delete(record)
        self._deleted_until_s[record.name] = time.monotonic() + self._propagation_delay_s
        return {}

    async def list_namespaces(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListNamespaces: the only one."""
        parse_params(ListNamespacesParams, params)
        namespace = {"Name": NAMESPACE, "Type": NAMESPACE, "Description": "", "AddTime": "", "ModTime": ""}
        return {"TotalCount": 1, "Namespaces": [namespace]}

    def _check_role(self, role: str) -> None:
        if role and not self._is_assumable(role):
            raise ApiError("ResourceNotFound.Role", f"There is no role {role} that SCF can assume.")


class TriggerApi:
    """The actions on triggers. The types that each action accepts, and its parameters: sdk, models.py."""

    def __init__(
        self,
        functions: FunctionStore,
        deployments: DeploymentManager,
        region: Region,
        *,
        find_taken_rule: Callable[[str], str],
        has_bucket: Callable[[str], bool],
        list_cos_rules: Callable[[], Sequence[CosTrigger]],
        can_write_buckets: Callable[[], bool],
        propagation_delay_s: float,
    ) -> None:
        """`has_bucket` takes `name-appid`; `list_cos_rules` returns the rules of all functions of the account.

        `can_write_buckets`: whether SCF has the role with which it writes rules to buckets. `find_taken_rule`: the
        error code for a bucket whose rule another product has, or an empty string.
        """
        self._functions = functions
        self._deployments = deployments
        self._region = region
        self._find_taken_rule = find_taken_rule
        self._has_bucket = has_bucket
        self._list_cos_rules = list_cos_rules
        self._can_write_buckets = can_write_buckets
        self._propagation_delay_s = propagation_delay_s

    async def create(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """CreateTrigger. That a trigger without Enable is enabled is unconfirmed."""
        request = parse_params(CreateTriggerParams, params)
        record = check_active(_require_function(self._functions, request), "FailedOperation.CreateTrigger")
        kind, name = request.type, request.trigger_name
        now_s = time.time()
        trigger = TriggerRecord(
            type=kind,
            # The server names a URL itself, and each new one has another address. 583/96099
            name=f"url-{secrets.token_hex(4)}" if kind == "http" else name,
            desc=validate_trigger_desc(kind, name, request.trigger_desc, self._region),
            qualifier=request.check_qualifier(),
            enabled=parse_enable(request.enable, default=True),
            argument=check_argument(kind, request.custom_argument or ""),
            description=request.description or "",
            url_id=secrets.token_hex(5) if kind == "http" else "",
            added_s=now_s,
            modified_s=now_s,
            url_visible_s=now_s + self._propagation_delay_s,
        )
        self._check_with_others(record, trigger)
        self._deployments.apply(replace(record, triggers=(*record.triggers, trigger)))
        return {"TriggerInfo": serializers.serialize_trigger(record, trigger, self._region)}

    async def update(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateTrigger: timer and http; what is absent stays."""
        request = parse_params(UpdateTriggerParams, params)
        kind = request.type
        if kind not in ("timer", "http"):
            raise ApiError("UnsupportedOperation.Trigger", f"A trigger of type {kind} cannot be updated.")
        record, before = self._require_trigger(request, by_desc=False)
        desc = before.desc
        if request.trigger_desc is not None:
            desc = validate_trigger_desc(kind, before.name, request.trigger_desc, self._region)
        argument = before.argument if request.custom_argument is None else request.custom_argument
        after = replace(
            before,
            desc=desc,
            enabled=parse_enable(request.enable, default=before.enabled),
            argument=check_argument(kind, argument),
            description=before.description if request.description is None else request.description,
            modified_s=time.time(),
        )
        self._replace(record, before, after)
        return {}

    async def update_status(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateTriggerStatus: timer and cos; a function URL is enabled and disabled by UpdateTrigger."""
        request = parse_params(UpdateTriggerStatusParams, params)
        if request.type not in ("timer", "cos"):
            raise ApiError(
                "UnsupportedOperation.Trigger",
                f"The status of a trigger of type {request.type} cannot be set.",
            )
        record, before = self._require_trigger(request, by_desc=True)
        enabled = parse_enable(request.enable, default=before.enabled)
        self._replace(record, before, replace(before, enabled=enabled, modified_s=time.time()))
        return {}

    async def delete(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """DeleteTrigger: a cos trigger is identified by its TriggerDesc too."""
        request = parse_params(TriggerParams, params)
        record, trigger = self._require_trigger(
            request, by_desc=True, busy_code="FailedOperation.DeleteTrigger"
        )
        self._deployments.apply(
            replace(record, triggers=tuple(other for other in record.triggers if other != trigger))
        )
        return {}

    async def list(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListTriggers, last modified first."""
        request = parse_params(ListTriggersParams, params)
        record = _require_function(self._functions, request)
        triggers = sorted(record.triggers, key=lambda trigger: trigger.modified_s, reverse=True)
        for condition in request.filters:
            get_value = _TRIGGER_FILTERS.get(condition.name)
            if get_value is None:
                raise ApiError("InvalidParameterValue.Filters", f"There is no filter {condition.name}.")
            triggers = [trigger for trigger in triggers if get_value(trigger) in condition.values]
        page = triggers[request.offset : request.offset + request.limit]
        serialized = [serializers.serialize_listed_trigger(record, trigger, self._region) for trigger in page]
        return {"TotalCount": len(triggers), "Triggers": serialized}

    def _require_trigger(
        self, request: TriggerParams, *, by_desc: bool, busy_code: str = STATUS_ERROR
    ) -> tuple[FunctionRecord, TriggerRecord]:
        record = check_active(_require_function(self._functions, request), busy_code)
        kind, name, qualifier = request.type, request.trigger_name, request.check_qualifier()
        triggers = [
            trigger
            for trigger in record.triggers
            if (trigger.type, trigger.name, trigger.qualifier) == (kind, name, qualifier)
        ]
        if kind == "cos" and by_desc:
            if request.trigger_desc is None:
                raise ApiError("MissingParameter", "The parameter `TriggerDesc` is missing.")
            desc = validate_trigger_desc(kind, name, request.trigger_desc, self._region)
            triggers = [trigger for trigger in triggers if trigger.desc == desc]
        if not triggers:
            raise ApiError(
                "ResourceNotFound.Trigger", f"{record.name} has no {kind} trigger {name} on {qualifier}."
            )
        return record, triggers[0]

    def _replace(self, record: FunctionRecord, before: TriggerRecord, after: TriggerRecord) -> None:
        triggers = tuple(after if trigger == before else trigger for trigger in record.triggers)
        self._deployments.apply(replace(record, triggers=triggers))

    def _check_with_others(self, record: FunctionRecord, new: TriggerRecord) -> None:
        """Check whether a new trigger can exist beside the others."""
        others = [trigger for trigger in record.triggers if trigger.type == new.type]
        if len(others) >= _MAX_TRIGGERS_PER_TYPE:
            raise ApiError(
                "LimitExceeded.Trigger",
                f"A function has at most {_MAX_TRIGGERS_PER_TYPE} triggers of one type.",
            )
        # One function URL for each version or alias. 583/96099
        if any(new.type == "http" and trigger.qualifier == new.qualifier for trigger in others):
            raise ApiError(
                "ResourceInUse.Trigger", f"{record.name} already has a function URL on {new.qualifier}."
            )
        if any(new.type == "timer" and trigger.name == new.name for trigger in others):
            raise ApiError("ResourceInUse.Trigger", f"{record.name} already has a timer {new.name}.")
        rule = to_runtime_trigger(record, new)
        if isinstance(rule, CosTrigger):
            self._check_rule(rule)

    def _check_rule(self, rule: CosTrigger) -> None:
        if not self._can_write_buckets():
            raise ApiError(
                "UnauthorizedOperation.Role",
                "SCF has no access to COS: the account has no role SCF_QcsRole with QcloudAccessForScfRole.",
            )
        if not self._has_bucket(rule.bucket):
            raise ApiError("ResourceNotFound.Cos", f"There is no bucket {rule.bucket}.")
        code = self._find_taken_rule(rule.bucket)
        if code:
            raise ApiError(code, f"Another product has a notification rule of bucket {rule.bucket}.")
        for other in self._list_cos_rules():
            if rules_overlap(rule, other):
                raise ApiError(
                    "InvalidParameterValue.CosNotifyRuleConflict",
                    f"A rule of bucket {rule.bucket} for {other.function} overlaps with this one.",
                )


class InvokeApi:
    """Invokes functions, and sets how failed events are retried."""

    def __init__(
        self, functions: FunctionStore, deployments: DeploymentManager, registry: FunctionRegistry
    ) -> None:
        self._functions = functions
        self._deployments = deployments
        self._registry = registry

    async def invoke(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Invoke: RequestResponse waits for the result, Event queues. A failure of the function is a result too."""
        request = parse_params(InvokeParams, params)
        record = _require_function(self._functions, request)
        # A function that is being updated still runs its old code. intl 583/37883
        if record.status in (CREATING, CREATE_FAILED):
            raise ApiError("FailedOperation.FunctionStatusError", f"{record.name} is {record.status}.")
        kind, text = request.invocation_type, request.client_context
        if kind not in ("RequestResponse", "Event"):
            raise ApiError("InvalidParameterValue.InvokeType", f"There is no InvocationType {kind}.")
        max_bytes = MAX_ASYNC_EVENT_BYTES if kind == "Event" else MAX_SYNC_EVENT_BYTES
        if len(text.encode()) > max_bytes:
            raise ApiError(
                "InvalidParameter.RequestTooLarge", f"An event of this type has at most {max_bytes} bytes."
            )
        try:
            event = json.loads(text)
        except ValueError:
            raise ApiError("InvalidParameterValue.Param", "ClientContext is not JSON.") from None
        if kind == "Event":
            request_id = self._registry.invoke_async(record.name, text)
            return {"Result": serializers.serialize_accepted_event(request_id)}
        invocation = await self._registry.invoke(record.name, event)
        return {"Result": serializers.serialize_result(invocation, with_log=request.log_type == "Tail")}

    async def get_retry_config(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """GetFunctionEventInvokeConfig; the second entry, for errors of the system, is unlimited."""
        record = _require_function(self._functions, parse_params(QualifiedParams, params))
        numbers = [{"RetryNum": record.retry_config.attempts}, {"RetryNum": -1}]
        return {"AsyncTriggerConfig": {"MsgTTL": record.retry_config.lifetime_s, "RetryConfig": numbers}}

    async def set_retry_config(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateFunctionEventInvokeConfig: what is absent stays."""
        request = parse_params(UpdateInvokeConfigParams, params)
        record = _require_function(self._functions, request)
        config = request.async_trigger_config
        attempts, lifetime_s = record.retry_config.attempts, record.retry_config.lifetime_s
        if config and config.retry_config and config.retry_config[0].retry_num is not None:
            attempts = config.retry_config[0].retry_num
        if config and config.msg_ttl is not None:
            lifetime_s = config.msg_ttl
        if attempts > _MAX_RETRIES:
            raise ApiError("LimitExceeded.RetryNum", f"RetryNum must be 0 to {_MAX_RETRIES}, not {attempts}.")
        if not _MIN_EVENT_AGE_S <= lifetime_s <= _MAX_EVENT_AGE_S:
            raise ApiError("LimitExceeded.MsgTTL", f"MsgTTL must be 60 to 21,600 seconds, not {lifetime_s}.")
        self._deployments.apply(replace(record, retry_config=RetryConfig(attempts, lifetime_s)))
        return {}
