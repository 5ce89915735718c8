"""Functions, triggers and results in responses. Members: sdk, GetFunctionResponse, Function, TriggerInfo, Result."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from localcloud.runtime.runner import Invocation
from localcloud.runtime.urls import build_url_host
from localcloud.scf.models import FunctionRecord, TriggerRecord
from localcloud.scf.validation import Region, to_compact_json

_MAX_LOG_LENGTH = 4096  # characters of a result's log. sdk, InvokeRequest.LogType
_FAILED = -1
_URL_FIELDS = tuple(
    f"{scheme}{side}{end}"
    for side in ("Intranet", "Extranet")
    for scheme, end in (("", "Url"), ("", "HTTPUrl"), ("Wss", "Url"), ("Ws", "Url"))
)


def serialize_summary(record: FunctionRecord) -> dict[str, Any]:
    """Serialize a function of a list."""
    return {
        "AddTime": _format_time(record.added_s),
        "ModTime": _format_time(record.modified_s),
        "FunctionId": record.function_id,
        "FunctionName": record.name,
        "Namespace": record.namespace,
        "Runtime": record.settings.runtime,
        "Type": "Event",
        "Description": record.settings.description,
        "Status": record.shown_status,
        "StatusDesc": record.reason,
        "StatusReasons": [{"ErrorCode": record.reason_code, "ErrorMessage": record.reason}]
        if record.reason
        else [],
        "Tags": [{"Key": key, "Value": value} for key, value in record.tags.items()],
        "AsyncRunEnable": "FALSE",
        "TraceEnable": "FALSE",
    }


def serialize_function(record: FunctionRecord, qualifier: str, region: Region) -> dict[str, Any]:
    """Serialize a function with all its members."""
    settings = record.settings
    return {
        **serialize_summary(record),
        "Handler": settings.handler,
        "CodeInfo": "",
        "CodeSize": record.code.zip_bytes,
        "CodeResult": "failed" if record.reason else "success",
        "CodeError": record.reason,
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
        "Triggers": [serialize_trigger(record, trigger, region) for trigger in record.triggers],
    }


def serialize_listed_trigger(
    record: FunctionRecord, trigger: TriggerRecord, region: Region
) -> dict[str, Any]:
    """Serialize a trigger for ListTriggers."""
    return {**serialize_trigger(record, trigger, region), "BoundResources": ""}


def serialize_trigger(record: FunctionRecord, trigger: TriggerRecord, region: Region) -> dict[str, Any]:
    """Serialize a trigger for the other responses."""
    return {
        "Type": trigger.type,
        "TriggerName": trigger.name,
        "TriggerDesc": render_trigger_desc(record, trigger, region),
        "Qualifier": trigger.qualifier,
        "Enable": int(trigger.enabled),
        "CustomArgument": trigger.argument,
        "Description": trigger.description,
        "AvailableStatus": "Available",
        "BindStatus": "",
        "TriggerAttribute": "",
        "ResourceId": "",
        "AddTime": _format_time(trigger.added_s),
        "ModTime": _format_time(trigger.modified_s),
    }


def render_trigger_desc(record: FunctionRecord, trigger: TriggerRecord, region: Region) -> str:
    """Render TriggerDesc for GetFunction and ListTriggers; unlike what was sent it has bucketUrl, cron, the URLs."""
    if trigger.type == "timer":
        return to_compact_json({"cron": trigger.desc})
    desc = json.loads(trigger.desc)
    if trigger.type == "cos":
        return to_compact_json({"bucketUrl": trigger.name, **desc})
    desc["NetConfig"].update(_build_urls(record, trigger, region, desc["NetConfig"]))
    return to_compact_json(desc)


def _build_urls(
    record: FunctionRecord, trigger: TriggerRecord, region: Region, switches: Mapping[str, bool]
) -> Mapping[str, str]:
    """Build the URLs that NetConfig holds in the CLI's example of ListTriggers; those of WebSocket are empty."""
    extranet = build_url_host(record.name, appid=region.appid, region=region.name, url_id=trigger.url_id)
    hosts = {"Extranet": extranet, "Intranet": extranet.replace(f".{region.name}.", f".in.{region.name}.")}
    urls = dict.fromkeys(_URL_FIELDS, "")
    for side, host in hosts.items():
        # A new URL is not shown at once.
        if switches[f"Enable{side}"] and time.time() >= trigger.url_visible_s:
            urls[f"{side}Url"], urls[f"{side}HTTPUrl"] = f"https://{host}", f"http://{host}"
    return urls


def serialize_result(invocation: Invocation, *, with_log: bool) -> dict[str, Any]:
    """Serialize the result of a synchronous invocation."""
    is_ok = invocation.outcome == "ok"
    message, _, stack = invocation.error.partition("\n")
    error = {
        "errorCode": _FAILED,
        "errorMessage": message,
        "requestId": invocation.request_id,
        "stackTrace": stack,
        "statusCode": invocation.code,
    }
    return {
        "FunctionRequestId": invocation.request_id,
        "InvokeResult": 0 if is_ok else _FAILED,
        "RetMsg": json.dumps(invocation.result if is_ok else error, ensure_ascii=False),
        "ErrMsg": invocation.error,
        "Duration": round(invocation.duration_ms, 3),
        "BillDuration": math.ceil(invocation.duration_ms),
        "MemUsage": int((invocation.memory_mib or 0) * 1024 * 1024),
        "Log": "\n".join(invocation.log)[-_MAX_LOG_LENGTH:] if with_log else "",
    }


def serialize_accepted_event(request_id: str) -> Mapping[str, Any]:
    """Serialize the result of an asynchronous invocation: only its id is known."""
    return {"FunctionRequestId": request_id, "InvokeResult": 0, "RetMsg": "", "ErrMsg": "", "Log": ""}


def _format_time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
