"""What the cloud takes a moment for: who asks too soon is told so, and finds everything in the end."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.process

NEW_YEAR = "0 0 0 1 1 * *"
SETTLE_MS, DEPLOY_MS = 300, 800
CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ""}}
WIDE = {"AuthType": "NONE", "NetConfig": {"EnableExtranet": True, "EnableIntranet": True}}


def document(**statement: Any) -> str:
    return json.dumps({"version": "2.0", "statement": [{"effect": "allow", **statement}]})


@pytest.fixture(scope="module")
def slow(cloud: Any, scf_of: Callable[[Any], Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cloud in which nothing is known everywhere at once."""
    options = ("--speech", "scripted", "--settle-ms", str(SETTLE_MS), "--deploy-delay-ms", str(DEPLOY_MS))
    running = type(cloud).start(tmp_path_factory.mktemp("slow") / "data", *options)
    yield scf_of(running)
    assert running.stop() == 0


def watch(scf: Any, name: str, eventually: Callable[..., Any]) -> list[str]:
    """What a function's Status is, one after the other, until it can be changed."""
    seen: list[str] = []

    def is_free() -> bool:
        nothing = {"FunctionName": name, "Type": "timer", "TriggerName": "there-is-none"}
        code = scf.refused("DeleteTrigger", **nothing)
        assert code in {"FailedOperation.DeleteTrigger", "ResourceNotFound.Trigger"}
        status = scf.call("GetFunction", FunctionName=name)["Status"]
        if seen[-1:] != [status]:
            seen.append(status)
        return bool(code == "ResourceNotFound.Trigger")

    eventually(is_free)
    return seen


@pytest.fixture(scope="module")
def made(slow: Any) -> Any:
    """A function that may still be on its way."""
    return slow.create(wait=False)


def test_a_new_function_is_changed_once_more_after_it_was_active(
    slow: Any, eventually: Callable[..., Any]
) -> None:
    name = slow.create(wait=False)
    assert watch(slow, name, eventually) == ["Creating", "Active", "Updating", "Active"]


def test_a_changed_function_is_active_for_a_moment_and_not_free(
    slow: Any, made: str, eventually: Callable[..., Any]
) -> None:
    slow.settled(made)
    slow.call("UpdateFunctionConfiguration", FunctionName=made, Timeout=9)
    busy = "FailedOperation.UpdateFunctionConfiguration"
    assert slow.refused("UpdateFunctionConfiguration", FunctionName=made, Timeout=8) == busy
    rule = {"FunctionName": made, "AsyncTriggerConfig": {"RetryConfig": [{"RetryNum": 1}]}}
    slow.call("UpdateFunctionEventInvokeConfig", **rule)
    assert watch(slow, made, eventually) == ["Active", "Updating", "Active"]
    assert slow.call("GetFunction", FunctionName=made)["Timeout"] == 9
    told = slow.call("GetFunctionEventInvokeConfig", FunctionName=made)["AsyncTriggerConfig"]
    assert told["RetryConfig"][0]["RetryNum"] == 1, "a rule that was set meanwhile stays"


def test_a_new_address_is_empty_for_a_moment(slow: Any, made: str, eventually: Callable[..., Any]) -> None:
    slow.settled(made)
    first = json.loads(slow.trigger(made, "http", "url", WIDE)["TriggerDesc"])["NetConfig"]

    def told() -> dict[str, Any]:
        (shown,) = slow.call("ListTriggers", FunctionName=made)["Triggers"]
        found: dict[str, Any] = json.loads(shown["TriggerDesc"])["NetConfig"]
        return found

    urls = {name: value for name, value in first.items() if name.endswith("Url")}
    assert set(urls.values()) == {""}
    eventually(lambda: bool(told()["ExtranetUrl"]))
    net = told()
    assert net["ExtranetHTTPUrl"] == net["ExtranetUrl"].replace("https://", "http://")
    assert net["IntranetHTTPUrl"] == net["IntranetUrl"].replace("https://", "http://") != ""
    assert {name for name, value in net.items() if value == ""} == {
        f"{kind}{side}Url" for kind in ("Ws", "Wss") for side in ("Extranet", "Intranet")
    }


def test_a_deleted_function_loses_its_version_first(slow: Any, eventually: Callable[..., Any]) -> None:
    name = slow.create(wait=False, Handler="absent.main_handler")
    eventually(lambda: slow.call("GetFunction", FunctionName=name)["Status"] == "CreateFailed")
    slow.call("DeleteFunction", FunctionName=name)
    assert slow.refused("GetFunction", FunctionName=name) == "ResourceNotFound.Version"
    eventually(lambda: slow.refused("GetFunction", FunctionName=name) == "ResourceNotFound.Function")


def test_a_new_role_is_unknown_to_functions_for_a_moment(slow: Any, eventually: Callable[..., Any]) -> None:
    name = role = f"r-{secrets.token_hex(4)}"
    trust = document(action="name/sts:AssumeRole", principal={"service": ["scf.qcloud.com"]})
    slow.control.call("cam", "CreateRole", {"RoleName": role, "PolicyDocument": trust})
    wanted = {"FunctionName": name, "Handler": "index.main_handler", "Runtime": "Python3.10", "Role": role}
    assert slow.refused("CreateFunction", **wanted) == "ResourceNotFound.Role"
    # As soon as the role is known, the missing code is what is wrong.
    eventually(lambda: slow.refused("CreateFunction", **wanted) == "MissingParameter.Code")


def test_a_new_policy_cannot_be_attached_for_a_moment(slow: Any, eventually: Callable[..., Any]) -> None:
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

    name = f"policy-{secrets.token_hex(4)}"
    reading = document(action=["cos:GetObject"], resource=["*"])
    policy = slow.control.call("cam", "CreatePolicy", {"PolicyName": name, "PolicyDocument": reading})
    refusals: list[str] = []

    def attached() -> bool:
        try:
            slow.control.call("cam", "AttachRolePolicy", {**policy, "AttachRoleName": "CI_QCSRole"})
        except TencentCloudSDKException as error:
            refusals.append(error.get_code())
            return False
        return True

    eventually(attached)
    assert set(refusals) == {"InvalidParameter.PolicyIdNotExist"}


def test_a_new_queue_is_not_shown_for_a_moment(
    slow: Any, sdk_of: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    sdk, bucket = sdk_of(slow.cloud), f"b-{secrets.token_hex(6)}-{slow.cloud.appid}"
    sdk.create_bucket(bucket)
    sdk.ci_open_asr_bucket(bucket)
    assert sdk.ci_get_asr_queue(bucket)["TotalCount"] == "0"
    eventually(lambda: sdk.ci_get_asr_queue(bucket)["TotalCount"] == "1")


def test_scf_writes_rules_to_buckets_by_a_role_of_its_own(
    start_cloud: Callable[..., Any], scf_of: Callable[[Any], Any], sdk_of: Callable[..., Any]
) -> None:
    scf = scf_of(start_cloud("--deploy-delay-ms", "0"))
    name, bucket = scf.create(), f"audio-{scf.cloud.appid}"
    sdk_of(scf.cloud).create_bucket(bucket)
    role = scf.control.call("cam", "GetRole", {"RoleName": "SCF_QcsRole"})["RoleInfo"]
    assert "scf.qcloud.com" in role["PolicyDocument"]
    assert role["Description"]
    made = scf.trigger(name, "cos", scf.cloud.bucket_host(bucket), CREATED)
    given = {field: made[field] for field in ("Type", "TriggerName", "TriggerDesc", "Qualifier")}
    scf.call("DeleteTrigger", FunctionName=name, **given)
    scf.control.call("cam", "DeleteRole", {"RoleName": "SCF_QcsRole"})
    assert scf.refused("CreateTrigger", FunctionName=name, **given) == "UnauthorizedOperation.Role"
    scf.trigger(name, "timer", "audit", NEW_YEAR)
