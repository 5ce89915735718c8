"""Buckets: their names, regions and versioning."""

from __future__ import annotations

import re
import sqlite3
import time
from dataclasses import dataclass

from localcloud.cos.errors import CosProblem, no_such_bucket
from localcloud.store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, region TEXT NOT NULL, created_s REAL NOT NULL, versioning TEXT NOT NULL DEFAULT ''
)
"""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?-(\d+)")


@dataclass(frozen=True, slots=True)
class Bucket:
    """`name` includes the appid; `versioning` is empty (never set), `Enabled` or `Suspended`; times in Unix seconds."""

    name: str
    region: str
    created_s: float
    versioning: str


class Buckets:
    """All buckets of this cloud's one account."""

    def __init__(self, store: Store, appid: str) -> None:
        self._db: sqlite3.Connection = store.db
        self._appid = appid
        store.create(_SCHEMA)

    def create(self, name: str, region: str) -> Bucket:
        """Make a bucket. Raises CosProblem for a bad name and for one that exists."""
        match = _NAME.fullmatch(name)
        if match is None or match.group(1) != self._appid:
            raise CosProblem(
                400,
                "InvalidBucketName",
                f"A bucket is named <name>-{self._appid}: lower-case letters, digits and hyphens.",
            )
        if self.get(name) is not None:
            raise CosProblem(409, "BucketAlreadyExists", "The requested bucket name already exists.")
        self._db.execute(
            "INSERT INTO buckets (name, region, created_s) VALUES (?, ?, ?)", (name, region, time.time())
        )
        return self.named(name, region)

    def get(self, name: str) -> Bucket | None:
        """The bucket in whatever region."""
        row = self._db.execute(
            "SELECT name, region, created_s, versioning FROM buckets WHERE name = ?", (name,)
        ).fetchone()
        return Bucket(*row) if row else None

    def named(self, name: str, region: str) -> Bucket:
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
