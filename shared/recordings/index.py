"""The index of recordings: small objects, most without content, whose keys alone answer what an operator wants to know.

    index/finished/<time, newest first>/<receipt id>.<seconds>   each job that gave a transcript: `scribe list`, `cost`
    index/failed/<receipt id>                                    each receipt in FAILED: `scribe list --state failed`
    index/reserved/<receipt id>.<nonce>.<seconds>                what a job in flight may cost (budget.py)
    index/budget/<month>.<minutes>.<percent>                     the warning of this budget was given
    index/forgotten/<digest>                                     `scribe forget` was asked to keep the recording

A listing has 1,000 keys in a request, so 100,000 recordings are counted with 100. Receipts stay the truth: an entry of
`failed/` is written before its receipt is closed and can be out of date, so a reader looks at the receipt.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import NamedTuple

from shared.errors import NotFound
from shared.messages import message
from shared.recordings.context import Context
from shared.recordings.keys import OUTPUT_MARK, STATE_MARK
from shared.recordings.receipt import (
    MAX_SORTABLE_BYTES,
    Receipt,
    Recording,
    decode_sortable_key,
    is_receipt_id,
)
from shared.settings import Settings
from shared.tencent.cos import CosClient

INDEX_FOLDER = "index/"
_STATE_METADATA = {OUTPUT_MARK: STATE_MARK}
_LAST_SECOND = 9_999_999_999  # the year 2286
_RESERVED = re.compile(r"(?P<id>.+)\.(?P<nonce>[0-9A-Za-z]+)\.(?P<seconds>[0-9]{1,6})")
_FINISHED = re.compile(r"(?P<left>[0-9]{10})/(?P<id>.+)\.(?P<seconds>[0-9]{1,9})")
# Tencent bills by its own calendar, UTC+8.
BILLING_ZONE = timezone(timedelta(hours=8))


class ReadableId(NamedTuple):
    """What a receipt's id says about its recording. `key` is cut to its first 180 bytes unless `is_whole`."""

    bucket: str
    key: str
    is_whole: bool


class FinishedEntry(NamedTuple):
    """A job that gave a transcript: when it ended (Unix seconds), and how many seconds of speech it was billed for."""

    ended_s: int
    receipt_id: str
    seconds: int


class ReservedEntry(NamedTuple):
    """What a job in flight may cost: how many seconds of speech it has by estimate."""

    receipt_id: str
    seconds: int


def read_receipt_id(receipt_id: str) -> ReadableId:
    """Return the bucket and the key in a receipt's id. Raises ValueError if it is none."""
    if not is_receipt_id(receipt_id):
        raise ValueError(receipt_id)
    bucket, _, rest = receipt_id.partition("/")
    raw = decode_sortable_key(rest.rpartition("!")[0])
    return ReadableId(bucket, raw.decode("utf-8", "ignore"), len(raw) < MAX_SORTABLE_BYTES)


def index_prefix(settings: Settings, name: str) -> str:
    """Return the prefix of one part of the index: `finished/`, `failed/`, `reserved/`, `budget/`, `forgotten/`."""
    return f"{settings.state_prefix}{INDEX_FOLDER}{name}"


def finished_key(settings: Settings, entry: FinishedEntry) -> str:
    """Return the key of an entry. The same job has the same key, however often its transcripts are written."""
    return f"{index_prefix(settings, 'finished/')}{_LAST_SECOND - entry.ended_s:010}/{entry.receipt_id}.{entry.seconds}"


def parse_finished_key(settings: Settings, key: str) -> FinishedEntry | None:
    """Parse a key of an entry; None if it is another object."""
    match = _FINISHED.fullmatch(key.removeprefix(index_prefix(settings, "finished/")))
    if match is None:
        return None
    return FinishedEntry(_LAST_SECOND - int(match["left"]), match["id"], int(match["seconds"]))


def reserved_prefix(settings: Settings, receipt_id: str) -> str:
    """Return the prefix of the reservations of a recording: one of each attempt that may have left a job."""
    return f"{index_prefix(settings, 'reserved/')}{receipt_id}."


def reserved_key(settings: Settings, receipt_id: str, nonce: str, seconds: int) -> str:
    """Return the key of the reservation of one attempt. Seconds are estimated."""
    return f"{reserved_prefix(settings, receipt_id)}{nonce}.{seconds}"


def parse_reserved_key(settings: Settings, key: str) -> ReservedEntry | None:
    """Parse a key of a reservation; None if it is another object."""
    match = _RESERVED.fullmatch(key.removeprefix(index_prefix(settings, "reserved/")))
    return ReservedEntry(match["id"], int(match["seconds"])) if match and is_receipt_id(match["id"]) else None


def failed_key(settings: Settings, receipt_id: str) -> str:
    """Return the key of the entry of a failed recording."""
    return index_prefix(settings, "failed/") + receipt_id


def forgotten_key(settings: Settings, recording: Recording) -> str:
    """Return the key that says: the operator had this recording forgotten. It has no name in it."""
    digest = hashlib.sha256(f"forgotten\n{recording.id}".encode()).hexdigest()[:32]
    return index_prefix(settings, "forgotten/") + digest


FORGOTTEN_REASON = message("it was forgotten")


def is_forgotten(ctx: Context, recording: Recording, modified_s: float) -> bool:
    """Check whether the operator had this recording forgotten, and it was not uploaded again since. One request.

    `modified_s` is when the recording was written, in Unix seconds.
    """
    bucket = ctx.settings.output_bucket_for(recording.bucket)
    try:
        mark = ctx.output_cos.get(bucket, forgotten_key(ctx.settings, recording)).head
    except NotFound:
        return False
    return not 0 < mark.modified_s < modified_s


def get_month(time_s: float) -> str:
    """Return the month of a time for billing, such as `2026-11`."""
    return datetime.fromtimestamp(time_s, BILLING_ZONE).strftime("%Y-%m")


def get_month_start_s(month: str) -> int:
    """Return when a month (`2026-11`) begins, in Unix seconds. Raises ValueError."""
    return int(datetime.strptime(month, "%Y-%m").replace(tzinfo=BILLING_ZONE).timestamp())


def get_next_month(month: str) -> str:
    """Return the month after this one. Raises ValueError."""
    return get_month(get_month_start_s(month) + 32 * 86_400)


def select_longest(entries: Iterable[FinishedEntry]) -> Iterator[FinishedEntry]:
    """Yield each job once, in the order of the listing.

    A job whose transcripts were written from different answers of CI, with different lengths, has two entries.
    """
    for _, same in groupby(entries, key=lambda entry: entry[:2]):
        yield max(same)


class RecordingIndex:
    """The index in one output bucket. Methods raise CloudError or DeadlineExceeded."""

    def __init__(self, cos: CosClient, settings: Settings, bucket: str) -> None:
        self._cos = cos
        self._settings = settings
        self._bucket = bucket

    def add_finished(self, receipt: Receipt, ended_s: float, seconds: float) -> None:
        """Note a job that gave a transcript; also parts of a second are billed as one. One request."""
        whole_s = -int(-max(seconds, 0.0) // 1)
        self._put(finished_key(self._settings, FinishedEntry(int(ended_s), receipt.id, whole_s)))

    def iter_finished(self, *, from_s: float = 0.0, before_s: float | None = None) -> Iterator[FinishedEntry]:
        """Yield the jobs that ended in this time, the newest first. One request for each 1,000.

        For sums see `select_longest`.
        """
        prefix = index_prefix(self._settings, "finished/")
        marker = "" if before_s is None else f"{prefix}{_LAST_SECOND - int(before_s):010}/~"
        for item in self._cos.iter_objects(self._bucket, prefix=prefix, marker=marker):
            entry = parse_finished_key(self._settings, item.key)
            if entry is None:
                continue
            if entry.ended_s < from_s:
                return
            yield entry

    def add_failed(self, receipt_id: str) -> None:
        """Note that a recording fails, before its receipt is closed. One request."""
        self._put(failed_key(self._settings, receipt_id))

    def remove_failed(self, receipt_id: str) -> None:
        """Remove the note that a recording failed. One request."""
        self._cos.delete(self._bucket, failed_key(self._settings, receipt_id))

    def _put(self, key: str) -> None:
        self._cos.put(self._bucket, key, b"", metadata=_STATE_METADATA)


def open_index(ctx: Context, bucket: str) -> RecordingIndex:
    """Return the index with the recordings of this input bucket."""
    return RecordingIndex(ctx.output_cos, ctx.settings, ctx.settings.output_bucket_for(bucket))
