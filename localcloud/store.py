"""The data folder: a SQLite database for the state, plain files for the contents of objects.

All access is from the event loop's thread, so there are no locks; one write takes about 0.02 ms.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)"


class Store:
    """The database of a data folder, and the folders for files."""

    def __init__(self, folder: Path) -> None:
        """Open or create a data folder. Raises OSError when it cannot be used, or another stand-in uses it."""
        self.folder = folder.resolve()
        self.buckets = self.folder / "buckets"  # <bucket>/<key>, to be opened with any program
        self.hashed = self.folder / "hashed"  # objects whose key is not a safe file name
        self.incoming = self.folder / "incoming"  # bodies that arrive now, and parts of open uploads
        for path in (self.buckets, self.hashed, self.incoming):
            path.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(self.folder / "state.db", isolation_level=None)
        # One process owns the folder. Writes survive the end of the process; only a power cut can lose some.
        self.db.execute("PRAGMA locking_mode=EXCLUSIVE")
        try:
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=OFF")
            self.create(_SCHEMA)
        except sqlite3.OperationalError as error:
            self.db.close()
            raise OSError(f"{self.folder} is used by another stand-in ({error})") from error
        self._clean_up()

    def _clean_up(self) -> None:
        """Delete incomplete bodies. The parts of open uploads stay: their names have a number after a dot."""
        for leftover in self.incoming.iterdir():
            if "." not in leftover.name:
                leftover.unlink()

    def create(self, schema: str) -> None:
        """Create tables that do not exist yet; every service has its own."""
        self.db.executescript(schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a block in a transaction: commit at its end, roll back on an error. A nested one joins the outer one."""
        if self.db.in_transaction:
            yield self.db
            return
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def get_or_create_setting(self, name: str, make: Callable[[], str]) -> str:
        """Get a setting; at first use `make` creates it. It survives restarts."""
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        if row:
            return str(row[0])
        value = make()
        self.save_setting(name, value)
        return value

    def save_setting(self, name: str, value: str) -> None:
        """Save a setting."""
        self.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def temporary_file(self) -> Path:
        """Return an unused path on the file system of the objects, so that a rename can move the file into place."""
        return self.incoming / secrets.token_hex(16)

    def close(self) -> None:
        """Close the database; its log is merged into the one file."""
        self.db.close()
