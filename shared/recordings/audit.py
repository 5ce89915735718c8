"""Recordings that no event ever told of: the input buckets are compared with the receipts.

Receipt ids sort as keys do, so the three listings are read side by side, a page at a time: the cost is one request for
1,000 names, and memory does not grow with the bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from shared.errors import CloudError, OutOfTime
from shared.recordings.desk import Desk
from shared.recordings.names import done_prefix, open_prefix
from shared.recordings.recording import Recording, sortable
from shared.recordings.sweep import Tally, is_due
from shared.recordings.take_in import left_alone, take_in
from shared.tencent.cos import Listed


def audit(desk: Desk) -> Tally:
    """Takes in every recording without a receipt. Stops, and says so, when time runs out."""
    tally = Tally()
    try:
        for bucket in desk.settings.input_buckets:
            for item in _unknown(desk, bucket):
                _take_in(desk, bucket, item, tally)
    except OutOfTime as error:
        tally.stopped_early = True
        desk.log.warning("the audit stopped early", why=str(error))
    return tally


def _take_in(desk: Desk, bucket: str, item: Listed, tally: Tally) -> None:
    try:
        outcome = take_in(desk, bucket, item.key)
    except CloudError as error:
        tally.troubles += 1
        desk.log.error("could not take in", bucket=bucket, key=item.key, error=str(error))
        return
    tally.count(outcome)
    desk.log.info("found by the audit", **outcome.summary())


def _unknown(desk: Desk, bucket: str) -> Iterator[Listed]:
    """The recordings of a bucket that are due and have no receipt, in the order of their keys."""
    known = _Known(_receipt_ids(desk, bucket))
    for item in desk.input_cos.list_all(bucket, prefix=desk.settings.input_prefix):
        if left_alone(desk.settings, bucket, item.key) or not is_due(desk, item.modified):
            continue
        if Recording(bucket, item.key, item.etag, item.size).id not in known.beside(
            f"{bucket}/{sortable(item.key)}"
        ):
            yield item


def _receipt_ids(desk: Desk, bucket: str) -> Iterator[str]:
    """The ids of all receipts of a bucket, open and done, in their order."""
    return merge(*(_ids_below(desk, prefix(desk.settings), bucket) for prefix in (open_prefix, done_prefix)))


def _ids_below(desk: Desk, prefix: str, bucket: str) -> Iterator[str]:
    state_bucket = desk.settings.output_bucket_for(bucket)
    for item in desk.output_cos.list_all(state_bucket, prefix=f"{prefix}{bucket}/"):
        yield item.key.removeprefix(prefix)


class _Known:
    """The receipts beside one place in the order of keys; it only moves forward."""

    def __init__(self, ids: Iterator[str]) -> None:
        self._ids = ids
        self._next = next(ids, None)
        self._place = ""
        self._beside: set[str] = set()

    def beside(self, place: str) -> set[str]:
        """The ids whose sortable part is `place`; places are asked for in ascending order."""
        if place != self._place:
            self._place, self._beside = place, set()
        while self._next is not None and self._next.rpartition("!")[0] <= place:
            if self._next.rpartition("!")[0] == place:
                self._beside.add(self._next)
            self._next = next(self._ids, None)
        return self._beside
