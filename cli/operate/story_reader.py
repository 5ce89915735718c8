"""Reads what the cloud says about one recording: the object, its receipts, its job, its outputs, open notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, NamedTuple

from cli.errors import OperatorError
from cli.language import _, translate
from cli.operate.row import read_error_object
from cli.operate.workspace import Workspace, run_in_parallel
from cli.output import escape_line
from shared.errors import CloudError, NotFound, RequestRejected
from shared.notices.delivery import (
    MAX_DELIVERY_BYTES,
    Delivery,
    notices_prefix,
    parse_delivery_key,
)
from shared.notices.models import InvalidNotice
from shared.recordings.content import UNREADABLE_STATUSES, find_in_listing, head_content
from shared.recordings.filters import check_skipped, check_skipped_by_metadata
from shared.recordings.index import is_forgotten
from shared.recordings.keys import (
    ERROR_EXTENSION,
    FULL_NAME,
    TRANSCRIPT_EXTENSIONS,
    done_prefix,
    get_extension,
    open_prefix,
    transcript_key,
    waiting_prefix,
)
from shared.recordings.outputs import formats_for
from shared.recordings.receipt import InvalidReceipt, Receipt, Recording, is_receipt_id, sortable_key
from shared.recordings.receipt_store import MAX_RECEIPT_BYTES
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectMetadata, ObjectSummary
from shared.tencent.speech_models import Job, Queue

OPEN, WAITING, DONE = "open", "waiting", "done"  # the folders of receipts
MAX_RECEIPTS = 20  # of one key: one for each content that it had
MAX_NOTICES = 20  # that are read to find those of the recording
MAX_SUGGESTIONS = 3


class StoredReceipt(NamedTuple):
    """A receipt, the folder that it is in, and when it was written (Unix seconds)."""

    place: str
    receipt: Receipt
    modified_s: float


class Facts(NamedTuple):
    """What is known about a recording now. Times are Unix seconds.

    `head` is None if the object is not there; `head_problem` is why only the listing shows it. `skipped` is why it is
    no recording. `current` is the receipt of the content that is there, else of the last one that was; `others` are
    those of other content, and of this content before. `missing` are extensions of transcripts that should be there.
    """

    bucket: str
    key: str
    now_s: float
    head: ObjectMetadata | None
    head_problem: str = ""
    skipped: str = ""
    is_forgotten: bool = False
    current: StoredReceipt | None = None
    others: tuple[StoredReceipt, ...] = ()
    job: Job | None = None
    job_problem: str = ""
    queue: Queue | None = None
    outputs: tuple[ObjectSummary, ...] = ()
    missing: tuple[str, ...] = ()
    error: Mapping[str, Any] | None = None
    error_key: str = ""
    notices: tuple[Delivery, ...] = ()
    unread_notices: int = 0


def check_key(key: str) -> None:
    """Raise OperatorError for what cannot be a key."""
    try:
        key.encode()
    except UnicodeEncodeError:
        raise OperatorError(_("KEY is not UTF-8, as every key is")) from None
    if not key:
        raise OperatorError(_("KEY is empty: name a recording, such as calls/a.mp3"))


def find_similar(key: str, keys: Sequence[str]) -> list[str]:
    """Return the keys that are most like one, at most MAX_SUGGESTIONS.

    Those that differ in upper and lower case only; else similar ones, then those that have its name in them.
    """
    folded = key.casefold()
    by_folded = {each.casefold(): each for each in reversed(keys)}
    same = [each for each in keys if each.casefold() == folded]
    if same:
        return same[:MAX_SUGGESTIONS]
    close = [by_folded[each] for each in get_close_matches(folded, by_folded, MAX_SUGGESTIONS)]
    name = folded.rpartition("/")[2]
    parts = [each for each in keys if name and name in each.casefold()]
    return list(islice(dict.fromkeys((*close, *parts)), MAX_SUGGESTIONS))


def read_facts(workspace: Workspace, bucket: str, key: str) -> Facts:
    """Read everything about a recording. Raises OperatorError if there is neither an object nor a receipt; CloudError.

    Four requests, one for each receipt, and at most six more; each open notice that is read is another.
    """
    return _FactsReader(workspace, bucket, key).read()


class _FactsReader:
    def __init__(self, workspace: Workspace, bucket: str, key: str) -> None:
        self._workspace = workspace
        self._ctx = workspace.ctx
        self._settings = workspace.settings
        self._bucket = bucket
        self._key = key
        self._state_bucket = workspace.settings.output_bucket_for(bucket)

    def read(self) -> Facts:
        """Read in three rounds: what each round asks for depends on the one before."""
        (head, head_problem), listed = self._run(self._find_head, self._list_receipts)
        receipts = self._read_receipts(listed)
        if head is None and not receipts:
            raise OperatorError(self._describe_unknown())
        current = _choose_current(self._bucket, self._key, head, receipts)
        facts = Facts(self._bucket, self._key, self._ctx.now(), head, head_problem)
        if current is None:
            facts = facts._replace(skipped=self._describe_skipped(head))
        others = tuple(each for each in receipts if each != current)
        facts = facts._replace(current=current, others=others)
        if current is None and head:
            facts = facts._replace(is_forgotten=self._is_forgotten(head))
        return self._add_details(facts, current.receipt if current else None)

    def _run(self, *steps: Callable[[], Any]) -> list[Any]:
        """Run steps at the same time."""
        return [result for _step, result in run_in_parallel(lambda step: step(), steps)]

    def _find_head(self) -> tuple[ObjectMetadata | None, str]:
        """Return what COS says about the object, from the listing if it does not show the object itself."""
        try:
            return head_content(self._ctx, self._bucket, self._key), ""
        except NotFound as error:
            if error.code == "NoSuchBucket":
                raise
            return None, ""
        except RequestRejected as error:
            listed = (
                find_in_listing(self._ctx, self._bucket, self._key)
                if error.status in UNREADABLE_STATUSES
                else None
            )
            if listed is None:
                raise
            modified_s = parse_timestamp(listed.modified)
            return ObjectMetadata(listed.etag, listed.size, "", modified_s), str(error)

    def _list_receipts(self) -> list[tuple[str, ObjectSummary]]:
        """List the receipts of every content that the key had, the newest first. Three requests."""
        start = f"{self._bucket}/{sortable_key(self._key)}!"
        settings = self._settings
        folders = {
            OPEN: open_prefix(settings),
            WAITING: waiting_prefix(settings),
            DONE: done_prefix(settings),
        }

        def list_folder(place: str) -> list[ObjectSummary]:
            return list(self._ctx.output_cos.iter_objects(self._state_bucket, prefix=folders[place] + start))

        found = [
            (place, item._replace(key=item.key.removeprefix(folders[place])))
            for place, items in run_in_parallel(list_folder, folders)
            for item in items
        ]
        found = [
            (place, item)
            for place, item in found
            if is_receipt_id(item.key) and item.size <= MAX_RECEIPT_BYTES
        ]
        return sorted(found, key=lambda each: each[1].modified, reverse=True)

    def _read_receipts(self, listed: list[tuple[str, ObjectSummary]]) -> list[StoredReceipt]:
        store = self._ctx.receipts_in(self._state_bucket)
        read = {OPEN: store.get_open, WAITING: store.get_waiting, DONE: store.get_done}

        def read_one(entry: tuple[str, ObjectSummary]) -> StoredReceipt | None:
            place, item = entry
            try:
                receipt = read[place](item.key)
            except InvalidReceipt:
                return None
            # Many keys can begin with the same 180 bytes.
            if receipt is None or receipt.key != self._key:
                return None
            return StoredReceipt(place, receipt, parse_timestamp(item.modified))

        # What is open counts most, however many other contents there were.
        listed.sort(key=lambda entry: entry[0] == DONE)
        return [found for _, found in run_in_parallel(read_one, listed[:MAX_RECEIPTS]) if found]

    def _describe_unknown(self) -> str:
        """Say that there is no such recording, with the keys that are most like it. One request."""
        folder = self._key.rpartition("/")[0]
        page = self._ctx.input_cos.list_objects(self._bucket, prefix=f"{folder}/" if folder else "")
        keys = [
            item.key for item in page.objects if not check_skipped(self._settings, self._bucket, item.key)
        ]
        similar = find_similar(self._key, keys)
        hint = _("Keys are exact, also in upper and lower case")
        if similar:
            hint = _("Like it are: {keys}", keys=_(", ").join(similar))
        text = _(
            "{key} is not known: {bucket} has no such object, and there is no receipt of it. {hint}",
            key=self._key,
            bucket=self._bucket,
            hint=hint,
        )
        return escape_line(text)

    def _describe_skipped(self, head: ObjectMetadata | None) -> str:
        skipped = check_skipped(self._settings, self._bucket, self._key)
        if skipped is None and head:
            skipped = check_skipped_by_metadata(self._settings, self._bucket, self._key, head)
        return translate(skipped.reason) if skipped else ""

    def _is_forgotten(self, head: ObjectMetadata) -> bool:
        return is_forgotten(
            self._ctx, Recording(self._bucket, self._key, head.etag, head.size), head.modified_s
        )

    def _add_details(self, facts: Facts, receipt: Receipt | None) -> Facts:
        """Add job, queue, outputs, error object and notices. What of them cannot be read is left out."""
        outputs, (job, problem), queue, (notices, unread) = self._run(
            lambda: self._list_outputs(receipt),
            lambda: self._find_job(receipt),
            lambda: self._find_queue(receipt),
            self._read_notices,
        )
        facts = facts._replace(
            outputs=outputs, job=job, job_problem=problem, queue=queue, notices=notices, unread_notices=unread
        )
        if receipt is None:
            return facts
        error_key = self._output_key(receipt, ERROR_EXTENSION)
        there = {item.key for item in outputs}
        if error_key in there:
            facts = facts._replace(error=read_error_object(self._workspace, receipt), error_key=error_key)
        expected = map(get_extension, formats_for(self._ctx, receipt))
        missing = tuple(each for each in expected if self._output_key(receipt, each) not in there)
        return facts._replace(missing=missing)

    def _output_key(self, receipt: Receipt | None, extension: str) -> str:
        name = receipt.output_name if receipt else FULL_NAME
        return transcript_key(self._settings, self._bucket, self._key, extension, name)

    def _list_outputs(self, receipt: Receipt | None) -> tuple[ObjectSummary, ...]:
        keys = {self._output_key(receipt, each) for each in (*TRANSCRIPT_EXTENSIONS, ERROR_EXTENSION)}
        page = self._ctx.output_cos.list_objects(self._state_bucket, prefix=self._output_key(receipt, ""))
        return tuple(item for item in page.objects if item.key in keys)

    def _find_job(self, receipt: Receipt | None) -> tuple[Job | None, str]:
        """Return the job, and why it could not be looked at."""
        if receipt is None or not receipt.job_id:
            return None, ""
        try:
            lookup = self._ctx.for_region(receipt.region).speech.get_jobs(self._bucket, [receipt.job_id])
        except NotFound:
            return None, ""
        except CloudError as error:
            return None, str(error)
        return next((job for job in lookup.jobs if job.job_id == receipt.job_id), None), ""

    def _find_queue(self, receipt: Receipt | None) -> Queue | None:
        """Return the queue of an open recording; None if it cannot be looked at, which the doctor does better."""
        if receipt is None or not receipt.is_open:
            return None
        try:
            queues = self._ctx.for_region(receipt.region).speech.list_queues(self._bucket).queues
        except CloudError:
            return None
        queue_id = self._settings.queue_id
        return next((each for each in queues if each.queue_id == queue_id), queues[0] if queues else None)

    def _read_notices(self) -> tuple[tuple[Delivery, ...], int]:
        """Return the open notices of the recording, and how many open ones were not read."""
        prefix = self._settings.state_prefix
        page = self._ctx.output_cos.list_objects(self._state_bucket, prefix=notices_prefix(prefix))
        keys = [item.key for item in page.objects if parse_delivery_key(prefix, item.key)]

        def read_one(key: str) -> Delivery | None:
            try:
                body = self._ctx.output_cos.get(self._state_bucket, key, max_bytes=MAX_DELIVERY_BYTES).body
                delivery = Delivery.from_json(body)
            except (NotFound, InvalidNotice):
                return None
            notice = delivery.notice
            return delivery if (notice.bucket, notice.key) == (self._bucket, self._key) else None

        found = [each for _, each in run_in_parallel(read_one, keys[:MAX_NOTICES]) if each]
        return tuple(found), max(len(keys) - MAX_NOTICES, 0)


def _choose_current(
    bucket: str, key: str, head: ObjectMetadata | None, receipts: list[StoredReceipt]
) -> StoredReceipt | None:
    """Return the receipt of the content that is there; without an object that of the last one that was."""
    if head:
        receipt_id = Recording(bucket, key, head.etag, head.size).id
        receipts = [each for each in receipts if each.receipt.id == receipt_id]
    order = (OPEN, WAITING, DONE)
    return min(receipts, key=lambda each: (order.index(each.place), -each.modified_s), default=None)
