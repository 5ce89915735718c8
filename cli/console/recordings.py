"""The recordings of the console in memory: read once as a whole, then only what changes.

The first reading takes one request for each 1,000 recordings that are done. The next ones read what is open, waiting
and failed, and the newest of what is done; now and then everything is read again, which finds what was forgotten.

    uploaded    by this console a moment ago; no function has taken it yet
    accepted    it has a receipt, and no job yet
    submitted   it has a job
    waiting, failed, done
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cli.language import _
from cli.operate.row import DONE, FAILED, OPEN, STATES, WAITING, Query, Row
from cli.operate.rows import Listing, RowReader
from cli.operate.workspace import Workspace
from shared.errors import CloudError
from shared.recordings.receipt import SUBMITTED, Recording

MAX_DONE = 20_000
MAX_CHANGED = 100  # rows in one change; with more, the page reads the list again
FULL_READ_S = 300.0  # between two readings of everything
FRESH_S = 10.0  # a list that no page has been following is read again when it is older
# A job ends before its transcripts are written, and clocks differ.
OVERLAP_S = 900.0
UPLOAD_SHOWN_S = 3600.0  # a recording that no function takes
SAME_CONTENT_SHOWN_S = 60.0  # one that was uploaded before, so that its receipt may not change

_ANY_BUCKET = ""  # of a problem

Name = tuple[str, str]  # bucket and key


@dataclass(frozen=True, slots=True)
class Change:
    """What changed between two revisions. `reload`: more than is listed here."""

    revision: int
    counts: dict[str, int]
    rows: list[dict[str, Any]] = field(default_factory=list)
    removed: list[Name] = field(default_factory=list)
    reload: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the data of the event."""
        return {
            "revision": self.revision,
            "counts": self.counts,
            "rows": self.rows,
            "removed": [list(name) for name in self.removed],
            "reload": self.reload,
        }


class Recordings:
    """Reads and keeps rows. Methods are for worker threads: one reads at a time. `clock` returns monotonic seconds."""

    def __init__(self, workspace: Workspace, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._clock = clock
        self._lock = threading.Lock()
        self._reader = RowReader(workspace)
        self._known: dict[Name, Row] = {}  # as the cloud has them
        self._rows: dict[Name, Row] = {}  # as they are shown, with uploads
        self._sorted: list[Row] = []
        self._uploads: dict[Name, tuple[Row, float]] = {}
        self._unindexed: set[str] = set()  # failed before there was an index; only a full reading finds them
        self._unread: set[str] = set()  # buckets that could not be read the last time
        self._done_since_s = 0.0
        self._full_read_at = self._read_at = float("-inf")
        self.revision = 0
        self.has_more_done = False
        self.problem = ""

    @property
    def is_busy(self) -> bool:
        """Whether something is open, or was uploaded just now."""
        return bool(self._uploads) or any(row.state == OPEN for row in self._sorted[:1])

    def refresh(self, *, is_full: bool = False) -> Change | None:
        """Read again, and return what changed. Without an answer of the cloud, `problem` says why."""
        with self._lock:
            return self._refresh(is_full=is_full)

    def refresh_if_old(self) -> Change | None:
        """Read unless it was read a moment ago, or is being read again: the cloud may take a minute to answer."""
        has_list = self._read_at > float("-inf")
        if not self._lock.acquire(blocking=not has_list):
            return None
        try:
            return self._refresh() if self._clock() - self._read_at > FRESH_S else None
        finally:
            self._lock.release()

    def forget_texts(self) -> Change:
        """Read everything again the next time: the texts of rows are in another language now."""
        with self._lock:
            self._reader = RowReader(self._workspace)
            self._full_read_at = self._read_at = float("-inf")
            self.revision += 1
            return Change(self.revision, self.count(), reload=True)

    def add_upload(self, bucket: str, key: str, etag: str, size: int) -> Change:
        """Show a recording that this console has uploaded, until its receipt is there."""
        row = Row(
            bucket,
            key,
            OPEN,
            Recording(bucket, key, etag, size).id,
            self._workspace.ctx.now(),
            note=_("it was uploaded, and no function has taken it yet"),
        )
        with self._lock:
            self._uploads[row.name] = (row, self._clock())
            return self._replace(self._add_uploads())

    def list_done(self) -> list[Row]:
        """Return the rows of what is done, the newest first."""
        return [row for row in self._sorted if row.state == DONE]

    def find_titles(self, words: str) -> list[Row]:
        """Return the rows whose key has these words, in upper or lower case."""
        folded = words.casefold()
        return [row for row in self._sorted if folded in row.key.casefold()]

    def format_page(self, state: str, words: str, offset: int, limit: int) -> dict[str, Any]:
        """Return one page of the list for the browser."""
        revision = self.revision
        rows = self.find_titles(words) if words else self._sorted
        rows = [row for row in rows if state in {"", row.state}]
        return {
            "revision": revision,
            "total": len(rows),
            "counts": self.count(),
            "rows": [self._format(row) for row in rows[offset : offset + limit]],
            "has_more_done": self.has_more_done,
            "problem": self.problem,
        }

    def count(self) -> dict[str, int]:
        """Return how many there are in each state."""
        counts = Counter(row.state for row in self._sorted)
        return {state: counts[state] for state in STATES}

    def _format(self, row: Row) -> dict[str, Any]:
        phase = row.state
        if row.state == OPEN:
            phase = "submitted" if row.receipt and row.receipt.state is SUBMITTED else "accepted"
            if row is self._uploads.get(row.name, (None, 0.0))[0]:
                phase = "uploaded"
        return {**row.as_json(), "phase": phase, "name": row.key.rpartition("/")[2]}

    def _refresh(self, *, is_full: bool = False) -> Change | None:
        now = self._clock()
        is_full |= now - self._full_read_at >= FULL_READ_S
        started_s = self._workspace.ctx.now()
        query = Query(limit=MAX_DONE, done_since_s=0.0 if is_full else self._done_since_s)
        listing = self._reader.read(query)
        try:
            self._known = self._merge(listing, is_full=is_full)
        except CloudError as error:
            listing.problems.append((_ANY_BUCKET, error))
        self._read_at = now
        self.problem = str(self._workspace.advise(listing.problems[0][1])) if listing.problems else ""
        unread = {bucket for bucket, _error in listing.problems}
        if is_full and _ANY_BUCKET not in unread and len(unread) < len(self._workspace.state_buckets):
            # A bucket that cannot be read does not make the others be read as a whole each time.
            self._full_read_at, self._done_since_s = now, started_s - OVERLAP_S
            self.has_more_done = listing.has_more_done
        elif self._unread - unread:
            self._full_read_at, self._done_since_s = float("-inf"), 0.0
        self._unread = unread
        rows = self._add_uploads()
        if rows.keys() == self._rows.keys() and not any(self._iter_changed(rows)):
            return None
        return self._replace(rows)

    def _merge(self, listing: Listing, *, is_full: bool) -> dict[Name, Row]:
        """Add to what was read what was not looked at this time, and what became of open ones that are gone."""
        if is_full:
            self._unindexed.clear()
        rows = {row.name: row for row in listing.rows}
        unread = {bucket for bucket, _error in listing.problems}
        for name, row in self._known.items():
            if name in rows:
                continue
            if self._workspace.settings.output_bucket_for(row.bucket) in unread:
                rows[name] = row
            elif row.state == DONE:
                rows |= {} if is_full else {name: row}
            elif row.receipt_id in self._unindexed:
                rows[name] = row
            elif row.state in {OPEN, WAITING} or not is_full:
                closed = self._reader.read_closed(row)
                if closed:
                    rows[name] = closed
                if closed and closed.state == FAILED and row.state == FAILED:
                    self._unindexed.add(row.receipt_id)
        return rows

    def _add_uploads(self) -> dict[Name, Row]:
        """Return what is known, with uploads in place of earlier content until there is a receipt of theirs."""
        now, rows = self._clock(), self._known
        for name, (row, uploaded_at) in list(self._uploads.items()):
            known = rows.get(name)
            is_same = known is not None and known.receipt_id == row.receipt_id
            is_taken = is_same and known is not None and _is_work_of(known, row)
            if is_taken or now - uploaded_at > (SAME_CONTENT_SHOWN_S if is_same else UPLOAD_SHOWN_S):
                del self._uploads[name]
            else:
                rows = {**rows, name: row}
        return rows

    def _replace(self, rows: dict[Name, Row]) -> Change:
        changed = list(self._iter_changed(rows))
        removed = [name for name in self._rows if name not in rows]
        self._rows = rows
        self._sorted = sorted(
            rows.values(), key=lambda row: (STATES.index(row.state), -row.since_s, row.name)
        )
        self.revision += 1
        if len(changed) + len(removed) > MAX_CHANGED:
            return Change(self.revision, self.count(), reload=True)
        return Change(self.revision, self.count(), [self._format(row) for row in changed], removed)

    def _iter_changed(self, rows: dict[Name, Row]) -> Iterable[Row]:
        return (row for name, row in rows.items() if _get_visible(row) != _get_visible(self._rows.get(name)))


def _is_work_of(row: Row, upload: Row) -> bool:
    """Check whether a row of the same content is about this upload, and not about one before."""
    return row.state in {OPEN, WAITING} or row.since_s >= upload.since_s - OVERLAP_S


def _get_visible(row: Row | None) -> tuple[object, ...]:
    """Return what is shown of a row. The time of a job's end and that of its receipt differ a little."""
    if row is None:
        return ()
    since_s = 0.0 if row.state == DONE else row.since_s
    job_id = row.receipt.job_id if row.receipt and row.state == OPEN else ""
    return (row.state, row.receipt_id, since_s, row.seconds, row.note, row.code, row.next_at_s, job_id)
