"""Receipts of a made-up recording."""

from __future__ import annotations

from typing import Any

from shared.recordings.receipt import Receipt, Recording

RECORDING = Recording("media-1250000000", "calls/会议.mp3", "9a0364b9e99bb480dd25e1f0284c8555", 482113)


def build_receipt(recording: Recording = RECORDING, **members: Any) -> Receipt:
    """Build the receipt of a first attempt that has no job yet, with these members changed."""
    receipt = Receipt(
        id=recording.id,
        bucket=recording.bucket,
        region="ap-chengdu",
        key=recording.key,
        etag=recording.etag,
        size=recording.size,
        engine="16k_zh",
        channels=1,
        nonce="n1",
        attempt=1,
        created_s=1_794_300_000.25,
        lease_expires_s=1_794_300_120.25,
        modified_s=1_794_300_000.0,
        waits_since_s=1_794_300_000.25,
    )
    return receipt._replace(**members)
