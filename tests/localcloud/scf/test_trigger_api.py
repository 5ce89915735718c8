"""The actions on triggers: names, descriptions as they are shown, and conflicts."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.process

ALWAYS_NEW_YEAR = "0 0 0 1 1 * *"
CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ""}}


def triggers(scf: Any, function: str, **params: Any) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = scf.call("ListTriggers", FunctionName=function, **params)["Triggers"]
    return result


def test_timer_desc_is_shown_as_json(scf: Any) -> None:
    name = scf.create()
    scf.trigger(name, "timer", "audit", ALWAYS_NEW_YEAR, CustomArgument="audit", Description="yearly")
    (shown,) = triggers(scf, name)
    assert json.loads(shown["TriggerDesc"]) == {"cron": ALWAYS_NEW_YEAR}
    assert (shown["TriggerName"], shown["Type"], shown["Enable"]) == ("audit", "timer", 1)
    assert (shown["CustomArgument"], shown["Description"], shown["Qualifier"]) == (
        "audit",
        "yearly",
        "$DEFAULT",
    )
    named = {"FunctionName": name, "TriggerName": "audit", "Type": "timer", "Qualifier": "$DEFAULT"}
    scf.call("UpdateTrigger", **named, TriggerDesc="0 0 1 1 1 * *")
    scf.call("UpdateTriggerStatus", **named, Enable="CLOSE")
    (shown,) = triggers(scf, name)
    assert json.loads(shown["TriggerDesc"]) == {"cron": "0 0 1 1 1 * *"}
    assert (shown["Enable"], shown["CustomArgument"]) == (0, "audit")
    assert scf.call("GetFunction", FunctionName=name)["Triggers"][0]["TriggerName"] == "audit"


def test_function_url_changes_only_when_recreated(scf: Any) -> None:
    name = scf.create()
    first = scf.url(name)
    (shown,) = triggers(scf, name, Filters=[{"Name": "Type", "Values": ["http"]}])
    assert first.startswith(f"https://{scf.cloud.appid}-")
    assert first.endswith(f".{scf.cloud.region}.tencentscf.com")
    assert shown["TriggerName"] != "url-trigger", "the server names it itself"
    named = {
        "FunctionName": name,
        "TriggerName": shown["TriggerName"],
        "Type": "http",
        "Qualifier": "$DEFAULT",
    }
    assert scf.refused("UpdateTriggerStatus", **named, Enable="CLOSE") == "UnsupportedOperation.Trigger"
    scf.call("UpdateTrigger", **named, Enable="CLOSE", TriggerDesc=shown["TriggerDesc"])
    (closed,) = triggers(scf, name)
    assert (closed["Enable"], closed["TriggerDesc"]) == (0, shown["TriggerDesc"])
    scf.call("DeleteTrigger", **named)
    assert triggers(scf, name) == []
    assert scf.url(name) != first


def test_cos_trigger_is_identified_by_its_desc(scf: Any, bucket: str) -> None:
    name, host = scf.create(), scf.cloud.bucket_host(bucket)
    other = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "more/", "Suffix": ".mp3"}}
    scf.trigger(name, "cos", host, other)
    created = scf.trigger(name, "cos", host, CREATED)
    assert json.loads(created["TriggerDesc"]) == {"bucketUrl": host, **CREATED}
    named = {"FunctionName": name, "TriggerName": host, "Type": "cos"}
    assert scf.refused("DeleteTrigger", **named, Qualifier="$DEFAULT") == "MissingParameter"
    # The qualifier is $LATEST when a call leaves it out.
    assert (
        scf.refused("DeleteTrigger", **named, TriggerDesc=created["TriggerDesc"])
        == "ResourceNotFound.Trigger"
    )
    scf.call("DeleteTrigger", **named, Qualifier="$DEFAULT", TriggerDesc=created["TriggerDesc"])
    (left,) = triggers(scf, name)
    assert json.loads(left["TriggerDesc"])["filter"] == other["filter"]


def test_overlapping_rules_of_any_function_are_rejected(scf: Any, bucket: str) -> None:
    mine, yours, host = scf.create(), scf.create(), scf.cloud.bucket_host(bucket)
    scf.trigger(mine, "cos", host, CREATED)
    wanted = {"Type": "cos", "TriggerName": host, "Enable": "OPEN", "Qualifier": "$DEFAULT"}
    desc = json.dumps({"event": "cos:ObjectCreated:Put", "filter": {"Prefix": "in/deep/"}})
    for function in (mine, yours):
        refusal = scf.refused("CreateTrigger", FunctionName=function, **wanted, TriggerDesc=desc)
        assert refusal == "InvalidParameterValue.CosNotifyRuleConflict"
    scf.call("DeleteFunction", FunctionName=mine)
    scf.trigger(yours, "cos", host, desc)


@pytest.mark.parametrize(
    ("kind", "name", "desc", "refusal"),
    [
        ("timer", "late", "* * * * *", "InvalidParameterValue.TriggerDesc"),
        ("timer", "has blank", ALWAYS_NEW_YEAR, "InvalidParameterValue.TriggerName"),
        ("cos", "audio", "{}", "InvalidParameterValue.TriggerName"),
        ("cos", "a-1250000000.cos.ap-shanghai.myqcloud.com", "{}", "InvalidParameterValue.Cos"),
        ("cos", "a-1250000001.cos.ap-guangzhou.myqcloud.com", "{}", "InvalidParameterValue.Cos"),
        ("cos", "a-1250000000.cos.ap-guangzhou.myqcloud.com", json.dumps(CREATED), "ResourceNotFound.Cos"),
        ("cos", "a-1250000000.cos.ap-guangzhou.myqcloud.com", "no json", "InvalidParameterValue.TriggerDesc"),
        (
            "cos",
            "a-1250000000.cos.ap-guangzhou.myqcloud.com",
            '{"event": "cos:ObjectCreated:*", "filter": {"Suffix": "mp3"}}',
            "InvalidParameterValue.TriggerDesc",
        ),
        ("http", "url", '{"AuthType": "OPEN"}', "InvalidParameterValue.TriggerDesc"),
        ("ckafka", "queue", "{}", "InvalidParameterValue.Type"),
    ],
)
def test_invalid_trigger_is_rejected(
    scf: Any, echo: str, kind: str, name: str, desc: str, refusal: str
) -> None:
    params = {"FunctionName": echo, "Type": kind, "TriggerName": name, "TriggerDesc": desc}
    assert scf.refused("CreateTrigger", **params) == refusal
    assert triggers(scf, echo) == []


def test_second_url_or_timer_of_same_name_is_rejected(scf: Any) -> None:
    name = scf.create()
    scf.url(name)
    scf.trigger(name, "timer", "audit", ALWAYS_NEW_YEAR)
    again = {"FunctionName": name, "Qualifier": "$DEFAULT", "TriggerName": "audit"}
    for kind, desc in (("timer", ALWAYS_NEW_YEAR), ("http", '{"AuthType": "NONE"}')):
        assert scf.refused("CreateTrigger", **again, Type=kind, TriggerDesc=desc) == "ResourceInUse.Trigger"


def test_eleventh_trigger_of_a_type_is_rejected(scf: Any) -> None:
    name = scf.create()
    for number in range(10):
        scf.trigger(name, "timer", f"t{number}", ALWAYS_NEW_YEAR)
    eleventh = {"FunctionName": name, "Type": "timer", "TriggerName": "t10", "TriggerDesc": ALWAYS_NEW_YEAR}
    assert scf.refused("CreateTrigger", **eleventh) == "LimitExceeded.Trigger"
    page = scf.call("ListTriggers", FunctionName=name, Offset=8, Limit=5)
    assert (page["TotalCount"], len(page["Triggers"])) == (10, 2)


def test_retry_config_is_saved(scf: Any) -> None:
    name = scf.create()

    def rule() -> tuple[int, int]:
        shown_now = scf.call("GetFunctionEventInvokeConfig", FunctionName=name)["AsyncTriggerConfig"]
        return shown_now["RetryConfig"][0]["RetryNum"], shown_now["MsgTTL"]

    assert rule() == (2, 21_600)
    params = {"FunctionName": name, "AsyncTriggerConfig": {"RetryConfig": [{"RetryNum": 1}], "MsgTTL": 600}}
    scf.call("UpdateFunctionEventInvokeConfig", **params)
    assert rule() == (1, 600)
    for wrong, refusal in (
        ({"RetryConfig": [{"RetryNum": 3}]}, "RetryNum"),
        ({"MsgTTL": 59}, "MsgTTL"),
        ({"MsgTTL": 21_601}, "MsgTTL"),
    ):
        code = scf.refused("UpdateFunctionEventInvokeConfig", FunctionName=name, AsyncTriggerConfig=wrong)
        assert code == f"LimitExceeded.{refusal}"
    assert rule() == (1, 600)
