"""How functions and triggers are shown. Members: sdk, GetFunctionResponse, Function, TriggerInfo, Result."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from localcloud.control.scf.records import Deployed, Trigger
from localcloud.control.scf.trigger_settings import Region, read_back
from localcloud.scf import Invocation

_MOST_LOG = 4096  # characters of a result's log. sdk, InvokeRequest.LogType
_FAILED = -1


def summary(found: Deployed) -> dict[str, Any]:
    """A function in a list."""
    return {
        "AddTime": _time(found.added_s),
        "ModTime": _time(found.modified_s),
        "FunctionId": found.function_id,
        "FunctionName": found.name,
        "Namespace": found.namespace,
        "Runtime": found.settings.runtime,
        "Type": "Event",
        "Description": found.settings.description,
        "Status": found.shown_status,
        "StatusDesc": found.reason,
        "StatusReasons": [{"ErrorCode": found.reason_code, "ErrorMessage": found.reason}]
        if found.reason
        else [],
        "Tags": [{"Key": key, "Value": value} for key, value in found.tags.items()],
        "AsyncRunEnable": "FALSE",
        "TraceEnable": "FALSE",
    }


def function(found: Deployed, qualifier: str, where: Region) -> dict[str, Any]:
    """A function with everything about it."""
    settings = found.settings
    return {
        **summary(found),
        "Handler": settings.handler,
        "CodeInfo": "",
        "CodeSize": found.code.zip_bytes,
        "CodeResult": "failed" if found.reason else "success",
        "CodeError": found.reason,
        "ErrNo": 0,
        "MemorySize": settings.memory_mib,
        "Timeout": settings.timeout_s,
        "InitTimeout": settings.init_timeout_s,
        "FunctionVersion": "$LATEST",
        "Qualifier": qualifier,
        "Role": settings.role,
        "Environment": {
            "Variables": [{"Key": key, "Value": value} for key, value in settings.variables.items()]
        },
        "PublicNetConfig": {
            "PublicNetStatus": "ENABLE" if settings.public_network else "DISABLE",
            "EipConfig": {"EipStatus": "DISABLE", "EipAddress": []},
        },
        "VpcConfig": {"VpcId": "", "SubnetId": ""},
        "Layers": [],
        "InstallDependency": "FALSE",
        "AvailableStatus": "Available",
        "Triggers": [trigger(found, each, where) for each in found.triggers],
    }


def listed_trigger(found: Deployed, each: Trigger, where: Region) -> dict[str, Any]:
    """A trigger in the list of triggers."""
    return {**trigger(found, each, where), "BoundResources": ""}


def trigger(found: Deployed, each: Trigger, where: Region) -> dict[str, Any]:
    """A trigger in the other answers."""
    return {
        "Type": each.type,
        "TriggerName": each.name,
        "TriggerDesc": read_back(found, each, where),
        "Qualifier": each.qualifier,
        "Enable": int(each.is_open),
        "CustomArgument": each.argument,
        "Description": each.note,
        "AvailableStatus": "Available",
        "BindStatus": "",
        "TriggerAttribute": "",
        "ResourceId": "",
        "AddTime": _time(each.added_s),
        "ModTime": _time(each.modified_s),
    }


def result(invocation: Invocation, *, with_log: bool) -> dict[str, Any]:
    """How a synchronous invocation ended."""
    is_ok = invocation.outcome == "ok"
    message, _, stack = invocation.error.partition("\n")
    told = {
        "errorCode": _FAILED,
        "errorMessage": message,
        "requestId": invocation.request_id,
        "stackTrace": stack,
        "statusCode": invocation.code,
    }
    return {
        "FunctionRequestId": invocation.request_id,
        "InvokeResult": 0 if is_ok else _FAILED,
        "RetMsg": json.dumps(invocation.result if is_ok else told, ensure_ascii=False),
        "ErrMsg": invocation.error,
        "Duration": round(invocation.duration_ms, 3),
        "BillDuration": math.ceil(invocation.duration_ms),
        "MemUsage": int((invocation.memory_mib or 0) * 1024 * 1024),
        "Log": "\n".join(invocation.log)[-_MOST_LOG:] if with_log else "",
    }


def accepted_event(request_id: str) -> Mapping[str, Any]:
    """What is known of an asynchronous invocation: its id."""
    return {"FunctionRequestId": request_id, "InvokeResult": 0, "RetMsg": "", "ErrMsg": "", "Log": ""}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
