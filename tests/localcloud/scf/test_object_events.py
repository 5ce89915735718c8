"""The events of restores and copies, for functions whose triggers are on different events of one bucket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.localcloud.clients import CosSdk
from tests.localcloud.scf.client import Scf

pytestmark = pytest.mark.process

CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "", "Suffix": ""}}
COMPLETED = {"event": "cos:ObjectRestore:Completed", "filter": {"Prefix": "", "Suffix": ""}}


@pytest.fixture
def function(scf: Scf, bucket: str) -> str:
    """A function with two triggers on the bucket."""
    name = str(scf.create())
    for desc in (CREATED, COMPLETED):
        scf.create_trigger(name, "cos", scf.cloud.bucket_host(bucket), desc)
    return name


def get_records(scf: Scf, function: str) -> dict[str, dict[str, Any]]:
    """The record of each event by its name; asynchronous events arrive in any order."""
    records = [each["result"]["Records"][0] for each in scf.invocations(function)]
    by_name = {record["event"]["eventName"]: record for record in records}
    assert len(by_name) == len(records)
    return by_name


def test_restore_starts_functions_with_such_a_trigger(
    scf: Scf, sdk: CosSdk, bucket: str, function: str
) -> None:
    posted = scf.create()
    desc = {"event": "cos:ObjectRestore:Post", "filter": {"Prefix": "", "Suffix": ""}}
    scf.create_trigger(posted, "cos", scf.cloud.bucket_host(bucket), desc)
    sdk.put_object(bucket, b"old words", "a", StorageClass="ARCHIVE")
    sdk.restore_object(bucket, "a", {"Days": 1, "CASJobParameters": {"Tier": "Standard"}})
    records = get_records(scf, function)
    assert set(records) == {"cos:ObjectCreated:Put", "cos:ObjectRestore:Completed"}
    assert set(get_records(scf, posted)) == {"cos:ObjectRestore:Post"}
    restored = records["cos:ObjectRestore:Completed"]["cos"]["cosObject"]
    assert restored["meta"]["x-cos-storage-class"] == "ARCHIVE"
    assert (restored["key"], restored["size"]) == (f"/{scf.cloud.appid}/{bucket.rpartition('-')[0]}/a", 9)


def test_copy_onto_itself_raises_a_copy_event(scf: Scf, sdk: CosSdk, bucket: str, function: str) -> None:
    sdk.put_object(bucket, b"x", "a")
    place = {"Bucket": bucket, "Key": "a", "Region": scf.cloud.region}
    sdk.copy_object(bucket, "a", place, CopyStatus="Replaced", StorageClass="STANDARD_IA")
    assert set(get_records(scf, function)) == {"cos:ObjectCreated:Put", "cos:ObjectCreated:Copy"}


def test_triggers_of_one_bucket_are_identified_by_their_desc(scf: Scf, bucket: str, function: str) -> None:
    host = scf.cloud.bucket_host(bucket)
    shown = scf.call("ListTriggers", FunctionName=function)["Triggers"]
    assert {trigger["TriggerName"] for trigger in shown} == {host}
    events = sorted(json.loads(trigger["TriggerDesc"])["event"] for trigger in shown)
    assert events == ["cos:ObjectCreated:*", "cos:ObjectRestore:Completed"]
    named = {"FunctionName": function, "TriggerName": host, "Type": "cos", "Qualifier": "$DEFAULT"}
    same = {**named, "Enable": "OPEN", "TriggerDesc": json.dumps(COMPLETED)}
    assert scf.error_code("CreateTrigger", **same) == "InvalidParameterValue.CosNotifyRuleConflict"
    scf.call("DeleteTrigger", **named, TriggerDesc=json.dumps(COMPLETED))
    (left,) = scf.call("ListTriggers", FunctionName=function)["Triggers"]
    assert json.loads(left["TriggerDesc"])["event"] == "cos:ObjectCreated:*"
    scf.create_trigger(function, "cos", host, COMPLETED)
