"""The policies of the account and the roles that carry them, kept over restarts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from localcloud.store import Store

CUSTOM, PRESET = 1, 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS cam_policies (
    policy_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, type INTEGER NOT NULL,
    document TEXT NOT NULL, description TEXT NOT NULL, added_s REAL NOT NULL, changed_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS cam_attachments (
    role INTEGER NOT NULL, policy_id INTEGER NOT NULL, added_s REAL NOT NULL, PRIMARY KEY (role, policy_id)
);
"""
_COLUMNS = "policy_id, name, type, document, description, added_s, changed_s"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy, of type CUSTOM or PRESET; `document` is its JSON text as it was given. Times in Unix seconds."""

    policy_id: int
    name: str
    type: int
    document: str
    description: str
    added_s: float
    changed_s: float


class PolicyStore:
    """Reads and changes policies. Roles are known here by their number."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_SCHEMA)

    def add(self, name: str, kind: int, document: str, description: str) -> Policy:
        """A new policy; the name is free."""
        now_s = time.time()
        cursor = self._db.execute(
            "INSERT INTO cam_policies VALUES (NULL, ?, ?, ?, ?, ?, ?)",
            (name, kind, document, description, now_s, now_s),
        )
        return self._read("policy_id = ?", cursor.lastrowid)[0]

    def _read(self, where: str, *values: object) -> list[Policy]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM cam_policies WHERE {where}", values)  # noqa: S608 - constants
        return [Policy(*row) for row in rows]

    def get(self, policy_id: int) -> Policy | None:
        """The policy of that id."""
        return next(iter(self._read("policy_id = ?", policy_id)), None)

    def named(self, name: str) -> Policy | None:
        """The policy of that name."""
        return next(iter(self._read("name = ?", name)), None)

    def all(self) -> list[Policy]:
        """Every policy, newest first."""
        return self._read("1 ORDER BY policy_id DESC")

    def change(self, policy: Policy, document: str, description: str) -> None:
        """Replace what it says."""
        self._db.execute(
            "UPDATE cam_policies SET document = ?, description = ?, changed_s = ? WHERE policy_id = ?",
            (document, description, time.time(), policy.policy_id),
        )

    def delete(self, policy: Policy) -> None:
        """Forget it, wherever it was attached."""
        for table in ("cam_policies", "cam_attachments"):
            self._db.execute(f"DELETE FROM {table} WHERE policy_id = ?", (policy.policy_id,))  # noqa: S608 - constants

    def attach(self, role: int, policy: Policy) -> None:
        """Let a role carry it; once more changes nothing."""
        self._db.execute(
            "INSERT OR IGNORE INTO cam_attachments VALUES (?, ?, ?)", (role, policy.policy_id, time.time())
        )

    def detach(self, role: int, policy: Policy) -> None:
        """Take it from a role."""
        self._db.execute(
            "DELETE FROM cam_attachments WHERE role = ? AND policy_id = ?", (role, policy.policy_id)
        )

    def detach_all(self, role: int) -> None:
        """Take everything from a role."""
        self._db.execute("DELETE FROM cam_attachments WHERE role = ?", (role,))

    def of_role(self, role: int) -> list[tuple[Policy, float]]:
        """What a role carries, with the Unix second since when; the latest first."""
        rows = self._db.execute(
            "SELECT policy_id, added_s FROM cam_attachments WHERE role = ? ORDER BY added_s DESC", (role,)
        ).fetchall()
        return [(self._read("policy_id = ?", policy_id)[0], added_s) for policy_id, added_s in rows]

    def carriers(self, policy: Policy) -> int:
        """How many roles carry it."""
        row = self._db.execute(
            "SELECT COUNT(*) FROM cam_attachments WHERE policy_id = ?", (policy.policy_id,)
        ).fetchone()
        return int(row[0])
