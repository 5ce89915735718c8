"""Stores receipts as COS objects: below `open/` while work is in flight, below `done/` afterwards.

A receipt is written to `done/` before it is deleted from `open/`, and is looked for in `open/` first, so a reader finds
it in one of the two at any moment. Recordings in an archive, or without room in the budget, have theirs below
`waiting/`.

Of several attempts at the same recording only one may submit. COS can create an object only if there is none, but not
in a bucket that has or had versioning; there, each attempt writes a claim of its own name, and then lists all claims.
It goes on only after a listing without another live claim, so two cannot both go on: of two that each write before they
list, at least one sees the other. The one whose claim has the lower name waits a moment for the others to give up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from shared.errors import AlreadyExists, NotFound, RequestRejected, Throttled
from shared.recordings.keys import (
    OUTPUT_MARK,
    STATE_MARK,
    claim_key,
    done_prefix,
    open_prefix,
    waiting_prefix,
)
from shared.recordings.receipt import InvalidReceipt, Receipt
from shared.settings import Settings
from shared.tencent.client import TOO_LARGE
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import CosClient

CONTENT_TYPE = "application/json"
STATE_METADATA = {OUTPUT_MARK: STATE_MARK}
MAX_RECEIPT_BYTES = 256 * 1024  # a receipt has a few kilobytes; anything else below open/ is not read
MAX_DEAD_CLAIMS = 50  # consecutive attempts that were killed between their claim and their receipt
FIRST_CLAIM = 2  # the first attempt creates the receipt and needs no claim
MAX_LEASE_FACTOR = 1.5
MAX_CLAIM_LOOKS, CLAIM_PAUSE_S = 4, 0.5
_CLAIM_NAME = re.compile(
    r"\.(?P<lease_expires_s>[0-9]{1,12})-(?P<nonce>[0-9A-Za-z]+)$"
)  # in a versioned bucket


class OpenReceipt(NamedTuple):
    """One entry of the list of open receipts: its id, its size in bytes, and its last write (ISO 8601, UTC)."""

    id: str
    modified: str
    size: int = 0


class ReceiptStore:
    """The receipts in one bucket. Methods raise CloudError or DeadlineExceeded; those that read, InvalidReceipt.

    An object too large for a receipt is not read: InvalidReceipt.
    """

    def __init__(
        self, cos: CosClient, settings: Settings, bucket: str, is_versioned: Callable[[str], bool]
    ) -> None:
        self._cos = cos
        self._settings = settings
        self._bucket = bucket
        self._is_versioned = is_versioned

    def get_open(self, receipt_id: str) -> Receipt | None:
        """Return the receipt of work in flight, or None."""
        return self._read(self._open_key(receipt_id))

    def get_done(self, receipt_id: str) -> Receipt | None:
        """Return the receipt of finished work, or None."""
        return self._read(self._done_key(receipt_id))

    def get_waiting(self, receipt_id: str) -> Receipt | None:
        """Return the receipt of a recording that waits, or None."""
        return self._read(waiting_prefix(self._settings) + receipt_id)

    def is_unchanged(self, receipt: Receipt) -> bool:
        """Check that the open receipt is still as it was read: no other attempt continued or ended the work."""
        return self.get_open(receipt.id) == receipt

    def create(self, receipt: Receipt, now_s: float) -> Receipt | None:
        """Create an open receipt and return it; None if it is not this attempt's.

        One request if it exists already. A second at most tells whether the bucket has versioning; there, raises
        Throttled if another attempt begins at the same moment.
        """
        key = self._open_key(receipt.id)
        if self._is_versioned(self._bucket):
            return self._create_in_versioned_bucket(receipt._replace(versioned=True), now_s)
        try:
            version_id = self._put_create_only(key, receipt)
        except AlreadyExists as error:
            if not error.possibly_own_write:
                return None
        else:
            if version_id:
                # Versioning was switched on a moment ago: perhaps another attempt's receipt was overwritten. The sweep
                # first looks for its job.
                return None
        return receipt if self._is_own(key, receipt) else None

    def claim_next_attempt(
        self, receipt: Receipt, nonce: str, now_s: float, lease_s: float
    ) -> Receipt | None:
        """Claim the next attempt after a dead or deferred one; return None while another attempt is alive.

        The object of each attempt number is created once, so of two concurrent sweeps only one continues and pays. A
        claim whose owner died too is passed over for the next number.
        """
        if self._is_versioned(self._bucket):
            claim = receipt.next_attempt(nonce, receipt.attempt + 1, now_s + lease_s)._replace(versioned=True)
            return claim if self._claim_in_versioned_bucket(claim, now_s, lease_s) else None
        for attempt in range(receipt.attempt + 1, receipt.attempt + 1 + MAX_DEAD_CLAIMS):
            claim = receipt.next_attempt(nonce, attempt, now_s + lease_s)
            current_claim = self._create_or_read(claim_key(self._settings, receipt.id, attempt), claim)
            if current_claim is None or _is_alive(current_claim, now_s, lease_s):
                is_own = current_claim is not None and current_claim.nonce == nonce
                if is_own and self._has_named_claim(claim, now_s, lease_s):
                    self.release_claim(claim)
                    return None
                return claim if is_own else None
        return None

    def _has_named_claim(self, claim: Receipt, now_s: float, lease_s: float) -> bool:
        """Check for a live claim of an attempt to which the bucket counts as versioned. One request.

        That depends on the key which asks: of a function's role and an operator, one may not be allowed to check.
        """
        return any(_is_live_claim(key, now_s, lease_s) for key in self._list_claims(claim.id))

    def _create_or_read(self, key: str, receipt: Receipt) -> Receipt | None:
        """Create an object unless it exists, and return the stored receipt."""
        with suppress(AlreadyExists):
            self._put_create_only(key, receipt)
        return self._read(key)

    def _is_own(self, key: str, receipt: Receipt) -> bool:
        """Read a created object back and compare the nonce.

        COS was seen to let two writers win in a race, and reports this attempt's own first try as existing if its
        response was lost.
        """
        stored = self._read(key)
        return stored is not None and stored.nonce == receipt.nonce

    def _put_create_only(self, key: str, receipt: Receipt) -> str:
        """Create an object, and return its version id: "" in a bucket without versioning."""
        return self._cos.put(
            self._bucket,
            key,
            receipt.to_json(),
            content_type=CONTENT_TYPE,
            metadata=STATE_METADATA,
            create_only=True,
        ).version_id

    def _create_in_versioned_bucket(self, receipt: Receipt, now_s: float) -> Receipt | None:
        lease_s = receipt.lease_expires_s - now_s
        if not self._claim_in_versioned_bucket(receipt, now_s, lease_s):
            if self.get_open(receipt.id):
                return None
            # The other attempt may give up as well: the platform has to deliver the event again.
            raise Throttled(resource=f"{receipt.bucket}/{receipt.key}", code="ClaimedByAnother")
        if self.get_open(receipt.id):
            self.release_claim(receipt)
            return None
        # Create-only is void here, unless the bucket only counts as versioned because it could not be checked.
        try:
            self._put_create_only(self._open_key(receipt.id), receipt)
        except AlreadyExists as error:
            if not error.possibly_own_write or not self._is_own(self._open_key(receipt.id), receipt):
                self.release_claim(receipt)
                return None
        return receipt

    def _claim_in_versioned_bucket(self, claim: Receipt, now_s: float, lease_s: float) -> bool:
        """Write a claim, and return whether it is the only live one. Two requests, one more to give up."""
        own_key = self._versioned_claim_key(claim)
        self._put(own_key, claim)
        for _ in range(MAX_CLAIM_LOOKS):
            claims = self._list_claims(claim.id)
            others = [key for key in claims if key != own_key and _is_live_claim(key, now_s, lease_s)]
            if self._has_plain_claim(claim, claims, now_s, lease_s):
                break
            if not others:
                return True
            if min(others) < own_key:
                break
            self._cos.client.sleep(CLAIM_PAUSE_S)
        self.release_claim(claim)
        return False

    def _has_plain_claim(self, claim: Receipt, claims: Iterable[str], now_s: float, lease_s: float) -> bool:
        """Check for a live claim of an attempt to which the bucket has no versioning. One request for each."""
        keys = [key for key in claims if _CLAIM_NAME.search(key) is None]
        stored = (self._read(key) for key in keys)
        return any(
            other and other.nonce != claim.nonce and _is_alive(other, now_s, lease_s) for other in stored
        )

    def _versioned_claim_key(self, claim: Receipt) -> str:
        return (
            f"{claim_key(self._settings, claim.id, claim.attempt)}.{int(claim.lease_expires_s)}-{claim.nonce}"
        )

    def _list_claims(self, receipt_id: str) -> list[str]:
        prefix = claim_key(self._settings, receipt_id, "")
        return [item.key for item in self._cos.iter_objects(self._bucket, prefix=prefix)]

    def has_other_open(self, receipt: Receipt) -> bool:
        """Check whether other content under the same key has an open receipt. One request."""
        prefix = open_prefix(self._settings) + receipt.id.rpartition("!")[0] + "!"
        own_key = self._open_key(receipt.id)
        return any(item.key != own_key for item in self._cos.iter_objects(self._bucket, prefix=prefix))

    def iter_other_content(self, receipt: Receipt) -> Iterator[Receipt]:
        """Yield open and closed receipts of other content under the same key. Two requests, and one per receipt.

        An object that is no receipt is passed over: it must not hold up the recordings beside it. So is a receipt that
        was last written before this recording, whose content is older: many keys can begin with the same 180 bytes.
        """
        id_prefix = receipt.id.rpartition("!")[0] + "!"
        for prefix in (open_prefix(self._settings), done_prefix(self._settings)):
            for item in self._cos.iter_objects(self._bucket, prefix=prefix + id_prefix):
                is_older = 0 < parse_timestamp(item.modified) < int(receipt.modified_s)
                if item.key == prefix + receipt.id or item.size > MAX_RECEIPT_BYTES or is_older:
                    continue
                with suppress(InvalidReceipt):
                    other = self._read(item.key)
                    if other and other.key == receipt.key:
                        yield other

    def update(self, receipt: Receipt) -> None:
        """Overwrite an open receipt."""
        self._put(self._open_key(receipt.id), receipt)

    def update_done(self, receipt: Receipt) -> None:
        """Overwrite a closed receipt."""
        self._put(self._done_key(receipt.id), receipt)

    def close(self, receipt: Receipt) -> None:
        """Move a closed receipt from open/ to done/. Call it after the last object of the recording is written."""
        self._put(self._done_key(receipt.id), receipt)
        self.delete_open(receipt)

    def close_if_same(self, receipt: Receipt) -> bool:
        """Close a receipt as `close` does, but keep an open one of a later upload. One request more.

        Returns False if another invocation had closed it: its outcome was overwritten.

        While this invocation was paused, another one may have closed the receipt, and the recording been uploaded
        again: then the open receipt is of new work, which is paid for.
        """
        self._put(self._done_key(receipt.id), receipt)
        current = self.get_open(receipt.id)
        if current and current.created_s == receipt.created_s:
            self.delete_open(receipt)
        return current is not None

    def delete_open(self, receipt: Receipt) -> None:
        """Delete an open receipt whose work is closed in done/, and the claims and reservations of its attempts."""
        if self._settings.monthly_minutes:
            # A cold start should not load what few deployments need.
            from shared.recordings.budget import release  # noqa: PLC0415

            release(self._cos, self._settings, self._bucket, receipt.id)
        self._cos.delete(self._bucket, self._open_key(receipt.id))
        if receipt.versioned or receipt.attempt > FIRST_CLAIM:
            for key in self._list_claims(receipt.id):
                self._cos.delete(self._bucket, key)
        elif receipt.attempt == FIRST_CLAIM:
            self._cos.delete(self._bucket, claim_key(self._settings, receipt.id, receipt.attempt))

    def release_claim(self, claim: Receipt) -> None:
        """Delete the claim of an attempt that does not continue."""
        key = claim_key(self._settings, claim.id, claim.attempt)
        if claim.versioned:
            key = self._versioned_claim_key(claim)
        self._cos.delete(self._bucket, key)

    def wait(self, receipt: Receipt) -> None:
        """Keep the receipt of a recording that waits below waiting/."""
        self._put(waiting_prefix(self._settings) + receipt.id, receipt)

    def delete_waiting(self, receipt_id: str) -> None:
        """Delete the receipt of a recording that waits no longer, or was deleted."""
        self._cos.delete(self._bucket, waiting_prefix(self._settings) + receipt_id)

    def list_open(self, after: str = "") -> Iterator[OpenReceipt]:
        """Yield all open receipts after an id, page by page, in the order of bucket and key."""
        prefix = open_prefix(self._settings)
        marker = prefix + after if after else ""
        for item in self._cos.iter_objects(self._bucket, prefix=prefix, marker=marker):
            yield OpenReceipt(item.key.removeprefix(prefix), item.modified, item.size)

    def _open_key(self, receipt_id: str) -> str:
        return open_prefix(self._settings) + receipt_id

    def _done_key(self, receipt_id: str) -> str:
        return done_prefix(self._settings) + receipt_id

    def _put(self, key: str, receipt: Receipt) -> None:
        self._cos.put(
            self._bucket, key, receipt.to_json(), content_type=CONTENT_TYPE, metadata=STATE_METADATA
        )

    def _read(self, key: str) -> Receipt | None:
        try:
            content = self._cos.get(self._bucket, key, max_bytes=MAX_RECEIPT_BYTES)
        except NotFound:
            return None
        except RequestRejected as error:
            if error.code != TOO_LARGE:
                raise
            raise InvalidReceipt(f"not a receipt: it has more than {MAX_RECEIPT_BYTES} bytes") from None
        return Receipt.from_json(content.body)


def _is_live_claim(key: str, now_s: float, lease_s: float) -> bool:
    """Check the lease in the name of a claim in a versioned bucket, as `_is_alive` does."""
    name = _CLAIM_NAME.search(key)
    return name is not None and now_s < int(name["lease_expires_s"]) <= now_s + MAX_LEASE_FACTOR * lease_s


def _is_alive(claim: Receipt, now_s: float, lease_s: float) -> bool:
    """Check whether a claim's lease is valid. A lease far longer than today's comes from other settings: ignore it."""
    return now_s < claim.lease_expires_s <= now_s + MAX_LEASE_FACTOR * lease_s
