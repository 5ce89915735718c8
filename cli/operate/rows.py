"""Reads recordings with their states, many with few requests.

Listings of keys say nearly everything: the id of a receipt has the bucket and the key, the index has what failed, and
what is done, newest first. A receipt is read for what is open, waiting or failed; of done ones for JSON only. With a
prefix or a bucket, the newest closed receipts below it are read, because the index of done ones is not sorted by key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice

from cli.language import _
from cli.operate.row import (
    DONE,
    FAILED,
    OPEN,
    STATES,
    WAITING,
    Entry,
    Listing,
    Query,
    Row,
    Scope,
    add_error,
    build_open_row,
    build_row,
)
from cli.operate.workspace import Workspace, run_in_parallel
from shared.errors import CloudError
from shared.recordings.index import FinishedEntry, RecordingIndex, index_prefix, read_receipt_id
from shared.recordings.keys import done_prefix, open_prefix, waiting_prefix
from shared.recordings.receipt import FAILED as FAILED_RECEIPT
from shared.recordings.receipt import TRANSCRIBED, InvalidReceipt, Receipt, is_receipt_id, sortable_key
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectSummary

__all__ = [
    "DONE",
    "FAILED",
    "OPEN",
    "STATES",
    "WAITING",
    "Listing",
    "Query",
    "Row",
    "RowReader",
    "read_failed",
]
MAX_CLOSED_READ = 1000  # closed receipts that are read to find those below a prefix that failed or are done
MAX_UNINDEXED_READ = 200  # closed receipts of before there was an index
MAX_MINUTES_ENTRIES = 5000  # of the index, for the minutes of recordings below a prefix
MAX_CLOCK_DIFFERENCE_S = 900.0
_Name = tuple[str, str]  # bucket and key
_Version = tuple[str, str, float]  # place, ETag and time of an object


def read_failed(workspace: Workspace, bucket: str, prefix: str) -> list[Row]:
    """Read every recording that failed, the newest first; `bucket` and `prefix` "" for all. Each has its receipt.

    With a prefix, those that failed before there was an index are found as well: of the newest MAX_CLOSED_READ closed
    receipts below it. Raises CloudError.
    """
    listing = RowReader(workspace).read(Query((FAILED,), bucket if prefix else "", prefix))
    if listing.problems:
        raise listing.problems[0][1]
    return [row for row in listing.rows if row.receipt and bucket in {"", row.bucket}]


class RowReader:
    """Reads rows. What was read is kept, so that reading again asks only for what has changed since."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._rows: dict[_Version, Row | None] = {}

    def read(self, query: Query) -> Listing:
        """Read the rows in the order of STATES, each state newest first. A bucket that cannot be read is a problem."""
        listing = Listing()
        for state_bucket, scopes in self._group_scopes(query).items():
            try:
                _BucketReader(self._workspace, self._rows, query, state_bucket, scopes, listing).run()
            except CloudError as error:
                listing.problems.append((state_bucket, error))
        listing.rows.sort(key=lambda row: (STATES.index(row.state), -row.since_s, row.name))
        others = [row for row in listing.rows if row.state != DONE]
        done = [row for row in listing.rows if row.state == DONE]
        listing.has_more_done |= len(done) > query.limit  # of several buckets
        listing.rows = others + done[: query.limit]
        return listing

    def read_closed(self, row: Row) -> Row | None:
        """Return the row of an open recording after it was closed; None if it has none. Raises CloudError."""
        try:
            receipt = self._workspace.ctx.receipts(row.bucket).get_done(row.receipt_id)
        except InvalidReceipt:
            return None
        if receipt and receipt.state is FAILED_RECEIPT:
            return add_error(self._workspace, build_row(receipt, FAILED, receipt.finished_s), receipt)
        if receipt and receipt.state is TRANSCRIBED:
            return build_row(receipt, DONE, receipt.finished_s)
        return None

    def _group_scopes(self, query: Query) -> dict[str, list[Scope]]:
        settings = self._workspace.settings
        buckets = [bucket for bucket in settings.input_buckets if query.bucket in {"", bucket}]
        groups: dict[str, list[Scope]] = {}
        for bucket in buckets:
            state_bucket = settings.output_bucket_for(bucket)
            scope = Scope(state_bucket, f"{bucket}/{sortable_key(query.prefix)}")
            groups.setdefault(state_bucket, []).append(scope)
        if not query.bucket and not query.prefix:  # one listing instead of one for each bucket
            groups = {
                name: scopes if len(scopes) == 1 else [Scope(name, "")] for name, scopes in groups.items()
            }
        return groups


class _BucketReader:
    """Reads the rows of one state bucket into a listing."""

    def __init__(
        self,
        workspace: Workspace,
        known_rows: dict[_Version, Row | None],
        query: Query,
        state_bucket: str,
        scopes: list[Scope],
        listing: Listing,
    ) -> None:
        self._workspace = workspace
        self._settings = workspace.settings
        self._cos = workspace.ctx.output_cos
        self._store = workspace.ctx.receipts_in(state_bucket)
        self._index = RecordingIndex(self._cos, workspace.settings, state_bucket)
        self._known_rows = known_rows
        self._query = query
        self._state_bucket = state_bucket
        self._scopes = scopes
        self._listing = listing

    def run(self) -> None:
        """Read what is asked for. Raises CloudError."""
        states, settings = self._query.states, self._settings
        taken: set[_Name] = set()
        rows: list[Row] = []
        for state, prefix in ((OPEN, open_prefix(settings)), (WAITING, waiting_prefix(settings))):
            entries = self._list(prefix)
            # The others only count as taken, for which a whole key is enough.
            read = [entry for entry in entries if state in states or not entry.is_whole]
            rows += [row for row in self._read_rows(read, state) if row.name not in taken]
            taken |= {entry.name for entry in entries if entry.is_whole} | {row.name for row in rows}
        failed = self._list(index_prefix(settings, "failed/"))
        if self._query.reads_closed:
            rows += self._read_closed(failed, taken)
        else:
            known = {entry.receipt_id for entry in failed}
            closed = self._read_failed(failed, taken) if FAILED in states else {}
            if DONE in states:
                is_exhausted = self._read_done([] if FAILED in states else failed, closed, taken, known)
            needs_more = is_exhausted if DONE in states else FAILED in states
            if needs_more and not self._query.done_since_s:
                self._read_unindexed(closed, taken, known)
            rows += closed.values()
        self._listing.rows += [row for row in rows if row.state in states and self._query.is_wanted(row)]

    def _list(self, prefix: str) -> list[Entry]:
        """List receipts or entries of the index, which have the same ids. One request for each 1,000."""
        return [
            entry
            for scope in self._scopes
            for entry in self._parse_items(
                self._cos.iter_objects(self._state_bucket, prefix=prefix + scope.id_prefix), prefix
            )
        ]

    def _parse_items(self, items: Iterable[ObjectSummary], prefix: str) -> Iterator[Entry]:
        for item in items:
            entry = self._parse(item.key.removeprefix(prefix), item.etag, parse_timestamp(item.modified))
            if entry:
                yield entry

    def _parse(self, receipt_id: str, etag: str = "", modified_s: float = 0.0) -> Entry | None:
        """Return the entry of an id; None if it is another object, of another bucket, or of a forgotten recording."""
        if not is_receipt_id(receipt_id):
            return None
        try:
            bucket, key, is_whole = read_receipt_id(receipt_id)
        except ValueError:
            return None
        settings = self._settings
        is_own = bucket in settings.input_buckets and settings.output_bucket_for(bucket) == self._state_bucket
        is_chosen = self._query.bucket in {"", bucket}
        if not is_own or not is_chosen or key == "\0":
            return None
        return Entry(receipt_id, bucket, key, is_whole, etag, modified_s)

    def _read_rows(self, entries: Iterable[Entry], state: str) -> list[Row]:
        """Read open or waiting receipts, in parallel. One that is gone in the meantime is left out."""
        read = self._read_open if state == OPEN else self._read_waiting
        return [row for _, row in run_in_parallel(self._remember(state, read), entries) if row]

    def _remember(self, place: str, read: Callable[[Entry], Row | None]) -> Callable[[Entry], Row | None]:
        """Return the function that reads only what is not known of this ETag and time."""

        def read_once(entry: Entry) -> Row | None:
            name = f"{self._state_bucket}/{place}/{entry.receipt_id}", entry.etag, entry.modified_s
            if name not in self._known_rows:
                self._known_rows[name] = read(entry)
            return self._known_rows[name]

        return read_once

    def _read_open(self, entry: Entry) -> Row | None:
        try:
            receipt = self._store.get_open(entry.receipt_id)
        except InvalidReceipt as error:
            return _unreadable_row(entry, OPEN, error)
        return build_open_row(self._workspace, receipt) if receipt else None

    def _read_waiting(self, entry: Entry) -> Row | None:
        try:
            receipt = self._store.get_waiting(entry.receipt_id)
        except InvalidReceipt as error:
            return _unreadable_row(entry, WAITING, error)
        if receipt is None:
            return None
        return add_error(self._workspace, build_row(receipt, WAITING, receipt.finished_s), receipt)

    def _read_failed(self, entries: Iterable[Entry], taken: Collection[_Name]) -> dict[_Name, Row]:
        """Read the receipts of what the index calls failed, as far as they still are."""
        candidates = [entry for entry in entries if entry.name not in taken]
        newest: dict[_Name, Row] = {}
        for _entry, row in run_in_parallel(self._remember(FAILED, self._read_failed_row), candidates):
            if row and row.name not in taken:
                newest[row.name] = _choose_newer(row, newest.get(row.name))
        return newest

    def _read_failed_row(self, entry: Entry) -> Row | None:
        """Return the row of a receipt in FAILED; None if it is not, or newer content was closed since."""
        receipt = self._get_done(entry.receipt_id)
        if receipt is None or receipt.state is not FAILED_RECEIPT or self._is_replaced(receipt):
            return None
        return self._build_failed_row(receipt)

    def _build_failed_row(self, receipt: Receipt) -> Row:
        return add_error(self._workspace, build_row(receipt, FAILED, receipt.finished_s), receipt)

    def _get_done(self, receipt_id: str) -> Receipt | None:
        try:
            return self._store.get_done(receipt_id)
        except InvalidReceipt:
            return None

    def _is_replaced(self, receipt: Receipt) -> bool:
        """Check whether other content under the key was closed later. One request, one more for each other content."""
        prefix = done_prefix(self._settings)
        id_prefix = _get_start(receipt.id) + "!"
        for item in self._cos.iter_objects(self._state_bucket, prefix=prefix + id_prefix):
            other_id = item.key.removeprefix(prefix)
            if other_id == receipt.id or parse_timestamp(item.modified) < int(receipt.finished_s):
                continue
            other = self._get_done(other_id)
            is_result = other is not None and other.state in {TRANSCRIBED, FAILED_RECEIPT}
            if other and is_result and other.key == receipt.key and other.finished_s > receipt.finished_s:
                return True
        return False

    def _read_done(
        self, failed: Iterable[Entry], closed: dict[_Name, Row], taken: Collection[_Name], known: set[str]
    ) -> bool:
        """Add the newest done ones of the index to `closed`, and their ids to `known`. True if it has no more.

        `closed` has the rows of what failed; one that was done later is replaced. `failed` has what the index calls
        failed and was not read.
        """
        unread: dict[str, list[Entry]] = {}
        for entry in failed:
            unread.setdefault(_get_start(entry.receipt_id), []).append(entry)
        rows: dict[_Name, Row] = {}
        is_exhausted = True
        for finished in self._index.iter_finished():
            if finished.ended_s < max(self._query.since_s, self._query.done_since_s):
                is_exhausted = False
                break
            known.add(finished.receipt_id)
            row = self._build_done_row(finished)
            if row is None or row.name in taken or row.name in rows or not self._query.is_wanted(row):
                continue
            others = [closed[row.name]] if row.name in closed else []
            others += filter(None, map(self._read_failed_row, unread.get(_get_start(row.receipt_id), ())))
            if any(other.name == row.name and other.since_s >= row.since_s for other in others):
                continue
            if len(rows) == self._query.limit:
                self._listing.has_more_done, is_exhausted = True, False
                break
            rows[row.name] = row
        if self._query.with_details:
            receipts = run_in_parallel(
                lambda row: row.receipt or self._get_done(row.receipt_id), rows.values()
            )
            rows = {row.name: row._replace(receipt=receipt) for row, receipt in receipts}
        closed |= rows
        return is_exhausted

    def _read_unindexed(
        self, closed: dict[_Name, Row], taken: Collection[_Name], known: Collection[str]
    ) -> None:
        """Add what was closed before there was an index, as far as one listing shows it. One request, one for each."""
        scope = self._scopes[0] if len(self._scopes) == 1 else Scope(self._state_bucket, "")
        prefix = done_prefix(self._settings)
        page = self._cos.list_objects(self._state_bucket, prefix=prefix + scope.id_prefix)
        entries = [
            entry
            for entry in self._parse_items(page.objects, prefix)
            if entry.receipt_id not in known
            and entry.name not in taken
            and entry.modified_s >= self._query.since_s
        ]
        entries.sort(key=lambda entry: -entry.modified_s)
        self._listing.is_partial |= bool(page.next_marker) or len(entries) > MAX_UNINDEXED_READ
        for row in self._iter_closed(entries[:MAX_UNINDEXED_READ]):
            if row and row.name not in taken and row.state in self._query.states:
                closed[row.name] = _choose_newer(row, closed.get(row.name))

    def _build_done_row(self, finished: FinishedEntry) -> Row | None:
        entry = self._parse(finished.receipt_id)
        if entry is None:
            return None
        row = Row(entry.bucket, entry.key, DONE, entry.receipt_id, float(finished.ended_s), finished.seconds)
        if entry.is_whole:
            return row
        receipt = self._get_done(entry.receipt_id)
        return row._replace(key=receipt.key, receipt=receipt) if receipt else row

    def _read_closed(self, failed: Iterable[Entry], taken: Collection[_Name]) -> list[Row]:
        """Read closed receipts: what the index calls failed, then the newest, until there are enough done ones."""
        query, failed_ids = self._query, {entry.receipt_id for entry in failed}
        if not {FAILED, DONE} & set(query.states):
            return []
        entries = [
            entry
            for entry in self._list(done_prefix(self._settings))
            if entry.name not in taken and entry.modified_s >= query.since_s
        ]
        entries.sort(key=lambda entry: (entry.receipt_id not in failed_ids, -entry.modified_s))
        max_read = len(failed_ids) + max(MAX_CLOSED_READ, query.limit + 1 if DONE in query.states else 0)
        rows: dict[_Name, Row] = {}
        looked_at = done = 0
        for row in self._iter_closed(entries[:max_read]):
            looked_at += 1
            if row and row.name not in taken:
                done += row.name not in rows and row.state == DONE
                rows[row.name] = _choose_newer(row, rows.get(row.name))
            if done > query.limit and DONE in query.states:
                break
        left_out = len(entries) - looked_at
        self._listing.unread += left_out if FAILED in query.states else 0
        self._listing.has_more_done |= DONE in query.states and (done > query.limit or left_out > 0)
        shown = sorted((row for row in rows.values() if row.state == DONE), key=lambda row: -row.since_s)
        shown = self._add_minutes(shown[: query.limit]) if DONE in query.states else []
        return [*(row for row in rows.values() if row.state == FAILED), *shown]

    def _iter_closed(self, entries: list[Entry]) -> Iterator[Row | None]:
        for _entry, row in run_in_parallel(self._remember("closed", self._read_closed_row), entries):
            yield row

    def _read_closed_row(self, entry: Entry) -> Row | None:
        receipt = self._get_done(entry.receipt_id)
        if receipt is None or receipt.state not in {TRANSCRIBED, FAILED_RECEIPT}:
            return None
        if receipt.state is FAILED_RECEIPT:
            return None if self._is_replaced(receipt) else self._build_failed_row(receipt)
        return build_row(receipt, DONE, receipt.finished_s)

    def _add_minutes(self, rows: list[Row]) -> list[Row]:
        """Add the minutes of what is among the newest entries of the index."""
        if not rows:
            return rows
        # The entry has the time at which the job ended, by the clock of the speech service.
        from_s = min(row.receipt.created_s for row in rows if row.receipt) - MAX_CLOCK_DIFFERENCE_S
        newest = islice(self._index.iter_finished(from_s=from_s), MAX_MINUTES_ENTRIES)
        seconds: dict[str, int] = {}
        for finished in newest:
            seconds.setdefault(finished.receipt_id, finished.seconds)
        return [row._replace(seconds=seconds.get(row.receipt_id)) for row in rows]


def _unreadable_row(entry: Entry, state: str, error: InvalidReceipt) -> Row:
    note = _("its receipt cannot be read: {error}", error=error)
    return Row(*entry.name, state, entry.receipt_id, entry.modified_s, note=note)


def _choose_newer(row: Row, other: Row | None) -> Row:
    return row if other is None or other.since_s < row.since_s else other


def _get_start(receipt_id: str) -> str:
    """Return the part of an id that all contents of a key have in common."""
    return receipt_id.rpartition("!")[0]
