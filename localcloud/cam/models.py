"""The roles and policies of the account, kept over restarts, and the trust policies of roles."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.api3.models import ApiError
from localcloud.auth.authorize import CI_SERVICE_ROLE
from localcloud.store import Store

_ROLE_SCHEMA = """
CREATE TABLE IF NOT EXISTS cam_roles (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, document TEXT NOT NULL,
    description TEXT NOT NULL, console_login INTEGER NOT NULL, session_s INTEGER NOT NULL,
    added_s REAL NOT NULL, changed_s REAL NOT NULL
);
"""
_ROLE_COLUMNS = "number, name, document, description, console_login, session_s, added_s, changed_s"
_FIRST_ROLE_ID = 4611686018427397904  # role ids have 19 digits (598/36226), so they are strings in JSON

CUSTOM, PRESET = 1, 2  # types of policies
_POLICY_SCHEMA = """
CREATE TABLE IF NOT EXISTS cam_policies (
    policy_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, type INTEGER NOT NULL,
    document TEXT NOT NULL, description TEXT NOT NULL, added_s REAL NOT NULL, changed_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS cam_attachments (
    role INTEGER NOT NULL, policy_id INTEGER NOT NULL, added_s REAL NOT NULL, PRIMARY KEY (role, policy_id)
);
"""
_POLICY_COLUMNS = "policy_id, name, type, document, description, added_s, changed_s"

# SCF writes rules to buckets and reads code from them with this role: "Role and authorization", 583/31444.
SCF_SERVICE_ROLE = "SCF_QcsRole"
_SCF_ROLE_DESCRIPTION = "SCF reads code files and writes triggers with this role."
_CI_ROLE_DESCRIPTION = "Cloud Infinite reads recordings and writes results with this role."
_SCF_ROLE_POLICIES = {"QcloudAccessForScfRole": "cos:*"}
# What the console attaches to CI's role when it authorizes CI (D-OPEN); the real documents are much longer.
_CI_ROLE_POLICIES = {
    "QcloudCOSDataFullControl": "cos:*",
    "QcloudAccessForCIRole": "ci:*",
    "QcloudPartAccessForCIRole": "ci:*",
}

_SERVICE_DOMAINS = (".qcloud.com", ".cloud.tencent.com")
_ASSUME_ACTIONS = ("name/sts:AssumeRole", "sts:AssumeRole")


@dataclass(frozen=True, slots=True)
class Role:
    """A role; `document` is its trust policy as it was sent. Times in Unix seconds, `session_s` in seconds."""

    number: int
    name: str
    document: str
    description: str
    console_login: int
    session_s: int
    added_s: float
    changed_s: float

    @property
    def role_id(self) -> str:
        """The id that the API shows."""
        return str(_FIRST_ROLE_ID + self.number)


class RoleStore:
    """The roles, in the database of the data folder."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_ROLE_SCHEMA)

    def add(self, name: str, document: str, description: str, console_login: int, session_s: int) -> Role:
        """Add a role whose name is not used yet."""
        now_s = time.time()
        cursor = self._db.execute(
            "INSERT INTO cam_roles VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            (name, document, description, console_login, session_s, now_s, now_s),
        )
        return self._select("number = ?", cursor.lastrowid)[0]

    def _select(self, where: str, *values: object) -> list[Role]:
        rows = self._db.execute(f"SELECT {_ROLE_COLUMNS} FROM cam_roles WHERE {where}", values)  # noqa: S608 - constants
        return [Role(*row) for row in rows]

    def get_by_name(self, name: str) -> Role | None:
        """Return the role of that name."""
        return next(iter(self._select("name = ?", name)), None)

    def get_by_id(self, role_id: str) -> Role | None:
        """Return the role of that id."""
        return next((role for role in self.all() if role.role_id == role_id), None)

    def all(self) -> list[Role]:
        """Return every role, oldest first."""
        return self._select("1 ORDER BY number")

    def set_trust(self, role: Role, document: str) -> None:
        """Replace the trust policy of a role."""
        self._db.execute(
            "UPDATE cam_roles SET document = ?, changed_s = ? WHERE number = ?",
            (document, time.time(), role.number),
        )

    def delete(self, role: Role) -> None:
        """Delete a role."""
        self._db.execute("DELETE FROM cam_roles WHERE number = ?", (role.number,))


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy, of type CUSTOM or PRESET; `document` is its JSON text as it was sent. Times in Unix seconds."""

    policy_id: int
    name: str
    type: int
    document: str
    description: str
    added_s: float
    changed_s: float


class PolicyStore:
    """The policies and their attachments, in the database of the data folder. Roles are referred to by number."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_POLICY_SCHEMA)

    def add(self, name: str, kind: int, document: str, description: str) -> Policy:
        """Add a policy whose name is not used yet."""
        now_s = time.time()
        cursor = self._db.execute(
            "INSERT INTO cam_policies VALUES (NULL, ?, ?, ?, ?, ?, ?)",
            (name, kind, document, description, now_s, now_s),
        )
        return self._select("policy_id = ?", cursor.lastrowid)[0]

    def _select(self, where: str, *values: object) -> list[Policy]:
        rows = self._db.execute(f"SELECT {_POLICY_COLUMNS} FROM cam_policies WHERE {where}", values)  # noqa: S608 - constants
        return [Policy(*row) for row in rows]

    def get(self, policy_id: int) -> Policy | None:
        """Return the policy of that id."""
        return next(iter(self._select("policy_id = ?", policy_id)), None)

    def get_by_name(self, name: str) -> Policy | None:
        """Return the policy of that name."""
        return next(iter(self._select("name = ?", name)), None)

    def all(self) -> list[Policy]:
        """Return every policy, newest first."""
        return self._select("1 ORDER BY policy_id DESC")

    def update(self, policy: Policy, document: str, description: str) -> None:
        """Replace the document and the description."""
        self._db.execute(
            "UPDATE cam_policies SET document = ?, description = ?, changed_s = ? WHERE policy_id = ?",
            (document, description, time.time(), policy.policy_id),
        )

    def delete(self, policy: Policy) -> None:
        """Delete a policy and its attachments."""
        for table in ("cam_policies", "cam_attachments"):
            self._db.execute(f"DELETE FROM {table} WHERE policy_id = ?", (policy.policy_id,))  # noqa: S608 - constants

    def attach(self, role: int, policy: Policy) -> None:
        """Attach a policy to a role; a second time changes nothing."""
        self._db.execute(
            "INSERT OR IGNORE INTO cam_attachments VALUES (?, ?, ?)", (role, policy.policy_id, time.time())
        )

    def detach(self, role: int, policy: Policy) -> None:
        """Detach a policy from a role."""
        self._db.execute(
            "DELETE FROM cam_attachments WHERE role = ? AND policy_id = ?", (role, policy.policy_id)
        )

    def detach_all(self, role: int) -> None:
        """Detach all policies from a role."""
        self._db.execute("DELETE FROM cam_attachments WHERE role = ?", (role,))

    def list_for_role(self, role: int) -> list[tuple[Policy, float]]:
        """Return the policies of a role with the Unix time of their attachment, latest first."""
        rows = self._db.execute(
            "SELECT policy_id, added_s FROM cam_attachments WHERE role = ? ORDER BY added_s DESC", (role,)
        ).fetchall()
        return [(self._select("policy_id = ?", policy_id)[0], added_s) for policy_id, added_s in rows]

    def count_attachments(self, policy: Policy) -> int:
        """Return the number of roles that a policy is attached to."""
        row = self._db.execute(
            "SELECT COUNT(*) FROM cam_attachments WHERE policy_id = ?", (policy.policy_id,)
        ).fetchone()
        return int(row[0])


@dataclass(frozen=True, slots=True)
class CamState:
    """Roles and policies; a new one is not yet known everywhere for `propagation_delay_s`."""

    roles: RoleStore
    policies: PolicyStore
    propagation_delay_s: float

    def is_propagated(self, added_s: float) -> bool:
        """Whether something that was added at that Unix time is known everywhere."""
        return time.time() >= added_s + self.propagation_delay_s


def load_state(store: Store, propagation_delay_s: float, *, is_bare: bool = False) -> CamState:
    """Load the data folder; a new one is an account in which the console has authorized CI and SCF.

    With `is_bare` a new one has the preset policies, and no service roles.
    """
    state = CamState(RoleStore(store), PolicyStore(store), propagation_delay_s)
    with store.transaction():
        _add_preset_policies(state.policies)
        for service, role, description, policies in (
            ("ci", CI_SERVICE_ROLE, _CI_ROLE_DESCRIPTION, _CI_ROLE_POLICIES),
            ("scf", SCF_SERVICE_ROLE, _SCF_ROLE_DESCRIPTION, _SCF_ROLE_POLICIES),
        ):
            setting = f"cam_authorised_{service}"
            # A bare account stays one, whatever the options of the next start are.
            if store.get_or_create_setting(setting, lambda: "bare" if is_bare else "no") == "no":
                _create_service_role(state, f"{service}.qcloud.com", role, description, policies)
                store.save_setting(setting, "yes")
    return state


def _add_preset_policies(policies: PolicyStore) -> None:
    for name, action in (*_SCF_ROLE_POLICIES.items(), *_CI_ROLE_POLICIES.items()):
        if policies.get_by_name(name) is None:
            document = {
                "version": "2.0",
                "statement": [{"effect": "allow", "action": [action], "resource": ["*"]}],
            }
            policies.add(name, PRESET, json.dumps(document), "")


def _create_service_role(
    state: CamState, service: str, name: str, description: str, policies: Mapping[str, str]
) -> None:
    statement = {
        "action": "name/sts:AssumeRole",
        "effect": "allow",
        "principal": {"service": [service]},
    }
    trust = json.dumps({"version": "2.0", "statement": [statement]})
    role = state.roles.add(name, trust, description, 0, 0)
    for policy_name in policies:
        policy = state.policies.get_by_name(policy_name)
        assert policy is not None
        state.policies.attach(role.number, policy)


def parse_trusted_services(document: str) -> frozenset[str]:
    """Parse a trust policy; returns the services that may assume the role, such as scf.qcloud.com.

    Form: CreateRole 598/33561, parameter PolicyDocument. Raises ApiError if CAM does not accept the document.
    """
    try:
        raw = json.loads(document)
    except ValueError as error:
        raise ApiError("InvalidParameter.PolicyDocumentError", "PolicyDocument is not JSON.") from error
    if not isinstance(raw, Mapping):
        raise ApiError("InvalidParameter.PolicyDocumentError", "PolicyDocument is not a JSON object.")
    if raw.get("version") != "2.0":
        raise ApiError("InvalidParameter.VersionError", "version must be 2.0.")
    statements = raw.get("statement")
    if not isinstance(statements, list) or not statements:
        raise ApiError(
            "InvalidParameter.StatementError", "statement must be a list with at least one statement."
        )
    return frozenset(service for statement in statements for service in _parse_statement(statement))


def _parse_statement(statement: object) -> tuple[str, ...]:
    if not isinstance(statement, Mapping):
        raise ApiError("InvalidParameter.StatementError", "A statement is not a JSON object.")
    if statement.get("effect") not in ("allow", "deny"):
        raise ApiError("InvalidParameter.EffectError", "effect must be allow or deny.")
    if not set(_parse_strings(statement.get("action"))) & set(_ASSUME_ACTIONS):
        raise ApiError(
            "InvalidParameter.ActionError", "The action of a trust policy must be name/sts:AssumeRole."
        )
    principal = statement.get("principal")
    if not isinstance(principal, Mapping) or not set(principal) & {"service", "qcs"}:
        raise ApiError("InvalidParameter.PrincipalError", "principal must have service or qcs.")
    services = _parse_strings(principal.get("service", []))
    if not all(service.endswith(_SERVICE_DOMAINS) for service in services):
        raise ApiError(
            "InvalidParameter.PrincipalServiceNotExist", f"There is no service {', '.join(services)}."
        )
    return services if statement["effect"] == "allow" else ()


def _parse_strings(raw: object) -> tuple[str, ...]:
    strings = [raw] if isinstance(raw, str) else raw
    if not isinstance(strings, list):
        return ()
    return tuple(item for item in strings if isinstance(item, str))
