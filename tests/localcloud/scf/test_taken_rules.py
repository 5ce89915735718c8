"""A bucket whose notification rule another product has: CreateTrigger is refused until it is released."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.localcloud.clients import CosSdk
from tests.localcloud.scf.client import Scf
from tests.localcloud.stand_in import StandIn

pytestmark = pytest.mark.process

CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ""}}


@pytest.fixture
def release(cloud: StandIn) -> Iterator[None]:
    yield
    cloud.admin("DELETE", "taken_rules")


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize("code", ["ResourceInUse.Cos", "InvalidParameterValue.CosNotifyRuleConflict"])
def test_trigger_is_refused_while_the_rule_is_taken(scf: Scf, sdk: CosSdk, bucket: str, code: str) -> None:
    name, host = scf.create(), scf.cloud.bucket_host(bucket)
    params = {"FunctionName": name, "Type": "cos", "TriggerName": host, "TriggerDesc": json.dumps(CREATED)}
    taken = scf.cloud.admin("PUT", "taken_rules", {"bucket": bucket, "code": code})
    assert taken == {bucket: code}
    for _ in range(2):
        assert scf.error_code("CreateTrigger", **params) == code
    other = f"free-{bucket}"
    sdk.create_bucket(other)
    scf.create_trigger(name, "cos", scf.cloud.bucket_host(other), CREATED)
    assert scf.cloud.admin("DELETE", "taken_rules") == {}
    scf.create_trigger(name, "cos", host, CREATED)


def test_code_is_one_of_two(cloud: StandIn) -> None:
    body = {"bucket": "b", "code": "Other"}
    assert cloud.send_admin("PUT", "taken_rules", json=body).status_code == 400
    assert cloud.admin("GET", "taken_rules") == {}
