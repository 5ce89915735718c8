"""What CAM knows of the account."""

from __future__ import annotations

import json
from dataclasses import dataclass

from localcloud.access.ci_needs import SERVICE_ROLE
from localcloud.control.cam.policies import PRESET, PolicyStore
from localcloud.control.cam.roles import RoleStore
from localcloud.store import Store

# What the console attaches to CI's role when it authorises CI (D-OPEN); what they say is much longer in the cloud.
_OF_CI = {
    "QcloudCOSDataFullControl": "cos:*",
    "QcloudAccessForCIRole": "ci:*",
    "QcloudPartAccessForCIRole": "ci:*",
}


@dataclass(frozen=True, slots=True)
class State:
    """Roles and policies."""

    roles: RoleStore
    policies: PolicyStore


def state_of(store: Store) -> State:
    """What the data folder holds; a new one is an account in which the console has authorised CI."""
    state = State(RoleStore(store), PolicyStore(store))
    if store.setting("cam_authorised_ci", lambda: "no") == "no":
        with store.transaction():
            _authorise_ci(state)
            store.keep_setting("cam_authorised_ci", "yes")
    return state


def _authorise_ci(state: State) -> None:
    statement = {
        "action": "name/sts:AssumeRole",
        "effect": "allow",
        "principal": {"service": ["ci.qcloud.com"]},
    }
    trust = json.dumps({"version": "2.0", "statement": [statement]})
    role = state.roles.add(SERVICE_ROLE, trust, "Cloud Infinite acts by this role.", 0, 0)
    for name, action in _OF_CI.items():
        document = {
            "version": "2.0",
            "statement": [{"effect": "allow", "action": [action], "resource": ["*"]}],
        }
        policy = state.policies.add(name, PRESET, json.dumps(document), "")
        state.policies.attach(role.number, policy)
