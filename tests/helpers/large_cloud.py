"""A stand-in cloud with very many receipts, written into its data folder while it does not run."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cli.local.emulator import INPUT_BUCKET, LOCAL_SETTINGS, OUTPUT_BUCKET
from localcloud.cos.models import NULL_VERSION
from shared.recordings.index import FinishedEntry, finished_key
from shared.recordings.keys import done_prefix, open_prefix
from shared.recordings.receipt import TRANSCRIBED, Receipt, Recording
from tests.helpers.receipts import build_receipt

START_S = 1_794_300_000.0
MAX_FILES = 200  # of the newest receipts; the others are only listed
_INSERT = (
    "INSERT INTO objects (bucket, key, version_id, latest, marker, etag, size, modified_s, headers, tags, file)"
    " VALUES (?, ?, ?, 1, 0, ?, ?, ?, '{}', '[]', ?)"
)


class _Object(NamedTuple):
    key: str
    body: bytes
    modified_s: float
    has_file: bool


def fill(data: Path, *, done: int, open_count: int) -> None:
    """Add receipts of transcribed and of open recordings, and the index. `data` is of a cloud that does not run."""
    empty, template = _store(data, b""), _store(data, b"{}")
    with sqlite3.connect(data / "state.db") as db:
        db.executemany(
            _INSERT,
            (
                (
                    OUTPUT_BUCKET,
                    item.key.encode(),
                    NULL_VERSION,
                    hashlib.md5(item.body, usedforsecurity=False).hexdigest(),
                    len(item.body),
                    item.modified_s,
                    _store(data, item.body) if item.has_file else template if item.body else empty,
                )
                for item in _iter_objects(done, open_count)
            ),
        )
    db.close()


def build_key(number: int) -> str:
    """Return the key of a transcribed recording, counted from 0 as the oldest."""
    return f"calls/{number // 1000:04}/录音-{number:06}.mp3"


def _iter_objects(done: int, open_count: int) -> Iterator[_Object]:
    settings = LOCAL_SETTINGS
    for number in range(done):
        created_s = START_S + 60 * number
        receipt = _build_receipt(build_key(number), created_s).close(TRANSCRIBED, created_s + 30)
        has_file = number >= done - MAX_FILES
        body = receipt.to_json() if has_file else b"{}"
        yield _Object(done_prefix(settings) + receipt.id, body, created_s + 30, has_file)
        entry = FinishedEntry(int(created_s + 29), receipt.id, 90)
        yield _Object(finished_key(settings, entry), b"", created_s + 30, has_file=False)
    for number in range(open_count):
        created_s = START_S + 60 * (done + number)
        receipt = _build_receipt(f"calls/open/{number:03}.mp3", created_s)
        yield _Object(open_prefix(settings) + receipt.id, receipt.to_json(), created_s, has_file=True)


def _build_receipt(key: str, created_s: float) -> Receipt:
    etag = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
    return build_receipt(
        Recording(INPUT_BUCKET, key, etag, 482_113),
        region="ap-guangzhou",
        job_id=f"s{hashlib.sha256(key.encode()).hexdigest()[:32]}",
        created_s=created_s,
        waits_since_s=created_s,
        modified_s=created_s,
    )


def _store(data: Path, body: bytes) -> str:
    """Write the file of an object, and return its name."""
    digest = hashlib.sha256(body).hexdigest()
    file = data / "hashed" / digest[:2] / digest
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    return f"hashed/{digest[:2]}/{digest}"
