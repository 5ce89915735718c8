"""Where receipts are kept: COS objects below `open/` while work is in flight, below `done/` afterwards.

A receipt is put into `done/` before it is taken out of `open/`, and looked for in `open/` first: whoever looks finds it
in one of the two at any moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from shared.errors import AlreadyExists, NotFound
from shared.recordings.names import done_prefix, open_prefix
from shared.recordings.receipt import BadReceipt, Receipt, receipt_from
from shared.settings import Settings
from shared.tencent.cos import Cos


@dataclass(frozen=True, slots=True)
class OpenEntry:
    """A line of the open list: which receipt, and when it was last written (ISO 8601, UTC)."""

    id: str
    modified: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """The receipts in one state bucket."""

    cos: Cos
    settings: Settings
    bucket: str

    def find_open(self, receipt_id: str) -> Receipt | None:
        """The receipt of work in flight, if there is one."""
        return self._read(open_prefix(self.settings) + receipt_id)

    def find_done(self, receipt_id: str) -> Receipt | None:
        """The receipt of finished work, if there is one."""
        return self._read(done_prefix(self.settings) + receipt_id)

    def create(self, receipt: Receipt) -> bool:
        """Opens a receipt, create-only, and says whether it is this attempt's own.

        It is read back for its nonce: create-only is void on a versioned bucket, was seen to let two writers win in
        a true race, and reports this very attempt's first try as a stranger's when its answer was lost.
        """
        key = open_prefix(self.settings) + receipt.id
        with suppress(AlreadyExists):
            self.cos.put(
                self.bucket, key, receipt.to_json(), content_type="application/json", create_only=True
            )
        found = self._read(key)
        return found is not None and found.nonce == receipt.nonce

    def update(self, receipt: Receipt) -> None:
        """Writes an open receipt anew."""
        self.cos.put(
            self.bucket,
            open_prefix(self.settings) + receipt.id,
            receipt.to_json(),
            content_type="application/json",
        )

    def finish(self, receipt: Receipt) -> None:
        """Moves a receipt from open to done. Call it after the last object of the recording is written."""
        self.cos.put(
            self.bucket,
            done_prefix(self.settings) + receipt.id,
            receipt.to_json(),
            content_type="application/json",
        )
        self.cos.delete(self.bucket, open_prefix(self.settings) + receipt.id)

    def open_entries(self) -> Iterator[OpenEntry]:
        """The ids of all work in flight, a page at a time, in the order of bucket and key."""
        prefix = open_prefix(self.settings)
        for item in self.cos.list_all(self.bucket, prefix=prefix):
            yield OpenEntry(item.key.removeprefix(prefix), item.modified)

    def _read(self, key: str) -> Receipt | None:
        try:
            return receipt_from(self.cos.get(self.bucket, key).body)
        except (NotFound, BadReceipt):
            return None
