"""The calls on policies and on what a role carries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.access.documents import DocumentError, document_of
from localcloud.control.calls import Refusal
from localcloud.control.cam.policies import CUSTOM, PRESET, Policy
from localcloud.control.cam.request import (
    check_name,
    description_of,
    page_of,
    policy_of,
    role_of,
    time_text,
)
from localcloud.control.cam.state import State
from localcloud.control.fields import check

_LONGEST_DOCUMENT = 6144  # characters without blanks; CAM "Use limits" 598/10599
_MOST_ON_A_ROLE = 200
_NO_SUCH_POLICY = "ResourceNotFound.PolicyIdNotFound"
_NO_SUCH_POLICY_TO_CARRY = "InvalidParameter.PolicyIdNotExist"
_KINDS = {"All": (CUSTOM, PRESET), "Local": (CUSTOM,), "QCS": (PRESET,)}
_CARRIED_KINDS = {CUSTOM: "User", PRESET: "QCS"}


def create_policy(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """CreatePolicy; tags are taken and not kept."""
    check(given, {"PolicyName": str, "PolicyDocument": str}, {"Description": str, "Tags": list})
    check_name(given["PolicyName"], "InvalidParameter.PolicyNameError")
    _check_document(given["PolicyDocument"])
    description = description_of(given)
    if state.policies.named(given["PolicyName"]) is not None:
        raise Refusal("FailedOperation.PolicyNameInUse", "policy name in use")
    policy = state.policies.add(given["PolicyName"], CUSTOM, given["PolicyDocument"], description)
    return {"PolicyId": policy.policy_id}


def update_policy(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """UpdatePolicy. With PolicyId, PolicyName is ignored: the two are alternatives."""
    check(
        given,
        optional={
            "PolicyId": int,
            "PolicyName": str,
            "Description": str,
            "PolicyDocument": str,
            "Alias": str,
        },
    )
    policy = _custom(policy_of(given, state.policies, _NO_SUCH_POLICY))
    document = given.get("PolicyDocument", policy.document)
    _check_document(document)
    state.policies.change(policy, document, description_of(given, policy.description))
    return {} if "PolicyId" in given else {"PolicyId": policy.policy_id}


def get_policy(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """GetPolicy."""
    check(given, {"PolicyId": int})
    policy = policy_of(given, state.policies, _NO_SUCH_POLICY)
    return {
        "PolicyName": policy.name,
        "Description": policy.description,
        "Type": policy.type,
        "AddTime": time_text(policy.added_s),
        "UpdateTime": time_text(policy.changed_s),
        "PolicyDocument": policy.document,
        "PresetAlias": "",
        "IsServiceLinkedRolePolicy": 0,
        "Tags": [],
    }


def delete_policies(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """DeletePolicy: all that are named, or none."""
    check(given, {"PolicyId": list})
    found = [
        _custom(policy_of({"PolicyId": each}, state.policies, _NO_SUCH_POLICY)) for each in given["PolicyId"]
    ]
    for policy in found:
        state.policies.delete(policy)
    return {}


def list_policies(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """ListPolicies; Keyword is part of the name."""
    check(given, optional={"Rp": int, "Page": int, "Scope": str, "Keyword": str})
    kinds = _KINDS.get(given.get("Scope", "All"))
    if kinds is None:
        raise Refusal("InvalidParameter.ScopeError", "Scope is All, QCS or Local.")
    found = [
        policy
        for policy in state.policies.all()
        if policy.type in kinds and given.get("Keyword", "") in policy.name
    ]
    return {
        "TotalNum": len(found),
        "List": [
            {
                "PolicyId": policy.policy_id,
                "PolicyName": policy.name,
                "AddTime": time_text(policy.added_s),
                "Type": policy.type,
                "Description": policy.description,
                "CreateMode": 2,
                "Attachments": state.policies.carriers(policy),
                "ServiceType": "",
                "UpdateTime": time_text(policy.changed_s),
            }
            for policy in page_of(given, found)
        ],
        "ServiceTypeList": [],
    }


def attach(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """AttachRolePolicy; once more changes nothing. A new policy is not known to it at once."""
    check(given, optional=_pair("Attach"))
    role = role_of(given, state.roles, "Attach")
    policy = policy_of(given, state.policies, _NO_SUCH_POLICY_TO_CARRY)
    if policy.type == CUSTOM and not state.is_settled(policy.added_s):
        raise Refusal(_NO_SUCH_POLICY_TO_CARRY, "policy not exist")
    if len(state.policies.of_role(role.number)) >= _MOST_ON_A_ROLE:
        raise Refusal(
            "InvalidParameter.AttachmentFull", f"A role carries at most {_MOST_ON_A_ROLE} policies."
        )
    state.policies.attach(role.number, policy)
    return {}


def detach(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """DetachRolePolicy; what the real one says of a policy that the role does not carry is unconfirmed."""
    check(given, optional=_pair("Detach"))
    role = role_of(given, state.roles, "Detach")
    state.policies.detach(role.number, policy_of(given, state.policies, _NO_SUCH_POLICY_TO_CARRY))
    return {}


def list_attached(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """ListAttachedRolePolicies."""
    check(
        given,
        {"Page": int, "Rp": int},
        {"RoleId": str, "RoleName": str, "PolicyType": str, "Keyword": str},
    )
    role = role_of(given, state.roles)
    found = [
        (policy, since_s)
        for policy, since_s in state.policies.of_role(role.number)
        if given.get("PolicyType") in (None, "", _CARRIED_KINDS[policy.type])
        and given.get("Keyword", "") in policy.name
    ]
    return {
        "List": [
            {
                "PolicyId": policy.policy_id,
                "PolicyName": policy.name,
                "AddTime": time_text(since_s),
                "PolicyType": _CARRIED_KINDS[policy.type],
                "CreateMode": 2,
                "Deactived": 0,
                "DeactivedDetail": [],
                "Description": policy.description,
            }
            for policy, since_s in page_of(given, found)
        ],
        "TotalNum": len(found),
    }


def _pair(verb: str) -> Mapping[str, type]:
    return {"PolicyId": int, "PolicyName": str, f"{verb}RoleId": str, f"{verb}RoleName": str}


def _custom(policy: Policy) -> Policy:
    if policy.type == PRESET:
        raise Refusal("InvalidParameter.ParamError", f"{policy.name} is one of the cloud's own policies.")
    return policy


def _check_document(text: str) -> None:
    if len("".join(text.split())) > _LONGEST_DOCUMENT:
        raise Refusal(
            "InvalidParameter.PolicyDocumentLengthOverLimit",
            f"A policy has at most {_LONGEST_DOCUMENT} characters.",
        )
    try:
        document_of(text)
    except DocumentError as error:
        part = "PolicyDocument" if error.what == "document" else error.what.capitalize()
        raise Refusal(f"InvalidParameter.{part}Error", str(error)) from error
