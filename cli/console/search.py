"""Search in titles and in the words of transcripts, which are loaded in the background from the first search on."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from cli.console.recordings import Recordings
from cli.console.sentences import SpokenText
from cli.console.transcripts import read_texts
from cli.operate.row import Row
from cli.operate.workspace import Workspace, run_in_parallel
from cli.output import print_stack_trace
from shared.errors import CloudError
from shared.recordings.receipt import InvalidReceipt
from shared.transcript.text import needs_space_between

MAX_TEXTS = 2_000
MAX_CHARACTERS = 32 * 1024 * 1024  # of all texts; Chinese takes two bytes each
MAX_HITS = 200
MAX_HITS_OF_ONE = 3
WORKERS = 8
_SNIPPET = 40  # characters before and after a hit
# Captions are small and have times; JSON has the times of every word, ten times as much.
_FORMATS = ("srt", "vtt", "json", "txt")


class _Text(NamedTuple):
    """The words of a recording in one line, lower case, and where each piece begins: offsets and times."""

    receipt_id: str
    text: str
    folded: str
    offsets: list[int]
    starts_ms: list[int | None]

    def find(self, folded: str) -> Iterator[tuple[int, int | None]]:
        """Yield the offset and the time of each hit."""
        place = self.folded.find(folded)
        while place >= 0:
            number = max(bisect_right(self.offsets, place) - 1, 0)
            yield place, self.starts_ms[number]
            place = self.folded.find(folded, place + len(folded))


class SearchIndex:
    """The texts that were loaded. `start` begins to load in a thread, unless it is already doing so."""

    def __init__(self, workspace: Workspace, recordings: Recordings) -> None:
        self._workspace = workspace
        self._recordings = recordings
        self._texts: dict[tuple[str, str], _Text] = {}
        self._looked_at: dict[tuple[str, str], str] = {}  # also without a text; to the id of the receipt
        self._characters = 0
        self._is_full = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Load the texts of what is done and not loaded, in a thread of its own."""
        with self._lock:
            if not self._is_full and self._list_unread() and not (self._thread and self._thread.is_alive()):
                self._thread = threading.Thread(target=self.load, name="scribe-search", daemon=True)
                self._thread.start()

    def load(self) -> None:
        """Load texts, the newest first. Ends at the first error of the cloud; the next search goes on."""
        rows = self._list_unread()
        try:
            for row, text in run_in_parallel(self._read, rows, workers=WORKERS):
                self._looked_at[row.name] = row.receipt_id
                if text:
                    before = self._texts.get(row.name)
                    self._texts[row.name] = text
                    self._characters += len(text.text) - (len(before.text) if before else 0)
                if self._characters > MAX_CHARACTERS:
                    self._is_full = True
                    break
        except CloudError:
            return

    def search(self, words: str) -> dict[str, Any]:
        """Return the hits in titles, then those in texts, the newest recording first."""
        folded = " ".join(words.lower().split())
        hits: list[dict[str, Any]] = []
        total = 0
        for row in self._recordings.find_titles(folded) if folded else ():
            total += 1
            hits.append(_build_hit(row, None, row.key.rpartition("/")[2], is_title=True))
        all_done = self._recordings.list_done()
        done = all_done[:MAX_TEXTS]
        for row in done if folded else ():
            text = self._texts.get(row.name)
            if text is None:
                continue
            total += text.folded.count(folded)
            for place, start_ms in islice(text.find(folded), MAX_HITS_OF_ONE):
                if len(hits) < MAX_HITS:
                    hits.append(_build_hit(row, start_ms, _cut(text.text, place, len(folded))))
        unread = len(self._list_unread())
        left_out = unread if self._is_full else 0
        return {
            "hits": hits[:MAX_HITS],
            "total": total,
            "searched": len(done) - unread,
            "texts": len(done) - left_out,
            "unsearched": len(all_done) - len(done) + left_out,
        }

    def _list_unread(self) -> list[Row]:
        newest = self._recordings.list_done()[:MAX_TEXTS]
        return [row for row in newest if self._looked_at.get(row.name) != row.receipt_id]

    def _read(self, row: Row) -> _Text | None:
        try:
            return self._read_text(row)
        except CloudError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug with one text, which must not keep the others from being read
            print_stack_trace(error)
            return None

    def _read_text(self, row: Row) -> _Text | None:
        ctx = self._workspace.ctx
        try:
            receipt = row.receipt or ctx.receipts(row.bucket).get_done(row.receipt_id)
        except InvalidReceipt:
            return None
        texts, _duration_ms = read_texts(ctx, receipt, _FORMATS) if receipt else (None, None)
        return _join(row.receipt_id, texts) if texts else None


def _join(receipt_id: str, texts: list[SpokenText]) -> _Text:
    """Join the pieces, so that words which two captions share are found too."""
    pieces: list[str] = []
    offsets: list[int] = []
    length, before = 0, ""
    for each in texts:
        space = " " if needs_space_between(before, each.text) else ""
        offsets.append(length + len(space))
        pieces += [space, each.text]
        length += len(space) + len(each.text)
        before = each.text
    text = "".join(pieces)
    # Lower case has the same length; what folding would lengthen, such as the German sharp s, is rarely searched for.
    folded = text.lower()
    if len(folded) != len(text):
        folded = "".join(one.lower() if len(one.lower()) == 1 else one for one in text)
    return _Text(receipt_id, text, folded, offsets, [each.start_ms for each in texts])


def _cut(text: str, place: int, length: int) -> str:
    start, end = max(place - _SNIPPET, 0), place + length + _SNIPPET
    return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")


def _build_hit(row: Row, start_ms: int | None, snippet: str, *, is_title: bool = False) -> dict[str, Any]:
    return {
        "bucket": row.bucket,
        "key": row.key,
        "start_ms": start_ms,
        "snippet": snippet,
        "is_title": is_title,
    }
