"""One data folder: a sqlite file for what is known, plain files for what the objects hold.

Everything runs on the event loop's thread: one write is some 0.02 ms, and nothing has to be locked.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHEMA = "CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)"


class Store:
    """The folder's database and its places for files."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError when the folder cannot be used, or another stand-in uses it."""
        self.folder = folder.resolve()
        self.buckets = self.folder / "buckets"  # <bucket>/<key>: open these with any program
        self.hashed = self.folder / "hashed"  # objects whose key is no safe file name
        self.incoming = self.folder / "incoming"  # bodies on their way in, and parts of open uploads
        for place in (self.buckets, self.hashed, self.incoming):
            place.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(self.folder / "state.db", isolation_level=None)
        # One process owns the folder. What is written survives the end of the process; only a power cut may lose some.
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
        """Throw away bodies that were cut off; the parts of open uploads have a number behind a dot."""
        for leftover in self.incoming.iterdir():
            if "." not in leftover.name:
                leftover.unlink()

    def create(self, schema: str) -> None:
        """Make tables that are not there yet; every part of the cloud brings its own."""
        self.db.executescript(schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; inside an open transaction it joins that one."""
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
        """A value that stays the same over restarts, made at first use."""
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        if row:
            return str(row[0])
        value = make()
        self.save_setting(name, value)
        return value

    def save_setting(self, name: str, value: str) -> None:
        """Write a setting down."""
        self.db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def temporary_file(self) -> Path:
        """A free name on the same file system as the objects, so that a rename puts it in place."""
        return self.incoming / secrets.token_hex(16)

    def close(self) -> None:
        """Leave one clean database file."""
        self.db.close()
