"""Finds recordings without a receipt: compares the input buckets with the receipts.

Receipt ids sort like keys, so the three listings are merged page by page: one request per 1,000 names, and memory does
not grow with the bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from shared.errors import CloudError, DeadlineExceeded, safe_error_message
from shared.recordings.context import Context, parse_timestamp
from shared.recordings.ingest import check_skipped, ingest
from shared.recordings.keys import done_prefix, open_prefix
from shared.recordings.models import Recording, Summary, sortable_key
from shared.tencent.cos import ObjectSummary


def audit(ctx: Context) -> Summary:
    """Ingest every recording without a receipt, or written after its receipt was closed. Stop when time runs out."""
    summary = Summary()
    for bucket in ctx.settings.input_buckets:
        try:
            for item in _iter_missing(ctx, bucket):
                _ingest(ctx, bucket, item, summary)
        except DeadlineExceeded as error:
            summary.stopped_early = True
            ctx.log.warning("audit_stopped_early", reason=str(error))
            break
        except CloudError as error:
            # Continue with the other buckets.
            summary.add_error()
            ctx.log.error("bucket_audit_failed", bucket=bucket, error=str(error))
    return summary


def _ingest(ctx: Context, bucket: str, item: ObjectSummary, summary: Summary) -> None:
    try:
        result = ingest(ctx, bucket, item.key)
    except DeadlineExceeded:
        raise
    except Exception as error:  # noqa: BLE001 - errors of one recording do not stop the others
        summary.add_error()
        ctx.log.error("ingest_failed", bucket=bucket, key=item.key, error=safe_error_message(error))
        return
    summary.add(result.status)
    ctx.log.info("missing_recording_found", **result.as_log_fields())


def _iter_missing(ctx: Context, bucket: str) -> Iterator[ObjectSummary]:
    """Yield the recordings that are due and have no receipt, in the order of their keys."""
    receipts = _ReceiptCursor(_iter_receipts(ctx, bucket))
    for item in ctx.input_cos.iter_objects(bucket, prefix=ctx.settings.input_prefix):
        if check_skipped(ctx.settings, bucket, item.key) or not ctx.is_due(item.modified):
            continue
        modified_by_id = receipts.advance_to(f"{bucket}/{sortable_key(item.key)}")
        receipt_modified = modified_by_id.get(Recording(bucket, item.key, item.etag, item.size).id)
        # Times are whole seconds: a recording written in the same second as its receipt is checked by `ingest`.
        if receipt_modified is None or parse_timestamp(item.modified) >= int(
            parse_timestamp(receipt_modified)
        ):
            yield item


def _iter_receipts(ctx: Context, bucket: str) -> Iterator[tuple[str, str]]:
    """Yield the ids and modification times of all receipts of a bucket, open and done, in the order of the ids."""
    prefixes = (open_prefix(ctx.settings), done_prefix(ctx.settings))
    return merge(*(_iter_receipts_below(ctx, prefix, bucket) for prefix in prefixes))


def _iter_receipts_below(ctx: Context, prefix: str, bucket: str) -> Iterator[tuple[str, str]]:
    state_bucket = ctx.settings.output_bucket_for(bucket)
    for item in ctx.output_cos.iter_objects(state_bucket, prefix=f"{prefix}{bucket}/"):
        yield item.key.removeprefix(prefix), item.modified


class _ReceiptCursor:
    """Reads sorted receipts alongside sorted keys; it only moves forward."""

    def __init__(self, receipts: Iterator[tuple[str, str]]) -> None:
        self._receipts = receipts
        self._next = next(receipts, None)
        self._position = ""
        self._modified_by_id: dict[str, str] = {}

    def advance_to(self, position: str) -> dict[str, str]:
        """Return the receipts whose id starts with this sortable key. Call it with ascending positions."""
        if position != self._position:
            self._position, self._modified_by_id = position, {}
        while self._next is not None and self._next[0].rpartition("!")[0] <= position:
            receipt_id, modified = self._next
            if receipt_id.rpartition("!")[0] == position:
                self._modified_by_id[receipt_id] = max(modified, self._modified_by_id.get(receipt_id, ""))
            self._next = next(self._receipts, None)
        return self._modified_by_id
