"""What CAM knows of the account."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.access.ci_needs import SERVICE_ROLE
from localcloud.control.cam.policies import PRESET, PolicyStore
from localcloud.control.cam.roles import RoleStore
from localcloud.store import Store

# By this one SCF writes rules to buckets and reads code from them: "Role and authorization", 583/31444.
CONFIGURATION_ROLE = "SCF_QcsRole"
_SCF_SAYS = "By this role SCF's configuration reaches code files and writes triggers."
_OF_SCF = {"QcloudAccessForScfRole": "cos:*"}
# What the console attaches to CI's role when it authorises CI (D-OPEN); what they say is much longer in the cloud.
_OF_CI = {
    "QcloudCOSDataFullControl": "cos:*",
    "QcloudAccessForCIRole": "ci:*",
    "QcloudPartAccessForCIRole": "ci:*",
}


@dataclass(frozen=True, slots=True)
class State:
    """Roles and policies; what is new is not known everywhere until `settle_s` later."""

    roles: RoleStore
    policies: PolicyStore
    settle_s: float

    def is_settled(self, added_s: float) -> bool:
        """Whether what was added at that Unix second is known everywhere."""
        return time.time() >= added_s + self.settle_s


def state_of(store: Store, settle_s: float) -> State:
    """What the data folder holds; a new one is an account in which the console has authorised CI and SCF."""
    state = State(RoleStore(store), PolicyStore(store), settle_s)
    with store.transaction():
        for service, role, says, policies in (
            ("ci", SERVICE_ROLE, "Cloud Infinite acts by this role.", _OF_CI),
            ("scf", CONFIGURATION_ROLE, _SCF_SAYS, _OF_SCF),
        ):
            done = f"cam_authorised_{service}"
            if store.get_or_create_setting(done, lambda: "no") == "no":
                _authorise(state, f"{service}.qcloud.com", role, says, policies)
                store.save_setting(done, "yes")
    return state


def _authorise(state: State, service: str, name: str, says: str, policies: Mapping[str, str]) -> None:
    statement = {
        "action": "name/sts:AssumeRole",
        "effect": "allow",
        "principal": {"service": [service]},
    }
    trust = json.dumps({"version": "2.0", "statement": [statement]})
    role = state.roles.add(name, trust, says, 0, 0)
    for policy_name, action in policies.items():
        document = {
            "version": "2.0",
            "statement": [{"effect": "allow", "action": [action], "resource": ["*"]}],
        }
        policy = state.policies.add(policy_name, PRESET, json.dumps(document), "")
        state.policies.attach(role.number, policy)
