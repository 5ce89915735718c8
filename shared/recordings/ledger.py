"""Where receipts are kept: COS objects below `open/` while work is in flight, below `done/` afterwards.

A receipt is put into `done/` before it is taken out of `open/`, and looked for in `open/` first: whoever looks finds it
in one of the two at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from shared.errors import AlreadyExists, NotFound
from shared.recordings.names import claim_key, done_prefix, open_prefix
from shared.recordings.receipt import Receipt, receipt_from
from shared.settings import Settings
from shared.tencent.cos import CosClient

JSON_TYPE = "application/json"
VERSIONED_PAUSE_SECONDS = 1.0
MOST_DEAD_TAKERS = 50  # attempts that were killed between their claim and their receipt, in a row


class OpenEntry(NamedTuple):
    """A line of the open list: which receipt, and when it was last written (ISO 8601, UTC)."""

    id: str
    modified: str


class Ledger(NamedTuple):
    """The receipts in one state bucket. Every method raises CloudError; those that read, BadReceipt."""

    cos: CosClient
    settings: Settings
    bucket: str

    def find_open(self, receipt_id: str) -> Receipt | None:
        """The receipt of work in flight, if there is one."""
        return self._read(open_prefix(self.settings) + receipt_id)

    def find_done(self, receipt_id: str) -> Receipt | None:
        """The receipt of finished work, if there is one."""
        return self._read(done_prefix(self.settings) + receipt_id)

    def is_current(self, receipt: Receipt) -> bool:
        """Whether the open receipt is still as it was read: nobody went on with the work, or ended it, meanwhile."""
        return self.find_open(receipt.id) == receipt

    def create(self, receipt: Receipt) -> bool:
        """Opens a receipt, create-only, and says whether it is this attempt's own. One request if it is not."""
        key = open_prefix(self.settings) + receipt.id
        try:
            self._put_create_only(key, receipt)
        except AlreadyExists as error:
            if not error.possibly_own_write:
                return False
        return self._is_own(key, receipt)

    def claim(self, receipt: Receipt, nonce: str, now_s: float, lease_s: float) -> Receipt | None:
        """Claims the next attempt at the work of a dead one; None while another attempt is alive.

        Each attempt's number is created once, so two that take over at the same moment are told apart before
        either pays. The claim of a taker that died as well gives way to the next number.
        """
        for attempt in range(receipt.attempt + 1, receipt.attempt + 1 + MOST_DEAD_TAKERS):
            mine = receipt._replace(
                nonce=nonce, attempt=attempt, lease_until_s=now_s + lease_s, waiting=False
            )
            holder = self._create_only(claim_key(self.settings, receipt.id, attempt), mine)
            if holder is None or _is_alive(holder, now_s, lease_s):
                return mine if holder is not None and holder.nonce == nonce else None
        return None

    def _create_only(self, key: str, receipt: Receipt) -> Receipt | None:
        """Creates an object unless it exists, and gives whose it is."""
        with suppress(AlreadyExists):
            self._put_create_only(key, receipt)
        return self._read(key)

    def _is_own(self, key: str, receipt: Receipt) -> bool:
        """Reads back what was created and looks for its nonce.

        Create-only is void on a versioned bucket, was seen to let two writers win in a true race, and reports this
        very attempt's first try as a stranger's when its answer was lost.
        """
        holder = self._read(key)
        return holder is not None and holder.nonce == receipt.nonce

    def _put_create_only(self, key: str, receipt: Receipt) -> None:
        written = self.cos.put(self.bucket, key, receipt.to_json(), content_type=JSON_TYPE, create_only=True)
        if written.version_id:
            # The bucket is versioned, so nothing stops a second writer: wait until the last has written.
            self.cos.client.sleep(VERSIONED_PAUSE_SECONDS)

    def others_of(self, receipt: Receipt) -> Iterator[Receipt]:
        """Receipts of other content under the same key, open and done. Two requests, and one for each found."""
        stem = receipt.id.rpartition("!")[0] + "!"
        for prefix in (open_prefix(self.settings), done_prefix(self.settings)):
            for item in self.cos.iter_objects(self.bucket, prefix=prefix + stem):
                found = self._read(item.key) if item.key != prefix + receipt.id else None
                if found and found.key == receipt.key:
                    yield found

    def update(self, receipt: Receipt) -> None:
        """Writes an open receipt anew."""
        self.cos.put(
            self.bucket,
            open_prefix(self.settings) + receipt.id,
            receipt.to_json(),
            content_type=JSON_TYPE,
        )

    def finish(self, receipt: Receipt) -> None:
        """Moves a receipt from open to done. Call it after the last object of the recording is written."""
        self.cos.put(
            self.bucket,
            done_prefix(self.settings) + receipt.id,
            receipt.to_json(),
            content_type=JSON_TYPE,
        )
        self.drop_open(receipt)

    def drop_open(self, receipt: Receipt) -> None:
        """Removes an open receipt whose work is closed in `done/`, and the claims of its attempts."""
        self.cos.delete(self.bucket, open_prefix(self.settings) + receipt.id)
        for attempt in range(2, receipt.attempt + 1):
            self.cos.delete(self.bucket, claim_key(self.settings, receipt.id, attempt))

    def drop_claim(self, receipt: Receipt) -> None:
        """Removes the claim of an attempt that does not go on."""
        self.cos.delete(self.bucket, claim_key(self.settings, receipt.id, receipt.attempt))

    def open_entries(self, after: str = "") -> Iterator[OpenEntry]:
        """The ids of all work in flight, a page at a time, in the order of bucket and key; those after an id."""
        prefix = open_prefix(self.settings)
        for item in self.cos.iter_objects(self.bucket, prefix=prefix, marker=prefix + after if after else ""):
            yield OpenEntry(item.key.removeprefix(prefix), item.modified)

    def _read(self, key: str) -> Receipt | None:
        try:
            return receipt_from(self.cos.get(self.bucket, key).body)
        except NotFound:
            return None


def _is_alive(holder: Receipt, now_s: float, lease_s: float) -> bool:
    """Whether a claim's lease runs. One far beyond today's lease was given under other settings, and binds nobody."""
    return now_s < holder.lease_until_s <= now_s + 1.5 * lease_s
