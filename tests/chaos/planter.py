"""A stronger neighbour: it may write below STATE_PREFIX, and plants what must not disturb anything there.

Among it are garbage, JSON that is no receipt, objects of several megabytes, and receipts of recordings that do not
exist: with a host in place of the region, of other buckets, under names that are not theirs. It plants no well-formed
receipt of an existing recording and deletes nothing: docs/security.md says what that would do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
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
    """Generate what is planted in one stage. The keys of recordings that do not exist begin with GHOST_FOLDER."""
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
    for name in CURSORS:
        yield PlantedObject(name, random.choice((b"\xff\x00garbage", b"z" * _BIG_BYTES, b"~" * 3000)), ())


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


def plant(
    cloud: Cloud,
    output_bucket: str,
    place: Place,
    seed: int,
    hostility: Hostility,
    record_step: Callable[[str, str], None],
) -> None:
    """Plant everything below the state prefix, with a key that may do nothing else."""
    resource = build_cos_resource(output_bucket, place.state_prefix)
    cos = CosClient(create_client(cloud, build_document((["cos:PutObject"], resource))), REGION)
    for item in generate_objects(seed, time.time()):
        hostility.planted[item.name] = item.body
        hostility.planted_ids |= set(item.ids)
        try:
            cos.put(output_bucket, place.state_prefix + item.name, item.body)
        except CloudError as error:  # an injected fault; the put may have had its effect
            record_step("", f"planted perhaps, {type(error).__name__}: {item.name[:100]}")
            continue
        record_step("", f"planted {item.name[:100]} ({len(item.body)} bytes)")
