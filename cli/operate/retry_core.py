"""Tries one recording again. Its receipt and its job decide what happens; nothing is paid that was paid before.

    open, with a job      running: nothing. Ended: its result is written
    open, without a job   submitted now, as the sweep does
    waiting               in an archive: nothing. Else ingested, as the audit does
    failed                its job is looked at first. Succeeded or still running: reopened with that job, which is paid
                          for. Failed, or none: new work, as an upload of the same content. Not known to the service any
                          more, and not known to have failed: nothing
    transcribed           transcripts missing: reopened with the paid job. Else nothing
    uploaded since        ingested, as the audit does

Only one attempt can have an open receipt (receipt_store.py), so the sweep, an event or a second retry at the same
moment pay nothing either; and what is left by a kill is continued by the sweep or by the next retry.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from cli.language import N_, _, translate
from cli.operate.reasons import RefusalWatch, read_error
from cli.operate.text import join_sentences
from shared.errors import NotFound, RequestRejected
from shared.recordings.complete import complete_job, fetch_jobs, recover_transcripts
from shared.recordings.content import UNREADABLE_STATUSES, find_in_listing, head_content
from shared.recordings.context import Context
from shared.recordings.failures import BUCKET_REMOVED, NO_RESULT_IN_TIME, UNREADABLE
from shared.recordings.filters import check_skipped
from shared.recordings.ingest import ingest, is_same_upload, reopen_with_job, start_new_work
from shared.recordings.keys import done_prefix, open_prefix
from shared.recordings.limiter import InFlightLimiter
from shared.recordings.missing import clear_waiting
from shared.recordings.models import Result, Status
from shared.recordings.options import choose_for_recording
from shared.recordings.outputs import has_own_transcripts
from shared.recordings.receipt import FAILED, TRANSCRIBED, InvalidReceipt, Receipt, Recording, sortable_key
from shared.recordings.receipt_store import MAX_RECEIPT_BYTES
from shared.recordings.resume import find_job_by_receipt, resume_attempt
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import ObjectMetadata
from shared.tencent.speech_models import FINAL_STATES, SUCCESS, Job

# The outcomes after which the recording goes on, or has its transcripts.
GOES_ON = frozenset({"submitted", "deferred", "transcribed", "reopened", "running", "in_progress", "done"})
NO_RECEIPT = N_("it has no receipt")
_NO_ROOM = N_("the queue has no room: the sweep submits it")
_BY_SWEEP = N_("the sweep writes its result, usually within ten minutes")
_PAID = N_("its job is paid for: the sweep writes its result, usually within ten minutes")
_NOT_THERE = N_("the object is not there any more")
# After these a job may have been paid all the same.
_UNCERTAIN = frozenset({NO_RESULT_IN_TIME.message, BUCKET_REMOVED.message})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a retry did with a recording.

    `outcome`: one of GOES_ON; or waiting, failed, refused, lost (its job is not known any more), missing (it has no
    receipt), unknown (nor is there an object), error, skipped (not tried).
    """

    bucket: str
    key: str
    outcome: str
    detail: str = ""
    job_id: str = ""

    @property
    def goes_on(self) -> bool:
        """Check whether nothing is left for the operator to do."""
        return self.outcome in GOES_ON

    def as_json(self) -> dict[str, Any]:
        """Return the members for programs."""
        return asdict(self)


class _Content(NamedTuple):
    """The object under a key. `is_readable`: HEAD shows it, with its metadata."""

    head: ObjectMetadata
    is_readable: bool


class Retrier:
    """Tries recordings again, one after the other. Methods raise CloudError; Stopped if no other can go on either.

    With `writes_results` False, results that are paid for are left to the sweep, which sends notices of them.
    """

    def __init__(self, ctx: Context, watch: RefusalWatch, *, writes_results: bool = True) -> None:
        self._ctx = ctx
        self._watch = watch
        self._writes_results = writes_results
        self._limiter = InFlightLimiter(ctx)

    def retry(self, bucket: str, key: str) -> Outcome:
        """Try the recording under a key again: the content that it has now, or had at last."""
        content = _get_content(self._ctx, bucket, key)
        if content is None:
            return self._retry_deleted(bucket, key)
        head = content.head
        recording = Recording(bucket, key, head.etag, head.size)
        store = self._ctx.receipts(bucket)
        open_receipt = store.get_open(recording.id)
        if open_receipt:
            return self._continue(open_receipt)
        done, waiting = store.get_done(recording.id), store.get_waiting(recording.id)
        if waiting and (done is None or waiting.finished_s > done.finished_s):
            if head.is_archived:
                detail = _(
                    "it is in an archive: restore it in the COS console, it is then submitted automatically"
                )
                return Outcome(bucket, key, "waiting", detail)
            return self._ingest(bucket, key, waiting=recording)
        if done is None:
            skipped = check_skipped(self._ctx.settings, bucket, key)
            reason = _(NO_RECEIPT)
            if skipped:
                reason = _("it is not a recording: {reason}", reason=translate(skipped.reason))
            return Outcome(bucket, key, "missing", reason)
        if done.state not in {FAILED, TRANSCRIBED} or not is_same_upload(head.modified_s, done):
            return self._ingest(bucket, key)
        if done.state is TRANSCRIBED:
            return self._check_transcripts(done)
        return self._retry_failed(done, content)

    def _retry_deleted(self, bucket: str, key: str) -> Outcome:
        """Try a recording whose object is gone: only a job that was paid for can still give a transcript."""
        receipts = _find_receipts(self._ctx, bucket, key)
        if not receipts:
            return Outcome(bucket, key, "unknown", _("no object has this key, and no receipt"))
        receipt = receipts[0]
        if receipt.is_open:
            return self._continue(receipt)
        if receipt.state is TRANSCRIBED:
            return self._check_transcripts(receipt)
        if receipt.state is FAILED:
            return self._retry_failed(receipt, None)
        return Outcome(bucket, key, "failed", _(_NOT_THERE))

    def _ingest(self, bucket: str, key: str, *, waiting: Recording | None = None) -> Outcome:
        """Take what was uploaded since, or waits, as the audit does."""
        result = ingest(self._ctx, bucket, key)
        if waiting:
            clear_waiting(self._ctx, waiting, result)
        return self._describe(result)

    def _continue(self, receipt: Receipt) -> Outcome:
        """Go on with open work."""
        ctx = self._ctx.for_region(receipt.region)
        if receipt.job_id:
            return self._complete(ctx, receipt, _find_job(ctx, receipt))
        if not receipt.deferred and ctx.now() < receipt.lease_expires_s:
            return _build_outcome(receipt, "in_progress", _("an attempt submits it at this moment"))
        has_room = self._limiter.acquire(receipt.bucket)
        if receipt.deferred and not has_room:
            return _build_outcome(receipt, "deferred", _(_NO_ROOM))
        result = resume_attempt(ctx, receipt, may_submit=has_room)
        return self._describe(result, refusals_before=receipt.refusals)

    def _complete(self, ctx: Context, receipt: Receipt, job: Job | None) -> Outcome:
        """End open work whose job has ended, as the sweep does."""
        if job and job.state not in FINAL_STATES:
            detail = _("its job is {state} at the speech service", state=job.state)
            return _build_outcome(receipt, "running", detail)
        if not self._writes_results:
            return _build_outcome(receipt, "in_progress", _(_BY_SWEEP))
        result = None
        if job:
            result = complete_job(ctx, receipt.bucket, job, receipt=receipt, may_read_raw_result=True)
        else:
            result = recover_transcripts(ctx, receipt)
        if result is None or result.status in {Status.JOB_RUNNING, Status.UNKNOWN_JOB}:
            detail = _("the speech service does not show the result of its job now: the sweep looks again")
            return _build_outcome(receipt, "in_progress", detail)
        return self._describe(result)

    def _retry_failed(self, done: Receipt, content: _Content | None) -> Outcome:
        ctx = self._ctx.for_region(done.region)
        job = _find_job(ctx, done) if done.job_id else find_job_by_receipt(ctx, done)
        if job and (job.state == SUCCESS or job.state not in FINAL_STATES):
            # A list of jobs has no results.
            known_job = job if done.job_id else None
            return self._reopen(ctx, done, done.with_job(job.job_id), known_job)
        if job is None and done.job_id and not _has_surely_failed(ctx, done):
            detail = _(
                "the speech service does not know its job {job_id} now, which may be paid for. For a new job, upload "
                "the recording again",
                job_id=done.job_id,
            )
            return _build_outcome(done, "lost", detail)
        if content is None:
            detail = _("the object is not there any more: upload it again")
            return _build_outcome(done, "failed", detail)
        if not content.is_readable:
            return _build_outcome(done, "failed", translate(UNREADABLE.text))
        recording = Recording(done.bucket, done.key, content.head.etag, content.head.size)
        choice = choose_for_recording(ctx, recording, content.head)
        may_submit = bool(choice.invalid) or self._limiter.acquire(done.bucket)
        result = start_new_work(ctx, recording, content.head, choice, done_before=done, may_submit=may_submit)
        return self._describe(result)

    def _check_transcripts(self, done: Receipt) -> Outcome:
        """Write transcripts that were removed again, from the paid job."""
        ctx = self._ctx.for_region(done.region)
        if has_own_transcripts(ctx, done):
            return _build_outcome(done, "done", _("its transcripts are there"))
        return self._reopen(ctx, done, done)

    def _reopen(self, ctx: Context, done: Receipt, changed: Receipt, job: Job | None = None) -> Outcome:
        """Reopen with the paid job, and write its result if it is there already."""
        result = reopen_with_job(ctx, done.modified_s, done, changed)
        if result.status is not Status.REOPENED:
            return self._describe(result)
        receipt = ctx.receipts(done.bucket).get_open(done.id)
        if receipt is None or receipt.job_id != changed.job_id:
            return _build_outcome(changed, "in_progress", _("another attempt continued"))
        outcome = self._complete(ctx, receipt, job or _find_job(ctx, receipt))
        if outcome.outcome == "in_progress":
            return _build_outcome(changed, "reopened", _(_PAID))
        return outcome

    def _describe(self, result: Result, *, refusals_before: int = 0) -> Outcome:
        """Build the outcome of a step of the functions."""
        refusal = self._watch.check_result(self._ctx, result, refusals_before=refusals_before)
        reason = translate(result.reason)
        name, detail = _OUTCOMES.get(result.status, (result.status.value, ""))
        detail = _(detail) if detail else ""
        if result.status is Status.ALREADY_DONE and result.reason == FAILED.value:
            name, detail = "failed", _("another attempt has failed at this moment")
        if result.status is Status.WAITING:
            detail = self._describe_wait(result)
        if refusal:
            name, detail = "refused", join_sentences(refusal.text, refusal.advice)
        elif result.status is Status.DEFERRED:
            detail = _("{reason}: the sweep submits it", reason=reason)
        return Outcome(result.bucket, result.key, name, detail or reason, result.job_id)

    def _describe_wait(self, result: Result) -> str:
        """Return why a recording waits, as its error object says."""
        waiting = self._ctx.receipts(result.bucket).get_waiting(result.receipt_id)
        error = read_error(self._ctx, waiting) if waiting else None
        return join_sentences(error.text, error.advice) if error else translate(result.reason)


_OUTCOMES: dict[Status, tuple[str, str]] = {
    Status.SUBMITTED: ("submitted", ""),
    Status.DEFERRED: ("deferred", ""),
    Status.REOPENED: ("reopened", _PAID),
    Status.TRANSCRIBED: ("transcribed", N_("written from the job that was paid for")),
    Status.ALREADY_DONE: ("done", ""),
    Status.SUPERSEDED: (
        "in_progress",
        N_("other content was uploaded under its key, and has work of its own"),
    ),
    Status.JOB_RUNNING: ("running", ""),
    Status.UNKNOWN_JOB: ("in_progress", ""),
    Status.OBJECT_NOT_FOUND: ("unknown", _NOT_THERE),
    Status.SKIPPED: ("missing", ""),
}


def _build_outcome(receipt: Receipt, outcome: str, detail: str) -> Outcome:
    return Outcome(receipt.bucket, receipt.key, outcome, detail, receipt.job_id)


def _get_content(ctx: Context, bucket: str, key: str) -> _Content | None:
    """Return the object under a key; None if there is none. What HEAD does not show, the listing identifies."""
    try:
        return _Content(head_content(ctx, bucket, key), is_readable=True)
    except NotFound:
        return None
    except RequestRejected as error:
        if error.status not in UNREADABLE_STATUSES:
            raise
        listed = find_in_listing(ctx, bucket, key)
        if listed is None:
            raise
        modified_s = parse_timestamp(listed.modified)
        return _Content(ObjectMetadata(listed.etag, listed.size, "", modified_s), is_readable=False)


def _find_job(ctx: Context, receipt: Receipt) -> Job | None:
    """Return the receipt's job with its result; None if the speech service does not know it. Raises CloudError."""
    try:
        lookup = fetch_jobs(ctx, receipt.bucket, [receipt.job_id])
    except NotFound:
        return None
    return next((job for job in lookup.jobs if job.job_id == receipt.job_id), None)


def _has_surely_failed(ctx: Context, done: Receipt) -> bool:
    """Check whether the error object says that the receipt's job itself has failed."""
    error = read_error(ctx, done)
    return error is not None and error.job_id == done.job_id and error.message not in _UNCERTAIN


def _find_receipts(ctx: Context, bucket: str, key: str) -> list[Receipt]:
    """Return the receipts of every content that a key had: open ones first, then the newest first."""
    store_bucket = ctx.settings.output_bucket_for(bucket)
    store = ctx.receipts(bucket)
    found = []
    for folder, read in (
        (open_prefix(ctx.settings), store.get_open),
        (done_prefix(ctx.settings), store.get_done),
    ):
        prefix = f"{folder}{bucket}/{sortable_key(key)}!"
        for item in ctx.output_cos.iter_objects(store_bucket, prefix=prefix):
            if item.size > MAX_RECEIPT_BYTES:
                continue
            try:
                receipt = read(item.key.removeprefix(folder))
            except InvalidReceipt:
                continue
            if receipt and receipt.key == key:
                found.append(receipt)
    return sorted(found, key=lambda receipt: (not receipt.is_open, -receipt.finished_s))
