"""Reads the sidecar of a recording, and reports one that came after its recording."""

from __future__ import annotations

from typing import NamedTuple

from shared.errors import NotFound, RequestRejected
from shared.options.sidecar import (
    MAX_SIDECAR_BYTES,
    build_read_error,
    build_size_error,
    is_sidecar_key,
    recording_key,
    sidecar_key,
)
from shared.recordings.content import UNREADABLE_STATUSES, head_content
from shared.recordings.context import Context
from shared.recordings.filters import SIDECAR_REASON, check_skipped
from shared.recordings.models import Result, Status
from shared.recordings.receipt import Receipt, Recording
from shared.tencent.client import TOO_LARGE
from shared.tencent.cos import MAX_KEY_BYTES

_FORBIDDEN = 403
_ARCHIVED = "InvalidObjectState"


class Sidecar(NamedTuple):
    """A sidecar's content; None if there is none. `is_denied`: the role may not read it, so it counts as none."""

    body: bytes | None = None
    is_denied: bool = False


def read_sidecar(ctx: Context, recording: Recording) -> Sidecar:
    """Read the sidecar of a recording. One request. Raises InvalidOption if it is there and cannot be read."""
    key = sidecar_key(recording.key)
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        return Sidecar()  # no object can have this key
    try:
        return Sidecar(ctx.input_cos.get(recording.bucket, key, max_bytes=MAX_SIDECAR_BYTES).body)
    except NotFound:
        return Sidecar()
    except RequestRejected as error:
        if error.code == TOO_LARGE:
            raise build_size_error(recording.key) from None
        if error.status not in UNREADABLE_STATUSES:
            raise
        if error.status != _FORBIDDEN or error.code == _ARCHIVED:
            raise build_read_error(recording.key, error.code or str(error.status)) from None
        # The role of an earlier version may not read sidecars: the recording is transcribed as before.
        ctx.log.warning("sidecar_denied", key=recording.key, sidecar=key, error=str(error))
        return Sidecar(is_denied=True)


def report_late_sidecar(ctx: Context, bucket: str, key: str) -> Result:
    """Handle the event of a sidecar: log it if its recording has a receipt already. At most three requests.

    Raises CloudError.
    """
    result = Result(Status.SKIPPED, bucket, key, reason=SIDECAR_REASON)
    recording_name = recording_key(key)
    if check_skipped(ctx.settings, bucket, recording_name):
        return result
    try:
        head = head_content(ctx, bucket, recording_name)
        receipt = _find_receipt(ctx, Recording(bucket, recording_name, head.etag, head.size))
        is_late = receipt is not None and _is_later(ctx, receipt, key)
    except NotFound:
        return result  # as it should be: the recording comes after it; or the sidecar was deleted again
    except RequestRejected as error:
        if error.status not in UNREADABLE_STATUSES:
            raise
        return result
    if receipt and is_late:
        ctx.log.warning(
            "sidecar_too_late",
            key=receipt.key,
            sidecar=key,
            receipt_id=receipt.id,
            next_step="The recording was handled without it: upload the recording again, after its sidecar.",
        )
    return result


def _find_receipt(ctx: Context, recording: Recording) -> Receipt | None:
    store = ctx.receipts(recording.bucket)
    return store.get_done(recording.id) or store.get_open(recording.id)


def _is_later(ctx: Context, receipt: Receipt, key: str) -> bool:
    """Check whether the sidecar was written after its recording was handled: an event can come late, or twice."""
    if not any(map(is_sidecar_key, receipt.sources.values())):
        return True
    if receipt.is_open:
        return False
    return ctx.input_cos.head(receipt.bucket, key).modified_s > receipt.created_s
