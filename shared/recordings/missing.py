"""Compares the objects of an input bucket with its receipts: which recordings does no receipt account for?

Receipt ids sort like keys, so the listings are merged page by page: one request per 1,000 names, and memory does not
grow with the bucket. The audit takes what is found here, and so does the operator's backfill.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import NamedTuple

from shared.errors import NotFound
from shared.recordings.context import Context
from shared.recordings.index import FORGOTTEN_REASON, is_forgotten
from shared.recordings.ingest import ingest
from shared.recordings.keys import done_prefix, open_prefix, waiting_prefix
from shared.recordings.models import Result, Status
from shared.recordings.receipt import Recording, sortable_key
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectSummary

_MAY_WAIT = frozenset({Status.WAITING, Status.IN_PROGRESS, Status.DEFERRED})


class ReceiptEntry(NamedTuple):
    """A receipt in a listing. `is_waiting`: its recording could not be submitted when it was last looked at."""

    id: str
    modified: str
    is_waiting: bool = False


class MissingRecording(NamedTuple):
    """A recording to ingest. `receipt` is what the listing has of it: one that waits, or is older than the object."""

    recording: Recording
    modified_s: float
    receipt: ReceiptEntry | None = None

    @property
    def is_waiting(self) -> bool:
        """Check whether a receipt of it waits: for a restore, or for a later month."""
        return self.receipt is not None and self.receipt.is_waiting


class MissingFinder:
    """Looks objects of one bucket up in its receipts. Call `find` in the order of the listing; it only moves forward.

    `prefix` is the start of every key, and `after_key` is before the first one.
    """

    def __init__(self, ctx: Context, bucket: str, *, prefix: str = "", after_key: str = "") -> None:
        self._bucket = bucket
        self._receipts = _ReceiptCursor(_iter_receipts(ctx, bucket, prefix, after_key))

    def find(self, item: ObjectSummary, since_s: float) -> MissingRecording | None:
        """Return the recording if it has no receipt, or was written after that; None if there is nothing to do.

        Without a receipt, one from before `since_s` is left alone.
        """
        recording = Recording(self._bucket, item.key, item.etag, item.size)
        receipt = self._receipts.take(f"{self._bucket}/{sortable_key(item.key)}", recording.id)
        modified_s = parse_timestamp(item.modified)
        if receipt is None:
            # A time that cannot be read counts as long ago: nothing is paid for it.
            is_missing = modified_s >= since_s
        else:
            # Times are whole seconds: a recording written in the same second as its receipt is checked by `ingest`.
            is_missing = receipt.is_waiting or modified_s >= int(parse_timestamp(receipt.modified))
        return MissingRecording(recording, modified_s, receipt) if is_missing else None

    def take_unused(self) -> list[str]:
        """Return the ids of receipts that wait, although no object that `find` was called with has their content.

        Each is returned once. An object may have been written since its listing: look at it before you believe that.
        """
        unused, self._receipts.unused = self._receipts.unused, []
        return unused

    def finish(self) -> None:
        """Pass over the receipts behind the last object."""
        self._receipts.finish()


def ingest_missing(ctx: Context, missing: MissingRecording) -> Result:
    """Ingest a recording that was found, and remove the receipt of one that waits no longer. Raises as `ingest`.

    One that the operator had forgotten is left alone: only its upload starts new work on it.
    """
    bucket, key = missing.recording.bucket, missing.recording.key
    is_new = missing.receipt is None
    if is_new and is_forgotten(ctx, missing.recording, missing.modified_s):
        return Result(Status.SKIPPED, bucket, key, reason=FORGOTTEN_REASON)
    # A receipt in the listing can have been forgotten since: then `ingest` looks for the mark.
    result = ingest(ctx, bucket, key, is_remembered=is_new)
    if missing.is_waiting:
        clear_waiting(ctx, missing.recording, result)
    return result


def clear_waiting(ctx: Context, recording: Recording, result: Result) -> None:
    """Remove the waiting receipt of a recording that was ingested, unless it waits, or may wait at any moment.

    While its work is open, an attempt may end in waiting/: it deletes its open receipt next, and nothing else would be
    left of the recording. The next audit removes the receipt.
    """
    if result.status not in _MAY_WAIT:
        ctx.receipts(recording.bucket).delete_waiting(recording.id)


def remove_unused(ctx: Context, bucket: str, receipt_id: str) -> bool:
    """Remove the receipt of a recording that waits, unless the object still has its content. True if it was removed.

    Raises CloudError, DeadlineExceeded and InvalidReceipt.
    """
    store = ctx.receipts(bucket)
    receipt = store.get_waiting(receipt_id)
    if receipt is None:
        return False
    try:
        head = ctx.input_cos.head(bucket, receipt.key)
        if (head.etag, head.size) == (receipt.etag, receipt.size):
            return False
    except NotFound:
        pass
    store.delete_waiting(receipt_id)
    return True


def _iter_receipts(ctx: Context, bucket: str, prefix: str, after_key: str) -> Iterator[ReceiptEntry]:
    """Yield all receipts of keys with this prefix in the order of the ids, from a key on."""
    waiting = waiting_prefix(ctx.settings)
    folders = (open_prefix(ctx.settings), done_prefix(ctx.settings), waiting)
    return merge(
        *(
            _iter_receipts_below(ctx, folder, bucket, prefix, after_key, is_waiting=folder == waiting)
            for folder in folders
        )
    )


def _iter_receipts_below(
    ctx: Context, folder: str, bucket: str, prefix: str, after_key: str, *, is_waiting: bool
) -> Iterator[ReceiptEntry]:
    state_bucket = ctx.settings.output_bucket_for(bucket)
    start = f"{folder}{bucket}/"
    marker = start + sortable_key(after_key) if after_key else ""
    for item in ctx.output_cos.iter_objects(state_bucket, prefix=start + sortable_key(prefix), marker=marker):
        yield ReceiptEntry(item.key.removeprefix(folder), item.modified, is_waiting)


class _ReceiptCursor:
    """Reads sorted receipts alongside sorted keys; it only moves forward. `unused`: ids that wait, not taken."""

    def __init__(self, receipts: Iterator[ReceiptEntry]) -> None:
        self._receipts = receipts
        self._next = next(receipts, None)
        self._position = ""
        self._found: dict[str, ReceiptEntry] = {}
        self._taken: set[str] = set()
        self.unused: list[str] = []

    def take(self, position: str, receipt_id: str) -> ReceiptEntry | None:
        """Return the receipt with this id, which starts with this sortable key; None if there is none.

        Call it with ascending positions.
        """
        self._advance_to(position)
        self._taken.add(receipt_id)
        return self._found.get(receipt_id)

    def finish(self) -> None:
        """Read the receipts that are left."""
        self._leave()
        while self._next is not None:
            self._pass(self._next)
            self._next = next(self._receipts, None)

    def _advance_to(self, position: str) -> None:
        # Of long keys, ids have only the start: several objects may have one position.
        if position != self._position:
            self._leave()
            self._position = position
        while self._next is not None and self._next.id.rpartition("!")[0] <= position:
            receipt = self._next
            if receipt.id.rpartition("!")[0] == position:
                known = self._found.get(receipt.id, receipt)
                # A recording that waits can also have a receipt in done/, from an upload before.
                is_waiting = receipt.is_waiting or known.is_waiting
                self._found[receipt.id] = ReceiptEntry(
                    receipt.id, max(receipt.modified, known.modified), is_waiting
                )
            else:
                self._pass(receipt)
            self._next = next(self._receipts, None)

    def _leave(self) -> None:
        for receipt in self._found.values():
            if receipt.id not in self._taken:
                self._pass(receipt)
        self._found, self._taken = {}, set()

    def _pass(self, receipt: ReceiptEntry) -> None:
        if receipt.is_waiting:
            self.unused.append(receipt.id)
