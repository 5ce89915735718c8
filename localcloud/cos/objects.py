"""The index of objects and their versions: what is known of each, and which file holds it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from localcloud.cos.buckets import Bucket
from localcloud.cos.files import Files
from localcloud.store import Store

NULL_VERSION = "null"

# Keys are kept as bytes: they are listed in the order of their UTF-8 bytes, and may hold anything.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket TEXT NOT NULL, key BLOB NOT NULL, version_id TEXT NOT NULL,
    latest INTEGER NOT NULL, marker INTEGER NOT NULL,
    etag TEXT NOT NULL, size INTEGER NOT NULL, modified_s REAL NOT NULL,
    headers TEXT NOT NULL, tags TEXT NOT NULL, file TEXT NOT NULL COLLATE NOCASE
);
CREATE UNIQUE INDEX IF NOT EXISTS objects_by_version ON objects (bucket, key, version_id);
CREATE INDEX IF NOT EXISTS objects_by_key ON objects (bucket, latest, key);
CREATE INDEX IF NOT EXISTS objects_by_file ON objects (file);
"""
_COLUMNS = "number, bucket, key, version_id, latest, marker, etag, size, modified_s, headers, tags, file"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object. `etag` has no quotes; size in bytes; time in Unix seconds.

    `headers` are those given at the upload and given back at every read, lower case; `file` is relative to the
    data folder; a delete marker has none.
    """

    bucket: str
    key: str
    version_id: str
    etag: str
    size: int
    modified_s: float
    headers: Mapping[str, str]
    tags: tuple[tuple[str, str], ...] = ()
    file: str = ""
    latest: bool = True
    marker: bool = False
    number: int = 0

    @property
    def content_type(self) -> str:
        """What a read answers as Content-Type."""
        return self.headers.get("content-type", "application/octet-stream")


def _from_row(row: tuple[int, str, bytes, str, int, int, str, int, float, str, str, str]) -> StoredObject:
    number, bucket, key, version_id, latest, marker, etag, size, modified_s, headers, tags, file = row
    return StoredObject(
        bucket,
        key.decode(),
        version_id,
        etag,
        size,
        modified_s,
        json.loads(headers),
        tuple((name, value) for name, value in json.loads(tags)),
        file,
        bool(latest),
        bool(marker),
        number,
    )


class Objects:
    """Reads and changes the index. A file is in its place before the index tells of it."""

    def __init__(self, store: Store, files: Files) -> None:
        self._store = store
        self._files = files
        store.create(_SCHEMA)

    def get(self, bucket: str, key: str, version_id: str = "") -> StoredObject | None:
        """A version, or the latest one; delete markers are given back too."""
        which, value = ("version_id = ?", version_id) if version_id else ("latest = ?", 1)
        row = self._store.db.execute(
            f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND {which}",  # noqa: S608 - constants
            (bucket, key.encode(), value),
        ).fetchone()
        return _from_row(row) if row else None

    def current(self, bucket: str, key: str) -> StoredObject | None:
        """The latest version unless that is a delete marker."""
        found = self.get(bucket, key)
        return None if found is None or found.marker else found

    def add(self, bucket: Bucket, new: StoredObject, source: Path | None) -> StoredObject:
        """Make `new` the latest version, moving its finished file in place; the version id is chosen here."""
        versioned = bucket.versioning == "Enabled"
        version_id = _new_version_id() if versioned else NULL_VERSION
        replaced = None if versioned else self.get(bucket.name, new.key, NULL_VERSION)
        file = ""
        if source is not None:
            unlike = version_id if versioned else self._crossing(bucket.name, new.key)
            file = self._files.place(source, bucket.name, new.key, unlike=unlike)
        if bucket.versioning:
            with self._store.transaction() as db:
                db.execute(
                    "UPDATE objects SET latest = 0 WHERE bucket = ? AND key = ?",
                    (bucket.name, new.key.encode()),
                )
                self._insert(new, version_id, file)
        else:
            self._insert(new, version_id, file)
        if replaced is not None and replaced.file and replaced.file != file:
            self._files.remove(replaced.file)
        return replace(new, version_id=version_id, file=file, latest=True)

    def _insert(self, new: StoredObject, version_id: str, file: str) -> None:
        # In place of a row of that version, under a new number: it is the newest now.
        self._store.db.execute(
            "INSERT OR REPLACE INTO objects (bucket, key, version_id, latest, marker, etag, size, modified_s, headers,"
            " tags, file) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)",
            (
                new.bucket,
                new.key.encode(),
                version_id,
                new.marker,
                new.etag,
                new.size,
                new.modified_s,
                json.dumps(dict(new.headers)),
                json.dumps(new.tags),
                file,
            ),
        )

    def _crossing(self, bucket: str, key: str) -> str:
        """Something unique when another key differs from this one by letter case only."""
        row = self._store.db.execute(
            "SELECT 1 FROM objects WHERE file = ? AND key != ? LIMIT 1",
            (f"buckets/{bucket}/{key}", key.encode()),
        ).fetchone()
        return key if row else ""

    def remove_version(self, found: StoredObject) -> None:
        """Take one version away for good; the newest of the rest becomes the latest."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM objects WHERE number = ?", (found.number,))
            db.execute(
                "UPDATE objects SET latest = 1 WHERE number ="
                " (SELECT MAX(number) FROM objects WHERE bucket = ? AND key = ?)",
                (found.bucket, found.key.encode()),
            )
        if found.file:
            self._files.remove(found.file)

    def delete(self, bucket: Bucket, key: str) -> StoredObject | None:
        """Delete without a version: the object itself, or a delete marker on a bucket that has versions."""
        if bucket.versioning:
            marker = StoredObject(bucket.name, key, "", "", 0, time.time(), {}, marker=True)
            return self.add(bucket, marker, None)
        found = self.get(bucket.name, key)
        if found is not None:
            self.remove_version(found)
        return None

    def set_tags(self, found: StoredObject, tags: tuple[tuple[str, str], ...]) -> None:
        """Replace the tags of one version."""
        self._store.db.execute(
            "UPDATE objects SET tags = ? WHERE number = ?", (json.dumps(tags), found.number)
        )

    def scan(
        self, bucket: str, start: bytes, *, inclusive: bool, stop: bytes | None
    ) -> Iterator[StoredObject]:
        """Live objects in byte order of their keys, from `start` up to before `stop`."""
        rows = self._store.db.execute(
            f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND latest = 1 AND marker = 0"  # noqa: S608 - constants
            f" AND key {'>=' if inclusive else '>'} ? AND (? IS NULL OR key < ?) ORDER BY key",
            (bucket, start, stop, stop),
        )
        return map(_from_row, rows)

    def versions(self, bucket: str, start: bytes, *, stop: bytes | None) -> Iterator[StoredObject]:
        """All versions and delete markers by key, the newest of each key first."""
        rows = self._store.db.execute(
            f"SELECT {_COLUMNS} FROM objects WHERE bucket = ? AND key >= ? AND (? IS NULL OR key < ?)"  # noqa: S608 - constants
            " ORDER BY key, number DESC",
            (bucket, start, stop, stop),
        )
        return map(_from_row, rows)

    def is_empty(self, bucket: str) -> bool:
        """Whether no version of any object is left."""
        return (
            self._store.db.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (bucket,)).fetchone()
            is None
        )


def _new_version_id() -> str:
    return "MTg0" + secrets.token_hex(14)
