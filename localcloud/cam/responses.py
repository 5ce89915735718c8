"""The actions of CAM: parameters in, response out.

Codes: the errors that the official Go SDK lists with each action, tencentcloud/cam/v20190116.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, TypeVar

from localcloud.api3.models import ApiError, ApiParams, parse_params
from localcloud.auth.authorize import format_role_resource
from localcloud.auth.policy import PolicyError, parse_policy
from localcloud.cam.models import (
    CUSTOM,
    PRESET,
    CamState,
    Policy,
    PolicyStore,
    Role,
    RoleStore,
    parse_trusted_services,
)

_Item = TypeVar("_Item")
_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,128}")
_MAX_PAGE_SIZE = 200
_MAX_DESCRIPTION_LENGTH = 300
_MAX_SESSION_S = 43200
_MAX_DOCUMENT_LENGTH = 6144  # characters without blanks; CAM "Use limits" 598/10599
_MAX_POLICIES_PER_ROLE = 200
_POLICY_NOT_FOUND = "ResourceNotFound.PolicyIdNotFound"
_ATTACHED_POLICY_NOT_FOUND = "InvalidParameter.PolicyIdNotExist"
_POLICY_SCOPES = {"All": (CUSTOM, PRESET), "Local": (CUSTOM,), "QCS": (PRESET,)}
_ATTACHED_POLICY_TYPES = {CUSTOM: "User", PRESET: "QCS"}
_CHINA_TIME = timezone(timedelta(hours=8))


class _CamParams(ApiParams):
    invalid_code: ClassVar[str] = "InvalidParameter"


class _RoleName(_CamParams):
    """A role by id or by name."""

    role_id: str | None = None
    role_name: str | None = None


class _Attachment(_CamParams):
    """A policy by id or by name; the subclasses add the role."""

    policy_id: int | None = None
    policy_name: str | None = None


class CreateRoleParams(_CamParams):
    """Parameters of CreateRole; tags are accepted and not stored."""

    role_name: str
    policy_document: str
    description: str = ""
    console_login: int = 0
    session_duration: int = 0
    tags: list[Any] | None = None


class ListRolesParams(_CamParams):
    """Parameters of DescribeRoleList."""

    page: int
    rp: int
    tags: list[Any] | None = None


class UpdateTrustParams(_RoleName):
    """Parameters of UpdateAssumeRolePolicy."""

    policy_document: str


class CreatePolicyParams(_CamParams):
    """Parameters of CreatePolicy; tags are accepted and not stored."""

    policy_name: str
    policy_document: str
    description: str = ""
    tags: list[Any] | None = None


class UpdatePolicyParams(_CamParams):
    """Parameters of UpdatePolicy."""

    policy_id: int | None = None
    policy_name: str | None = None
    description: str | None = None
    policy_document: str | None = None
    alias: str | None = None


class GetPolicyParams(_CamParams):
    """Parameters of GetPolicy."""

    policy_id: int


class DeletePoliciesParams(_CamParams):
    """Parameters of DeletePolicy."""

    policy_id: list[Any]


class ListPoliciesParams(_CamParams):
    """Parameters of ListPolicies."""

    rp: int = 20
    page: int = 1
    scope: str = "All"
    keyword: str = ""


class AttachParams(_Attachment):
    """Parameters of AttachRolePolicy."""

    attach_role_id: str | None = None
    attach_role_name: str | None = None


class DetachParams(_Attachment):
    """Parameters of DetachRolePolicy."""

    detach_role_id: str | None = None
    detach_role_name: str | None = None


class ListAttachedParams(_RoleName):
    """Parameters of ListAttachedRolePolicies."""

    page: int
    rp: int
    policy_type: str = ""
    keyword: str = ""


def create_role(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """CreateRole."""
    request = parse_params(CreateRoleParams, params)
    _check_name(request.role_name, "InvalidParameter.RoleNameError")
    parse_trusted_services(request.policy_document)
    _check_description(request.description)
    if not 0 <= request.session_duration <= _MAX_SESSION_S:
        raise ApiError("InvalidParameter.ParamError", f"SessionDuration must be 0 to {_MAX_SESSION_S}.")
    if state.roles.get_by_name(request.role_name) is not None:
        raise ApiError("InvalidParameter.RoleNameInUse", "role name in use")
    role = state.roles.add(
        request.role_name,
        request.policy_document,
        request.description,
        request.console_login,
        request.session_duration,
    )
    return {"RoleId": role.role_id}


def get_role(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """GetRole."""
    request = parse_params(_RoleName, params)
    return {"RoleInfo": _serialize_role(_require_role(state.roles, request.role_id, request.role_name))}


def list_roles(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """DescribeRoleList; a filter by tags matches no role, because tags are not stored."""
    request = parse_params(ListRolesParams, params)
    roles = [] if request.tags else state.roles.all()
    page = _paginate(roles, request.page, request.rp)
    return {"List": [_serialize_role(role) for role in page], "TotalNum": len(roles)}


def update_trust(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """UpdateAssumeRolePolicy."""
    request = parse_params(UpdateTrustParams, params)
    role = _require_role(state.roles, request.role_id, request.role_name)
    parse_trusted_services(request.policy_document)
    state.roles.set_trust(role, request.policy_document)
    return {}


def delete_role(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """DeleteRole; whether the real one rejects attached policies is unconfirmed, this one detaches them."""
    request = parse_params(_RoleName, params)
    role = _require_role(state.roles, request.role_id, request.role_name)
    state.policies.detach_all(role.number)
    state.roles.delete(role)
    return {}


def create_policy(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """CreatePolicy."""
    request = parse_params(CreatePolicyParams, params)
    _check_name(request.policy_name, "InvalidParameter.PolicyNameError")
    _check_document(request.policy_document)
    _check_description(request.description)
    if state.policies.get_by_name(request.policy_name) is not None:
        raise ApiError("FailedOperation.PolicyNameInUse", "policy name in use")
    policy = state.policies.add(request.policy_name, CUSTOM, request.policy_document, request.description)
    return {"PolicyId": policy.policy_id}


def update_policy(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """UpdatePolicy. PolicyId and PolicyName are alternatives: with PolicyId, PolicyName is ignored."""
    request = parse_params(UpdatePolicyParams, params)
    policy = _require_custom(
        _require_policy(state.policies, request.policy_id, request.policy_name, _POLICY_NOT_FOUND)
    )
    document = policy.document if request.policy_document is None else request.policy_document
    description = policy.description if request.description is None else request.description
    _check_document(document)
    _check_description(description)
    state.policies.update(policy, document, description)
    return {} if request.policy_id is not None else {"PolicyId": policy.policy_id}


def get_policy(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """GetPolicy."""
    request = parse_params(GetPolicyParams, params)
    policy = _require_policy(state.policies, request.policy_id, None, _POLICY_NOT_FOUND)
    return {
        "PolicyName": policy.name,
        "Description": policy.description,
        "Type": policy.type,
        "AddTime": _format_time(policy.added_s),
        "UpdateTime": _format_time(policy.changed_s),
        "PolicyDocument": policy.document,
        "PresetAlias": "",
        "IsServiceLinkedRolePolicy": 0,
        "Tags": [],
    }


def delete_policies(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """DeletePolicy: deletes all policies of the list, or none."""
    request = parse_params(DeletePoliciesParams, params)
    policies = [
        _require_custom(_require_policy(state.policies, policy_id, None, _POLICY_NOT_FOUND))
        for policy_id in request.policy_id
    ]
    for policy in policies:
        state.policies.delete(policy)
    return {}


def list_policies(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """ListPolicies; Keyword is part of the name."""
    request = parse_params(ListPoliciesParams, params)
    types = _POLICY_SCOPES.get(request.scope)
    if types is None:
        raise ApiError("InvalidParameter.ScopeError", "Scope must be All, QCS or Local.")
    policies = [
        policy for policy in state.policies.all() if policy.type in types and request.keyword in policy.name
    ]
    return {
        "TotalNum": len(policies),
        "List": [
            {
                "PolicyId": policy.policy_id,
                "PolicyName": policy.name,
                "AddTime": _format_time(policy.added_s),
                "Type": policy.type,
                "Description": policy.description,
                "CreateMode": 2,
                "Attachments": state.policies.count_attachments(policy),
                "ServiceType": "",
                "UpdateTime": _format_time(policy.changed_s),
            }
            for policy in _paginate(policies, request.page, request.rp)
        ],
        "ServiceTypeList": [],
    }


def attach_role_policy(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """AttachRolePolicy; a second time changes nothing. A new policy cannot be attached at once."""
    request = parse_params(AttachParams, params)
    role = _require_role(state.roles, request.attach_role_id, request.attach_role_name, "Attach")
    policy = _require_policy(
        state.policies, request.policy_id, request.policy_name, _ATTACHED_POLICY_NOT_FOUND
    )
    if policy.type == CUSTOM and not state.is_propagated(policy.added_s):
        raise ApiError(_ATTACHED_POLICY_NOT_FOUND, "policy not exist")
    if len(state.policies.list_for_role(role.number)) >= _MAX_POLICIES_PER_ROLE:
        raise ApiError(
            "InvalidParameter.AttachmentFull", f"A role has at most {_MAX_POLICIES_PER_ROLE} policies."
        )
    state.policies.attach(role.number, policy)
    return {}


def detach_role_policy(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """DetachRolePolicy; the real response for a policy that is not attached is unconfirmed."""
    request = parse_params(DetachParams, params)
    role = _require_role(state.roles, request.detach_role_id, request.detach_role_name, "Detach")
    policy = _require_policy(
        state.policies, request.policy_id, request.policy_name, _ATTACHED_POLICY_NOT_FOUND
    )
    state.policies.detach(role.number, policy)
    return {}


def list_attached_role_policies(state: CamState, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """ListAttachedRolePolicies."""
    request = parse_params(ListAttachedParams, params)
    role = _require_role(state.roles, request.role_id, request.role_name)
    attached = [
        (policy, attached_s)
        for policy, attached_s in state.policies.list_for_role(role.number)
        if request.policy_type in ("", _ATTACHED_POLICY_TYPES[policy.type]) and request.keyword in policy.name
    ]
    return {
        "List": [
            {
                "PolicyId": policy.policy_id,
                "PolicyName": policy.name,
                "AddTime": _format_time(attached_s),
                "PolicyType": _ATTACHED_POLICY_TYPES[policy.type],
                "CreateMode": 2,
                "Deactived": 0,
                "DeactivedDetail": [],
                "Description": policy.description,
            }
            for policy, attached_s in _paginate(attached, request.page, request.rp)
        ],
        "TotalNum": len(attached),
    }


ACTIONS: Mapping[str, Callable[[CamState, Mapping[str, Any]], Mapping[str, Any]]] = {
    "CreateRole": create_role,
    "GetRole": get_role,
    "DescribeRoleList": list_roles,
    "UpdateAssumeRolePolicy": update_trust,
    "DeleteRole": delete_role,
    "CreatePolicy": create_policy,
    "UpdatePolicy": update_policy,
    "GetPolicy": get_policy,
    "DeletePolicy": delete_policies,
    "ListPolicies": list_policies,
    "AttachRolePolicy": attach_role_policy,
    "DetachRolePolicy": detach_role_policy,
    "ListAttachedRolePolicies": list_attached_role_policies,
}


def _check_name(name: str, code: str) -> None:
    if not _NAME.fullmatch(name):
        raise ApiError(code, "A name must have 1 to 128 letters, digits and +=,.@-_.")


def _check_description(description: str) -> None:
    if len(description) > _MAX_DESCRIPTION_LENGTH:
        raise ApiError(
            "InvalidParameter.DescriptionLengthOverlimit",
            f"A description has at most {_MAX_DESCRIPTION_LENGTH} characters.",
        )


def _check_document(text: str) -> None:
    if len("".join(text.split())) > _MAX_DOCUMENT_LENGTH:
        raise ApiError(
            "InvalidParameter.PolicyDocumentLengthOverLimit",
            f"A policy has at most {_MAX_DOCUMENT_LENGTH} characters.",
        )
    try:
        parse_policy(text)
    except PolicyError as error:
        part = "PolicyDocument" if error.part == "document" else error.part.capitalize()
        raise ApiError(f"InvalidParameter.{part}Error", str(error)) from error


def _require_role(roles: RoleStore, role_id: str | None, name: str | None, prefix: str = "") -> Role:
    if role_id is None and name is None:
        raise ApiError("InvalidParameter.ParamError", f"{prefix}RoleId or {prefix}RoleName is needed.")
    role = roles.get_by_id(role_id) if role_id is not None else roles.get_by_name(str(name))
    if role is None:
        raise ApiError("InvalidParameter.RoleNotExist", "role not exist")
    return role


def _require_policy(
    policies: PolicyStore, policy_id: int | None, name: str | None, missing_code: str
) -> Policy:
    if policy_id is None and name is None:
        raise ApiError("InvalidParameter.ParamError", "PolicyId or PolicyName is needed.")
    policy = policies.get(policy_id) if policy_id is not None else policies.get_by_name(str(name))
    if policy is None:
        raise ApiError(missing_code, "policy not exist")
    return policy


def _require_custom(policy: Policy) -> Policy:
    if policy.type == PRESET:
        raise ApiError("InvalidParameter.ParamError", f"{policy.name} is a preset policy of the cloud.")
    return policy


def _paginate(items: Sequence[_Item], page: int, page_size: int) -> Sequence[_Item]:
    """Return one page; pages count from 1."""
    if page < 1 or not 1 <= page_size <= _MAX_PAGE_SIZE:
        raise ApiError(
            "InvalidParameter.ParamError", f"Page must be at least 1, Rp must be 1 to {_MAX_PAGE_SIZE}."
        )
    return items[(page - 1) * page_size :][:page_size]


def _serialize_role(role: Role) -> Mapping[str, Any]:
    return {
        "RoleId": role.role_id,
        "RoleName": role.name,
        "PolicyDocument": role.document,
        "Description": role.description,
        "AddTime": _format_time(role.added_s),
        "UpdateTime": _format_time(role.changed_s),
        "ConsoleLogin": role.console_login,
        "RoleType": "user",
        "SessionDuration": role.session_s,
        "DeletionTaskId": "",
        "Tags": [],
        "RoleArn": format_role_resource(role.name),
    }


def _format_time(unix_s: float) -> str:
    """Format a time as CAM does: China's time, without a zone."""
    return datetime.fromtimestamp(unix_s, _CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")
