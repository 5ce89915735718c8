"""Puts very many objects into a stand-in's data folder before it starts: its own store, without a request for each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from cli.local.emulator import APPID, INPUT_BUCKET, OUTPUT_BUCKET, REGION
from localcloud.cos.models import BucketStore, ObjectStore, StoredObject
from localcloud.cos.storage import FileStorage
from localcloud.store import Store
from shared.recordings.keys import done_prefix
from shared.recordings.models import Recording
from shared.settings import Settings

_SETTINGS = Settings((INPUT_BUCKET,), ("",), REGION, output_bucket=OUTPUT_BUCKET)
_SAID_BYTES = 1_000
_WRITTEN_S = 1_790_000_000.0  # September 2026
_CLOSED_S = _WRITTEN_S + 60


def fill(data: Path, *, fresh: Iterable[str] = (), done: Iterable[str] = ()) -> None:
    """Recordings of these keys; those that are `done` with their closed receipts.

    What is done has no bytes: names, times, sizes and ETags are all that a listing looks at.
    """
    with closing(Store(data)) as store:
        buckets, objects = BucketStore(store, APPID), ObjectStore(store, FileStorage(store))
        recordings, outputs = (buckets.create(name, REGION) for name in (INPUT_BUCKET, OUTPUT_BUCKET))
        with store.transaction():
            for key in fresh:
                body = store.temporary_file()
                body.write_bytes(key.encode().ljust(_SAID_BYTES))
                objects.add(recordings, _object(INPUT_BUCKET, key, _WRITTEN_S), body)
            for key in done:
                written = objects.add(recordings, _object(INPUT_BUCKET, key, _WRITTEN_S), None)
                receipt = done_prefix(_SETTINGS) + Recording(INPUT_BUCKET, key, written.etag, written.size).id
                objects.add(outputs, _object(OUTPUT_BUCKET, receipt, _CLOSED_S), None)


def _object(bucket: str, key: str, modified_s: float) -> StoredObject:
    etag = hashlib.md5(key.encode().ljust(_SAID_BYTES), usedforsecurity=False).hexdigest()
    return StoredObject(bucket, key, "", etag, _SAID_BYTES, modified_s, {})
