"""The local cloud that all implementations run against, its recordings, and sample events."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.local.emulator import (
    APPID,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    REGION,
    SETTINGS,
    Emulator,
    LocalPipeline,
    OperatorClients,
    start_emulator,
)
from localcloud.cos.models import BucketStore, ObjectStore, StoredObject
from localcloud.cos.storage import FileStorage
from localcloud.store import Store
from shared.recordings.keys import done_prefix
from shared.recordings.receipt import Recording
from shared.settings import Settings
from tests.chaos.cloud import CALL_TIMEOUT_S, Cloud

ROOT = Path(__file__).resolve().parents[2]
_EVENT = (ROOT / "events" / "cos-put.json").read_text("utf-8")
_SETTINGS = Settings((INPUT_BUCKET,), ("",), REGION, output_bucket=OUTPUT_BUCKET)
_RECORDING_BYTES = 1_000
_UPLOADED_S = 1_790_000_000.0  # September 2026
_DONE_S = _UPLOADED_S + 60


@dataclass(frozen=True, slots=True)
class BenchCloud(Cloud):
    """A running local cloud, and the environment variables of a function that uses it."""

    function_environ: Mapping[str, str]


@contextmanager
def running_bench_cloud(data: Path, *, max_concurrent_jobs: int) -> Iterator[BenchCloud]:
    """Run a local cloud on this data folder until the block ends. With 0 concurrent jobs it runs none.

    It calls no function: the caller does, so that it can choose the interpreter and measure the process.
    """
    options = ["--speech", "scripted", "--region", REGION, "--appid", APPID]
    options += ["--max-size", "1000000", "--max-concurrent", str(max_concurrent_jobs)]
    with start_emulator(data, {}, options) as emulator:
        operator = OperatorClients.for_emulator(emulator)
        operator.ensure_bucket(INPUT_BUCKET)
        operator.ensure_bucket(OUTPUT_BUCKET)
        operator.speech.enable_bucket(INPUT_BUCKET)
        with httpx.Client(base_url=emulator.endpoint, trust_env=False, timeout=CALL_TIMEOUT_S) as client:
            pipeline = LocalPipeline(emulator, operator, data)
            yield BenchCloud(pipeline, client, _build_function_environ(emulator, client))


def _build_function_environ(emulator: Emulator, client: httpx.Client) -> dict[str, str]:
    key = client.post("/-/keys", headers=emulator.admin_headers).raise_for_status().json()
    return {
        **SETTINGS,
        "SWEEP_AFTER": "0",  # every open receipt is due
        "CLOUD_ENDPOINT": emulator.endpoint,
        "TENCENTCLOUD_REGION": REGION,
        "TENCENTCLOUD_SECRETID": key["secret_id"],
        "TENCENTCLOUD_SECRETKEY": key["secret_key"],
        "TENCENTCLOUD_SESSIONTOKEN": key["token"],
        "LANG": "en_US.UTF8",
    }


def make_keys(folder: str, count: int) -> Sequence[str]:
    """Make the keys of `count` recordings."""
    return [f"{folder}/{number:06}.wav" for number in range(count)]


def build_event(key: str) -> dict[str, Any]:
    """Build the COS event of an upload to this key."""
    event: dict[str, Any] = json.loads(_EVENT.replace("welcome.wav", key))
    return event


def create_recordings(data: Path, new_keys: Iterable[str] = (), done_keys: Iterable[str] = ()) -> None:
    """Write recordings into the data folder of a local cloud that is not running, without a request for each.

    `done_keys` also get their closed receipts, and no bytes: a listing needs only name, time, size and ETag.
    """
    with closing(Store(data)) as store:
        buckets, objects = BucketStore(store, APPID), ObjectStore(store, FileStorage(store))
        inputs, outputs = (buckets.create(name, REGION) for name in (INPUT_BUCKET, OUTPUT_BUCKET))
        with store.transaction():
            for key in new_keys:
                body = store.temporary_file()
                body.write_bytes(key.encode().ljust(_RECORDING_BYTES))
                objects.add(inputs, _build_object(INPUT_BUCKET, key, _UPLOADED_S), body)
            for key in done_keys:
                stored = objects.add(inputs, _build_object(INPUT_BUCKET, key, _UPLOADED_S), None)
                receipt_id = Recording(INPUT_BUCKET, key, stored.etag, stored.size).id
                receipt = _build_object(OUTPUT_BUCKET, done_prefix(_SETTINGS) + receipt_id, _DONE_S)
                objects.add(outputs, receipt, None)


def _build_object(bucket: str, key: str, modified_s: float) -> StoredObject:
    etag = hashlib.md5(key.encode().ljust(_RECORDING_BYTES), usedforsecurity=False).hexdigest()
    return StoredObject(bucket, key, "", etag, _RECORDING_BYTES, modified_s, {})
