"""Buckets: their names, regions and versioning."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex

from localcloud.cos.exceptions import CosError, no_such_bucket, no_such_upload
from localcloud.cos.storage import FileStorage
from localcloud.store import Store

_BUCKETS_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, region TEXT NOT NULL, created_s REAL NOT NULL, versioning TEXT NOT NULL DEFAULT ''
)
"""
_BUCKET_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?-(\d+)")


@dataclass(frozen=True, slots=True)
class Bucket:
    """`name` includes the appid; `versioning` is empty (never set), `Enabled` or `Suspended`; times in Unix seconds."""

    name: str
    region: str
    created_s: float
    versioning: str


class BucketStore:
    """All buckets of this cloud's one account."""

    def __init__(self, store: Store, appid: str) -> None:
        self._db: sqlite3.Connection = store.db
        self._appid = appid
        store.create(_BUCKETS_SCHEMA)

    def create(self, name: str, region: str) -> Bucket:
        """Make a bucket. Raises CosError for a bad name and for one that exists."""
        match = _BUCKET_NAME.fullmatch(name)
        if match is None or match.group(1) != self._appid:
            raise CosError(
                400,
                "InvalidBucketName",
                f"A bucket is named <name>-{self._appid}: lower-case letters, digits and hyphens.",
            )
        if self.get(name) is not None:
            raise CosError(409, "BucketAlreadyExists", "The requested bucket name already exists.")
        self._db.execute(
            "INSERT INTO buckets (name, region, created_s) VALUES (?, ?, ?)", (name, region, time.time())
        )
        return self.require(name, region)

    def get(self, name: str) -> Bucket | None:
        """The bucket in whatever region."""
        row = self._db.execute(
            "SELECT name, region, created_s, versioning FROM buckets WHERE name = ?", (name,)
        ).fetchone()
        return Bucket(*row) if row else None

    def require(self, name: str, region: str) -> Bucket:
        """The bucket of that host. Raises NoSuchBucket, also when it lives in another region."""
        bucket = self.get(name)
        if bucket is None or bucket.region != region:
            raise no_such_bucket()
        return bucket

    def all(self, region: str = "") -> list[Bucket]:
        """Every bucket, or those of one region, by name."""
        rows = self._db.execute(
            "SELECT name, region, created_s, versioning FROM buckets WHERE ? IN ('', region) ORDER BY name",
            (region,),
        )
        return [Bucket(*row) for row in rows]

    def set_versioning(self, bucket: Bucket, status: str) -> None:
        """Switch versioning to `Enabled` or `Suspended`; there is no way back to never."""
        self._db.execute("UPDATE buckets SET versioning = ? WHERE name = ?", (status, bucket.name))

    def delete(self, bucket: Bucket) -> None:
        """Forget a bucket."""
        self._db.execute("DELETE FROM buckets WHERE name = ?", (bucket.name,))


NULL_VERSION = "null"

# Keys are kept as bytes: they are listed in the order of their UTF-8 bytes, and may hold anything.
_OBJECTS_SCHEMA = """
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
_OBJECT_COLUMNS = (
    "number, bucket, key, version_id, latest, marker, etag, size, modified_s, headers, tags, file"
)


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


def _object_from_row(
    row: tuple[int, str, bytes, str, int, int, str, int, float, str, str, str],
) -> StoredObject:
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


class ObjectStore:
    """Reads and changes the index. A file is in its place before the index tells of it."""

    def __init__(self, store: Store, files: FileStorage) -> None:
        self._store = store
        self._files = files
        store.create(_OBJECTS_SCHEMA)

    def get(self, bucket: str, key: str, version_id: str = "") -> StoredObject | None:
        """A version, or the latest one; delete markers are given back too."""
        which, value = ("version_id = ?", version_id) if version_id else ("latest = ?", 1)
        row = self._store.db.execute(
            f"SELECT {_OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND {which}",  # noqa: S608 - constants
            (bucket, key.encode(), value),
        ).fetchone()
        return _object_from_row(row) if row else None

    def get_current(self, bucket: str, key: str) -> StoredObject | None:
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
            file = self._files.store(source, bucket.name, new.key, unlike=unlike)
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
            f"SELECT {_OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND latest = 1 AND marker = 0"  # noqa: S608 - constants
            f" AND key {'>=' if inclusive else '>'} ? AND (? IS NULL OR key < ?) ORDER BY key",
            (bucket, start, stop, stop),
        )
        return map(_object_from_row, rows)

    def versions(self, bucket: str, start: bytes, *, stop: bytes | None) -> Iterator[StoredObject]:
        """All versions and delete markers by key, the newest of each key first."""
        rows = self._store.db.execute(
            f"SELECT {_OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key >= ? AND (? IS NULL OR key < ?)"  # noqa: S608 - constants
            " ORDER BY key, number DESC",
            (bucket, start, stop, stop),
        )
        return map(_object_from_row, rows)

    def is_empty(self, bucket: str) -> bool:
        """Whether no version of any object is left."""
        return (
            self._store.db.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (bucket,)).fetchone()
            is None
        )


def _new_version_id() -> str:
    return "MTg0" + secrets.token_hex(14)


MAX_PARTS = 10_000
_MIN_PART_BYTES = 1024 * 1024  # bytes, all parts but the last; COS Upload Part

_UPLOADS_SCHEMA = """
CREATE TABLE IF NOT EXISTS uploads (
    upload_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, headers TEXT NOT NULL, started_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
    received_s REAL NOT NULL, PRIMARY KEY (upload_id, number)
);
"""


@dataclass(frozen=True, slots=True)
class MultipartUpload:
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


class MultipartUploadStore:
    """Open uploads and their parts; part files lie among the incoming bodies."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.create(_UPLOADS_SCHEMA)

    def create(self, bucket: str, key: str, headers: Mapping[str, str]) -> MultipartUpload:
        """Open an upload."""
        upload = MultipartUpload(
            f"{int(time.time())}{token_hex(24)}", bucket, key, dict(headers), time.time()
        )
        self._store.db.execute(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
            (upload.upload_id, bucket, key.encode(), json.dumps(upload.headers), upload.started_s),
        )
        return upload

    def get(self, bucket: str, key: str, upload_id: str) -> MultipartUpload:
        """An open upload of that key. Raises NoSuchUpload."""
        row = self._store.db.execute(
            "SELECT headers, started_s FROM uploads WHERE upload_id = ? AND bucket = ? AND key = ?",
            (upload_id, bucket, key.encode()),
        ).fetchone()
        if row is None:
            raise no_such_upload()
        return MultipartUpload(upload_id, bucket, key, json.loads(row[0]), row[1])

    def all(self, bucket: str, prefix: str = "") -> list[MultipartUpload]:
        """The open uploads of a bucket, by key."""
        rows = self._store.db.execute(
            "SELECT upload_id, bucket, key, headers, started_s FROM uploads WHERE bucket = ? ORDER BY key, started_s",
            (bucket,),
        )
        uploads = [
            MultipartUpload(row[0], row[1], row[2].decode(), json.loads(row[3]), row[4]) for row in rows
        ]
        return [upload for upload in uploads if upload.key.startswith(prefix)]

    def part_path(self, upload: MultipartUpload, number: int) -> Path:
        """Where a part lies."""
        return self._store.incoming / f"{upload.upload_id}.{number}"

    def save_part(self, upload: MultipartUpload, number: int, source: Path, etag: str, size: int) -> None:
        """Take a received body as a part, in place of an earlier one of that number."""
        os.replace(source, self.part_path(upload, number))  # noqa: PTH105 - as in files.py
        self._store.db.execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)",
            (upload.upload_id, number, etag, size, time.time()),
        )

    def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """The parts that arrived, by number."""
        rows = self._store.db.execute(
            "SELECT number, etag, size, received_s FROM parts WHERE upload_id = ? ORDER BY number",
            (upload.upload_id,),
        )
        return [Part(*row) for row in rows]

    def validate_parts(self, upload: MultipartUpload, named: list[tuple[int, str]]) -> list[Part]:
        """The parts that a Complete names, checked. Raises InvalidPart, InvalidPartOrder, EntityTooSmall."""
        numbers = [number for number, _ in named]
        if not numbers or numbers != sorted(set(numbers)):
            raise CosError(400, "InvalidPartOrder", "Parts are listed once each, in ascending order.")
        arrived = {part.number: part for part in self.list_parts(upload)}
        for number, etag in named:
            if number not in arrived or arrived[number].etag != etag.strip('"'):
                raise CosError(400, "InvalidPart", f"Part {number} was not uploaded, or its ETag differs.")
        if any(arrived[number].size < _MIN_PART_BYTES for number in numbers[:-1]):
            raise CosError(400, "EntityTooSmall", "Every part but the last has at least 1 MB.")
        return [arrived[number] for number in numbers]

    def delete(self, upload: MultipartUpload) -> None:
        """Forget an upload, its parts and their files."""
        parts = self.list_parts(upload)
        with self._store.transaction() as db:
            db.execute("DELETE FROM parts WHERE upload_id = ?", (upload.upload_id,))
            db.execute("DELETE FROM uploads WHERE upload_id = ?", (upload.upload_id,))
        for part in parts:
            self.part_path(upload, part.number).unlink(missing_ok=True)


def multipart_etag(parts: list[Part]) -> str:
    """The ETag of a multipart object: MD5 over the parts' MD5s, a hyphen and their number."""
    joined = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(joined).hexdigest()}-{len(parts)}"


@dataclass(frozen=True, slots=True)
class ListPage:
    """Objects and common prefixes of one page; `next_marker` is empty on the last one."""

    objects: tuple[StoredObject, ...]
    prefixes: tuple[str, ...]
    next_marker: str


def prefix_upper_bound(prefix: bytes) -> bytes | None:
    """The smallest key behind all keys that start with the prefix; None when there is no such bound.

    UTF-8 never holds the byte 0xFF, so the last byte can always be raised by one.
    """
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else None


def list_page(
    objects: ObjectStore, bucket: str, *, prefix: str, delimiter: str, marker: str, most: int
) -> ListPage:
    """At most `most` entries behind the marker, objects and common prefixes counted together."""
    wanted, cut = prefix.encode(), delimiter.encode()
    stop = prefix_upper_bound(wanted)
    start, inclusive = (wanted, True) if wanted > marker.encode() else (marker.encode(), False)
    # A marker that is itself a common prefix was the end of a page: everything below it has been listed.
    if cut and marker.startswith(prefix) and _is_common_prefix(marker[len(prefix) :], delimiter):
        start, inclusive = prefix_upper_bound(marker.encode()) or b"", True
    found: list[StoredObject] = []
    prefixes: list[str] = []
    last = ""
    while True:
        jump: bytes | None = None
        for item in objects.scan(bucket, start, inclusive=inclusive, stop=stop):
            if len(found) + len(prefixes) >= most:
                return ListPage(tuple(found), tuple(prefixes), last if most else "")
            key = item.key.encode()
            end = key.find(cut, len(wanted)) if cut else -1
            if end < 0:
                found.append(item)
                last = item.key
                continue
            common = key[: end + len(cut)]
            last = common.decode()
            prefixes.append(last)
            jump = prefix_upper_bound(common)
            break
        if jump is None:
            return ListPage(tuple(found), tuple(prefixes), "")
        start, inclusive = jump, True


def _is_common_prefix(rest: str, delimiter: str) -> bool:
    """Whether the first delimiter behind the prefix ends the text."""
    return rest.endswith(delimiter) and rest.find(delimiter) == len(rest) - len(delimiter)
