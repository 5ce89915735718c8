"""The roles of an account and the custom policies that are named like them, through CAM's API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cli.cloud.control import Control, ControlError
from cli.cloud.waiting import Waiting
from cli.errors import OperatorError
from cli.policy.documents import TRUST, document_text
from cli.policy.place import CI_ROLE
from cli.policy.statements import denials_of, not_granted, permissions_of

PAGE_SIZE = 200  # the most that CAM gives at once
SCF_SERVICE, CI_SERVICE = "scf.qcloud.com", "ci.qcloud.com"
MADE_HERE = "Made by scribe"  # how a description begins of what `scribe remove` may delete

_NO_ROLE = "InvalidParameter.RoleNotExist"
_NO_POLICY = frozenset({"InvalidParameter.PolicyIdNotExist", "ResourceNotFound.PolicyIdNotFound"})
_NOT_YET_SEEN = _NO_POLICY | {_NO_ROLE}  # of what was made a moment ago

_Answer = TypeVar("_Answer")


class ForeignPolicy(OperatorError):
    """A policy bears the name that Scribe's would have, and is somebody else's."""


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
    """Roles and their policies, read `page_size` at a time. Every call raises ControlError.

    The clock and the sleep can be handed in by tests.
    """

    control: Control
    page_size: int = PAGE_SIZE
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

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

        What else is attached to the role, and whom else it trusts, is somebody's choice and stays. Raises
        ForeignPolicy, with nothing changed, where a policy of that name is not Scribe's and says something else.
        """
        found = self._policy(role_name)
        is_right = found is not None and _says_the_same(self._document(found), document)
        if found and not is_right and not _is_ours(found.description):
            raise ForeignPolicy(
                f"the account has a policy {role_name} that was not made by scribe, and it is not what the role of "
                "that name needs: it stays as it is. Delete it in the CAM console if nobody needs it, or choose "
                "another SCF_ROLE_NAME"
            )
        changed = self._ensure_role(role_name)
        policy = found or self._made(role_name, document)
        if found and not is_right:
            # Without versions of the policy this replaces it; with them, its default version (the SDK's UpdatePolicy).
            self.control.call(
                "cam",
                "UpdatePolicy",
                {"PolicyId": found.policy_id, "PolicyDocument": document_text(document)},
            )
        return self._ensure_attached(role_name, policy) or changed or not is_right

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

    def _made(self, name: str, document: Mapping[str, Any]) -> _Policy:
        given = {
            "PolicyName": name,
            "PolicyDocument": document_text(document),
            "Description": f"{MADE_HERE}: what its function does, and no more",
        }
        made = self.control.call("cam", "CreatePolicy", given)
        return _Policy(int(made["PolicyId"]), name, given["Description"])

    def _ensure_attached(self, role_name: str, policy: _Policy) -> bool:
        """Role and policy may be so new that not all of CAM sees them yet."""
        given = {"AttachRoleName": role_name, "PolicyId": policy.policy_id}
        attached = self._until_seen(lambda: tuple(self._attached(role_name)))
        if any(one.policy_id == policy.policy_id for one in attached):
            return False
        self._until_seen(lambda: self.control.call("cam", "AttachRolePolicy", given))
        return True

    def _until_seen(self, send: Callable[[], _Answer]) -> _Answer:
        waiting = Waiting(self.now, self.sleep)
        return waiting.until_taken(send, lambda refusal: refusal.code in _NOT_YET_SEEN)

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
