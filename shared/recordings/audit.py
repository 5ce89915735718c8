"""Recordings that no event ever told of: the input buckets are compared with the receipts.

Receipt ids sort as keys do, so the three listings are read side by side, a page at a time: the cost is one request for
1,000 names, and memory does not grow with the bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge

from shared.errors import CloudError, DeadlineExceeded, safe_error_message
from shared.recordings.desk import Desk
from shared.recordings.due import is_due, seconds_of
from shared.recordings.names import done_prefix, open_prefix
from shared.recordings.recording import Recording, sortable
from shared.recordings.take_in import left_alone, take_in
from shared.recordings.tally import Tally
from shared.tencent.cos import ObjectSummary


def audit(desk: Desk) -> Tally:
    """Takes in every recording without a receipt, or written after its receipt was closed.

    Stops, and says so, when time runs out.
    """
    tally = Tally()
    for bucket in desk.settings.input_buckets:
        try:
            for item in _unheard_of(desk, bucket):
                _take_in(desk, bucket, item, tally)
        except DeadlineExceeded as error:
            tally.stopped_early = True
            desk.log.warning("the audit stopped early", why=str(error))
            break
        except CloudError as error:
            # The other buckets must not wait for this one to be mended.
            tally.trouble()
            desk.log.error("could not audit", bucket=bucket, error=str(error))
    return tally


def _take_in(desk: Desk, bucket: str, item: ObjectSummary, tally: Tally) -> None:
    try:
        outcome = take_in(desk, bucket, item.key)
    except DeadlineExceeded:
        raise
    except Exception as error:  # noqa: BLE001 - one recording's trouble does not stop the others
        tally.trouble()
        desk.log.error("could not take in", bucket=bucket, key=item.key, error=safe_error_message(error))
        return
    tally.count(outcome.step)
    desk.log.info("found by the audit", **outcome.summary())


def _unheard_of(desk: Desk, bucket: str) -> Iterator[ObjectSummary]:
    """The recordings that are due and that no receipt speaks of, in the order of their keys."""
    known = _Known(_receipts(desk, bucket))
    for item in desk.input_cos.iter_objects(bucket, prefix=desk.settings.input_prefix):
        if left_alone(desk.settings, bucket, item.key) or not is_due(desk, item.modified):
            continue
        receipts = known.beside(f"{bucket}/{sortable(item.key)}")
        written = receipts.get(Recording(bucket, item.key, item.etag, item.size).id)
        # In whole seconds, so what was written in the very second of its receipt is looked at more closely.
        if written is None or seconds_of(item.modified) >= int(seconds_of(written)):
            yield item


def _receipts(desk: Desk, bucket: str) -> Iterator[tuple[str, str]]:
    """Ids, and when each was written, of all receipts of a bucket, open and done, in the order of the ids."""
    return merge(
        *(_receipts_below(desk, prefix(desk.settings), bucket) for prefix in (open_prefix, done_prefix))
    )


def _receipts_below(desk: Desk, prefix: str, bucket: str) -> Iterator[tuple[str, str]]:
    state_bucket = desk.settings.output_bucket_for(bucket)
    for item in desk.output_cos.iter_objects(state_bucket, prefix=f"{prefix}{bucket}/"):
        yield item.key.removeprefix(prefix), item.modified


class _Known:
    """The receipts beside one place in the order of keys; it only moves forward."""

    def __init__(self, receipts: Iterator[tuple[str, str]]) -> None:
        self._receipts = receipts
        self._next = next(receipts, None)
        self._place = ""
        self._beside: dict[str, str] = {}

    def beside(self, place: str) -> dict[str, str]:
        """The receipts whose id's sortable part is `place`; places are asked for in ascending order."""
        if place != self._place:
            self._place, self._beside = place, {}
        while self._next is not None and self._next[0].rpartition("!")[0] <= place:
            receipt_id, modified = self._next
            if receipt_id.rpartition("!")[0] == place:
                self._beside[receipt_id] = max(modified, self._beside.get(receipt_id, ""))
            self._next = next(self._receipts, None)
        return self._beside
