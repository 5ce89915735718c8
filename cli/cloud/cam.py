"""Client of CAM: roles, and the custom policies that are named like them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from cli.cloud.client import ApiClient, ApiError, Poller
from cli.errors import OperatorError
from cli.language import N_, _
from cli.policy.diff import allowed_permissions, denied_permissions
from cli.policy.documents import TRUST, serialize_document
from cli.policy.permissions import CI_ROLE

PAGE_SIZE = 200  # CAM's maximum
SCF_SERVICE, CI_SERVICE = "scf.qcloud.com", "ci.qcloud.com"
# The configuration role of SCF, with which it writes COS triggers into the buckets (SCF document 583/31444).
SCF_ROLE = "SCF_QcsRole"
MADE_HERE = "Made by scribe"  # not translated: prefix of the description of what `scribe remove` may delete

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


OPEN_GRANT_PAGE = N_("open {grant_url} as the account's owner or an administrator, and agree")


@dataclass(frozen=True, slots=True)
class ServiceRole:
    """A role that a service of Tencent needs in the account: who may assume it, and its preset policies.

    `title` is the service's name on the authorization page, `purpose` what does not work without the role (in English,
    translated where it is shown). With
    `accepts_other_policies` a role with any policy is taken as it is: which ones the console attached has changed.
    """

    name: str
    service: str
    policies: tuple[str, ...]
    title: str
    purpose: str
    accepts_other_policies: bool = False

    @property
    def grant_url(self) -> str:
        """Tencent's own page on which the account's owner creates the role with one click (COS document 436/45371)."""
        principal = base64.b64encode(json.dumps({"service": self.service}, separators=(",", ":")).encode())
        query = {
            "roleName": self.name,
            "policyName": ",".join(self.policies),
            "principal": principal.decode(),
            "serviceType": self.title,
        }
        return f"https://console.cloud.tencent.com/cam/role/grant?{urlencode(query, safe=',=')}"

    @property
    def advice(self) -> str:
        """What the owner of the account can do."""
        return _(OPEN_GRANT_PAGE, grant_url=self.grant_url)


SCF_SERVICE_ROLE = ServiceRole(
    SCF_ROLE,
    SCF_SERVICE,
    ("QcloudAccessForScfRole",),  # SCF's FAQ names it as the cause of "not authorized"
    "云函数",
    N_("SCF cannot create triggers on the buckets"),
)
CI_SERVICE_ROLE = ServiceRole(
    CI_ROLE,
    CI_SERVICE,
    ("QcloudCOSDataFullControl", "QcloudAccessForCIRole", "QcloudPartAccessForCIRole"),
    "数据万象",
    N_("Cloud Infinite cannot read the recordings"),
    accepts_other_policies=True,
)
SERVICE_ROLES = (SCF_SERVICE_ROLE, CI_SERVICE_ROLE)


class ServiceRoleState(NamedTuple):
    """Whether a service's role exists, whether the service may assume it, and the preset policies that it lacks."""

    exists: bool
    is_trusted: bool
    missing_policies: tuple[str, ...]

    @property
    def is_usable(self) -> bool:
        """Whether the service can assume the role at all."""
        return self.exists and self.is_trusted

    def describe_problem(self, role: ServiceRole) -> str:
        """What is wrong with it; "" if nothing is."""
        purpose = _(role.purpose)
        if not self.exists:
            return _("role {role} does not exist: {purpose}", role=role.name, purpose=purpose)
        if not self.is_trusted:
            return _(
                "role {role} does not trust {service}: {purpose}",
                role=role.name,
                service=role.service,
                purpose=purpose,
            )
        if self.missing_policies and role.accepts_other_policies:
            return _("role {role} has no policy attached: {purpose}", role=role.name, purpose=purpose)
        if self.missing_policies:
            return _(
                "role {role} lacks the policy {policies}: {purpose}",
                role=role.name,
                policies=_(", ").join(self.missing_policies),
                purpose=purpose,
            )
        return ""


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
                _(
                    "the account has a policy {name} that was not created by scribe and differs from what the role of "
                    "that name needs; nothing was changed. Delete the policy in the CAM console if it is not used, or "
                    "set another SCF_ROLE_NAME",
                    name=role_name,
                )
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

    def get_service_role(self, role: ServiceRole) -> ServiceRoleState:
        """The state of a service's role."""
        info = self._get_role(role.name)
        if info is None:
            return ServiceRoleState(exists=False, is_trusted=False, missing_policies=role.policies)
        names = {policy.name for policy in self._attached_policies(role.name)}
        is_complete = bool(names) and role.accepts_other_policies
        return ServiceRoleState(
            exists=True,
            is_trusted=_trusts(_parse_object(info.get("PolicyDocument")), role.service),
            missing_policies=()
            if is_complete
            else tuple(name for name in role.policies if name not in names),
        )

    def ensure_service_role(self, role: ServiceRole) -> None:
        """Create a service's role, or complete it: its trust, and its preset policies."""
        info = self._get_role(role.name)
        trust = {"version": "2.0", "statement": [_build_trust_statement(role.service)]}
        if info is None:
            params = {
                "RoleName": role.name,
                "PolicyDocument": serialize_document(trust),
                "Description": f"The service role of {role.title}, created by scribe deploy",  # not translated
            }
            self.api.call("cam", "CreateRole", params)
        elif not _trusts(current := _parse_object(info.get("PolicyDocument")), role.service):
            extended = {**trust, "statement": [*_list_statements(current), *trust["statement"]]}
            params = {"RoleName": role.name, "PolicyDocument": serialize_document(extended)}
            self.api.call("cam", "UpdateAssumeRolePolicy", params)
        attached = self._retry_until_visible(lambda: tuple(self._attached_policies(role.name)))
        names = {policy.name for policy in attached}
        for name in role.policies:
            if name not in names:
                self._attach_preset_policy(role.name, name)

    def _attach_preset_policy(self, role_name: str, policy_name: str) -> None:
        params = {"AttachRoleName": role_name, "PolicyName": policy_name}
        self._retry_until_visible(lambda: self.api.call("cam", "AttachRolePolicy", params))

    def _ensure_role(self, role_name: str) -> bool:
        role = self._get_role(role_name)
        if role is None:
            params = {
                "RoleName": role_name,
                "PolicyDocument": serialize_document(TRUST),
                "Description": f"{MADE_HERE}: for its function of SCF",  # not translated
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
            "Description": f"{MADE_HERE}: what its function does, and no more",  # not translated
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


def _build_trust_statement(service: str) -> dict[str, Any]:
    return {"action": "name/sts:AssumeRole", "effect": "allow", "principal": {"service": [service]}}


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
