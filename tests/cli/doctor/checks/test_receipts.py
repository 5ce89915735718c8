"""Recordings that wait, receipts that cannot be read, older names and other deployments are reported."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from cli.deploy.receipts import ReceiptPlace, read_open_receipts
from cli.doctor.models import Status
from shared.recordings.receipt import Receipt, Recording
from shared.recordings.receipt_store import MAX_RECEIPT_BYTES
from tests.helpers.doctor import APPID, INPUT, OUTPUT, REGION, Deployment, describe
from tests.helpers.receipts import build_receipt

pytestmark = pytest.mark.process

DAY_S = 24 * 3600
OTHER = f"other-{APPID}"


@pytest.fixture
def clean(deployment: Deployment) -> Iterator[Deployment]:
    """The deployment; what the test puts into the output bucket is deleted."""
    cos = deployment.operator.cos
    before = {item.key for item in cos.iter_objects(OUTPUT)}
    yield deployment
    for item in list(cos.iter_objects(OUTPUT)):
        if item.key not in before:
            cos.delete(OUTPUT, item.key)


def put_receipt(deployment: Deployment, key: str, bucket: str = INPUT, **members: Any) -> Receipt:
    receipt = build_receipt(Recording(bucket, key, "0" * 32, 1), region=REGION, **members)
    kind = "done" if receipt.outcome else "open"
    deployment.operator.cos.put(OUTPUT, f".scribe/{kind}/{receipt.id}", receipt.to_json())
    return receipt


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (
            {"deferred": True, "refusals": 7, "refusal_code": "RoleNotExist"},
            "the job was refused 7 times, at last with RoleNotExist",
        ),
        ({"job_id": "s123"}, "its job s123 has not ended"),
        ({}, "no job was submitted for it"),
    ],
)
def test_oldest_waiting_recording_is_named_with_its_reason(
    clean: Deployment, members: dict[str, Any], reason: str
) -> None:
    now_s = time.time()
    put_receipt(clean, "calls/young.mp3", waits_since_s=now_s - DAY_S + 600)
    assert describe(clean.findings(), "waiting") == ""
    put_receipt(clean, "calls/old.mp3", waits_since_s=now_s - 2 * DAY_S)
    put_receipt(clean, "calls/oldest.mp3", waits_since_s=now_s - 3 * DAY_S, **members)
    text = describe(clean.findings(), "waiting")
    assert f"{INPUT}: 2 recordings wait for more than a day, the oldest since 20" in text
    assert f"calls/oldest.mp3: {reason}" in text


def test_objects_that_are_no_receipts_are_counted(clean: Deployment) -> None:
    assert describe(clean.findings(), "receipts") == ""
    receipt = put_receipt(clean, "calls/a.mp3")
    for number, body in enumerate((b"x" * (MAX_RECEIPT_BYTES + 1), b"not JSON", receipt.to_json())):
        clean.operator.cos.put(OUTPUT, f".scribe/open/{INPUT}/planted{number}", body)
    text = describe(clean.findings(), "receipts")
    assert f"{INPUT}: 3 objects in the folder of open receipts are no receipt" in text
    assert f"Example: .scribe/open/{INPUT}/planted0" in text


def test_only_the_first_open_receipts_are_read(clean: Deployment) -> None:
    for name in ("a", "b"):
        put_receipt(clean, f"calls/{name}.mp3")
    place = ReceiptPlace(INPUT, OUTPUT, REGION, ".scribe/")
    for limit, is_complete in ((1, False), (2, True)):
        listing = read_open_receipts(clean.clients(), place, limit)
        assert (len(listing.receipts), listing.is_complete) == (limit, is_complete)


def test_receipts_of_other_buckets_are_counted(clean: Deployment) -> None:
    assert describe(clean.findings(), "other-deployments", Status.NOTE) == ""
    put_receipt(clean, "a.mp3", OTHER)
    for name in ("b", "c"):
        put_receipt(clean, f"{name}.mp3", OTHER, outcome="transcribed", job_id="s1")
    text = describe(clean.findings(), "other-deployments", Status.NOTE)
    assert (
        f"{OUTPUT}: it holds receipts of {OTHER}, which is not in INPUT_BUCKETS: 1 open and 2 closed" in text
    )
    assert "another OUTPUT_PREFIX and STATE_PREFIX" in text


def test_older_transcripts_in_other_places_are_reported(clean: Deployment) -> None:
    cos = clean.operator.cos
    clean.operator.ensure_bucket(OTHER)
    cos.put(OUTPUT, "transcripts/calls/a.mp3.txt", b"words")
    assert describe(clean.findings(), "names", Status.NOTE) == ""
    text = describe(clean.findings(INPUT_BUCKETS=f"{INPUT},{OTHER}"), "names", Status.NOTE)
    assert (
        "older transcripts are outside of the folders of the input buckets, for example transcripts/" in text
    )
    assert f"New ones are in {OUTPUT}/transcripts/{INPUT}/, {OUTPUT}/transcripts/{OTHER}/" in text
    cos.put(OUTPUT, f"transcripts/{OTHER}/a.mp3.txt", b"words")
    text = describe(clean.findings(), "names", Status.NOTE)
    assert f"older transcripts are in folders of input buckets ({OTHER}) below {OUTPUT}/transcripts/" in text
    assert describe(clean.findings(OUTPUT_BUCKET=""), "names", Status.NOTE) == ""
