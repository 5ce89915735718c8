"""Responses of Tencent's API that the stand-in cloud does not give: prepared by hand, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from cli.cloud.client import MAX_PAUSE_S, RETRY_TIMEOUT_S, ApiError, get_caller_identity
from cli.cloud.scf import STABLE_TIMEOUT_S, FunctionNotActive, parse_trigger
from tests.helpers.fake_api import FakeApi, error_response, function_status, running_fake_api

DOCUMENT = {
    "version": "2.0",
    "statement": [{"effect": "allow", "action": ["cos:HeadObject"], "resource": ["*"]}],
}
UPDATE = {"FunctionName": "f", "Namespace": "default", "Role": "r"}
TRIGGER = {"FunctionName": "f", "Namespace": "default"}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running_fake_api() as api:
        yield api


@pytest.mark.parametrize(
    "code", ["ResourceNotFound.Role", "ResourceNotFound.RoleCheck", "InvalidParameter.RoleCheck"]
)
def test_request_is_retried_until_scf_sees_a_new_role(code: str, api: FakeApi) -> None:
    for action in ("CreateFunction", "UpdateFunctionConfiguration"):
        api.responses[action] = [error_response(code), error_response(code), {}]
    api.scf.create_function(UPDATE, b"zip")
    api.scf.update_configuration(UPDATE)
    assert api.actions == ["CreateFunction"] * 3 + ["UpdateFunctionConfiguration"] * 3


def test_role_that_never_appears_is_an_error_after_a_minute(api: FakeApi) -> None:
    api.responses["CreateFunction"] = [error_response("ResourceNotFound.Role")]
    api.slowness = 20
    with pytest.raises(ApiError, match=r"ResourceNotFound\.Role"):
        api.scf.create_function(UPDATE, b"zip")
    assert RETRY_TIMEOUT_S <= sum(api.pauses) < RETRY_TIMEOUT_S + api.slowness


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "FailedOperation.UpdateFunctionConfiguration",
            "当前函数处于Updating状态，无法进行此操作，请稍后重试。",
        ),
        ("FailedOperation.UpdateFunctionConfiguration", "The function is Updating."),
        ("FailedOperation.UpdateFunctionConfiguration", "当前函数状态无法进行此操作。"),
        ("FailedOperation.UpdateFunctionConfiguration", "请稍后重试。"),
        ("FailedOperation.FunctionVersionStatusNotActive", "it says no"),
        ("FailedOperation.OperationConflict", "it says no"),
        ("UnauthorizedOperation.FunctionStatus", "it says no"),
    ],
)
def test_change_is_retried_while_the_function_is_busy(code: str, message: str, api: FakeApi) -> None:
    api.responses = {
        "GetFunction": [function_status("Active")],
        "UpdateFunctionConfiguration": [error_response(code, message), {}],
    }
    api.scf.update_configuration(UPDATE)
    assert api.actions == ["UpdateFunctionConfiguration", "GetFunction", "UpdateFunctionConfiguration"]


def test_trigger_is_sent_again_while_its_function_is_updating(api: FakeApi) -> None:
    api.responses = {
        "GetFunction": [function_status("Updating")],
        "CreateTrigger": [error_response("FailedOperation.CreateTrigger"), {}],
    }
    api.scf.create_trigger(TRIGGER)
    assert api.actions.count("CreateTrigger") == 2


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("FailedOperation.CreateTrigger", "Active"),  # the trigger itself is wrong
        ("FailedOperation.FunctionStatusError", "UpdateFailed"),  # waiting does not help
        ("InvalidParameterValue.TriggerDesc", "Updating"),
    ],
)
def test_permanent_error_is_not_retried(code: str, status: str, api: FakeApi) -> None:
    api.responses = {"GetFunction": [function_status(status)], "CreateTrigger": [error_response(code)]}
    with pytest.raises(ApiError, match=code):
        api.scf.create_trigger(TRIGGER)
    assert api.pauses == []


def test_function_without_versions_is_still_being_deleted(api: FakeApi) -> None:
    api.responses = {
        "DeleteFunction": [{}],
        "GetFunction": [
            error_response("ResourceNotFound.Version"),
            error_response("ResourceNotFound.Function"),
        ],
    }
    api.scf.delete_function("f", "default")
    assert api.actions == ["DeleteFunction", "GetFunction", "GetFunction"]


def test_waiting_for_an_active_function_ends(api: FakeApi) -> None:
    api.responses["GetFunction"] = [function_status("Creating")]
    api.slowness = 100
    with pytest.raises(FunctionNotActive, match=r"SCF console.*run the command again"):
        api.scf.wait_until_active("f", "default")
    assert STABLE_TIMEOUT_S <= sum(api.pauses) < STABLE_TIMEOUT_S + 100 * MAX_PAUSE_S


def test_attaching_is_retried_until_cam_sees_a_new_policy(api: FakeApi) -> None:
    absent = error_response("InvalidParameter.RoleNotExist")
    api.responses = {
        "ListPolicies": [{"TotalNum": 0, "List": []}],
        "GetRole": [absent],
        "CreateRole": [{"RoleId": "1"}],
        "CreatePolicy": [{"PolicyId": 7}],
        "ListAttachedRolePolicies": [absent, {"TotalNum": 0, "List": []}],
        "AttachRolePolicy": [
            error_response("ResourceNotFound.PolicyIdNotFound"),
            error_response("InvalidParameter.PolicyIdNotExist"),
            {},
        ],
    }
    assert api.cam.ensure_role("scribe-prod-upload", DOCUMENT)
    assert api.actions[-3:] == ["AttachRolePolicy"] * 3
    assert (api.actions.count("CreateRole"), api.actions.count("CreatePolicy")) == (1, 1)


def test_response_members_newer_than_the_sdk_are_accepted(api: FakeApi) -> None:
    newer = {"Tags": [{"Key": "app", "Value": "scribe", "NewerThanTheSdk": 1}], "AlsoNewer": {}}
    api.responses["GetFunction"] = [{**function_status("Active"), **newer}]
    function = api.scf.get_function("f", "default")
    assert function is not None
    assert function.tags == {"app": "scribe"}


@pytest.mark.parametrize("body", [b"<html>Please log in</html>", b"[]", b'{"login": "/portal"}'])
def test_response_that_is_not_from_the_api_is_a_network_error(body: bytes, api: FakeApi) -> None:
    api.raw_body = body
    with pytest.raises(ApiError, match="did not come from Tencent's API, but perhaps from a proxy") as caught:
        api.scf.get_function("f", "default")
    assert caught.value.code == "ServerNetworkError"


@pytest.mark.parametrize(
    ("kind", "arn", "is_root"),
    [
        ("CAMUser", "qcs::cam::uin/100000000001:uin/100000000001", True),
        ("", "qcs::sts:100000000001:assumed-role/4611686018427397919", False),
        ("", "qcs::sts::uin/100000000001:federated-user/100000000001", False),
        ("CAMRole", "qcs::cam::uin/100000000001:uin/100000000001", False),
    ],
)
def test_key_of_a_role_is_not_the_root_accounts(kind: str, arn: str, is_root: bool, api: FakeApi) -> None:
    api.responses = {
        "GetCallerIdentity": [{"Arn": arn, "Type": kind, "AccountId": "100000000001"}],
        "GetUserAppId": [{"Uin": "100000000001", "OwnerUin": "100000000001", "AppId": 1250000000}],
    }
    assert get_caller_identity(api.client).is_root == is_root


def test_addresses_of_an_http_trigger_are_not_settings() -> None:
    network = {"EnableExtranet": True, "EnableIntranet": False}
    urls = ("IntranetHTTPUrl", "ExtranetHTTPUrl", "WsIntranetUrl", "WssExtranetUrl", "ExtranetUrl")
    sent = {"AuthType": "NONE", "NetConfig": {**network, **{name: f"https://{name}" for name in urls}}}
    trigger = parse_trigger({"Type": "http", "TriggerDesc": json.dumps(sent)})
    assert json.loads(trigger.description) == {"AuthType": "NONE", "NetConfig": network}
    assert trigger.url == "https://ExtranetUrl"
