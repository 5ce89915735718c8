"""Roles and policies through the official SDK."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.process

TRUST = {
    "version": "2.0",
    "statement": [
        {
            "action": "name/sts:AssumeRole",
            "effect": "allow",
            "principal": {"service": ["scf.qcloud.com"]},
        }
    ],
}
READ = {
    "version": "2.0",
    "statement": [{"effect": "allow", "action": ["name/cos:GetObject"], "resource": ["*"]}],
}


def new_name(kind: str) -> str:
    return f"scribe-{kind}-{secrets.token_hex(4)}"


@pytest.fixture
def cam(api_client: Any) -> Callable[..., dict[str, Any]]:
    return lambda action, **params: api_client.call("cam", action, params)


@pytest.fixture
def refused(api_client: Any) -> Callable[..., str]:
    return lambda action, **params: api_client.error_code("cam", action, params)


@pytest.fixture
def role(cam: Any) -> str:
    name = new_name("role")
    cam("CreateRole", RoleName=name, PolicyDocument=json.dumps(TRUST))
    return name


@pytest.fixture
def policy(cam: Any) -> int:
    return int(
        cam("CreatePolicy", PolicyName=new_name("policy"), PolicyDocument=json.dumps(READ))["PolicyId"]
    )


def attached(cam: Any, role: str, **params: Any) -> list[str]:
    shown = cam("ListAttachedRolePolicies", RoleName=role, Page=1, Rp=200, **params)
    assert shown["TotalNum"] == len(shown["List"])
    return [each["PolicyName"] for each in shown["List"]]


def test_role_is_created_read_updated_and_deleted(cam: Any, refused: Any) -> None:
    name, document = new_name("role"), json.dumps(TRUST, indent=1)
    created = cam(
        "CreateRole", RoleName=name, PolicyDocument=document, Description="says hello", SessionDuration=7200
    )
    info = cam("GetRole", RoleName=name)["RoleInfo"]
    assert info == cam("GetRole", RoleId=created["RoleId"])["RoleInfo"]
    assert (info["RoleName"], info["RoleId"], info["Description"]) == (name, created["RoleId"], "says hello")
    assert info["PolicyDocument"] == document
    assert refused("CreateRole", RoleName=name, PolicyDocument=document) == "InvalidParameter.RoleNameInUse"
    other = document.replace("scf.qcloud.com", "ci.qcloud.com")
    cam("UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=other)
    assert cam("GetRole", RoleName=name)["RoleInfo"]["PolicyDocument"] == other
    cam("DeleteRole", RoleName=name)
    assert refused("GetRole", RoleName=name) == "InvalidParameter.RoleNotExist"
    assert refused("DeleteRole", RoleName=name) == "InvalidParameter.RoleNotExist"


def test_roles_are_listed_by_page(cam: Any, role: str) -> None:
    names: list[str] = []
    page = 1
    while shown := cam("DescribeRoleList", Page=page, Rp=2)["List"]:
        names += [each["RoleName"] for each in shown]
        page += 1
    assert len(names) == len(set(names)) == cam("DescribeRoleList", Page=1, Rp=1)["TotalNum"]
    assert {role, "CI_QCSRole"} <= set(names)


def test_policy_is_created_read_updated_and_deleted(cam: Any, refused: Any) -> None:
    name, document = new_name("policy"), json.dumps(READ)
    policy = cam("CreatePolicy", PolicyName=name, PolicyDocument=document, Description="one")["PolicyId"]
    again = {"PolicyName": name, "PolicyDocument": document}
    assert refused("CreatePolicy", **again) == "FailedOperation.PolicyNameInUse"
    shown = cam("GetPolicy", PolicyId=policy)
    assert (shown["PolicyName"], shown["PolicyDocument"], shown["Description"], shown["Type"]) == (
        name,
        document,
        "one",
        1,
    )
    wider = document.replace("GetObject", "*")
    assert cam("UpdatePolicy", PolicyName=name, PolicyDocument=wider)["PolicyId"] == policy
    cam("UpdatePolicy", PolicyId=policy, Description="two")
    shown = cam("GetPolicy", PolicyId=policy)
    assert (shown["PolicyDocument"], shown["Description"]) == (wider, "two")
    cam("DeletePolicy", PolicyId=[policy])
    missing = "ResourceNotFound.PolicyIdNotFound"
    assert refused("GetPolicy", PolicyId=policy) == missing
    assert refused("UpdatePolicy", PolicyId=policy, Description="x") == missing
    assert refused("DeletePolicy", PolicyId=[policy]) == missing


def test_policies_are_listed_by_scope_and_keyword(cam: Any) -> None:
    word = secrets.token_hex(6)
    for number in range(3):
        cam("CreatePolicy", PolicyName=f"{word}-{number}", PolicyDocument=json.dumps(READ))
    first, second = (cam("ListPolicies", Keyword=word, Scope="Local", Rp=2, Page=page) for page in (1, 2))
    assert first["TotalNum"] == second["TotalNum"] == 3
    names = [each["PolicyName"] for page in (first, second) for each in page["List"]]
    assert sorted(names) == [f"{word}-{number}" for number in range(3)]
    assert cam("ListPolicies", Keyword=word, Scope="QCS")["TotalNum"] == 0
    presets = [each["PolicyName"] for each in cam("ListPolicies", Scope="QCS")["List"]]
    assert "QcloudCOSDataFullControl" in presets
    assert cam("ListPolicies")["TotalNum"] >= 3 + len(presets)


def test_role_has_attached_policies(cam: Any, role: str, policy: int) -> None:
    name = cam("GetPolicy", PolicyId=policy)["PolicyName"]
    cam("AttachRolePolicy", PolicyId=policy, AttachRoleName=role)
    cam("AttachRolePolicy", PolicyName=name, AttachRoleName=role)
    cam("AttachRolePolicy", PolicyName="QcloudCOSDataFullControl", AttachRoleName=role)
    assert sorted(attached(cam, role)) == ["QcloudCOSDataFullControl", name]
    assert attached(cam, role, PolicyType="User") == [name]
    assert attached(cam, role, PolicyType="QCS") == ["QcloudCOSDataFullControl"]
    assert attached(cam, role, Keyword=name[-4:]) == [name]
    one = cam("ListAttachedRolePolicies", RoleName=role, Page=2, Rp=1)
    assert (len(one["List"]), one["TotalNum"]) == (1, 2)
    cam("DetachRolePolicy", PolicyName="QcloudCOSDataFullControl", DetachRoleName=role)
    assert attached(cam, role) == [name]
    cam("DeletePolicy", PolicyId=[policy])
    assert attached(cam, role) == []


@pytest.mark.parametrize(
    ("code", "action", "params"),
    [
        ("InvalidParameter.ParamError", "GetRole", {}),
        ("MissingParameter", "CreateRole", {"RoleName": "r"}),
        ("InvalidParameter.RoleNameError", "CreateRole", {"RoleName": "a b", "PolicyDocument": "{}"}),
        ("InvalidParameter.PolicyDocumentError", "CreateRole", {"RoleName": "r", "PolicyDocument": "{"}),
        ("InvalidParameter.VersionError", "CreateRole", {"RoleName": "r", "PolicyDocument": "{}"}),
        (
            "InvalidParameter.PrincipalError",
            "CreateRole",
            {"RoleName": "r", "PolicyDocument": json.dumps(TRUST).replace("principal", "who")},
        ),
        (
            "InvalidParameter.PrincipalServiceNotExist",
            "CreateRole",
            {"RoleName": "r", "PolicyDocument": json.dumps(TRUST).replace("scf.qcloud.com", "scf.example")},
        ),
        ("InvalidParameter.ParamError", "DescribeRoleList", {"Page": 1, "Rp": 201}),
        ("InvalidParameter.PolicyNameError", "CreatePolicy", {"PolicyName": "", "PolicyDocument": "{}"}),
        (
            "InvalidParameter.PolicyDocumentError",
            "CreatePolicy",
            {"PolicyName": "p", "PolicyDocument": "x"},
        ),
        (
            "InvalidParameter.EffectError",
            "CreatePolicy",
            {"PolicyName": "p", "PolicyDocument": json.dumps(READ).replace("allow", "let")},
        ),
        (
            "InvalidParameter.ActionError",
            "CreatePolicy",
            {"PolicyName": "p", "PolicyDocument": json.dumps(READ).replace("cos:", "")},
        ),
        (
            "InvalidParameter.PolicyDocumentLengthOverLimit",
            "CreatePolicy",
            {"PolicyName": "p", "PolicyDocument": json.dumps(READ).replace("*", "*" * 6145)},
        ),
        (
            "InvalidParameter.DescriptionLengthOverlimit",
            "CreatePolicy",
            {"PolicyName": "p", "PolicyDocument": json.dumps(READ), "Description": "x" * 301},
        ),
        ("InvalidParameter.ScopeError", "ListPolicies", {"Scope": "Mine"}),
        ("InvalidParameter.ParamError", "UpdatePolicy", {"PolicyId": 1, "Description": "preset"}),
        (
            "InvalidParameter.RoleNotExist",
            "AttachRolePolicy",
            {"PolicyId": 1, "AttachRoleName": "nobody"},
        ),
        (
            "InvalidParameter.PolicyIdNotExist",
            "AttachRolePolicy",
            {"PolicyId": 99999, "AttachRoleName": "CI_QCSRole"},
        ),
        ("InvalidAction", "CreateUserSAMLConfig", {}),
    ],
    ids=str,
)
def test_invalid_request_is_rejected_with_api_code(
    refused: Any, code: str, action: str, params: dict[str, Any]
) -> None:
    assert refused(action, **params) == code


def test_roles_and_policies_survive_a_restart(
    start_cloud: Callable[..., Any], make_api_client: Callable[..., Any]
) -> None:
    first = start_cloud()
    api_client = make_api_client(first)
    api_client.call("cam", "CreateRole", {"RoleName": "kept", "PolicyDocument": json.dumps(TRUST)})
    created = api_client.call(
        "cam", "CreatePolicy", {"PolicyName": "kept", "PolicyDocument": json.dumps(READ)}
    )
    api_client.call("cam", "AttachRolePolicy", {**created, "AttachRoleName": "kept"})
    api_client.call("cam", "DeleteRole", {"RoleName": "CI_QCSRole"})
    first.stop()
    api_client = make_api_client(start_cloud())
    shown = api_client.call("cam", "ListAttachedRolePolicies", {"RoleName": "kept", "Page": 1, "Rp": 10})
    assert [each["PolicyName"] for each in shown["List"]] == ["kept"]
    assert (
        api_client.error_code("cam", "GetRole", {"RoleName": "CI_QCSRole"}) == "InvalidParameter.RoleNotExist"
    )
