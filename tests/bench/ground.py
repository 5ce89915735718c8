"""The cloud that everybody is measured against: the stand-in on loopback, with scripted speech."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
    LocalPipeline,
    OperatorClients,
    start_emulator,
)
from tests.chaos.cloud import LONGEST_CALL_SECONDS, Cloud

ROOT = Path(__file__).resolve().parents[2]
_EVENT = (ROOT / "events" / "cos-put.json").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Ground:
    """A running stand-in, and the environment in which a function finds it."""

    cloud: Cloud
    environ: Mapping[str, str]


@contextmanager
def running_ground(data: Path, *, jobs_at_once: int) -> Iterator[Ground]:
    """A stand-in on this data folder until the block ends. It calls nobody; with 0 jobs at once it runs none.

    Functions are called from outside, so that the caller chooses the interpreter and sees the process.
    """
    options = ["--speech", "scripted", "--region", REGION, "--appid", APPID]
    options += ["--max-size", "1000000", "--max-concurrent", str(jobs_at_once)]
    with start_emulator(data, {}, options) as emulator:
        operator = OperatorClients.for_emulator(emulator)
        operator.ensure_bucket(INPUT_BUCKET)
        operator.ensure_bucket(OUTPUT_BUCKET)
        operator.speech.enable_bucket(INPUT_BUCKET)
        with httpx.Client(
            base_url=emulator.endpoint, trust_env=False, timeout=LONGEST_CALL_SECONDS
        ) as client:
            yield Ground(
                Cloud(LocalPipeline(emulator, operator, data), client),
                _environment(emulator.endpoint, client),
            )


def _environment(endpoint: str, client: httpx.Client) -> dict[str, str]:
    key = client.post("/-/keys").raise_for_status().json()
    return {
        **SETTINGS,
        "SWEEP_AFTER": "0",  # everything open is due
        "CLOUD_ENDPOINT": endpoint,
        "TENCENTCLOUD_REGION": REGION,
        "TENCENTCLOUD_SECRETID": key["secret_id"],
        "TENCENTCLOUD_SECRETKEY": key["secret_key"],
        "TENCENTCLOUD_SESSIONTOKEN": key["token"],
        "LANG": "en_US.UTF8",
    }


def keys(folder: str, count: int) -> Sequence[str]:
    """Keys of recordings."""
    return [f"{folder}/{number:06}.wav" for number in range(count)]


def event_of(key: str) -> dict[str, Any]:
    """What COS tells of an upload to such a key."""
    event: dict[str, Any] = json.loads(_EVENT.replace("welcome.wav", key))
    return event
