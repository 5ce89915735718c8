"""Finds every object that Scribe has of recordings: what `scribe forget` deletes.

A receipt's id has the recording's key in it, so one listing for each part of STATE_PREFIX shows what belongs to a key
or to a prefix. Of keys of 180 bytes and more an id has only the start: the receipts themselves say which is which.
Notices and finished jobs are not in the order of keys, and are looked through as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cli.language import _
from cli.operate.output_objects import OutputFinder
from cli.operate.pages import links_prefix
from cli.operate.stored import Kind, Selector, StoredObject
from cli.operate.workspace import Workspace, run_in_parallel
from shared.errors import NotFound, RequestRejected
from shared.notices.delivery import MAX_DELIVERY_BYTES, Delivery, notices_prefix, parse_delivery_key
from shared.notices.models import InvalidNotice
from shared.options.sidecar import is_sidecar_key, recording_key, sidecar_key
from shared.recordings.filters import check_skipped
from shared.recordings.index import (
    FinishedEntry,
    RecordingIndex,
    forgotten_key,
    index_prefix,
    read_receipt_id,
)
from shared.recordings.keys import (
    audit_cursor_key,
    cursor_key,
    done_prefix,
    open_prefix,
    waiting_prefix,
)
from shared.recordings.receipt import (
    FAILED,
    MAX_SORTABLE_BYTES,
    InvalidReceipt,
    Receipt,
    Recording,
    is_receipt_id,
)
from shared.recordings.receipt_store import MAX_RECEIPT_BYTES
from shared.tencent.client import TOO_LARGE
from shared.tencent.cos import ObjectSummary
from shared.tencent.speech_models import FINAL_STATES

_MAX_CURSOR_BYTES = 4096
_JOBS_PER_QUERY = 10
_ID = re.compile(r"(?P<id>[a-z0-9-]{3,64}/[0-9A-Za-z=_~-]{1,600}![0-9a-f]{32})(?P<rest>[./].*)?", re.DOTALL)


@dataclass
class RecordingObjects:
    """What there is of one recording. `recording` is the object itself, None if it is gone.

    `objects` are all others, without receipts and claims: those are deleted last, so that a second run finds the rest.
    `deferred` are open receipts without a job. `busy` says why nothing may be deleted now.
    """

    bucket: str
    key: str
    recording: ObjectSummary | None = None
    has_sidecar: bool = False
    objects: list[StoredObject] = field(default_factory=list)
    finished: list[FinishedEntry] = field(default_factory=list)
    open: list[StoredObject] = field(default_factory=list)
    claims: list[StoredObject] = field(default_factory=list)
    closed: list[StoredObject] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    busy: str = ""

    @property
    def deferred(self) -> list[Receipt]:
        """The open receipts without a job."""
        return [receipt for receipt in self.receipts if receipt.is_open]

    @property
    def job_ids(self) -> frozenset[str]:
        """The ids of all jobs of the recording."""
        return frozenset(job_id for receipt in self.receipts for job_id in receipt.all_job_ids)

    @property
    def has_state(self) -> bool:
        """Check whether Scribe has anything of the recording."""
        return bool(self.objects or self.finished or self.open or self.claims or self.closed)


class _StateObject(NamedTuple):
    """An object below STATE_PREFIX whose name has a receipt's id."""

    kind: Kind
    receipt_id: str
    key: str


class ObjectFinder:
    """Finds what there is of the recordings of one bucket. Methods raise CloudError."""

    def __init__(self, workspace: Workspace, bucket: str, selectors: Iterable[Selector]) -> None:
        self._ctx = workspace.ctx
        self._settings = workspace.settings
        self._cos = workspace.ctx.output_cos
        self._bucket = bucket
        self._state_bucket = workspace.settings.output_bucket_for(bucket)
        self._selectors = tuple(selectors)
        self.recordings: frozenset[str] = frozenset()  # the keys of all that are selected
        self.unexplained: tuple[str, ...] = ()  # outputs that nothing shows to be of what is selected
        self._found: dict[str, RecordingObjects] = {}
        self._keys: dict[str, str] = {}  # of ids that do not have the whole key

    def find(self, *, with_recording: bool = False) -> list[RecordingObjects]:
        """Return what there is of each recording that is selected, in the order of keys.

        A recording of which Scribe has nothing is among them only if it is named, or is to be deleted `with_recording`.
        """
        self._found.clear()
        recordings = self._list_recordings()
        self._add_state(self._list_state())
        self._add_finished()
        self._add_notices()
        self._add_cursors()
        outputs = OutputFinder(self._ctx, self._bucket, self._selectors)
        outputs.add_outputs(recordings, self._found, self._get)
        self.unexplained = outputs.unexplained
        self._add_recordings(recordings, with_recording=with_recording)
        found = [self._found[key] for key in sorted(self._found)]
        self._check_jobs(found)
        return found

    def _get(self, key: str) -> RecordingObjects:
        if key not in self._found:
            self._found[key] = RecordingObjects(self._bucket, key)
        return self._found[key]

    def _is_selected(self, key: str) -> bool:
        return any(selector.matches(key) for selector in self._selectors)

    def _list_recordings(self) -> dict[str, ObjectSummary]:
        """Return the objects of the input bucket that are selected, sidecars too, by key."""
        objects: dict[str, ObjectSummary] = {}
        for selector in self._selectors:
            if selector.is_prefix:
                items: Iterable[ObjectSummary] = self._ctx.input_cos.iter_objects(
                    self._bucket, prefix=selector.text
                )
                objects |= {item.key: item for item in items}
                continue
            for key in (selector.text, sidecar_key(selector.text)):
                page = self._ctx.input_cos.list_objects(self._bucket, prefix=key, limit=1)
                objects |= {item.key: item for item in page.objects if item.key == key}
        for key, item in objects.items():
            if len(key.encode("utf-8", "surrogatepass")) >= MAX_SORTABLE_BYTES:
                self._keys[Recording(self._bucket, key, item.etag, item.size).id] = key
        return objects

    def _list_state(self) -> list[_StateObject]:
        """List everything below STATE_PREFIX whose name has the id of a receipt that may be selected."""
        settings = self._settings
        places = (
            (Kind.OPEN, open_prefix(settings)),
            (Kind.DONE, done_prefix(settings)),
            (Kind.WAITING, waiting_prefix(settings)),
            (Kind.CLAIM, settings.state_prefix + "claim/"),
            (Kind.RAW, settings.state_prefix + "raw/"),
            (Kind.LINK, links_prefix(settings)),
            (Kind.INDEX, index_prefix(settings, "failed/")),
            (Kind.INDEX, index_prefix(settings, "reserved/")),
        )
        scopes = [
            (kind, prefix, f"{prefix}{self._bucket}/{selector.id_prefix}")
            for kind, prefix in places
            for selector in self._selectors
        ]
        objects: dict[str, _StateObject] = {}
        for (kind, prefix, _scope), keys in run_in_parallel(lambda scope: self._list_keys(scope[2]), scopes):
            for key in keys:
                match = _ID.fullmatch(key.removeprefix(prefix))
                if match:
                    objects[key] = _StateObject(kind, match["id"], key)
        return list(objects.values())

    def _list_keys(self, prefix: str) -> list[str]:
        return [item.key for item in self._cos.iter_objects(self._state_bucket, prefix=prefix)]

    def _add_state(self, items: list[_StateObject]) -> None:
        receipts = [item for item in items if item.kind.is_receipt]
        read = list(run_in_parallel(lambda item: self._read_receipt(item.key), receipts))
        others = [
            item for item in items if item.kind is Kind.CLAIM and self._get_key(item.receipt_id) is None
        ]
        read += run_in_parallel(lambda item: self._read_receipt(item.key), others)
        for item, receipt in read:
            if receipt and receipt.id == item.receipt_id:
                self._keys[receipt.id] = receipt.key
        for item in items:
            key = self._get_key(item.receipt_id)
            if key is None or not self._is_selected(key):
                continue
            found = self._get(key)
            stored = StoredObject(self._state_bucket, item.key, item.kind)
            if item.kind is Kind.OPEN:
                found.open.append(stored)
            elif item.kind is Kind.CLAIM:
                found.claims.append(stored)
            elif item.kind.is_receipt:
                found.closed.append(stored)
            else:
                found.objects.append(stored)
        for item, receipt in read:
            if receipt and item.kind.is_receipt and receipt.key in self._found:
                self._found[receipt.key].receipts.append(receipt)
                self._found[receipt.key].busy = self._found[receipt.key].busy or _describe_work(receipt)

    def _read_receipt(self, key: str) -> Receipt | None:
        """Read a receipt; None if it is gone, or is none: its name alone then says whose it is."""
        with suppress(InvalidReceipt):
            body = self._read(key, MAX_RECEIPT_BYTES)
            return Receipt.from_json(body) if body is not None else None
        return None

    def _read(self, key: str, max_bytes: int) -> bytes | None:
        """Read an object; None if it is gone or too large."""
        try:
            return self._cos.get(self._state_bucket, key, max_bytes=max_bytes).body
        except NotFound:
            return None
        except RequestRejected as error:
            if error.code != TOO_LARGE:
                raise
            return None

    def _get_key(self, receipt_id: str) -> str | None:
        """Return the key of a recording of this bucket by a receipt's id; None if that does not say it."""
        if receipt_id in self._keys:
            return self._keys[receipt_id]
        if not is_receipt_id(receipt_id):
            return None
        with suppress(ValueError):
            bucket, key, is_whole = read_receipt_id(receipt_id)
            return key if is_whole and bucket == self._bucket else None
        return None

    def _add_finished(self) -> None:
        index = RecordingIndex(self._cos, self._settings, self._state_bucket)
        for entry in index.iter_finished():
            key = self._get_key(entry.receipt_id)
            if key is not None and self._is_selected(key):
                self._get(key).finished.append(entry)

    def _add_notices(self) -> None:
        """Add the open notices. Each has to be read: its name does not say whose it is."""
        prefix = self._settings.state_prefix
        names = [key for key in self._list_keys(notices_prefix(prefix)) if parse_delivery_key(prefix, key)]
        for name, key in run_in_parallel(self._read_notice_key, names):
            if key is not None and self._is_selected(key):
                self._get(key).objects.append(StoredObject(self._state_bucket, name, Kind.NOTICE))

    def _read_notice_key(self, name: str) -> str | None:
        """Return the key of the recording of this bucket that a notice is about."""
        body = self._read(name, MAX_DELIVERY_BYTES)
        if body is None:
            return None
        try:
            notice = Delivery.from_json(body).notice
        except InvalidNotice:
            # Of another version, or damaged: the id of the receipt says whose it is.
            ids = (match["id"] for match in re.finditer(_ID.pattern, body.decode("utf-8", "replace")))
            return next((key for key in map(self._get_key, ids) if key is not None), None)
        return notice.key if notice.bucket == self._bucket else None

    def _add_cursors(self) -> None:
        """Add the positions where a sweep or an audit stopped, if they name a recording. A new round starts without."""
        sweep_key, audit_key = cursor_key(self._settings), audit_cursor_key(self._settings)
        body = self._read(sweep_key, _MAX_CURSOR_BYTES)
        key = self._get_key(body.decode("ascii", "ignore")) if body else None
        if key is not None and self._is_selected(key):
            self._get(key).objects.append(StoredObject(self._state_bucket, sweep_key, Kind.CURSOR))
        if self._state_bucket != self._settings.output_bucket_for(self._settings.input_buckets[0]):
            return
        body = self._read(audit_key, _MAX_CURSOR_BYTES)
        with suppress(ValueError):
            members: Any = json.loads(body or b"{}")
            if isinstance(members, dict) and members.get("bucket") == self._bucket:
                key = str(members.get("key"))
                if self._is_selected(key):
                    self._get(key).objects.append(StoredObject(self._state_bucket, audit_key, Kind.CURSOR))

    def _add_recordings(self, objects: dict[str, ObjectSummary], *, with_recording: bool) -> None:
        named = {selector.text for selector in self._selectors if not selector.is_prefix}
        self.recordings = frozenset(
            key for key in objects if check_skipped(self._settings, self._bucket, key) is None
        )
        for key, item in objects.items():
            if key in self._found or (key in self.recordings and (with_recording or key in named)):
                self._get(key).recording = item
        for key in filter(is_sidecar_key, objects):
            owner = recording_key(key)
            if with_recording and self._is_selected(owner):
                self._get(owner).has_sidecar = True
        if with_recording:
            self._add_marks()

    def _add_marks(self) -> None:
        """Add the marks of recordings that were forgotten before: those that are deleted need none."""
        prefix = index_prefix(self._settings, "forgotten/")
        marks = set(self._list_keys(prefix))
        for found in self._found.values():
            key = forgotten_key(self._settings, get_recording(found)) if found.recording else ""
            if key in marks:
                found.objects.append(StoredObject(self._state_bucket, key, Kind.MARK))

    def _check_jobs(self, found: list[RecordingObjects]) -> None:
        """Look at the jobs of failed recordings: one that still runs would write its text afterwards."""
        failed = {
            receipt.job_id: item
            for item in found
            for receipt in item.receipts
            if receipt.job_id and receipt.state is FAILED
        }
        ids = sorted(failed)
        batches = [ids[start : start + _JOBS_PER_QUERY] for start in range(0, len(ids), _JOBS_PER_QUERY)]
        for _batch, running in run_in_parallel(self._list_running, batches):
            for job_id in running:
                failed[job_id].busy = failed[job_id].busy or _("its job {job_id} still runs", job_id=job_id)

    def _list_running(self, job_ids: list[str]) -> list[str]:
        with suppress(NotFound):
            jobs = self._ctx.speech.get_jobs(self._bucket, job_ids).jobs
            return [job.job_id for job in jobs if job.state not in FINAL_STATES]
        return []


def get_recording(found: RecordingObjects) -> Recording:
    """Return the recording as it is in the bucket now."""
    assert found.recording is not None
    return Recording(found.bucket, found.key, found.recording.etag, found.recording.size)


def _describe_work(receipt: Receipt) -> str:
    """Return why a recording may not be forgotten now; "" if no job of it is in flight."""
    if not receipt.is_open:
        return ""
    if receipt.job_id:
        return _("its job {job_id} is in flight", job_id=receipt.job_id)
    return "" if receipt.deferred else _("an attempt to submit it has begun")
