"""The roles of the account, kept over restarts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from localcloud.store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cam_roles (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT NULL, document TEXT NOT NULL,
    description TEXT NOT NULL, console_login INTEGER NOT NULL, session_s INTEGER NOT NULL,
    added_s REAL NOT NULL, changed_s REAL NOT NULL
);
"""
_FIRST_ID = 4611686018427397904  # ids of roles are 19 digits (598/36226), so they travel as text
_COLUMNS = "number, name, document, description, console_login, session_s, added_s, changed_s"


@dataclass(frozen=True, slots=True)
class Role:
    """A role; `document` says whom it trusts, as it was given. Times in Unix seconds, `session_s` in seconds."""

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
        """Its id."""
        return str(_FIRST_ID + self.number)


class RoleStore:
    """Reads and changes roles."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_SCHEMA)

    def add(self, name: str, document: str, description: str, console_login: int, session_s: int) -> Role:
        """A new role; the name is free."""
        now_s = time.time()
        cursor = self._db.execute(
            "INSERT INTO cam_roles VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
            (name, document, description, console_login, session_s, now_s, now_s),
        )
        return self._read("number = ?", cursor.lastrowid)[0]

    def _read(self, where: str, *values: object) -> list[Role]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM cam_roles WHERE {where}", values)  # noqa: S608 - constants
        return [Role(*row) for row in rows]

    def named(self, name: str) -> Role | None:
        """The role of that name."""
        return next(iter(self._read("name = ?", name)), None)

    def with_id(self, role_id: str) -> Role | None:
        """The role of that id."""
        return next((role for role in self.all() if role.role_id == role_id), None)

    def all(self) -> list[Role]:
        """Every role, in the order of their making."""
        return self._read("1 ORDER BY number")

    def change_trust(self, role: Role, document: str) -> None:
        """Trust others from now on."""
        self._db.execute(
            "UPDATE cam_roles SET document = ?, changed_s = ? WHERE number = ?",
            (document, time.time(), role.number),
        )

    def delete(self, role: Role) -> None:
        """Forget it."""
        self._db.execute("DELETE FROM cam_roles WHERE number = ?", (role.number,))
