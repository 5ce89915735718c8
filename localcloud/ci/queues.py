"""Which buckets have a service, and the speech queue that comes with it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict

from localcloud.ci.models import EnabledBucket, Notify, Queue
from localcloud.store import Store

_SCHEMA = """
CREATE TABLE IF NOT EXISTS services (
    service TEXT NOT NULL, bucket TEXT NOT NULL, region TEXT NOT NULL, created_s REAL NOT NULL,
    PRIMARY KEY (service, bucket)
);
CREATE TABLE IF NOT EXISTS queues (
    queue_id TEXT PRIMARY KEY, bucket TEXT NOT NULL UNIQUE, region TEXT NOT NULL, name TEXT NOT NULL,
    state TEXT NOT NULL, notify TEXT NOT NULL, created_s REAL NOT NULL, updated_s REAL NOT NULL,
    max_size INTEGER NOT NULL, max_concurrent INTEGER NOT NULL
);
"""
# The figures in every published sample (seeds: GET /asrqueue).
MAX_SIZE = 10_000
MAX_CONCURRENT = 10


class Queues:
    """Services and queues, kept over restarts."""

    def __init__(
        self,
        store: Store,
        max_size: int = MAX_SIZE,
        max_concurrent: int = MAX_CONCURRENT,
        settle_s: float = 0.0,
    ) -> None:
        """A new queue takes jobs at once, and is shown `settle_s` later."""
        self._settle_s = settle_s
        self._db = store.db
        self._limits = (max_size, max_concurrent)
        store.create(_SCHEMA)

    def enable(self, service: str, bucket: str, region: str) -> EnabledBucket:
        """Switch `asr` or `ai` on; doing it again changes nothing. The first `asr` makes the bucket's queue."""
        now = time.time()
        self._db.execute("INSERT OR IGNORE INTO services VALUES (?, ?, ?, ?)", (service, bucket, region, now))
        if service == "asr":
            self._db.execute(
                "INSERT OR IGNORE INTO queues VALUES (?, ?, ?, 'queue-speech-1', 'Active', ?, ?, ?, ?, ?)",
                (
                    f"p{secrets.token_hex(16)}",
                    bucket,
                    region,
                    json.dumps(asdict(Notify())),
                    now,
                    now,
                    *self._limits,
                ),
            )
        return self.enabled(service, bucket=bucket)[0]

    def disable(self, service: str, bucket: str) -> None:
        """Switch a service off; the queue's settings stay for the next time."""
        self._db.execute("DELETE FROM services WHERE service = ? AND bucket = ?", (service, bucket))

    def enabled(self, service: str, *, bucket: str = "") -> list[EnabledBucket]:
        """The buckets that have a service, by name; or the one asked for."""
        rows = self._db.execute(
            "SELECT bucket, region, created_s FROM services WHERE service = ? AND ? IN ('', bucket) ORDER BY bucket",
            (service, bucket),
        )
        return [EnabledBucket(*row) for row in rows]

    def _read(self, where: str, values: Sequence[object]) -> list[Queue]:
        columns = (
            "queue_id, bucket, region, name, state, notify, created_s, updated_s, max_size, max_concurrent"
        )
        rows = self._db.execute(f"SELECT {columns} FROM queues WHERE {where}", values)  # noqa: S608 - constants
        return [
            Queue(queue_id, bucket, region, name, state, Notify(**json.loads(notify)), *rest)
            for queue_id, bucket, region, name, state, notify, *rest in rows
        ]

    def of_bucket(self, bucket: str) -> list[Queue]:
        """The queues of a bucket whose service is on: one, or none."""
        return self._read(
            "bucket = ? AND EXISTS (SELECT 1 FROM services WHERE service = 'asr' AND services.bucket = queues.bucket)",
            (bucket,),
        )

    def shown(self, bucket: str) -> list[Queue]:
        """Those of them that calls on queues know of yet."""
        latest_s = time.time() - self._settle_s
        return [queue for queue in self.of_bucket(bucket) if queue.created_s <= latest_s]

    def named(self, queue_id: str) -> Queue:
        """A queue that is known to exist."""
        return self._read("queue_id = ?", (queue_id,))[0]

    def all(self) -> list[Queue]:
        """Every queue."""
        return self._read("1", ())

    def update(self, queue_id: str, name: str, state: str, notify: Notify) -> Queue:
        """Replace name, state and notification altogether."""
        self._db.execute(
            "UPDATE queues SET name = ?, state = ?, notify = ?, updated_s = ? WHERE queue_id = ?",
            (name, state, json.dumps(asdict(notify)), time.time(), queue_id),
        )
        return self.named(queue_id)
