"""The roles of an account and the custom policies that are named like them, through CAM's API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli.cloud.control import Control, ControlError
from cli.policy.documents import TRUST, document_text
from cli.policy.place import CI_ROLE
from cli.policy.statements import denials_of, not_granted, permissions_of

PAGE_SIZE = 200  # the most that CAM gives at once
SCF_SERVICE, CI_SERVICE = "scf.qcloud.com", "ci.qcloud.com"
MADE_HERE = "Made by scribe"  # how a description begins of what `scribe remove` may delete

_NO_ROLE = "InvalidParameter.RoleNotExist"
_NO_POLICY = frozenset({"InvalidParameter.PolicyIdNotExist", "ResourceNotFound.PolicyIdNotFound"})


@dataclass(frozen=True, slots=True)
class FoundRole:
    """A role and everything that is attached to it.

    `documents` are those of `policies`, in the same order. `is_ours`: its description says that Scribe made it.
    """

    name: str
    documents: tuple[Mapping[str, Any], ...]
    trusts_scf: bool
    policies: tuple[str, ...] = ()
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class CiRole:
    """The role in whose name the speech service reads recordings and writes its raw results."""

    exists: bool
    trusts_ci: bool


@dataclass(frozen=True, slots=True)
class _Policy:
    """A policy of the account, by name."""

    policy_id: int
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Roles:
    """Roles and their policies, read `page_size` at a time. Every call raises ControlError."""

    control: Control
    page_size: int = PAGE_SIZE

    def find(self, role_name: str) -> FoundRole | None:
        """A role with the documents attached to it, or None."""
        role = self._role(role_name)
        if role is None:
            return None
        attached = tuple(self._attached(role_name))
        return FoundRole(
            name=role_name,
            documents=tuple(self._document(policy) for policy in attached),
            trusts_scf=_trusts(_parsed(role.get("PolicyDocument")), SCF_SERVICE),
            policies=tuple(policy.name for policy in attached),
            is_ours=_is_ours(str(role.get("Description") or "")),
        )

    def missing(self, role: FoundRole, wanted: Mapping[str, Any]) -> list[str]:
        """`action on resource` for everything that `wanted` grants and the role's policies do not. Asks nothing."""
        return [str(permission) for permission in not_granted(wanted, role.documents)]

    def ensure(self, role_name: str, document: Mapping[str, Any]) -> bool:
        """Makes the role, and the policy of the same name, or mends them; whether anything was changed.

        What else is attached to the role, and whom else it trusts, is somebody's choice and stays.
        """
        changed = self._ensure_role(role_name)
        policy, policy_changed = self._ensure_policy(role_name, document)
        if all(one.policy_id != policy.policy_id for one in self._attached(role_name)):
            self.control.call(
                "cam", "AttachRolePolicy", {"AttachRoleName": role_name, "PolicyId": policy.policy_id}
            )
            return True
        return changed or policy_changed

    def remove(self, role_name: str) -> bool:
        """Deletes the role and its policy if Scribe made them; whether anything was deleted.

        The policy goes first: by the role a removal that stopped in between is found again.
        """
        role = self._role(role_name)
        role_is_ours = role is not None and _is_ours(str(role.get("Description") or ""))
        if role_is_ours:
            for attached in tuple(self._attached(role_name)):
                self.control.call(
                    "cam", "DetachRolePolicy", {"DetachRoleName": role_name, "PolicyId": attached.policy_id}
                )
        policy = self._policy(role_name)
        policy_goes = policy and _is_ours(policy.description) and (role is None or role_is_ours)
        if policy and policy_goes:
            self.control.call("cam", "DeletePolicy", {"PolicyId": [policy.policy_id]})
        if role_is_ours:
            self.control.call("cam", "DeleteRole", {"RoleName": role_name})
        return bool(policy_goes) or role_is_ours

    def _ensure_role(self, role_name: str) -> bool:
        role = self._role(role_name)
        if role is None:
            given = {
                "RoleName": role_name,
                "PolicyDocument": document_text(TRUST),
                "Description": f"{MADE_HERE}: for its function of SCF",
            }
            self.control.call("cam", "CreateRole", given)
            return True
        trust = _parsed(role.get("PolicyDocument"))
        if _trusts(trust, SCF_SERVICE):
            return False
        both = {**TRUST, "statement": [*_statements(trust), *TRUST["statement"]]}
        given = {"RoleName": role_name, "PolicyDocument": document_text(both)}
        self.control.call("cam", "UpdateAssumeRolePolicy", given)
        return True

    def _ensure_policy(self, name: str, document: Mapping[str, Any]) -> tuple[_Policy, bool]:
        policy = self._policy(name)
        if policy is None:
            given = {
                "PolicyName": name,
                "PolicyDocument": document_text(document),
                "Description": f"{MADE_HERE}: what its function does, and no more",
            }
            made = self.control.call("cam", "CreatePolicy", given)
            return _Policy(int(made["PolicyId"]), name, given["Description"]), True
        if _says_the_same(self._document(policy), document):
            return policy, False
        # Without versions of the policy this replaces it; with them, its default version (the SDK's UpdatePolicy).
        self.control.call(
            "cam", "UpdatePolicy", {"PolicyId": policy.policy_id, "PolicyDocument": document_text(document)}
        )
        return policy, True

    def _role(self, role_name: str) -> Mapping[str, Any] | None:
        try:
            found = self.control.call("cam", "GetRole", {"RoleName": role_name})
        except ControlError as error:
            if error.code == _NO_ROLE:
                return None
            raise
        info: Mapping[str, Any] = found.get("RoleInfo") or {}
        return info

    def _attached(self, role_name: str) -> Iterator[_Policy]:
        for one in self._pages("ListAttachedRolePolicies", {"RoleName": role_name}):
            yield _policy(one)

    def _policy(self, name: str) -> _Policy | None:
        """A custom policy by its exact name; the keyword finds more."""
        listed = self._pages("ListPolicies", {"Scope": "Local", "Keyword": name})
        return next((_policy(one) for one in listed if one.get("PolicyName") == name), None)

    def _document(self, policy: _Policy) -> Mapping[str, Any]:
        """Its document; one that says nothing when it was deleted in this moment or cannot be read."""
        try:
            told = self.control.call("cam", "GetPolicy", {"PolicyId": policy.policy_id})
        except ControlError as error:
            if error.code in _NO_POLICY:
                return {}
            raise
        return _parsed(told.get("PolicyDocument"))

    def _pages(self, action: str, asked: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        page, seen = 1, 0
        while True:
            answer = self.control.call("cam", action, {**asked, "Page": page, "Rp": self.page_size})
            listed = answer.get("List") or []
            yield from listed
            seen += len(listed)
            if not listed or seen >= int(answer.get("TotalNum") or 0):
                return
            page += 1


def ci_role(control: Control) -> CiRole:
    """Whether the account has the speech service's role, and whether that service may use it. Raises ControlError."""
    try:
        info = control.call("cam", "GetRole", {"RoleName": CI_ROLE}).get("RoleInfo") or {}
    except ControlError as error:
        if error.code == _NO_ROLE:
            return CiRole(exists=False, trusts_ci=False)
        raise
    return CiRole(exists=True, trusts_ci=_trusts(_parsed(info.get("PolicyDocument")), CI_SERVICE))


def _policy(listed: Mapping[str, Any]) -> _Policy:
    return _Policy(
        int(listed["PolicyId"]), str(listed.get("PolicyName") or ""), str(listed.get("Description") or "")
    )


def _is_ours(description: str) -> bool:
    return description.startswith(MADE_HERE)


def _parsed(text: Any) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text or "{}")
    except (TypeError, ValueError):
        return {}
    return parsed if isinstance(parsed, Mapping) else {}


def _statements(trust: Mapping[str, Any]) -> list[Any]:
    found = trust.get("statement") or []
    return found if isinstance(found, list) else [found]


def _trusts(trust: Mapping[str, Any], service: str) -> bool:
    """Whether a role's own document lets this service act in its name."""
    for statement in _statements(trust):
        if not isinstance(statement, Mapping) or str(statement.get("effect")).lower() != "allow":
            continue
        principal = statement.get("principal")
        services = principal.get("service") if isinstance(principal, Mapping) else None
        if service in (services if isinstance(services, list) else [services]):
            return True
    return False


def _says_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return permissions_of(one) == permissions_of(other) and denials_of(one) == denials_of(other)
