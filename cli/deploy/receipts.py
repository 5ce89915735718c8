"""The receipts of a deployment: open ones, those of other buckets, and those that a changed place would miss.

A place changes with OUTPUT_BUCKET or STATE_PREFIX; the missing receipts can be copied. Receipts record what is paid.
The names in both places are listed in order and compared page by page, so that memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from cli.deploy.clients import Clients
from cli.language import _
from shared.errors import NotFound, RequestRejected
from shared.notices.delivery import MAX_DELIVERY_BYTES, Delivery, notices_prefix
from shared.notices.models import InvalidNotice
from shared.recordings.index import INDEX_FOLDER
from shared.recordings.receipt import InvalidReceipt, Receipt
from shared.recordings.receipt_store import MAX_RECEIPT_BYTES, STATE_METADATA
from shared.tencent.cos import ObjectSummary

MAX_COUNTED = 100_000
MAX_PARALLEL_COPIES = 16
BATCH_SIZE = 1000
MAX_READ_RECEIPTS = 200  # of a bucket: a second or two
MAX_COUNTED_RECEIPTS = 10_000  # in ten requests

_DONE, _OPEN = "done", "open"
_KINDS = (_DONE, "waiting", "raw", "claim", _OPEN)


class ReceiptPlace(NamedTuple):
    """Where the receipts of an input bucket's recordings are."""

    input_bucket: str
    bucket: str
    region: str
    state_prefix: str

    def folder(self, kind: str) -> str:
        """The prefix of the keys of one kind: done, open, waiting, raw or claim."""
        return f"{self.state_prefix}{kind}/{self.input_bucket}/"

    def __str__(self) -> str:
        return f"{self.bucket}/{self.folder(_DONE)}"


class OpenReceipts(NamedTuple):
    """The open receipts of a bucket, and the keys of those that the functions cannot read.

    `is_complete` if there are no more than were read.
    """

    receipts: tuple[Receipt, ...]
    unreadable: tuple[str, ...]
    is_complete: bool


class ReceiptCount(NamedTuple):
    """Numbers of open and closed receipts; those of more than MAX_COUNTED_RECEIPTS are cut."""

    open: int
    done: int

    def __str__(self) -> str:
        return _(
            "{open} open and {done} closed", open=_format_count(self.open), done=_format_count(self.done)
        )


def _format_count(count: int) -> str:
    return _("at least {count}", count=f"{count:,}") if count >= MAX_COUNTED_RECEIPTS else f"{count:,}"


class MovedReceipts(NamedTuple):
    """Where the receipts of finished recordings are now, and where the new settings look for them."""

    current: ReceiptPlace
    new: ReceiptPlace


def count_open_receipts(clients: Clients, place: ReceiptPlace) -> int:
    """Count the recordings in flight, up to MAX_COUNTED_RECEIPTS. Raises CloudError."""
    return _count(clients, place, _OPEN)


def read_open_receipts(clients: Clients, place: ReceiptPlace, limit: int = MAX_READ_RECEIPTS) -> OpenReceipts:
    """Read the first `limit` open receipts. Raises CloudError."""
    cos = clients.cos(place.region)

    def read(item: ObjectSummary) -> Receipt | str | None:
        if item.size > MAX_RECEIPT_BYTES:
            return item.key
        try:
            receipt = Receipt.from_json(cos.get(place.bucket, item.key, max_bytes=MAX_RECEIPT_BYTES).body)
        except NotFound:  # closed since it was listed
            return None
        except (InvalidReceipt, RequestRejected):
            return item.key
        return receipt if item.key.endswith(f"/{receipt.id}") else item.key

    items = islice(cos.iter_objects(place.bucket, prefix=place.folder(_OPEN)), limit + 1)
    listed = list(items)
    with ThreadPoolExecutor(MAX_PARALLEL_COPIES) as pool:
        results = list(pool.map(read, listed[:limit]))
    return OpenReceipts(
        tuple(result for result in results if isinstance(result, Receipt)),
        tuple(result for result in results if isinstance(result, str)),
        is_complete=len(listed) <= limit,
    )


def count_other_receipts(
    clients: Clients, bucket: str, region: str, state_prefix: str, known: Collection[str]
) -> dict[str, ReceiptCount]:
    """Count the receipts in a bucket that are of other input buckets than the known ones. Raises CloudError."""
    cos = clients.cos(region)
    names = {
        prefix.rstrip("/").rpartition("/")[2]
        for kind in (_OPEN, _DONE)
        for prefix in cos.list_objects(bucket, prefix=f"{state_prefix}{kind}/", delimiter="/").prefixes
    }
    counts = {}
    for name in sorted(names - set(known)):
        place = ReceiptPlace(name, bucket, region, state_prefix)
        counts[name] = ReceiptCount(_count(clients, place, _OPEN), _count(clients, place, _DONE))
    return counts


def _count(clients: Clients, place: ReceiptPlace, kind: str) -> int:
    return sum(1 for _ in islice(_iter_names(clients, place, kind), MAX_COUNTED_RECEIPTS))


def count_missing_receipts(clients: Clients, move: MovedReceipts) -> int:
    """Count the finished recordings that would be billed again; up to MAX_COUNTED. Raises CloudError."""
    return sum(1 for _ in islice(_iter_missing(clients, move, _DONE), MAX_COUNTED))


def copy_missing_receipts(clients: Clients, move: MovedReceipts) -> int:
    """Copy receipts, raw results and claims that the new place does not have; return their number. Raises CloudError.

    Entries of the index, which are not counted, come first. The open receipts come last, and only if they are not
    closed in the new place: their work goes on there.
    """
    count = 0
    with ThreadPoolExecutor(MAX_PARALLEL_COPIES) as pool:
        entries = _iter_missing_entries(clients, move)
        while batch := list(islice(entries, BATCH_SIZE)):
            list(pool.map(lambda name: _copy_entry(clients, move.new, name), batch))
        for kind in _KINDS:
            names = _iter_missing(clients, move, kind)
            while batch := list(islice(names, BATCH_SIZE)):
                count += sum(pool.map(lambda name, kind=kind: _copy(clients, move, kind, name), batch))
    return count


def copy_open_notices(clients: Clients, move: MovedReceipts) -> int:
    """Copy the notices that are still to be sent, of this input bucket, and the states of their targets.

    Return their number. Call it when no function uses the current place any more: what is sent from both places
    arrives twice. Raises CloudError.
    """
    current, new = (notices_prefix(place.state_prefix) for place in move)
    source, target = clients.cos(move.current.region), clients.cos(move.new.region)
    count = 0
    for item in source.iter_objects(move.current.bucket, prefix=current):
        try:
            content = source.get(move.current.bucket, item.key, max_bytes=MAX_DELIVERY_BYTES)
        except NotFound:  # delivered since it was listed
            continue
        if not _is_notice_of_other_bucket(content.body, move.new.input_bucket):
            target.put(
                move.new.bucket,
                new + item.key.removeprefix(current),
                content.body,
                content_type=content.head.content_type,
                metadata=STATE_METADATA,
            )
            count += 1
    return count


def _is_notice_of_other_bucket(body: bytes, input_bucket: str) -> bool:
    try:
        return Delivery.from_json(body).notice.bucket != input_bucket
    except InvalidNotice:  # the state of a target
        return False


def _copy(clients: Clients, move: MovedReceipts, kind: str, name: str) -> bool:
    """Read and write instead of a copy by COS: an older receipt has no mark yet, and the region may differ."""
    source, target = clients.cos(move.current.region), clients.cos(move.new.region)
    if kind == _OPEN and _exists(clients, move.new, name):
        return False
    try:
        content = source.get(move.current.bucket, move.current.folder(kind) + name)
    except NotFound:  # closed since it was listed
        return False
    target.put(
        move.new.bucket,
        move.new.folder(kind) + name,
        content.body,
        content_type=content.head.content_type,
        metadata={**content.head.metadata, **STATE_METADATA},
    )
    return True


def _exists(clients: Clients, place: ReceiptPlace, name: str) -> bool:
    with suppress(NotFound):
        clients.cos(place.region).head(place.bucket, place.folder(_DONE) + name)
        return True
    return False


def _iter_missing(clients: Clients, move: MovedReceipts, kind: str) -> Iterator[str]:
    """Yield the names in the current place that the new one does not have."""
    return _subtract(_iter_names(clients, move.current, kind), _iter_names(clients, move.new, kind))


def _iter_missing_entries(clients: Clients, move: MovedReceipts) -> Iterator[str]:
    """Yield the names of this bucket's entries of the index that the new place does not have.

    Marks of forgotten recordings do not say the bucket. That a budget was warned of is not kept.
    """
    names = (_iter_names_below(clients, place, _index_folder(place)) for place in move)
    for name in _subtract(*names):
        kind, _, rest = name.partition("/")
        bucket = (rest.partition("/")[2] if kind == "finished" else rest).partition("/")[0]
        if kind == "forgotten" or bucket == move.current.input_bucket:
            yield name


def _index_folder(place: ReceiptPlace) -> str:
    return place.state_prefix + INDEX_FOLDER


def _copy_entry(clients: Clients, place: ReceiptPlace, name: str) -> None:
    """Write an entry: its key says everything."""
    clients.cos(place.region).put(place.bucket, _index_folder(place) + name, b"", metadata=STATE_METADATA)


def _subtract(names: Iterable[str], others: Iterable[str]) -> Iterator[str]:
    """Yield the names that are not among the others. Both are in order."""
    remaining = iter(others)
    other = next(remaining, None)
    for name in names:
        while other is not None and other < name:
            other = next(remaining, None)
        if other != name:
            yield name


def _iter_names(clients: Clients, place: ReceiptPlace, kind: str) -> Iterator[str]:
    return _iter_names_below(clients, place, place.folder(kind))


def _iter_names_below(clients: Clients, place: ReceiptPlace, folder: str) -> Iterator[str]:
    """List names, which are ASCII and so in order. A bucket that does not exist yet, or any more, has none."""
    with suppress(NotFound):
        for item in clients.cos(place.region).iter_objects(place.bucket, prefix=folder):
            yield item.key.removeprefix(folder)
