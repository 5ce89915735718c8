"""The actions on triggers: names, descriptions as they are shown, and conflicts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localcloud.scf.client import Scf

pytestmark = pytest.mark.process

YEARLY = "0 0 0 1 1 * *"
CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ""}}


def test_timer_desc_is_shown_as_json(scf: Scf) -> None:
    name = scf.create()
    scf.create_trigger(name, "timer", "audit", YEARLY, CustomArgument="audit", Description="yearly")
    (trigger,) = scf.list_triggers(name)
    assert json.loads(trigger["TriggerDesc"]) == {"cron": YEARLY}
    assert (trigger["TriggerName"], trigger["Type"], trigger["Enable"]) == ("audit", "timer", 1)
    assert (trigger["CustomArgument"], trigger["Description"], trigger["Qualifier"]) == (
        "audit",
        "yearly",
        "$DEFAULT",
    )
    target = {"FunctionName": name, "TriggerName": "audit", "Type": "timer", "Qualifier": "$DEFAULT"}
    scf.call("UpdateTrigger", **target, TriggerDesc="0 0 1 1 1 * *")
    scf.call("UpdateTriggerStatus", **target, Enable="CLOSE")
    (trigger,) = scf.list_triggers(name)
    assert json.loads(trigger["TriggerDesc"]) == {"cron": "0 0 1 1 1 * *"}
    assert (trigger["Enable"], trigger["CustomArgument"]) == (0, "audit")
    assert scf.get_function(name)["Triggers"][0]["TriggerName"] == "audit"


def test_function_url_changes_only_when_recreated(scf: Scf) -> None:
    name = scf.create()
    first = scf.create_url(name)
    (trigger,) = scf.list_triggers(name, Filters=[{"Name": "Type", "Values": ["http"]}])
    assert first.startswith(f"https://{scf.cloud.appid}-")
    assert first.endswith(f".{scf.cloud.region}.tencentscf.com")
    assert trigger["TriggerName"] != "url-trigger", "the server names it itself"
    target = {
        "FunctionName": name,
        "TriggerName": trigger["TriggerName"],
        "Type": "http",
        "Qualifier": "$DEFAULT",
    }
    assert scf.error_code("UpdateTriggerStatus", **target, Enable="CLOSE") == "UnsupportedOperation.Trigger"
    scf.call("UpdateTrigger", **target, Enable="CLOSE", TriggerDesc=trigger["TriggerDesc"])
    (closed,) = scf.list_triggers(name)
    assert (closed["Enable"], closed["TriggerDesc"]) == (0, trigger["TriggerDesc"])
    scf.call("DeleteTrigger", **target)
    assert scf.list_triggers(name) == []
    assert scf.create_url(name) != first


def test_cos_trigger_is_identified_by_its_desc(scf: Scf, bucket: str) -> None:
    name, host = scf.create(), scf.cloud.bucket_host(bucket)
    other = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "more/", "Suffix": ".mp3"}}
    scf.create_trigger(name, "cos", host, other)
    created = scf.create_trigger(name, "cos", host, CREATED)
    assert json.loads(created["TriggerDesc"]) == {"bucketUrl": host, **CREATED}
    target = {"FunctionName": name, "TriggerName": host, "Type": "cos"}
    assert scf.error_code("DeleteTrigger", **target, Qualifier="$DEFAULT") == "MissingParameter"
    # The qualifier is $LATEST when a call leaves it out.
    assert (
        scf.error_code("DeleteTrigger", **target, TriggerDesc=created["TriggerDesc"])
        == "ResourceNotFound.Trigger"
    )
    scf.call("DeleteTrigger", **target, Qualifier="$DEFAULT", TriggerDesc=created["TriggerDesc"])
    (remaining,) = scf.list_triggers(name)
    assert json.loads(remaining["TriggerDesc"])["filter"] == other["filter"]


def test_overlapping_rules_of_any_function_are_rejected(scf: Scf, bucket: str) -> None:
    first, second, host = scf.create(), scf.create(), scf.cloud.bucket_host(bucket)
    scf.create_trigger(first, "cos", host, CREATED)
    settings = {"Type": "cos", "TriggerName": host, "Enable": "OPEN", "Qualifier": "$DEFAULT"}
    desc = json.dumps({"event": "cos:ObjectCreated:Put", "filter": {"Prefix": "in/deep/"}})
    for function in (first, second):
        code = scf.error_code("CreateTrigger", FunctionName=function, **settings, TriggerDesc=desc)
        assert code == "InvalidParameterValue.CosNotifyRuleConflict"
    scf.call("DeleteFunction", FunctionName=first)
    scf.create_trigger(second, "cos", host, desc)


@pytest.mark.parametrize(
    ("kind", "name", "desc", "code"),
    [
        ("timer", "late", "* * * * *", "InvalidParameterValue.TriggerDesc"),
        ("timer", "has blank", YEARLY, "InvalidParameterValue.TriggerName"),
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
def test_invalid_trigger_is_rejected(scf: Scf, echo: str, kind: str, name: str, desc: str, code: str) -> None:
    params = {"FunctionName": echo, "Type": kind, "TriggerName": name, "TriggerDesc": desc}
    assert scf.error_code("CreateTrigger", **params) == code
    assert scf.list_triggers(echo) == []


def test_second_url_or_timer_of_same_name_is_rejected(scf: Scf) -> None:
    name = scf.create()
    scf.create_url(name)
    scf.create_trigger(name, "timer", "audit", YEARLY)
    same_name = {"FunctionName": name, "Qualifier": "$DEFAULT", "TriggerName": "audit"}
    for kind, desc in (("timer", YEARLY), ("http", '{"AuthType": "NONE"}')):
        assert (
            scf.error_code("CreateTrigger", **same_name, Type=kind, TriggerDesc=desc)
            == "ResourceInUse.Trigger"
        )


def test_eleventh_trigger_of_a_type_is_rejected(scf: Scf) -> None:
    name = scf.create()
    for number in range(10):
        scf.create_trigger(name, "timer", f"t{number}", YEARLY)
    eleventh = {"FunctionName": name, "Type": "timer", "TriggerName": "t10", "TriggerDesc": YEARLY}
    assert scf.error_code("CreateTrigger", **eleventh) == "LimitExceeded.Trigger"
    page = scf.call("ListTriggers", FunctionName=name, Offset=8, Limit=5)
    assert (page["TotalCount"], len(page["Triggers"])) == (10, 2)


def get_retry_config(scf: Scf, function: str) -> tuple[int, int]:
    """The number of retries, and the seconds that an event may wait."""
    config = scf.call("GetFunctionEventInvokeConfig", FunctionName=function)["AsyncTriggerConfig"]
    return config["RetryConfig"][0]["RetryNum"], config["MsgTTL"]


def test_retry_config_is_saved(scf: Scf) -> None:
    name = scf.create()
    assert get_retry_config(scf, name) == (2, 21_600)
    params = {"FunctionName": name, "AsyncTriggerConfig": {"RetryConfig": [{"RetryNum": 1}], "MsgTTL": 600}}
    scf.call("UpdateFunctionEventInvokeConfig", **params)
    assert get_retry_config(scf, name) == (1, 600)


@pytest.mark.parametrize(
    ("config", "member"),
    [
        ({"RetryConfig": [{"RetryNum": 3}]}, "RetryNum"),
        ({"MsgTTL": 59}, "MsgTTL"),
        ({"MsgTTL": 21_601}, "MsgTTL"),
    ],
)
def test_invalid_retry_config_changes_nothing(
    scf: Scf, echo: str, config: dict[str, Any], member: str
) -> None:
    before = get_retry_config(scf, echo)
    code = scf.error_code("UpdateFunctionEventInvokeConfig", FunctionName=echo, AsyncTriggerConfig=config)
    assert code == f"LimitExceeded.{member}"
    assert get_retry_config(scf, echo) == before == (2, 21_600)
