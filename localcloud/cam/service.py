"""CAM as a service: its actions, and what the rest of the cloud needs to know of roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.api3.models import ApiError, ApiRequest, NoParams, parse_params
from localcloud.auth.authorize import CI_SERVICE_ROLE
from localcloud.auth.credentials import OWNER_UIN
from localcloud.auth.policy import PolicyDocument, RequiredPermission, is_allowed, parse_policy
from localcloud.cam.models import SCF_SERVICE_ROLE, load_state, parse_trusted_services
from localcloud.cam.responses import ACTIONS
from localcloud.store import Store

# One of the actions that QcloudAccessForScfRole allows on every bucket.
_PUT_NOTIFICATION = RequiredPermission("cos:PutBucketNotification")


@dataclass(frozen=True, slots=True)
class CiServiceRole:
    """CI_QCSRole; `get_policies` returns None when it does not exist or does not trust CI."""

    get_policies: Callable[[], tuple[PolicyDocument, ...] | None]

    def exists(self) -> bool:
        """Whether CI can assume the role."""
        return self.get_policies() is not None

    def can_read(self, region: str, bucket: str, key: str) -> bool:
        """Whether its policies allow to read an object, as QcloudCOSDataFullControl does."""
        resource = f"qcs::cos:{region}:uid/{bucket.rpartition('-')[2]}:{bucket}/{key}"
        return is_allowed(self.get_policies() or (), RequiredPermission("cos:GetObject", resource))


class CamService:
    """Implements ApiService."""

    def __init__(
        self, store: Store, appid: str, propagation_delay_s: float, *, is_bare: bool = False
    ) -> None:
        """A new role or policy is not known to other services until `propagation_delay_s` later.

        `is_bare`: whether a new account has no service roles.
        """
        self._state = load_state(store, propagation_delay_s, is_bare=is_bare)
        self._appid = appid

    async def handle(self, request: ApiRequest) -> Mapping[str, Any]:
        """Handle one request. Raises ApiError."""
        if request.action == "GetUserAppId":
            parse_params(NoParams, request.params)
            return {"Uin": request.caller.uin, "OwnerUin": OWNER_UIN, "AppId": int(self._appid)}
        action = ACTIONS.get(request.action)
        if action is None:
            raise ApiError("InvalidAction", f"This stand-in's cam has no action {request.action}.")
        return action(self._state, request.params)

    def policies_for_role(
        self, role_name: str, service: str = "scf.qcloud.com"
    ) -> tuple[PolicyDocument, ...] | None:
        """Return the policies of a role; None if the role does not exist or does not trust the service."""
        role = self._state.roles.get_by_name(role_name)
        if role is None or service not in parse_trusted_services(role.document):
            return None
        attached = self._state.policies.list_for_role(role.number)
        return tuple(parse_policy(policy.document) for policy, _ in attached)

    def is_assumable(self, role_name: str) -> bool:
        """Whether SCF can give a role to a function; a new role is not known to SCF at once."""
        role = self._state.roles.get_by_name(role_name)
        return (
            role is not None
            and self._state.is_propagated(role.added_s)
            and self.policies_for_role(role_name) is not None
        )

    def has_scf_role(self) -> bool:
        """Whether SCF has its service role, whatever the role may do."""
        return self.policies_for_role(SCF_SERVICE_ROLE) is not None

    def can_scf_write_buckets(self) -> bool:
        """Whether SCF's role has a policy to write rules to buckets, as QcloudAccessForScfRole is (SCF FAQ)."""
        policies = self.policies_for_role(SCF_SERVICE_ROLE) or ()
        return is_allowed(policies, _PUT_NOTIFICATION)

    @property
    def ci_role(self) -> CiServiceRole:
        """The role with which CI reads recordings and writes results."""
        return CiServiceRole(lambda: self.policies_for_role(CI_SERVICE_ROLE, "ci.qcloud.com"))

    def get_role_id(self, role_name: str) -> str:
        """Return the id of a role; empty if it does not exist."""
        role = self._state.roles.get_by_name(role_name)
        return role.role_id if role else ""
