"""Multipart uploads that are under way: their parts, and how they end."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from localcloud.cos.errors import CosProblem, no_such_upload
from localcloud.store import Store

MOST_PARTS = 10_000
_SMALLEST_PART = 1024 * 1024  # bytes, all parts but the last; COS Upload Part

_SCHEMA = """
CREATE TABLE IF NOT EXISTS uploads (
    upload_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, headers TEXT NOT NULL, started_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
    received_s REAL NOT NULL, PRIMARY KEY (upload_id, number)
);
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """An open upload; `headers` are those that the finished object will have."""

    upload_id: str
    bucket: str
    key: str
    headers: Mapping[str, str]
    started_s: float


@dataclass(frozen=True, slots=True)
class Part:
    """One part that arrived; `etag` is its MD5 in hex, size in bytes."""

    number: int
    etag: str
    size: int
    received_s: float


class Uploads:
    """Open uploads and their parts; part files lie among the incoming bodies."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.create(_SCHEMA)

    def start(self, bucket: str, key: str, headers: Mapping[str, str]) -> Upload:
        """Open an upload."""
        upload = Upload(f"{int(time.time())}{token_hex(24)}", bucket, key, dict(headers), time.time())
        self._store.db.execute(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
            (upload.upload_id, bucket, key.encode(), json.dumps(upload.headers), upload.started_s),
        )
        return upload

    def get(self, bucket: str, key: str, upload_id: str) -> Upload:
        """An open upload of that key. Raises NoSuchUpload."""
        row = self._store.db.execute(
            "SELECT headers, started_s FROM uploads WHERE upload_id = ? AND bucket = ? AND key = ?",
            (upload_id, bucket, key.encode()),
        ).fetchone()
        if row is None:
            raise no_such_upload()
        return Upload(upload_id, bucket, key, json.loads(row[0]), row[1])

    def all(self, bucket: str, prefix: str = "") -> list[Upload]:
        """The open uploads of a bucket, by key."""
        rows = self._store.db.execute(
            "SELECT upload_id, bucket, key, headers, started_s FROM uploads WHERE bucket = ? ORDER BY key, started_s",
            (bucket,),
        )
        uploads = [Upload(row[0], row[1], row[2].decode(), json.loads(row[3]), row[4]) for row in rows]
        return [upload for upload in uploads if upload.key.startswith(prefix)]

    def file(self, upload: Upload, number: int) -> Path:
        """Where a part lies."""
        return self._store.incoming / f"{upload.upload_id}.{number}"

    def keep_part(self, upload: Upload, number: int, source: Path, etag: str, size: int) -> None:
        """Take a received body as a part, in place of an earlier one of that number."""
        os.replace(source, self.file(upload, number))  # noqa: PTH105 - as in files.py
        self._store.db.execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)",
            (upload.upload_id, number, etag, size, time.time()),
        )

    def parts(self, upload: Upload) -> list[Part]:
        """The parts that arrived, by number."""
        rows = self._store.db.execute(
            "SELECT number, etag, size, received_s FROM parts WHERE upload_id = ? ORDER BY number",
            (upload.upload_id,),
        )
        return [Part(*row) for row in rows]

    def chosen(self, upload: Upload, named: list[tuple[int, str]]) -> list[Part]:
        """The parts that a Complete names, checked. Raises InvalidPart, InvalidPartOrder, EntityTooSmall."""
        numbers = [number for number, _ in named]
        if not numbers or numbers != sorted(set(numbers)):
            raise CosProblem(400, "InvalidPartOrder", "Parts are listed once each, in ascending order.")
        arrived = {part.number: part for part in self.parts(upload)}
        for number, etag in named:
            if number not in arrived or arrived[number].etag != etag.strip('"'):
                raise CosProblem(400, "InvalidPart", f"Part {number} was not uploaded, or its ETag differs.")
        if any(arrived[number].size < _SMALLEST_PART for number in numbers[:-1]):
            raise CosProblem(400, "EntityTooSmall", "Every part but the last has at least 1 MB.")
        return [arrived[number] for number in numbers]

    def end(self, upload: Upload) -> None:
        """Forget an upload, its parts and their files."""
        parts = self.parts(upload)
        with self._store.transaction() as db:
            db.execute("DELETE FROM parts WHERE upload_id = ?", (upload.upload_id,))
            db.execute("DELETE FROM uploads WHERE upload_id = ?", (upload.upload_id,))
        for part in parts:
            self.file(upload, part.number).unlink(missing_ok=True)


def joint_etag(parts: list[Part]) -> str:
    """The ETag of a multipart object: MD5 over the parts' MD5s, a hyphen and their number."""
    joined = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(joined).hexdigest()}-{len(parts)}"
