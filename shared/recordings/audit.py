"""Finds recordings without a receipt: compares the input buckets with the receipts.

Receipt ids sort like keys, so the listings are merged page by page: one request per 1,000 names, and memory does not
grow with the bucket.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from heapq import merge
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import CloudError, DeadlineExceeded, NotFound, safe_error_message
from shared.recordings.context import Context
from shared.recordings.filters import check_skipped
from shared.recordings.index import is_forgotten
from shared.recordings.ingest import ingest
from shared.recordings.keys import audit_cursor_key, done_prefix, open_prefix, waiting_prefix
from shared.recordings.models import Status, Summary
from shared.recordings.receipt import Recording, sortable_key
from shared.recordings.receipt_store import STATE_METADATA
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectSummary

if TYPE_CHECKING:  # a cold start should not load what few deployments need
    from shared.recordings.budget import BudgetRoom

MAX_CURSOR_BYTES = 4096
RESERVED_S = 15.0  # for the current recording, and to store the cursor


def audit(ctx: Context) -> Summary:
    """Ingest every recording without a receipt, or written after its receipt was closed.

    When time runs out, store a cursor; the next audit continues there, so that a round covers buckets of any size and
    looks at each recording once. Recordings from before SINCE are left alone, and those that `scribe forget` keeps.
    """
    summary = Summary()
    room = _look_for_room(ctx) if ctx.settings.monthly_minutes else None
    try:
        cursor = _load_cursor(ctx)
    except DeadlineExceeded as error:
        summary.stopped_early = True
        ctx.log.warning("audit_stopped_early", reason=str(error))
        return summary
    position = cursor or _Position()
    buckets = ctx.settings.input_buckets
    if position.bucket in buckets:
        buckets = buckets[buckets.index(position.bucket) :]
    else:
        position = _Position()
    for bucket in buckets:
        walk = _BucketAudit(ctx, bucket, position.key if bucket == position.bucket else "", summary, room)
        try:
            walk.run()
        except DeadlineExceeded as error:
            summary.stopped_early = True
            ctx.log.warning("audit_stopped_early", bucket=bucket, reason=str(error))
            _store_cursor(ctx, _Position(bucket, walk.last_key))
            return summary
        except CloudError as error:
            # Continue with the other buckets.
            summary.add_error()
            ctx.log.error("bucket_audit_failed", bucket=bucket, error=str(error))
    if cursor is not None:
        with suppress(DeadlineExceeded, CloudError):
            ctx.output_cos.delete(_cursor_bucket(ctx), audit_cursor_key(ctx.settings))
    return summary


def _look_for_room(ctx: Context) -> BudgetRoom | None:
    """Return what is left of the budget; None if it cannot be read: then each recording that waits is tried."""
    # A cold start should not load what few deployments need.
    from shared.recordings.budget import BudgetRoom  # noqa: PLC0415

    try:
        return BudgetRoom(ctx)
    except (CloudError, DeadlineExceeded) as error:
        ctx.log.warning("budget_unreadable", error=str(error))
        return None


class _Position(NamedTuple):
    """How far a round has come: the last key that was looked at."""

    bucket: str = ""
    key: str = ""


def _cursor_bucket(ctx: Context) -> str:
    return ctx.settings.output_bucket_for(ctx.settings.input_buckets[0])


def _load_cursor(ctx: Context) -> _Position | None:
    """Read the cursor; None if there is none. One that cannot be read starts a new round: nothing is lost by that."""
    try:
        body = ctx.output_cos.get(
            _cursor_bucket(ctx), audit_cursor_key(ctx.settings), max_bytes=MAX_CURSOR_BYTES
        ).body
        members = json.loads(body)
        return _Position(str(members["bucket"]), str(members["key"]))
    except NotFound:
        return None
    except CloudError as error:
        ctx.log.warning("audit_cursor_unreadable", error=str(error))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        ctx.log.warning("audit_cursor_unreadable", error=type(error).__name__)
    return _Position()


def _store_cursor(ctx: Context, position: _Position) -> None:
    body = json.dumps(position._asdict()).encode()
    with suppress(DeadlineExceeded, CloudError):
        ctx.output_cos.put(_cursor_bucket(ctx), audit_cursor_key(ctx.settings), body, metadata=STATE_METADATA)


class _BucketAudit:
    """One pass over an input bucket from `last_key` on, which is then the last key that was looked at."""

    def __init__(
        self, ctx: Context, bucket: str, last_key: str, summary: Summary, room: BudgetRoom | None
    ) -> None:
        self.ctx = ctx
        self.bucket = bucket
        self.last_key = last_key
        self.summary = summary
        self.room = room

    def run(self) -> None:
        """Ingest what is missing. Raises DeadlineExceeded when too little time is left."""
        receipts = _ReceiptCursor(_iter_receipts(self.ctx, self.bucket, self.last_key))
        prefix = self.ctx.settings.input_prefix
        for item in self.ctx.input_cos.iter_objects(self.bucket, prefix=prefix, marker=self.last_key):
            self._check_deadline()
            if not check_skipped(self.ctx.settings, self.bucket, item.key) and self.ctx.is_due(item.modified):
                self._process(item, receipts)
            self.last_key = item.key

    def _check_deadline(self) -> None:
        if self.ctx.remaining_s() < RESERVED_S:
            raise DeadlineExceeded("too little of the function's time limit is left")

    def _process(self, item: ObjectSummary, receipts: _ReceiptCursor) -> None:
        recording = Recording(self.bucket, item.key, item.etag, item.size)
        recording_id = recording.id
        found = receipts.advance_to(f"{self.bucket}/{sortable_key(item.key)}")
        receipt = found.get(recording_id)
        modified_s = parse_timestamp(item.modified)
        if receipt is None:
            # A time that cannot be read counts as long ago: nothing is paid for it.
            is_missing = modified_s >= self.ctx.settings.since_s
        else:
            # Times are whole seconds: a recording written in the same second as its receipt is checked by `ingest`.
            is_missing = receipt.is_waiting or modified_s >= int(parse_timestamp(receipt.modified))
        if receipt and receipt.is_waiting and self.room and not self.room.has_room(item.key, item.size):
            self.summary.add(Status.WAITING)
        elif is_missing:
            is_waiting = receipt is not None and receipt.is_waiting
            self._ingest(recording, is_new=receipt is None, waiting_id=recording_id if is_waiting else "")

    def _ingest(self, recording: Recording, *, is_new: bool, waiting_id: str) -> None:
        ctx, key = self.ctx, recording.key
        try:
            if is_new and is_forgotten(ctx, recording):
                self.summary.add(Status.SKIPPED)
                return
            result = ingest(ctx, self.bucket, key)
            if self.room and result.status is Status.SUBMITTED:
                self.room.note_submitted(key, recording.size)
            if waiting_id and result.status is not Status.WAITING:
                ctx.receipts(self.bucket).delete_waiting(waiting_id)
        except DeadlineExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - errors of one recording do not stop the others
            self.summary.add_error()
            ctx.log.error("ingest_failed", bucket=self.bucket, key=key, error=safe_error_message(error))
            return
        self.summary.add(result.status)
        if result.status is not Status.SKIPPED:
            ctx.log.info("missing_recording_found", **result.as_log_fields())


class _ReceiptEntry(NamedTuple):
    """A receipt in a listing. `is_waiting`: its recording was in an archive when it was last looked at."""

    id: str
    modified: str
    is_waiting: bool = False


def _iter_receipts(ctx: Context, bucket: str, after_key: str) -> Iterator[_ReceiptEntry]:
    """Yield all receipts of a bucket in the order of the ids, from a key on."""
    waiting = waiting_prefix(ctx.settings)
    prefixes = (open_prefix(ctx.settings), done_prefix(ctx.settings), waiting)
    return merge(
        *(
            _iter_receipts_below(ctx, prefix, bucket, after_key, is_waiting=prefix == waiting)
            for prefix in prefixes
        )
    )


def _iter_receipts_below(
    ctx: Context, prefix: str, bucket: str, after_key: str, *, is_waiting: bool
) -> Iterator[_ReceiptEntry]:
    state_bucket = ctx.settings.output_bucket_for(bucket)
    folder = f"{prefix}{bucket}/"
    marker = folder + sortable_key(after_key) if after_key else ""
    for item in ctx.output_cos.iter_objects(state_bucket, prefix=folder, marker=marker):
        yield _ReceiptEntry(item.key.removeprefix(prefix), item.modified, is_waiting)


class _ReceiptCursor:
    """Reads sorted receipts alongside sorted keys; it only moves forward."""

    def __init__(self, receipts: Iterator[_ReceiptEntry]) -> None:
        self._receipts = receipts
        self._next = next(receipts, None)
        self._position = ""
        self._found: dict[str, _ReceiptEntry] = {}

    def advance_to(self, position: str) -> dict[str, _ReceiptEntry]:
        """Return the receipts by id whose id starts with this sortable key. Call it with ascending positions."""
        if position != self._position:
            self._position, self._found = position, {}
        while self._next is not None and self._next.id.rpartition("!")[0] <= position:
            receipt = self._next
            if receipt.id.rpartition("!")[0] == position:
                known = self._found.get(receipt.id, receipt)
                # A recording that waits can also have a receipt in done/, from an upload before.
                is_waiting = receipt.is_waiting or known.is_waiting
                self._found[receipt.id] = _ReceiptEntry(
                    receipt.id, max(receipt.modified, known.modified), is_waiting
                )
            self._next = next(self._receipts, None)
        return self._found
