"""The calls on roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localcloud.account import OWNER_UIN
from localcloud.control.calls import Refusal
from localcloud.control.cam.request import check_name, description_of, page_of, role_of, time_text
from localcloud.control.cam.roles import Role
from localcloud.control.cam.state import State
from localcloud.control.cam.trust import trusted_services
from localcloud.control.fields import check

_WHICH = {"RoleId": str, "RoleName": str}
_LONGEST_SESSION_S = 43200


def create_role(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """CreateRole; tags are taken and not kept."""
    check(
        given,
        {"RoleName": str, "PolicyDocument": str},
        {"Description": str, "ConsoleLogin": int, "SessionDuration": int, "Tags": list},
    )
    name, session_s = given["RoleName"], given.get("SessionDuration", 0)
    check_name(name, "InvalidParameter.RoleNameError")
    trusted_services(given["PolicyDocument"])
    description = description_of(given)
    if not 0 <= session_s <= _LONGEST_SESSION_S:
        raise Refusal("InvalidParameter.ParamError", f"SessionDuration is 0 to {_LONGEST_SESSION_S}.")
    if state.roles.named(name) is not None:
        raise Refusal("InvalidParameter.RoleNameInUse", "role name in use")
    role = state.roles.add(
        name, given["PolicyDocument"], description, given.get("ConsoleLogin", 0), session_s
    )
    return {"RoleId": role.role_id}


def get_role(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """GetRole."""
    check(given, optional=_WHICH)
    return {"RoleInfo": _role_info(role_of(given, state.roles))}


def list_roles(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """DescribeRoleList; filters by tags find nothing, since none are kept."""
    check(given, {"Page": int, "Rp": int}, {"Tags": list})
    found = [] if given.get("Tags") else state.roles.all()
    return {"List": [_role_info(role) for role in page_of(given, found)], "TotalNum": len(found)}


def update_trust(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """UpdateAssumeRolePolicy."""
    check(given, {"PolicyDocument": str}, _WHICH)
    role = role_of(given, state.roles)
    trusted_services(given["PolicyDocument"])
    state.roles.change_trust(role, given["PolicyDocument"])
    return {}


def delete_role(state: State, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """DeleteRole; whether the real one minds attached policies is unconfirmed, this one lets go of them."""
    check(given, optional=_WHICH)
    role = role_of(given, state.roles)
    state.policies.detach_all(role.number)
    state.roles.delete(role)
    return {}


def _role_info(role: Role) -> Mapping[str, Any]:
    return {
        "RoleId": role.role_id,
        "RoleName": role.name,
        "PolicyDocument": role.document,
        "Description": role.description,
        "AddTime": time_text(role.added_s),
        "UpdateTime": time_text(role.changed_s),
        "ConsoleLogin": role.console_login,
        "RoleType": "user",
        "SessionDuration": role.session_s,
        "DeletionTaskId": "",
        "Tags": [],
        "RoleArn": f"qcs::cam::uin/{OWNER_UIN}:roleName/{role.name}",
    }
