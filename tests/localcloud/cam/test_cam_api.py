"""Roles and policies through the official SDK."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

import pytest

from tests.localcloud.clients import ApiClient, MakeApiClient
from tests.localcloud.stand_in import StartCloud

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


@dataclass
class Cam:
    """Sends actions."""

    api_client: ApiClient

    def call(self, action: str, **params: object) -> dict[str, Any]:
        return self.api_client.call("cam", action, params)

    def error_code(self, action: str, **params: object) -> str:
        """Send an action that must fail; returns its error code."""
        return self.api_client.error_code("cam", action, params)

    def list_attached(self, role: str, **params: object) -> list[str]:
        """The names of the policies that are attached to a role."""
        page = self.call("ListAttachedRolePolicies", RoleName=role, Page=1, Rp=200, **params)
        assert page["TotalNum"] == len(page["List"])
        return [policy["PolicyName"] for policy in page["List"]]


@pytest.fixture
def cam(api_client: ApiClient) -> Cam:
    return Cam(api_client)


@pytest.fixture
def role(cam: Cam) -> str:
    name = new_name("role")
    cam.call("CreateRole", RoleName=name, PolicyDocument=json.dumps(TRUST))
    return name


@pytest.fixture
def policy(cam: Cam) -> int:
    return int(
        cam.call("CreatePolicy", PolicyName=new_name("policy"), PolicyDocument=json.dumps(READ))["PolicyId"]
    )


def test_role_is_created_read_updated_and_deleted(cam: Cam) -> None:
    name, document = new_name("role"), json.dumps(TRUST, indent=1)
    created = cam.call(
        "CreateRole", RoleName=name, PolicyDocument=document, Description="says hello", SessionDuration=7200
    )
    info = cam.call("GetRole", RoleName=name)["RoleInfo"]
    assert info == cam.call("GetRole", RoleId=created["RoleId"])["RoleInfo"]
    assert (info["RoleName"], info["RoleId"], info["Description"]) == (name, created["RoleId"], "says hello")
    assert info["PolicyDocument"] == document
    assert (
        cam.error_code("CreateRole", RoleName=name, PolicyDocument=document)
        == "InvalidParameter.RoleNameInUse"
    )
    other = document.replace("scf.qcloud.com", "ci.qcloud.com")
    cam.call("UpdateAssumeRolePolicy", RoleName=name, PolicyDocument=other)
    assert cam.call("GetRole", RoleName=name)["RoleInfo"]["PolicyDocument"] == other
    cam.call("DeleteRole", RoleName=name)
    assert cam.error_code("GetRole", RoleName=name) == "InvalidParameter.RoleNotExist"
    assert cam.error_code("DeleteRole", RoleName=name) == "InvalidParameter.RoleNotExist"


def test_roles_are_listed_by_page(cam: Cam, role: str) -> None:
    names: list[str] = []
    page = 1
    while roles := cam.call("DescribeRoleList", Page=page, Rp=2)["List"]:
        names += [role_info["RoleName"] for role_info in roles]
        page += 1
    assert len(names) == len(set(names)) == cam.call("DescribeRoleList", Page=1, Rp=1)["TotalNum"]
    assert {role, "CI_QCSRole"} <= set(names)


def test_policy_is_created_read_updated_and_deleted(cam: Cam) -> None:
    name, document = new_name("policy"), json.dumps(READ)
    policy = cam.call("CreatePolicy", PolicyName=name, PolicyDocument=document, Description="one")["PolicyId"]
    same_name = {"PolicyName": name, "PolicyDocument": document}
    assert cam.error_code("CreatePolicy", **same_name) == "FailedOperation.PolicyNameInUse"
    details = cam.call("GetPolicy", PolicyId=policy)
    assert (details["PolicyName"], details["PolicyDocument"], details["Description"], details["Type"]) == (
        name,
        document,
        "one",
        1,
    )
    wider = document.replace("GetObject", "*")
    assert cam.call("UpdatePolicy", PolicyName=name, PolicyDocument=wider)["PolicyId"] == policy
    cam.call("UpdatePolicy", PolicyId=policy, Description="two")
    details = cam.call("GetPolicy", PolicyId=policy)
    assert (details["PolicyDocument"], details["Description"]) == (wider, "two")
    cam.call("DeletePolicy", PolicyId=[policy])
    missing = "ResourceNotFound.PolicyIdNotFound"
    assert cam.error_code("GetPolicy", PolicyId=policy) == missing
    assert cam.error_code("UpdatePolicy", PolicyId=policy, Description="x") == missing
    assert cam.error_code("DeletePolicy", PolicyId=[policy]) == missing


def test_policies_are_listed_by_scope_and_keyword(cam: Cam) -> None:
    word = secrets.token_hex(6)
    for number in range(3):
        cam.call("CreatePolicy", PolicyName=f"{word}-{number}", PolicyDocument=json.dumps(READ))
    first, second = (
        cam.call("ListPolicies", Keyword=word, Scope="Local", Rp=2, Page=page) for page in (1, 2)
    )
    assert first["TotalNum"] == second["TotalNum"] == 3
    names = [policy["PolicyName"] for page in (first, second) for policy in page["List"]]
    assert sorted(names) == [f"{word}-{number}" for number in range(3)]
    assert cam.call("ListPolicies", Keyword=word, Scope="QCS")["TotalNum"] == 0
    presets = [policy["PolicyName"] for policy in cam.call("ListPolicies", Scope="QCS")["List"]]
    assert "QcloudCOSDataFullControl" in presets
    assert cam.call("ListPolicies")["TotalNum"] >= 3 + len(presets)


def test_role_has_attached_policies(cam: Cam, role: str, policy: int) -> None:
    name = cam.call("GetPolicy", PolicyId=policy)["PolicyName"]
    cam.call("AttachRolePolicy", PolicyId=policy, AttachRoleName=role)
    cam.call("AttachRolePolicy", PolicyName=name, AttachRoleName=role)
    cam.call("AttachRolePolicy", PolicyName="QcloudCOSDataFullControl", AttachRoleName=role)
    assert sorted(cam.list_attached(role)) == ["QcloudCOSDataFullControl", name]
    assert cam.list_attached(role, PolicyType="User") == [name]
    assert cam.list_attached(role, PolicyType="QCS") == ["QcloudCOSDataFullControl"]
    assert cam.list_attached(role, Keyword=name[-4:]) == [name]
    second_page = cam.call("ListAttachedRolePolicies", RoleName=role, Page=2, Rp=1)
    assert (len(second_page["List"]), second_page["TotalNum"]) == (1, 2)
    cam.call("DetachRolePolicy", PolicyName="QcloudCOSDataFullControl", DetachRoleName=role)
    assert cam.list_attached(role) == [name]
    cam.call("DeletePolicy", PolicyId=[policy])
    assert cam.list_attached(role) == []


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
            {"PolicyId": 1, "AttachRoleName": "absent"},
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
    cam: Cam, code: str, action: str, params: dict[str, Any]
) -> None:
    assert cam.error_code(action, **params) == code


def test_roles_and_policies_survive_a_restart(
    start_cloud: StartCloud, make_api_client: MakeApiClient
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
    page = api_client.call("cam", "ListAttachedRolePolicies", {"RoleName": "kept", "Page": 1, "Rp": 10})
    assert [policy["PolicyName"] for policy in page["List"]] == ["kept"]
    assert (
        api_client.error_code("cam", "GetRole", {"RoleName": "CI_QCSRole"}) == "InvalidParameter.RoleNotExist"
    )
