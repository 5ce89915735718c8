"""CAM as a service: which call goes where, and what the rest of the cloud asks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.access.ci_needs import SERVICE_ROLE
from localcloud.access.documents import Document, document_of
from localcloud.account import OWNER_UIN, uin_of
from localcloud.control.calls import Call, Refusal
from localcloud.control.cam import policy_calls, role_calls
from localcloud.control.cam.state import CONFIGURATION_ROLE, State, state_of
from localcloud.control.cam.trust import trusted_services
from localcloud.control.fields import check
from localcloud.store import Store

_CALLS: Mapping[str, Callable[[State, Mapping[str, Any]], Mapping[str, Any]]] = {
    "CreateRole": role_calls.create_role,
    "GetRole": role_calls.get_role,
    "DescribeRoleList": role_calls.list_roles,
    "UpdateAssumeRolePolicy": role_calls.update_trust,
    "DeleteRole": role_calls.delete_role,
    "CreatePolicy": policy_calls.create_policy,
    "UpdatePolicy": policy_calls.update_policy,
    "GetPolicy": policy_calls.get_policy,
    "DeletePolicy": policy_calls.delete_policies,
    "ListPolicies": policy_calls.list_policies,
    "AttachRolePolicy": policy_calls.attach,
    "DetachRolePolicy": policy_calls.detach,
    "ListAttachedRolePolicies": policy_calls.list_attached,
}


class Cam:
    """Implements ControlService."""

    def __init__(self, store: Store, appid: str, settle_s: float) -> None:
        """A new role or policy is not known to others until `settle_s` later."""
        self._state = state_of(store, settle_s)
        self._appid = appid

    async def answer(self, call: Call) -> Mapping[str, Any]:
        """One call. Raises Refusal."""
        if call.action == "GetUserAppId":
            check(call.given)
            return {"Uin": uin_of(call.caller), "OwnerUin": OWNER_UIN, "AppId": int(self._appid)}
        act = _CALLS.get(call.action)
        if act is None:
            raise Refusal("InvalidAction", f"This stand-in's cam has no action {call.action}.")
        return act(self._state, call.given)

    def documents_of(self, role_name: str, service: str = "scf.qcloud.com") -> tuple[Document, ...] | None:
        """What a role may do; None when there is no such role, or it does not trust the service that asks."""
        role = self._state.roles.named(role_name)
        if role is None or service not in trusted_services(role.document):
            return None
        return tuple(document_of(policy.document) for policy, _ in self._state.policies.of_role(role.number))

    def may_be_given(self, role_name: str) -> bool:
        """Whether SCF may give a function that role. It learns of a new one a moment later."""
        role = self._state.roles.named(role_name)
        return (
            role is not None
            and self._state.is_settled(role.added_s)
            and self.documents_of(role_name) is not None
        )

    def has_configuration_role(self) -> bool:
        """Whether SCF has the role by which it writes rules to buckets."""
        return self.documents_of(CONFIGURATION_ROLE) is not None

    def has_service_role(self) -> bool:
        """Whether CI has the role by which it reads recordings and writes results."""
        return self.documents_of(SERVICE_ROLE, "ci.qcloud.com") is not None

    def role_id(self, role_name: str) -> str:
        """The id of a role; empty when there is none."""
        role = self._state.roles.named(role_name)
        return role.role_id if role else ""
