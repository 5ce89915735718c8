"""What COS stores: buckets, objects with their versions, multipart uploads; the stores that keep them; listing."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from localcloud.cos.exceptions import CosError, no_such_bucket, no_such_upload
from localcloud.cos.storage import FileStorage, Tags
from localcloud.store import Store

MAX_PARTS = 10_000
NULL_VERSION = "null"
STANDARD = "STANDARD"
ARCHIVE_CLASSES = frozenset({"ARCHIVE", "DEEP_ARCHIVE"})
TIERED_CLASSES = frozenset({"INTELLIGENT_TIERING", "MAZ_INTELLIGENT_TIERING"})
# PUT Bucket IntelligentTiering 436/48348, AccessTier. HEAD Object 436/7745 names FREQUENT and INFREQUENT only for
# x-cos-storage-tier; that it has these two values as well is unconfirmed.
ARCHIVE_TIERS = frozenset({"ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"})
_DAY_S = 86_400
_MIN_PART_BYTES = 1024 * 1024  # all parts but the last; COS Upload Part
_BUCKET_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?-(\d+)")


@dataclass(frozen=True, slots=True)
class Bucket:
    """`name` includes the appid; `versioning` is empty (never set), `Enabled` or `Suspended`; time in Unix seconds."""

    name: str
    region: str
    created_s: float
    versioning: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One version of an object, or a delete marker. `etag` has no quotes; size in bytes; time in Unix seconds.

    `headers` are those of the upload that every read sends back, in lower case; `file` is relative to the data folder,
    empty for a delete marker.
    """

    bucket: str
    key: str
    version_id: str
    etag: str
    size: int
    modified_s: float
    headers: Mapping[str, str]
    tags: Tags = ()
    file: str = ""
    latest: bool = True
    marker: bool = False
    number: int = 0

    @property
    def content_type(self) -> str:
        """The Content-Type that a read sends."""
        return self.headers.get("content-type", "application/octet-stream")

    @property
    def storage_class(self) -> str:
        """The storage class, such as STANDARD or ARCHIVE."""
        return self.headers.get("x-cos-storage-class", STANDARD)


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """An open multipart upload; `headers` are those that the completed object will have; time in Unix seconds."""

    upload_id: str
    bucket: str
    key: str
    headers: Mapping[str, str]
    started_s: float


@dataclass(frozen=True, slots=True)
class Part:
    """An uploaded part; `etag` is its MD5 in hex, size in bytes, time in Unix seconds."""

    number: int
    etag: str
    size: int
    received_s: float


_BUCKETS_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, region TEXT NOT NULL, created_s REAL NOT NULL, versioning TEXT NOT NULL DEFAULT ''
)
"""


class BucketStore:
    """All buckets of the account."""

    def __init__(self, store: Store, appid: str) -> None:
        self._db: sqlite3.Connection = store.db
        self._appid = appid
        store.create(_BUCKETS_SCHEMA)

    def create(self, name: str, region: str) -> Bucket:
        """Create a bucket. Raises InvalidBucketName, BucketAlreadyExists."""
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
        """Get a bucket of any region."""
        row = self._db.execute(
            "SELECT name, region, created_s, versioning FROM buckets WHERE name = ?", (name,)
        ).fetchone()
        return Bucket(*row) if row else None

    def require(self, name: str, region: str) -> Bucket:
        """Get a bucket of that region. Raises NoSuchBucket, also for a bucket of another region."""
        bucket = self.get(name)
        if bucket is None or bucket.region != region:
            raise no_such_bucket()
        return bucket

    def all(self, region: str = "") -> list[Bucket]:
        """List all buckets, or those of one region, by name."""
        rows = self._db.execute(
            "SELECT name, region, created_s, versioning FROM buckets WHERE ? IN ('', region) ORDER BY name",
            (region,),
        )
        return [Bucket(*row) for row in rows]

    def set_versioning(self, bucket: Bucket, status: str) -> None:
        """Set versioning to `Enabled` or `Suspended`; it cannot be unset."""
        self._db.execute("UPDATE buckets SET versioning = ? WHERE name = ?", (status, bucket.name))

    def delete(self, bucket: Bucket) -> None:
        """Delete a bucket."""
        self._db.execute("DELETE FROM buckets WHERE name = ?", (bucket.name,))


# Keys are BLOBs: they are listed in the order of their UTF-8 bytes, and can hold any character.
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
    """The index of objects and their versions. A file is moved into place before the index refers to it."""

    def __init__(self, store: Store, files: FileStorage) -> None:
        self._store = store
        self._files = files
        store.create(_OBJECTS_SCHEMA)

    def get(self, bucket: str, key: str, version_id: str = "") -> StoredObject | None:
        """Get a version, or the latest one; it can be a delete marker."""
        condition, value = ("version_id = ?", version_id) if version_id else ("latest = ?", 1)
        row = self._store.db.execute(
            f"SELECT {_OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key = ? AND {condition}",  # noqa: S608 - constants
            (bucket, key.encode(), value),
        ).fetchone()
        return _object_from_row(row) if row else None

    def get_current(self, bucket: str, key: str) -> StoredObject | None:
        """Get the latest version; None if that is a delete marker."""
        latest = self.get(bucket, key)
        return None if latest is None or latest.marker else latest

    def add(self, bucket: Bucket, new: StoredObject, source: Path | None) -> StoredObject:
        """Make `new` the latest version and move its finished file into place; return it with its version id."""
        versioned = bucket.versioning == "Enabled"
        version_id = _new_version_id() if versioned else NULL_VERSION
        replaced = None if versioned else self.get(bucket.name, new.key, NULL_VERSION)
        file = ""
        if source is not None:
            disambiguator = version_id if versioned else self._case_disambiguator(bucket.name, new.key)
            file = self._files.store(source, bucket.name, new.key, disambiguator=disambiguator)
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
        # A row of the same version is replaced under a new number: it is the newest now.
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

    def _case_disambiguator(self, bucket: str, key: str) -> str:
        """Return the key when another key differs from it by letter case only, else an empty string."""
        row = self._store.db.execute(
            "SELECT 1 FROM objects WHERE file = ? AND key != ? LIMIT 1",
            (f"buckets/{bucket}/{key}", key.encode()),
        ).fetchone()
        return key if row else ""

    def remove_version(self, version: StoredObject) -> None:
        """Remove one version permanently; the newest of the others becomes the latest."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM objects WHERE number = ?", (version.number,))
            db.execute(
                "UPDATE objects SET latest = 1 WHERE number ="
                " (SELECT MAX(number) FROM objects WHERE bucket = ? AND key = ?)",
                (version.bucket, version.key.encode()),
            )
        if version.file:
            self._files.remove(version.file)

    def delete(self, bucket: Bucket, key: str) -> StoredObject | None:
        """Delete an object; on a bucket that has or had versioning add a delete marker instead, and return it."""
        if bucket.versioning:
            marker = StoredObject(bucket.name, key, "", "", 0, time.time(), {}, marker=True)
            return self.add(bucket, marker, None)
        version = self.get(bucket.name, key)
        if version is not None:
            self.remove_version(version)
        return None

    def set_tags(self, version: StoredObject, tags: Tags) -> None:
        """Replace the tags of one version."""
        self._store.db.execute(
            "UPDATE objects SET tags = ? WHERE number = ?", (json.dumps(tags), version.number)
        )

    def scan(
        self, bucket: str, start: bytes, *, inclusive: bool, stop: bytes | None
    ) -> Iterator[StoredObject]:
        """Iterate over current objects in byte order of their keys, from `start` up to before `stop`."""
        rows = self._store.db.execute(
            f"SELECT {_OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND latest = 1 AND marker = 0"  # noqa: S608 - constants
            f" AND key {'>=' if inclusive else '>'} ? AND (? IS NULL OR key < ?) ORDER BY key",
            (bucket, start, stop, stop),
        )
        return map(_object_from_row, rows)

    def versions(self, bucket: str, start: bytes, *, stop: bytes | None) -> Iterator[StoredObject]:
        """Iterate over all versions and delete markers by key, the newest of each key first."""
        rows = self._store.db.execute(
            f"SELECT {_OBJECT_COLUMNS} FROM objects WHERE bucket = ? AND key >= ? AND (? IS NULL OR key < ?)"  # noqa: S608 - constants
            " ORDER BY key, number DESC",
            (bucket, start, stop, stop),
        )
        return map(_object_from_row, rows)

    def is_empty(self, bucket: str) -> bool:
        """Whether a bucket has no version of any object."""
        return (
            self._store.db.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (bucket,)).fetchone()
            is None
        )


def _new_version_id() -> str:
    return "MTg0" + secrets.token_hex(14)


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """What happened to a version since its upload. Times in Unix seconds; without a restore they are None.

    `tier` is the tier of an INTELLIGENT_TIERING version: empty, or one of ARCHIVE_TIERS. A restore goes on until
    `finished_s` is set; then the version can be read until `expires_s`.
    """

    tier: str = ""
    restore_days: int = 0
    due_s: float | None = None
    finished_s: float | None = None

    @property
    def is_restoring(self) -> bool:
        """Whether a restore was started and has not finished."""
        return self.due_s is not None and self.finished_s is None

    @property
    def expires_s(self) -> float | None:
        """The end of the restored copy."""
        return None if self.finished_s is None else self.finished_s + self.restore_days * _DAY_S

    def is_restored(self, now_s: float) -> bool:
        """Whether there is a restored copy that can be read."""
        return self.expires_s is not None and now_s < self.expires_s


# A version's number is never used again: a replaced object starts without a state.
_OBJECT_STATES_SCHEMA = """
CREATE TABLE IF NOT EXISTS archive_states (
    number INTEGER PRIMARY KEY, tier TEXT NOT NULL, restore_days INTEGER NOT NULL, due_s REAL, finished_s REAL
);
CREATE TABLE IF NOT EXISTS denied_objects (bucket TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (bucket, key));
"""


class ObjectStateStore:
    """What no upload sets: tiers and restores of versions, and keys that no one may read. Survives restarts."""

    def __init__(self, store: Store) -> None:
        self._db = store.db
        store.create(_OBJECT_STATES_SCHEMA)

    def get_archive_state(self, version: StoredObject) -> ArchiveState:
        """Get the state of a version that was read from the index."""
        row = self._db.execute(
            "SELECT tier, restore_days, due_s, finished_s FROM archive_states WHERE number = ?",
            (version.number,),
        ).fetchone()
        return ArchiveState(*row) if row else ArchiveState()

    def set_archive_state(self, version: StoredObject, state: ArchiveState) -> None:
        """Replace the state of a version."""
        self._db.execute(
            "INSERT OR REPLACE INTO archive_states VALUES (?, ?, ?, ?, ?)",
            (version.number, state.tier, state.restore_days, state.due_s, state.finished_s),
        )

    def list_restoring(self) -> list[StoredObject]:
        """List the versions whose restore goes on."""
        rows = self._db.execute(
            f"SELECT {_OBJECT_COLUMNS} FROM objects WHERE number IN"  # noqa: S608 - constants
            " (SELECT number FROM archive_states WHERE due_s IS NOT NULL AND finished_s IS NULL)"
        )
        return [_object_from_row(row) for row in rows]

    def is_denied(self, bucket: str, key: str) -> bool:
        """Whether no one may read the object of that key."""
        row = self._db.execute(
            "SELECT 1 FROM denied_objects WHERE bucket = ? AND key = ?", (bucket, key.encode())
        ).fetchone()
        return row is not None

    def set_denied(self, bucket: str, key: str, *, denied: bool) -> None:
        """Deny the reading of an object, or allow it again. It holds for whatever is written under that key."""
        statement = (
            "INSERT OR IGNORE INTO denied_objects VALUES (?, ?)"
            if denied
            else "DELETE FROM denied_objects WHERE bucket = ? AND key = ?"
        )
        self._db.execute(statement, (bucket, key.encode()))


_UPLOADS_SCHEMA = """
CREATE TABLE IF NOT EXISTS uploads (
    upload_id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key BLOB NOT NULL, headers TEXT NOT NULL, started_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS parts (
    upload_id TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL, size INTEGER NOT NULL,
    received_s REAL NOT NULL, PRIMARY KEY (upload_id, number)
);
"""


class MultipartUploadStore:
    """Open multipart uploads and their parts; the parts' files are in the folder of incoming bodies."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.create(_UPLOADS_SCHEMA)

    def create(self, bucket: str, key: str, headers: Mapping[str, str]) -> MultipartUpload:
        """Open an upload."""
        upload = MultipartUpload(
            f"{int(time.time())}{secrets.token_hex(24)}", bucket, key, dict(headers), time.time()
        )
        self._store.db.execute(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)",
            (upload.upload_id, bucket, key.encode(), json.dumps(upload.headers), upload.started_s),
        )
        return upload

    def require(self, bucket: str, key: str, upload_id: str) -> MultipartUpload:
        """Get an open upload of that key. Raises NoSuchUpload."""
        row = self._store.db.execute(
            "SELECT headers, started_s FROM uploads WHERE upload_id = ? AND bucket = ? AND key = ?",
            (upload_id, bucket, key.encode()),
        ).fetchone()
        if row is None:
            raise no_such_upload()
        return MultipartUpload(upload_id, bucket, key, json.loads(row[0]), row[1])

    def all(self, bucket: str, prefix: str = "") -> list[MultipartUpload]:
        """List the open uploads of a bucket, by key."""
        rows = self._store.db.execute(
            "SELECT upload_id, bucket, key, headers, started_s FROM uploads WHERE bucket = ? ORDER BY key, started_s",
            (bucket,),
        )
        uploads = [
            MultipartUpload(row[0], row[1], row[2].decode(), json.loads(row[3]), row[4]) for row in rows
        ]
        return [upload for upload in uploads if upload.key.startswith(prefix)]

    def part_path(self, upload: MultipartUpload, number: int) -> Path:
        """Return the path of a part's file."""
        return self._store.incoming / f"{upload.upload_id}.{number}"

    def save_part(self, upload: MultipartUpload, number: int, source: Path, etag: str, size: int) -> None:
        """Store a received body as a part; it replaces an earlier part of that number."""
        source.replace(self.part_path(upload, number))
        self._store.db.execute(
            "INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?)",
            (upload.upload_id, number, etag, size, time.time()),
        )

    def list_parts(self, upload: MultipartUpload) -> list[Part]:
        """List the uploaded parts, by number."""
        rows = self._store.db.execute(
            "SELECT number, etag, size, received_s FROM parts WHERE upload_id = ? ORDER BY number",
            (upload.upload_id,),
        )
        return [Part(*row) for row in rows]

    def validate_parts(self, upload: MultipartUpload, requested: list[tuple[int, str]]) -> list[Part]:
        """Return the parts that a Complete names by number and ETag.

        Raises InvalidPart, InvalidPartOrder, EntityTooSmall.
        """
        numbers = [number for number, _ in requested]
        if not numbers or numbers != sorted(set(numbers)):
            raise CosError(400, "InvalidPartOrder", "Parts are listed once each, in ascending order.")
        parts = {part.number: part for part in self.list_parts(upload)}
        for number, etag in requested:
            if number not in parts or parts[number].etag != etag.strip('"'):
                raise CosError(400, "InvalidPart", f"Part {number} was not uploaded, or its ETag differs.")
        if any(parts[number].size < _MIN_PART_BYTES for number in numbers[:-1]):
            raise CosError(400, "EntityTooSmall", "Every part but the last has at least 1 MB.")
        return [parts[number] for number in numbers]

    def delete(self, upload: MultipartUpload) -> None:
        """Delete an upload, its parts and their files."""
        parts = self.list_parts(upload)
        with self._store.transaction() as db:
            db.execute("DELETE FROM parts WHERE upload_id = ?", (upload.upload_id,))
            db.execute("DELETE FROM uploads WHERE upload_id = ?", (upload.upload_id,))
        for part in parts:
            self.part_path(upload, part.number).unlink(missing_ok=True)


def multipart_etag(parts: list[Part]) -> str:
    """Compute the ETag of a multipart object: MD5 of the parts' MD5s, a hyphen and the number of parts."""
    digests = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{hashlib.md5(digests).hexdigest()}-{len(parts)}"


@dataclass(frozen=True, slots=True)
class ListPage:
    """Objects and common prefixes of one page of a listing; `next_marker` is empty on the last page."""

    objects: tuple[StoredObject, ...]
    prefixes: tuple[str, ...]
    next_marker: str


def prefix_upper_bound(prefix: bytes) -> bytes | None:
    """Return the smallest key after all keys that start with the prefix; None for an empty prefix.

    UTF-8 has no byte 0xFF, so the last byte can always be increased by one.
    """
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else None


def list_page(
    objects: ObjectStore, bucket: str, *, prefix: str, delimiter: str, marker: str, limit: int
) -> ListPage:
    """List at most `limit` entries after the marker, objects and common prefixes together, in order of UTF-8 bytes."""
    prefix_bytes, delimiter_bytes = prefix.encode(), delimiter.encode()
    stop = prefix_upper_bound(prefix_bytes)
    start, inclusive = (prefix_bytes, True) if prefix_bytes > marker.encode() else (marker.encode(), False)
    # A marker that is itself a common prefix ended the last page: everything below it has been listed.
    if delimiter_bytes and marker.startswith(prefix) and _is_common_prefix(marker[len(prefix) :], delimiter):
        start, inclusive = prefix_upper_bound(marker.encode()) or b"", True
    page_objects: list[StoredObject] = []
    prefixes: list[str] = []
    last = ""
    while True:
        next_start: bytes | None = None
        for item in objects.scan(bucket, start, inclusive=inclusive, stop=stop):
            if len(page_objects) + len(prefixes) >= limit:
                return ListPage(tuple(page_objects), tuple(prefixes), last if limit else "")
            key = item.key.encode()
            end = key.find(delimiter_bytes, len(prefix_bytes)) if delimiter_bytes else -1
            if end < 0:
                page_objects.append(item)
                last = item.key
                continue
            common_prefix = key[: end + len(delimiter_bytes)]
            last = common_prefix.decode()
            prefixes.append(last)
            # Skip the other keys below this common prefix.
            next_start = prefix_upper_bound(common_prefix)
            break
        if next_start is None:
            return ListPage(tuple(page_objects), tuple(prefixes), "")
        start, inclusive = next_start, True


def _is_common_prefix(rest: str, delimiter: str) -> bool:
    """Whether the first delimiter after the prefix is the end of the text."""
    return rest.endswith(delimiter) and rest.find(delimiter) == len(rest) - len(delimiter)
