"""Changes that are not known everywhere at once: early requests fail, later ones succeed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.process

NEW_YEAR = "0 0 0 1 1 * *"
SETTLE_MS, DEPLOY_MS = 700, 1500
CREATED = {"event": "cos:ObjectCreated:*", "filter": {"Prefix": "in/", "Suffix": ""}}
WIDE = {"AuthType": "NONE", "NetConfig": {"EnableExtranet": True, "EnableIntranet": True}}


def document(**statement: Any) -> str:
    return json.dumps({"version": "2.0", "statement": [{"effect": "allow", **statement}]})


@pytest.fixture(scope="module")
def slow(
    cloud: Any, make_scf: Callable[[Any], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A cloud with delays for deployment and propagation."""
    options = ("--speech", "scripted", "--settle-ms", str(SETTLE_MS), "--deploy-delay-ms", str(DEPLOY_MS))
    running = type(cloud).start(tmp_path_factory.mktemp("slow") / "data", *options)
    yield make_scf(running)
    assert running.stop() == 0


def watch(scf: Any, name: str, eventually: Callable[..., Any]) -> list[str]:
    """The sequence of a function's Status until it can be changed."""
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
def created(slow: Any) -> Any:
    """A function that may still be deploying."""
    return slow.create(wait=False)


def test_new_function_is_updated_after_active(slow: Any, eventually: Callable[..., Any]) -> None:
    name = slow.create(wait=False)
    assert watch(slow, name, eventually) == ["Creating", "Active", "Updating", "Active"]


def test_changed_function_is_active_but_busy(slow: Any, created: str, eventually: Callable[..., Any]) -> None:
    slow.settled(created)
    slow.call("UpdateFunctionConfiguration", FunctionName=created, Timeout=9)
    busy = "FailedOperation.UpdateFunctionConfiguration"
    assert slow.refused("UpdateFunctionConfiguration", FunctionName=created, Timeout=8) == busy
    rule = {"FunctionName": created, "AsyncTriggerConfig": {"RetryConfig": [{"RetryNum": 1}]}}
    slow.call("UpdateFunctionEventInvokeConfig", **rule)
    assert watch(slow, created, eventually) == ["Active", "Updating", "Active"]
    assert slow.call("GetFunction", FunctionName=created)["Timeout"] == 9
    shown_now = slow.call("GetFunctionEventInvokeConfig", FunctionName=created)["AsyncTriggerConfig"]
    assert shown_now["RetryConfig"][0]["RetryNum"] == 1, (
        "a configuration that was set during the update stays"
    )


def test_new_url_is_empty_at_first(slow: Any, created: str, eventually: Callable[..., Any]) -> None:
    slow.settled(created)
    first = json.loads(slow.trigger(created, "http", "url", WIDE)["TriggerDesc"])["NetConfig"]

    def shown_now() -> dict[str, Any]:
        (shown,) = slow.call("ListTriggers", FunctionName=created)["Triggers"]
        result: dict[str, Any] = json.loads(shown["TriggerDesc"])["NetConfig"]
        return result

    urls = {name: value for name, value in first.items() if name.endswith("Url")}
    assert set(urls.values()) == {""}
    eventually(lambda: bool(shown_now()["ExtranetUrl"]))
    net = shown_now()
    assert net["ExtranetHTTPUrl"] == net["ExtranetUrl"].replace("https://", "http://")
    assert net["IntranetHTTPUrl"] == net["IntranetUrl"].replace("https://", "http://") != ""
    assert {name for name, value in net.items() if value == ""} == {
        f"{kind}{side}Url" for kind in ("Ws", "Wss") for side in ("Extranet", "Intranet")
    }


def test_deleted_function_loses_its_version_first(slow: Any, eventually: Callable[..., Any]) -> None:
    name = slow.create(wait=False, Handler="absent.main_handler")
    eventually(lambda: slow.call("GetFunction", FunctionName=name)["Status"] == "CreateFailed")
    slow.call("DeleteFunction", FunctionName=name)
    assert slow.refused("GetFunction", FunctionName=name) == "ResourceNotFound.Version"
    eventually(lambda: slow.refused("GetFunction", FunctionName=name) == "ResourceNotFound.Function")


def test_new_role_is_unknown_to_functions_at_first(slow: Any, eventually: Callable[..., Any]) -> None:
    name = role = f"r-{secrets.token_hex(4)}"
    trust = document(action="name/sts:AssumeRole", principal={"service": ["scf.qcloud.com"]})
    slow.api_client.call("cam", "CreateRole", {"RoleName": role, "PolicyDocument": trust})
    wanted = {"FunctionName": name, "Handler": "index.main_handler", "Runtime": "Python3.10", "Role": role}
    assert slow.refused("CreateFunction", **wanted) == "ResourceNotFound.Role"
    # As soon as the role is known, the missing code is the error.
    eventually(lambda: slow.refused("CreateFunction", **wanted) == "MissingParameter.Code")


def test_new_policy_cannot_be_attached_at_first(slow: Any, eventually: Callable[..., Any]) -> None:
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

    name = f"policy-{secrets.token_hex(4)}"
    reading = document(action=["cos:GetObject"], resource=["*"])
    policy = slow.api_client.call("cam", "CreatePolicy", {"PolicyName": name, "PolicyDocument": reading})
    refusals: list[str] = []

    def attached() -> bool:
        try:
            slow.api_client.call("cam", "AttachRolePolicy", {**policy, "AttachRoleName": "CI_QCSRole"})
        except TencentCloudSDKException as error:
            refusals.append(error.get_code())
            return False
        return True

    eventually(attached)
    assert set(refusals) == {"InvalidParameter.PolicyIdNotExist"}


def test_new_queue_is_not_shown_at_first(
    slow: Any, make_sdk: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    sdk, bucket = make_sdk(slow.cloud), f"b-{secrets.token_hex(6)}-{slow.cloud.appid}"
    sdk.create_bucket(bucket)
    sdk.ci_open_asr_bucket(bucket)
    assert sdk.ci_get_asr_queue(bucket)["TotalCount"] == "0"
    eventually(lambda: sdk.ci_get_asr_queue(bucket)["TotalCount"] == "1")


def test_cos_trigger_needs_scf_service_role(
    start_cloud: Callable[..., Any], make_scf: Callable[[Any], Any], make_sdk: Callable[..., Any]
) -> None:
    scf = make_scf(start_cloud("--deploy-delay-ms", "0"))
    name, bucket = scf.create(), f"audio-{scf.cloud.appid}"
    make_sdk(scf.cloud).create_bucket(bucket)
    role = scf.api_client.call("cam", "GetRole", {"RoleName": "SCF_QcsRole"})["RoleInfo"]
    assert "scf.qcloud.com" in role["PolicyDocument"]
    assert role["Description"]
    created = scf.trigger(name, "cos", scf.cloud.bucket_host(bucket), CREATED)
    params = {field: created[field] for field in ("Type", "TriggerName", "TriggerDesc", "Qualifier")}
    scf.call("DeleteTrigger", FunctionName=name, **params)
    scf.api_client.call("cam", "DeleteRole", {"RoleName": "SCF_QcsRole"})
    assert scf.refused("CreateTrigger", FunctionName=name, **params) == "UnauthorizedOperation.Role"
    scf.trigger(name, "timer", "audit", NEW_YEAR)
