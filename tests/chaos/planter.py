"""A stronger neighbour: it may write below STATE_PREFIX, and plants what must not disturb anything there.

Among it are garbage, JSON that is no receipt, objects of several megabytes, and receipts of recordings that do not
exist: with a host in place of the region, of other buckets, under names that are not theirs. It plants no well-formed
receipt of an existing recording and deletes nothing: docs/security.md says what that would do.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from random import Random
from typing import Any, NamedTuple

from cli.local.emulator import APPID, INPUT_BUCKET, REGION
from shared.errors import CloudError
from shared.tencent.cos import CosClient
from tests.chaos.cloud import Cloud
from tests.chaos.deployment import Place
from tests.chaos.neighbour import (
    Hostility,
    build_cos_resource,
    build_document,
    compute_receipt_id,
    create_client,
)

EVIL_REGION = "evil.example/x?"
OTHER_BUCKET = f"elsewhere-{APPID}"
GHOST_FOLDER = "ghosts/"  # the folder of all recordings that do not exist
CURSORS = ("sweep-cursor", "audit-cursor")
_STATES = ("open", "open", "open", "done", "waiting", "claim")
_BIG_BYTES = 3 * 1024 * 1024
_CURSOR_INTERVAL_S = 5.0
_NO_RECEIPTS = (
    b"",
    b"\xff\xfe\x00 no text",
    b"null",
    b"[]",
    b'{"version": 3, "id": 5}',
    b'{"id": NaN, "created_s": Infinity}',
    b"[" * 50_000,
    b"{}" + b" " * _BIG_BYTES,
)
_ODD_NAMES = (
    "x",
    "x/y",
    "no-digest-1/a!b",
    f"{INPUT_BUCKET}/",
    "../up",
    "空/白 !x",
    f"{INPUT_BUCKET}/a!" + "0" * 32,
)
_CHANGES: tuple[dict[str, Any], ...] = (
    {"region": EVIL_REGION},
    {"region": EVIL_REGION, "job_id": "s" + "1" * 32, "deferred": False},
    {"region": "cn-north.evil.example"},
    {"bucket": OTHER_BUCKET},
    {"bucket": OTHER_BUCKET, "job_id": "s" + "2" * 32, "deferred": False},
    {},
    {"deferred": False},
    {"job_id": "s" + "3" * 32, "deferred": False},
    {"job_id": "../asr_jobs?x=,y", "deferred": False},
    {"attempt": 10**18, "size": -1, "channels": 0},
    {"key": f"{GHOST_FOLDER}control \x0b.mp3"},
    {"key": f"{GHOST_FOLDER}{'long' * 300}.mp3"},
    {"padding": "x" * _BIG_BYTES},
    {"superseded_job_ids": ["s" + "4" * 32] * 100_000},
)


class PlantedObject(NamedTuple):
    """An object below STATE_PREFIX. `ids` are the receipts in its name and in its body."""

    name: str
    body: bytes
    ids: tuple[str, ...]


def generate_objects(seed: int, now_s: float) -> Iterator[PlantedObject]:
    """Generate what is planted in one stage, without the cursors.

    The keys of recordings that do not exist begin with GHOST_FOLDER.
    """
    random = Random(f"planted {seed}")  # noqa: S311 - repeatable, not a secret
    for number, body in enumerate(_NO_RECEIPTS):
        ghost = _build_receipt({"key": f"{GHOST_FOLDER}no-receipt-{seed}-{number}.mp3"}, now_s)["id"]
        state = random.choice(_STATES)
        yield PlantedObject(f"{state}/{_name(state, ghost)}", body, (ghost,))
    for name in _ODD_NAMES:
        state = random.choice(_STATES)
        yield PlantedObject(f"{state}/{name}", random.choice(_NO_RECEIPTS[1:5]), (name,))
    for number, changes in enumerate(_CHANGES):
        key = f"{GHOST_FOLDER}{seed}-{number}.mp3"
        receipt = _build_receipt({"key": key, **changes}, now_s)
        elsewhere = _build_receipt({"key": f"{GHOST_FOLDER}elsewhere-{seed}-{number}.mp3"}, now_s)["id"]
        body = json.dumps(receipt).encode()
        for state in dict.fromkeys(("open", random.choice(_STATES))):
            yield PlantedObject(f"{state}/{_name(state, receipt['id'])}", body, (receipt["id"],))
        if number % 3 == 0:
            yield PlantedObject(f"open/{elsewhere}", body, (elsewhere, receipt["id"]))


def _name(state: str, receipt_id: str) -> str:
    return f"{receipt_id}.2" if state == "claim" else receipt_id


def _build_receipt(changes: dict[str, Any], now_s: float) -> dict[str, Any]:
    """Build the members of a receipt that is due, with the id that belongs to its bucket, key and ETag."""
    receipt: dict[str, Any] = {
        "version": 2,
        "bucket": INPUT_BUCKET,
        "region": REGION,
        "etag": "0" * 32,
        "size": 1000,
        "engine": "16k_en",
        "channels": 1,
        "nonce": "planted",
        "attempt": 1,
        "created_s": now_s - 3600,
        "lease_expires_s": now_s - 3000,
        "deferred": True,
        **changes,
    }
    return {"id": compute_receipt_id(receipt["bucket"], receipt["key"], receipt["etag"]), **receipt}


class Planter:
    """Plants everything below the state prefix at once, and then the cursors a few times."""

    def __init__(
        self, cloud: Cloud, output_bucket: str, place: Place, seed: int, hostility: Hostility
    ) -> None:
        resource = build_cos_resource(output_bucket, place.state_prefix)
        self._cos = CosClient(create_client(cloud, build_document((["cos:PutObject"], resource))), REGION)
        self._output_bucket = output_bucket
        self._state_prefix = place.state_prefix
        self._seed = seed
        self._hostility = hostility
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Plant until the block ends."""
        for item in generate_objects(self._seed, time.time()):
            self._hostility.planted_ids |= set(item.ids)
            self._put(item.name, item.body)
        with ThreadPoolExecutor(1) as threads:
            future = threads.submit(self._plant_cursors)
            try:
                yield
            finally:
                self._stop.set()
            future.result()

    def _plant_cursors(self) -> None:
        """Plant other cursors every few seconds: a sweep that ends deletes its own."""
        bodies = [b"z" * _BIG_BYTES, b"~" * 3000, b"\xff\x00 garbage", b"../x\n"]
        Random(f"cursors {self._seed}").shuffle(bodies)  # noqa: S311 - repeatable, not a secret
        for body in bodies:
            for name in CURSORS:
                self._put(name, body)
            if self._stop.wait(_CURSOR_INTERVAL_S):
                return

    def _put(self, name: str, body: bytes) -> None:
        self._hostility.planted[name] = body
        with suppress(CloudError):  # an injected fault; the put may have had its effect
            self._cos.put(self._output_bucket, self._state_prefix + name, body)
