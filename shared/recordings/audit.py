"""Ingests recordings without a receipt (missing.py finds them), in all input buckets, round after round."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from shared.errors import CloudError, DeadlineExceeded, NotFound, safe_error_message
from shared.recordings.context import Context
from shared.recordings.filters import check_skipped
from shared.recordings.keys import audit_cursor_key
from shared.recordings.missing import MissingFinder, MissingRecording, ingest_missing, remove_unused
from shared.recordings.models import Status, Summary
from shared.recordings.receipt import InvalidReceipt
from shared.recordings.receipt_store import STATE_METADATA

if TYPE_CHECKING:  # a cold start should not load what few deployments need
    from shared.recordings.budget import BudgetRoom

MAX_CURSOR_BYTES = 4096
RESERVED_S = 15.0  # for the current recording, and to store the cursor


def audit(ctx: Context) -> Summary:
    """Ingest every recording without a receipt, or written after its receipt was closed.

    When time runs out, store a cursor; the next audit continues there, so that a round covers buckets of any size and
    looks at each recording once. Recordings from before SINCE are left alone, and those that `scribe forget` keeps.
    Receipts that wait for content that is gone are removed.
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
        settings = self.ctx.settings
        prefix = settings.input_prefix
        finder = MissingFinder(self.ctx, self.bucket, prefix=prefix, after_key=self.last_key)
        for item in self.ctx.input_cos.iter_objects(self.bucket, prefix=prefix, marker=self.last_key):
            self._check_deadline()
            missing = finder.find(item, settings.since_s)
            self._remove_unused(finder)
            is_skipped = check_skipped(settings, self.bucket, item.key) is not None
            if missing and not is_skipped and self.ctx.is_due(item.modified):
                self._ingest(missing)
            self.last_key = item.key
        finder.finish()
        self._remove_unused(finder)

    def _remove_unused(self, finder: MissingFinder) -> None:
        """Remove receipts that wait for content that was replaced or deleted. Three requests each."""
        for receipt_id in finder.take_unused():
            self._check_deadline()
            try:
                if remove_unused(self.ctx, self.bucket, receipt_id):
                    self.ctx.log.info("waiting_receipt_removed", receipt_id=receipt_id)
            except (CloudError, InvalidReceipt) as error:
                self.summary.add_error()
                self.ctx.log.error("waiting_receipt_not_removed", receipt_id=receipt_id, error=str(error))

    def _check_deadline(self) -> None:
        if self.ctx.remaining_s() < RESERVED_S:
            raise DeadlineExceeded("too little of the function's time limit is left")

    def _ingest(self, missing: MissingRecording) -> None:
        ctx, recording = self.ctx, missing.recording
        if missing.is_waiting and self.room and not self.room.has_room(recording):
            self.summary.add(Status.WAITING)
            return
        try:
            result = ingest_missing(ctx, missing)
        except DeadlineExceeded:
            raise
        except Exception as error:  # noqa: BLE001 - errors of one recording do not stop the others
            self.summary.add_error()
            ctx.log.error(
                "ingest_failed",
                bucket=self.bucket,
                key=recording.key,
                error=safe_error_message(error),
            )
            return
        if self.room and result.status is Status.SUBMITTED:
            self.room.note_submitted(recording)
        self.summary.add(result.status)
        if result.status is not Status.SKIPPED:
            ctx.log.info("missing_recording_found", **result.as_log_fields())
