"""Changes that are not known everywhere at once: early requests fail, later ones succeed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.localcloud.clients import MakeSdk
from tests.localcloud.scf.client import BUSY, MakeScf, Scf, build_policy_document
from tests.localcloud.stand_in import StandIn, StartCloud, eventually

pytestmark = pytest.mark.process

YEARLY = "0 0 0 1 1 * *"
SETTLE_MS, DEPLOY_MS = 700, 1500
CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ""}}
WIDE = {"AuthType": "NONE", "NetConfig": {"EnableExtranet": True, "EnableIntranet": True}}


@pytest.fixture(scope="module")
def slow(make_scf: MakeScf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scf]:
    """A cloud with delays for deployment and propagation."""
    options = ("--speech", "scripted", "--settle-ms", str(SETTLE_MS), "--deploy-delay-ms", str(DEPLOY_MS))
    running = StandIn.start(tmp_path_factory.mktemp("slow") / "data", *options)
    yield make_scf(running)
    assert running.stop() == 0


def record_statuses(scf: Scf, name: str) -> list[str]:
    """The sequence of a function's Status until it can be changed."""
    statuses: list[str] = []

    def can_be_changed() -> bool:
        code = scf.get_change_error(name)
        assert code in {BUSY, "ResourceNotFound.Trigger"}
        status = scf.get_function(name)["Status"]
        if statuses[-1:] != [status]:
            statuses.append(status)
        return code != BUSY

    eventually(can_be_changed)
    return statuses


@pytest.fixture(scope="module")
def created(slow: Scf) -> str:
    """A function that may still be deploying."""
    return slow.create(wait=False)


def test_new_function_is_updated_after_active(slow: Scf) -> None:
    name = slow.create(wait=False)
    assert record_statuses(slow, name) == ["Creating", "Active", "Updating", "Active"]


def test_changed_function_is_active_but_busy(slow: Scf, created: str) -> None:
    slow.wait_settled(created)
    slow.call("UpdateFunctionConfiguration", FunctionName=created, Timeout=9)
    busy = "FailedOperation.UpdateFunctionConfiguration"
    assert slow.error_code("UpdateFunctionConfiguration", FunctionName=created, Timeout=8) == busy
    rule = {"FunctionName": created, "AsyncTriggerConfig": {"RetryConfig": [{"RetryNum": 1}]}}
    slow.call("UpdateFunctionEventInvokeConfig", **rule)
    assert record_statuses(slow, created) == ["Active", "Updating", "Active"]
    assert slow.get_function(created)["Timeout"] == 9
    config = slow.call("GetFunctionEventInvokeConfig", FunctionName=created)["AsyncTriggerConfig"]
    assert config["RetryConfig"][0]["RetryNum"] == 1, "a configuration that was set during the update stays"


def test_new_url_is_empty_at_first(slow: Scf, created: str) -> None:
    slow.wait_settled(created)
    first = json.loads(slow.create_trigger(created, "http", "url", WIDE)["TriggerDesc"])["NetConfig"]

    def get_net_config() -> dict[str, Any]:
        (trigger,) = slow.list_triggers(created)
        config: dict[str, Any] = json.loads(trigger["TriggerDesc"])["NetConfig"]
        return config

    urls = {name: value for name, value in first.items() if name.endswith("Url")}
    assert set(urls.values()) == {""}
    eventually(lambda: bool(get_net_config()["ExtranetUrl"]))
    net = get_net_config()
    assert net["ExtranetHTTPUrl"] == net["ExtranetUrl"].replace("https://", "http://")
    assert net["IntranetHTTPUrl"] == net["IntranetUrl"].replace("https://", "http://") != ""
    assert {name for name, value in net.items() if value == ""} == {
        f"{kind}{side}Url" for kind in ("Ws", "Wss") for side in ("Extranet", "Intranet")
    }


def test_deleted_function_loses_its_version_first(slow: Scf) -> None:
    name = slow.create(wait=False, Handler="absent.main_handler")
    eventually(lambda: slow.get_function(name)["Status"] == "CreateFailed")
    slow.call("DeleteFunction", FunctionName=name)
    assert slow.error_code("GetFunction", FunctionName=name) == "ResourceNotFound.Version"
    eventually(lambda: slow.error_code("GetFunction", FunctionName=name) == "ResourceNotFound.Function")


def test_new_role_is_unknown_to_functions_at_first(slow: Scf) -> None:
    name = role = f"r-{secrets.token_hex(4)}"
    trust = build_policy_document(action="name/sts:AssumeRole", principal={"service": ["scf.qcloud.com"]})
    slow.api_client.call("cam", "CreateRole", {"RoleName": role, "PolicyDocument": trust})
    params = {"FunctionName": name, "Handler": "index.main_handler", "Runtime": "Python3.10", "Role": role}
    assert slow.error_code("CreateFunction", **params) == "ResourceNotFound.Role"
    # As soon as the role is known, the missing code is the error.
    eventually(lambda: slow.error_code("CreateFunction", **params) == "MissingParameter.Code")


def test_new_policy_cannot_be_attached_at_first(slow: Scf) -> None:
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

    name = f"policy-{secrets.token_hex(4)}"
    reading = build_policy_document(action=["cos:GetObject"], resource=["*"])
    policy = slow.api_client.call("cam", "CreatePolicy", {"PolicyName": name, "PolicyDocument": reading})
    codes: list[str] = []

    def attach() -> bool:
        try:
            slow.api_client.call("cam", "AttachRolePolicy", {**policy, "AttachRoleName": "CI_QCSRole"})
        except TencentCloudSDKException as error:
            codes.append(error.get_code())
            return False
        return True

    eventually(attach)
    assert set(codes) == {"InvalidParameter.PolicyIdNotExist"}


def test_new_queue_is_not_shown_at_first(slow: Scf, make_sdk: MakeSdk) -> None:
    sdk, bucket = make_sdk(slow.cloud), f"b-{secrets.token_hex(6)}-{slow.cloud.appid}"
    sdk.create_bucket(bucket)
    sdk.ci_open_asr_bucket(bucket)
    assert sdk.ci_get_asr_queue(bucket)["TotalCount"] == "0"
    eventually(lambda: sdk.ci_get_asr_queue(bucket)["TotalCount"] == "1")


def test_cos_trigger_needs_scf_service_role(
    start_cloud: StartCloud, make_scf: MakeScf, make_sdk: MakeSdk
) -> None:
    scf = make_scf(start_cloud("--deploy-delay-ms", "0"))
    name, bucket = scf.create(), f"audio-{scf.cloud.appid}"
    make_sdk(scf.cloud).create_bucket(bucket)
    role = scf.api_client.call("cam", "GetRole", {"RoleName": "SCF_QcsRole"})["RoleInfo"]
    assert "scf.qcloud.com" in role["PolicyDocument"]
    assert role["Description"]
    created = scf.create_trigger(name, "cos", scf.cloud.bucket_host(bucket), CREATED)
    params = {field: created[field] for field in ("Type", "TriggerName", "TriggerDesc", "Qualifier")}
    scf.call("DeleteTrigger", FunctionName=name, **params)
    scf.api_client.call("cam", "DeleteRole", {"RoleName": "SCF_QcsRole"})
    assert scf.error_code("CreateTrigger", FunctionName=name, **params) == "UnauthorizedOperation.Role"
    scf.create_trigger(name, "timer", "audit", YEARLY)
