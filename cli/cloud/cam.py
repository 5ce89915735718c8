"""Client of CAM: roles, and the custom policies that are named like them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cli.cloud.client import ApiClient, ApiError, Poller
from cli.errors import OperatorError
from cli.policy.diff import allowed_permissions, denied_permissions
from cli.policy.documents import TRUST, serialize_document
from cli.policy.permissions import CI_ROLE

PAGE_SIZE = 200  # CAM's maximum
SCF_SERVICE, CI_SERVICE = "scf.qcloud.com", "ci.qcloud.com"
# The configuration role of SCF, with which it writes COS triggers into the buckets (SCF document 583/31444).
SCF_ROLE = "SCF_QcsRole"
CREATE_SCF_ROLE = (
    "open https://console.cloud.tencent.com/scf once as the main account and accept the authorization there"
)
MADE_HERE = "Made by scribe"  # prefix of the description of what `scribe remove` may delete

_NO_ROLE = "InvalidParameter.RoleNotExist"
_NO_POLICY = frozenset({"InvalidParameter.PolicyIdNotExist", "ResourceNotFound.PolicyIdNotFound"})
_NOT_VISIBLE_YET = _NO_POLICY | {_NO_ROLE}  # codes for what was created a moment ago

_Result = TypeVar("_Result")


class PolicyConflict(OperatorError):
    """A policy that scribe did not create has the name of one of Scribe's policies."""


@dataclass(frozen=True, slots=True)
class RoleInfo:
    """A role and everything that is attached to it.

    `documents` are those of `policies`, in the same order. `is_ours`: its description says that scribe created it.
    """

    name: str
    documents: tuple[Mapping[str, Any], ...]
    trusts_scf: bool
    policies: tuple[str, ...] = ()
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class CiRoleStatus:
    """The role with which the speech service reads recordings and writes its raw results."""

    exists: bool
    trusts_ci: bool


@dataclass(frozen=True, slots=True)
class _Policy:
    policy_id: int
    name: str
    description: str

    @property
    def is_ours(self) -> bool:
        return _is_ours(self.description)


@dataclass(frozen=True, slots=True)
class CamClient:
    """Roles and their policies, read `page_size` at a time. Every method raises ApiError."""

    api: ApiClient
    page_size: int = PAGE_SIZE
    poller: Poller = field(default_factory=Poller)

    def get_role(self, role_name: str) -> RoleInfo | None:
        """A role with the documents attached to it, or None."""
        role = self._get_role(role_name)
        if role is None:
            return None
        attached = tuple(self._attached_policies(role_name))
        return RoleInfo(
            name=role_name,
            documents=tuple(self._get_document(policy) for policy in attached),
            trusts_scf=_trusts(_parse_object(role.get("PolicyDocument")), SCF_SERVICE),
            policies=tuple(policy.name for policy in attached),
            is_ours=_is_ours(str(role.get("Description") or "")),
        )

    def ensure_role(self, role_name: str, document: Mapping[str, Any]) -> bool:
        """Create or update the role and the policy of the same name; returns whether anything was changed.

        Other policies of the role, and other services that it trusts, stay. Raises PolicyConflict, with nothing
        changed, if a policy of that name was not created by scribe and says something else.
        """
        policy = self._find_policy(role_name)
        is_current = policy is not None and _grants_the_same(self._get_document(policy), document)
        if policy and not is_current and not policy.is_ours:
            raise PolicyConflict(
                f"the account has a policy {role_name} that was not created by scribe and differs from what the role "
                "of that name needs; nothing was changed. Delete the policy in the CAM console if it is not used, or "
                "set another SCF_ROLE_NAME"
            )
        changed = self._ensure_role(role_name)
        if policy and not is_current:
            # Without versions of the policy this replaces it; with them, its default version (the SDK's UpdatePolicy).
            params = {"PolicyId": policy.policy_id, "PolicyDocument": serialize_document(document)}
            self.api.call("cam", "UpdatePolicy", params)
        policy = policy or self._create_policy(role_name, document)
        return self._ensure_attached(role_name, policy) or changed or not is_current

    def delete_role(self, role_name: str) -> bool:
        """Delete the role and its policy if scribe created them; returns whether anything was deleted.

        The policy goes first: a removal that was interrupted is then found again by the role.
        """
        role = self._get_role(role_name)
        role_is_ours = role is not None and _is_ours(str(role.get("Description") or ""))
        if role_is_ours:
            for attached in tuple(self._attached_policies(role_name)):
                self.api.call(
                    "cam", "DetachRolePolicy", {"DetachRoleName": role_name, "PolicyId": attached.policy_id}
                )
        policy = self._find_policy(role_name)
        delete_policy = policy and policy.is_ours and (role is None or role_is_ours)
        if policy and delete_policy:
            self.api.call("cam", "DeletePolicy", {"PolicyId": [policy.policy_id]})
        if role_is_ours:
            self.api.call("cam", "DeleteRole", {"RoleName": role_name})
        return bool(delete_policy) or role_is_ours

    def get_ci_role(self) -> CiRoleStatus:
        """Whether the account has the speech service's role, and whether that service may use it."""
        role = self._get_role(CI_ROLE)
        if role is None:
            return CiRoleStatus(exists=False, trusts_ci=False)
        trust = _parse_object(role.get("PolicyDocument"))
        return CiRoleStatus(exists=True, trusts_ci=_trusts(trust, CI_SERVICE))

    def find_scf_role_problem(self) -> str:
        """What keeps SCF from using its own role; "" if nothing does."""
        role = self.get_role(SCF_ROLE)
        if not role:
            return f"role {SCF_ROLE} does not exist: SCF cannot create triggers on the buckets"
        if not role.trusts_scf:
            return f"role {SCF_ROLE} does not trust {SCF_SERVICE}: SCF cannot create triggers on the buckets"
        return ""

    def _ensure_role(self, role_name: str) -> bool:
        role = self._get_role(role_name)
        if role is None:
            params = {
                "RoleName": role_name,
                "PolicyDocument": serialize_document(TRUST),
                "Description": f"{MADE_HERE}: for its function of SCF",
            }
            self.api.call("cam", "CreateRole", params)
            return True
        trust = _parse_object(role.get("PolicyDocument"))
        if _trusts(trust, SCF_SERVICE):
            return False
        extended = {**TRUST, "statement": [*_list_statements(trust), *TRUST["statement"]]}
        params = {"RoleName": role_name, "PolicyDocument": serialize_document(extended)}
        self.api.call("cam", "UpdateAssumeRolePolicy", params)
        return True

    def _create_policy(self, name: str, document: Mapping[str, Any]) -> _Policy:
        params = {
            "PolicyName": name,
            "PolicyDocument": serialize_document(document),
            "Description": f"{MADE_HERE}: what its function does, and no more",
        }
        response = self.api.call("cam", "CreatePolicy", params)
        return _Policy(int(response["PolicyId"]), name, params["Description"])

    def _ensure_attached(self, role_name: str, policy: _Policy) -> bool:
        """Attach the policy. Role and policy may be so new that not every part of CAM sees them yet."""
        params = {"AttachRoleName": role_name, "PolicyId": policy.policy_id}
        attached = self._retry_until_visible(lambda: tuple(self._attached_policies(role_name)))
        if any(other.policy_id == policy.policy_id for other in attached):
            return False
        self._retry_until_visible(lambda: self.api.call("cam", "AttachRolePolicy", params))
        return True

    def _retry_until_visible(self, send: Callable[[], _Result]) -> _Result:
        return self.poller.retry_while(send, lambda error: error.code in _NOT_VISIBLE_YET)

    def _get_role(self, role_name: str) -> Mapping[str, Any] | None:
        try:
            response = self.api.call("cam", "GetRole", {"RoleName": role_name})
        except ApiError as error:
            if error.code == _NO_ROLE:
                return None
            raise
        info: Mapping[str, Any] = response.get("RoleInfo") or {}
        return info

    def _attached_policies(self, role_name: str) -> Iterator[_Policy]:
        for item in self._list_pages("ListAttachedRolePolicies", {"RoleName": role_name}):
            yield _parse_policy(item)

    def _find_policy(self, name: str) -> _Policy | None:
        """A custom policy by its exact name; the keyword matches longer names too."""
        items = self._list_pages("ListPolicies", {"Scope": "Local", "Keyword": name})
        return next((_parse_policy(item) for item in items if item.get("PolicyName") == name), None)

    def _get_document(self, policy: _Policy) -> Mapping[str, Any]:
        """The document of a policy; empty if it was deleted a moment ago or cannot be parsed."""
        try:
            response = self.api.call("cam", "GetPolicy", {"PolicyId": policy.policy_id})
        except ApiError as error:
            if error.code in _NO_POLICY:
                return {}
            raise
        return _parse_object(response.get("PolicyDocument"))

    def _list_pages(self, action: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        page, count = 1, 0
        while True:
            response = self.api.call("cam", action, {**params, "Page": page, "Rp": self.page_size})
            items = response.get("List") or []
            yield from items
            count += len(items)
            if not items or count >= int(response.get("TotalNum") or 0):
                return
            page += 1


def _parse_policy(item: Mapping[str, Any]) -> _Policy:
    return _Policy(
        int(item["PolicyId"]), str(item.get("PolicyName") or ""), str(item.get("Description") or "")
    )


def _is_ours(description: str) -> bool:
    return description.startswith(MADE_HERE)


def _parse_object(text: Any) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text or "{}")
    except (TypeError, ValueError):
        return {}
    return parsed if isinstance(parsed, Mapping) else {}


def _list_statements(trust: Mapping[str, Any]) -> list[Any]:
    statements = trust.get("statement") or []
    return statements if isinstance(statements, list) else [statements]


def _trusts(trust: Mapping[str, Any], service: str) -> bool:
    """Whether the trust document of a role lets this service assume it."""
    for statement in _list_statements(trust):
        if not isinstance(statement, Mapping) or str(statement.get("effect")).lower() != "allow":
            continue
        principal = statement.get("principal")
        services = principal.get("service") if isinstance(principal, Mapping) else None
        if service in (services if isinstance(services, list) else [services]):
            return True
    return False


def _grants_the_same(document: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return allowed_permissions(document) == allowed_permissions(other) and denied_permissions(
        document
    ) == denied_permissions(other)
