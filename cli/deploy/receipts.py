"""The receipts of a deployment whose OUTPUT_BUCKET or STATE_PREFIX changes: what is missing in the new place, copying.

Receipts record what is paid. The names in both places are listed in order and compared page by page, so that memory
does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from cli.deploy.clients import Clients
from shared.errors import NotFound
from shared.recordings.receipt_store import STATE_METADATA

MAX_COUNTED = 100_000
MAX_PARALLEL_COPIES = 16
BATCH_SIZE = 1000

_DONE, _OPEN = "done", "open"
_KINDS = (_DONE, "waiting", "raw", _OPEN)


class ReceiptPlace(NamedTuple):
    """Where the receipts of an input bucket's recordings are."""

    input_bucket: str
    bucket: str
    region: str
    state_prefix: str

    def folder(self, kind: str) -> str:
        """The prefix of the keys of one kind: done, open, waiting or raw."""
        return f"{self.state_prefix}{kind}/{self.input_bucket}/"

    def __str__(self) -> str:
        return f"{self.bucket}/{self.folder(_DONE)}"


class MovedReceipts(NamedTuple):
    """Where the receipts of finished recordings are now, and where the new settings look for them."""

    current: ReceiptPlace
    new: ReceiptPlace


def count_missing_receipts(clients: Clients, move: MovedReceipts) -> int:
    """Count the finished recordings that would be billed again; up to MAX_COUNTED. Raises CloudError."""
    return sum(1 for _ in islice(_iter_missing(clients, move, _DONE), MAX_COUNTED))


def copy_missing_receipts(clients: Clients, move: MovedReceipts) -> int:
    """Copy receipts and raw results that the new place does not have; return their number. Raises CloudError.

    The open ones come last, and only if they are not closed in the new place: their work goes on there.
    """
    count = 0
    with ThreadPoolExecutor(MAX_PARALLEL_COPIES) as pool:
        for kind in _KINDS:
            names = _iter_missing(clients, move, kind)
            while batch := list(islice(names, BATCH_SIZE)):
                count += sum(pool.map(lambda name, kind=kind: _copy(clients, move, kind, name), batch))
    return count


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
    existing = iter(_iter_names(clients, move.new, kind))
    other = next(existing, None)
    for name in _iter_names(clients, move.current, kind):
        while other is not None and other < name:
            other = next(existing, None)
        if other != name:
            yield name


def _iter_names(clients: Clients, place: ReceiptPlace, kind: str) -> Iterable[str]:
    """List names, which are ASCII and so in order. A bucket that does not exist yet, or any more, has none."""
    folder = place.folder(kind)
    with suppress(NotFound):
        for item in clients.cos(place.region).iter_objects(place.bucket, prefix=folder):
            yield item.key.removeprefix(folder)
