"""Recordings without a receipt are counted from listings that may end anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.doctor.checks.recordings import ReceiptListing, count_missing_receipts
from cli.doctor.models import Status
from shared.recordings.index import forgotten_key
from shared.recordings.receipt import Recording
from tests.helpers.doctor import (
    APPID,
    OUTPUT,
    Deployment,
    describe,
)
from tests.helpers.fakes import build_test_settings

BUCKET = "recordings-1250000000"
KEYS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), unique=True, max_size=8
)


def build_ids(keys: Sequence[str]) -> list[str]:
    """The ids in the order of a listing: that of the bytes of the keys."""
    return [Recording(BUCKET, key, "etag", 1).id for key in sorted(keys, key=str.encode)]


@given(KEYS, st.data())
def test_count_is_exact_for_complete_listings_and_never_too_high(
    keys: list[str], data: st.DataObject
) -> None:
    known = data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    is_open = {key: data.draw(st.booleans()) for key in known}
    kinds = [sorted(build_ids([key for key in known if is_open[key] is kind])) for kind in (True, False)]
    ends = [data.draw(st.integers(0, len(kind))) or len(kind) for kind in kinds]
    listings = [
        ReceiptListing(kind[:end], is_complete=end == len(kind))
        for kind, end in zip(kinds, ends, strict=True)
    ]
    missing = count_missing_receipts(build_ids(keys), listings)
    expected = len(keys) - len(known)
    assert missing.count <= expected
    if missing.is_complete:
        assert missing.count == expected
    assert missing.is_complete or not all(listing.is_complete for listing in listings)


def test_nothing_is_counted_beyond_the_last_listed_receipt() -> None:
    ids = build_ids(["a", "b", "c", "d"])
    assert count_missing_receipts(ids, [ReceiptListing([ids[1]], is_complete=False)]).count == 1
    assert not count_missing_receipts(ids, [ReceiptListing([ids[1]], is_complete=False)]).is_complete
    assert count_missing_receipts(ids, [ReceiptListing([ids[1]], is_complete=True)]).count == 3


def test_keys_with_a_long_common_prefix_are_not_counted_if_cut_off() -> None:
    ids = build_ids(["x" * 200 + end for end in "abcdef"])
    listed = sorted(ids)[:3]
    assert count_missing_receipts(ids, [ReceiptListing(listed, is_complete=False)]).count == 0


@pytest.mark.process
def test_recordings_without_a_receipt_are_counted(deployment: Deployment) -> None:
    cos = deployment.operator.cos
    keys = [f"calls/old-{number}.mp3" for number in range(3)]
    bucket = f"archive-{APPID}"
    deployment.operator.ensure_bucket(bucket)
    for key in [*keys, "elsewhere/new.mp3", "calls/folder/"]:
        cos.put(bucket, key, b"sound" if key.endswith("3") else b"")
    findings = deployment.findings(INPUT_BUCKETS=bucket, SWEEP_AFTER="0")
    assert "3 recordings have no receipt" in describe(findings, "unheard-recordings", Status.NOTE)
    assert "costs money" in describe(findings, "unheard-recordings", Status.NOTE)
    assert "set INPUT_PREFIX" in describe(findings, "unheard-recordings", Status.NOTE)
    young = deployment.findings(INPUT_BUCKETS=bucket)
    assert describe(young, "unheard-recordings", Status.NOTE) == ""


@pytest.mark.process
def test_objects_that_the_audit_ignores_are_not_counted(deployment: Deployment) -> None:
    cos, bucket = deployment.operator.cos, f"mixed-{APPID}"
    deployment.operator.ensure_bucket(bucket)
    for key in ("calls/a.mp3", "calls/notes.pdf", "calls/README", "calls/b.part"):
        cos.put(bucket, key, b"sound")
    findings = deployment.findings(INPUT_BUCKETS=bucket, SWEEP_AFTER="0")
    assert "1 recording has no receipt" in describe(findings, "unheard-recordings", Status.NOTE)
    stored = cos.head(bucket, "calls/a.mp3")
    recording = Recording(bucket, "calls/a.mp3", stored.etag, stored.size)
    cos.put(OUTPUT, forgotten_key(build_test_settings(), recording), b"")
    findings = deployment.findings(INPUT_BUCKETS=bucket, SWEEP_AFTER="0")
    assert describe(findings, "unheard-recordings", Status.NOTE) == ""
    later = (datetime.now(timezone.utc) + timedelta(hours=1)).isoformat(timespec="seconds")
    findings = deployment.findings(INPUT_BUCKETS=bucket, SWEEP_AFTER="0", SINCE=later)
    assert describe(findings, "unheard-recordings", Status.NOTE) == ""
    assert f"1 recording (5 bytes) uploaded before SINCE ({later}) will stay untouched" in describe(
        findings, "old-recordings", Status.NOTE
    )


@pytest.mark.process
def test_recordings_hidden_by_an_output_folder_are_named(deployment: Deployment) -> None:
    cos, bucket = deployment.operator.cos, f"hidden-{APPID}"
    deployment.operator.ensure_bucket(bucket)
    for key in (
        "calls/out/a.mp3.txt",
        "calls/out/a.mp3",
        "calls/out/b.WAV",
        "out/c.mp3",
        "calls/s/open/x.json",
    ):
        cos.put(bucket, key, b"sound")
    for extensions in ("", "*", "mp3,wav,txt"):
        findings = deployment.findings(
            INPUT_BUCKETS=bucket,
            OUTPUT_BUCKET="",
            OUTPUT_PREFIX="calls/out/",
            STATE_PREFIX="calls/s/",
            INPUT_EXTENSIONS=extensions,
        )
        text = describe(findings, "hidden-recordings", Status.NOTE)
        assert "2 recordings below calls/out/ (OUTPUT_PREFIX) are never transcribed" in text
        assert "Example: calls/out/a.mp3 " in text
        assert "STATE_PREFIX" not in text
