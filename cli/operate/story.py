"""In which state a recording is, why, what happens next and when, and what to do: from facts, without requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cli.config import Commands
from cli.operate.row import DONE, FAILED, OPEN, WAITING
from cli.operate.story_events import Event, list_events
from cli.operate.story_reader import Facts, StoredReceipt
from cli.operate.times import format_duration, format_time
from shared.recordings.failures import NO_RESULT_IN_TIME
from shared.recordings.index import get_month, get_month_start_s, get_next_month
from shared.recordings.receipt import BUDGET_CODE, SUBMITTED, TRANSCRIBED, Receipt
from shared.recordings.receipt import FAILED as FAILED_RECEIPT
from shared.recordings.usage import estimate_seconds
from shared.settings import Settings
from shared.tencent.clock import parse_timestamp
from shared.tencent.speech_models import FINAL_STATES, SUCCESS, Job

# States that only one recording at a time is asked about.
NOT_A_RECORDING, NOT_SUBMITTED, FORGOTTEN, REPLACED = (
    "not_a_recording",
    "not_submitted",
    "forgotten",
    "superseded",
)
SWEEP_INTERVAL_S, AUDIT_INTERVAL_S = 300, 6 * 3600  # serverless.yml
NOTHING = "Nothing by itself."
_PAUSED = ("pause", "paused")


class Verdict(NamedTuple):
    """The state, why, what happens next by itself (`at_s`: at the latest), and what the reader can do."""

    state: str
    summary: str
    what: str = NOTHING
    at_s: float = 0.0
    to_do: str = ""


class Story(NamedTuple):
    """Everything that is said about a recording."""

    facts: Facts
    verdict: Verdict
    events: tuple[Event, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the document for programs. No member is ever missing."""
        facts, verdict = self.facts, self.verdict
        receipts = [facts.current, *facts.others] if facts.current else facts.others
        return {
            "bucket": facts.bucket,
            "key": facts.key,
            "state": verdict.state,
            "summary": verdict.summary,
            "story": [
                {"at": format_time(each.at_s), "event": each.event, "detail": each.detail}
                for each in self.events
            ],
            "job": _job_as_json(facts.job) if facts.job else None,
            "outputs": [
                {"key": item.key, "size": item.size, "modified": format_time(parse_timestamp(item.modified))}
                for item in facts.outputs
            ],
            "error": dict(facts.error) if facts.error else None,
            "next": {"what": verdict.what, "at": format_time(verdict.at_s), "do": verdict.to_do},
            "notices": [
                {
                    "target": each.target,
                    "type": each.notice.type.value,
                    "attempts": each.attempts,
                    "reason": each.reason,
                    "next_attempt": format_time(each.due_s),
                }
                for each in facts.notices
            ],
            "receipts": [_receipt_as_json(each) for each in receipts if each],
        }


def tell_story(settings: Settings, commands: Commands, facts: Facts) -> Story:
    """Decide what to say."""
    verdict = _Narrator(settings, commands, facts).decide()
    return Story(facts, verdict, tuple(list_events(facts)))


class _Narrator:
    """Finds the one case of many in which a recording is."""

    def __init__(self, settings: Settings, commands: Commands, facts: Facts) -> None:
        self._settings = settings
        self._facts = facts
        key = facts.key
        bucket = ("--bucket", facts.bucket) if len(settings.input_buckets) > 1 else ()
        self._retry = f"`{commands.line('retry', key, *bucket)}`"
        self._backfill = f"`{commands.line('backfill', key, *bucket, '--yes')}`"
        self._missed = f"`{commands.line('backfill', '--missed', '--yes')}`"
        self._explain = f"`{commands.line('explain', key, *bucket)}`"
        self._doctor = f"`{commands.doctor}`"
        self._resume_queue = f"`{commands.resume_queue}`"
        self._deploy = f"`{commands.deploy}`"

    def decide(self) -> Verdict:
        """Return the case."""
        current = self._facts.current
        if current is None:
            return self._decide_without_receipt()
        receipt = current.receipt
        if current.place == OPEN:
            if receipt.state is SUBMITTED:
                return self._decide_submitted(receipt, current.modified_s)
            return self._decide_unsubmitted(receipt, current.modified_s)
        if current.place == WAITING:
            return self._decide_waiting(receipt)
        if receipt.state is TRANSCRIBED:
            return self._decide_transcribed(receipt)
        if receipt.state is FAILED_RECEIPT:
            return self._decide_failed(receipt)
        return self._decide_superseded(current)

    def _next_sweep_s(self, modified_s: float) -> float:
        """Return when a sweep has looked at a receipt that was written then."""
        due_s = max(self._facts.now_s, modified_s + self._settings.sweep_after_s)
        return due_s + SWEEP_INTERVAL_S

    def _next_audit_s(self) -> float:
        return self._facts.now_s + AUDIT_INTERVAL_S

    def _decide_without_receipt(self) -> Verdict:
        facts, settings = self._facts, self._settings
        head = facts.head
        assert head, "an unknown key has no story"
        if facts.skipped:
            text = f"Not a recording, so nothing is done and nothing is paid: {facts.skipped}."
            return Verdict(NOT_A_RECORDING, text, to_do=f"{self._explain} says which settings decide that.")
        if facts.is_forgotten:
            text = "It was forgotten on purpose (`scribe forget`): it is not transcribed again by itself."
            return Verdict(FORGOTTEN, text, to_do="Upload it again if its transcript is needed after all.")
        if head.modified_s < settings.since_s:
            text = (
                f"Never submitted: it was uploaded before SINCE ({format_time(settings.since_s)}), and Scribe leaves "
                "such recordings alone. It has cost nothing."
            )
            return Verdict(NOT_SUBMITTED, text, to_do=f"{self._backfill} transcribes it.")
        age_s = facts.now_s - head.modified_s
        if age_s < settings.sweep_after_s:
            text = f"Uploaded {format_duration(max(age_s, 0))} ago, and not submitted yet."
            what = "The event of its upload submits it, mostly within seconds; without one, the audit does."
            return Verdict(NOT_SUBMITTED, text, what, self._next_audit_s())
        archive = " It is in an archive storage class." if head.is_archived else ""
        text = (
            "Not submitted, although it was uploaded "
            f"{format_duration(age_s)} ago: the event of its upload did not arrive, or its function failed.{archive}"
        )
        what = "The audit, which runs every six hours, finds and submits it."
        to_do = (
            f"{self._missed} submits it now. {self._doctor} says whether events reach the upload function."
        )
        return Verdict(NOT_SUBMITTED, text, what, self._next_audit_s(), to_do)

    def _decide_unsubmitted(self, receipt: Receipt, modified_s: float) -> Verdict:
        now_s, sweep_s = self._facts.now_s, self._next_sweep_s(modified_s)
        if not receipt.deferred:
            if now_s < receipt.lease_expires_s:
                text = f"It is being submitted: attempt {receipt.attempt} is at work."
                return Verdict(
                    OPEN, text, "Its job is submitted within seconds.", receipt.lease_expires_s + 300
                )
            text = f"Attempt {receipt.attempt} to submit it ended before it noted a job."
            what = "The sweep looks for a job that it may have left, and submits one only if there is none."
            return Verdict(OPEN, text, what, sweep_s)
        if receipt.refusals:
            return self._decide_refused(receipt, sweep_s)
        paused = self._describe_paused_queue()
        text = "It has no job yet: it waits for room in the speech queue."
        text += "" if receipt.superseded_job_ids else " Nothing was paid."
        if paused:
            to_do = f"{paused} {self._resume_queue} starts it."
        else:
            to_do = f"If it waits for hours, {self._doctor} says whether the queue is full or MAX_IN_FLIGHT too small."
        what = "The next sweep submits it if the queue has room; else the one after that."
        return Verdict(OPEN, text, what, sweep_s, to_do)

    def _decide_refused(self, receipt: Receipt, sweep_s: float) -> Verdict:
        message, next_step = self._read_error("message"), self._read_error("next_step")
        times = "once" if receipt.refusals == 1 else f"{receipt.refusals} times"
        code = f" ({receipt.refusal_code})" if receipt.refusal_code else ""
        text = f"Its submit was refused {times}{code}, and nothing was paid. {message}".rstrip()
        at_s = max(receipt.retry_at_s + SWEEP_INTERVAL_S, sweep_s)
        to_do = f"{next_step} When that is done, {self._retry} tries at once.".lstrip()
        return Verdict(
            OPEN, text, f"The sweep tries again from {format_time(receipt.retry_at_s)} on.", at_s, to_do
        )

    def _decide_submitted(self, receipt: Receipt, modified_s: float) -> Verdict:
        facts, job = self._facts, self._facts.job
        name, sweep_s = f"Job {receipt.job_id}", self._next_sweep_s(modified_s)
        deleted = "" if facts.head else " The recording itself was deleted since; its job goes on."
        expiry_s = receipt.created_s + self._settings.give_up_after_s if self._settings.gives_up else 0.0
        until = (
            f"; without a result until {format_time(expiry_s)} an error object says so" if expiry_s else ""
        )
        if job is None:
            problem = (
                f"could not be looked at: {facts.job_problem}"
                if facts.job_problem
                else "is not known to Cloud Infinite at the moment"
            )
            text = f"{name} was submitted, and {problem}.{deleted}"
            return Verdict(
                OPEN, text, f"Each sweep asks for it again{until}.", sweep_s, f"{self._doctor} checks why."
            )
        if job.state in FINAL_STATES:
            outcome = "has its result" if job.state == SUCCESS else f"ended with {job.state}"
            code = f" ({job.code})" if job.code and job.state != SUCCESS else ""
            text = f"{name} {outcome}{code}, which is not written to the bucket yet.{deleted}"
            what = "The notification of the job, or the next sweep, writes it."
            return Verdict(OPEN, text, what, sweep_s)
        what = f"When the job ends, its transcripts are written within a minute, or by the next sweep{until}."
        if job.state == "Running":
            since_s = parse_timestamp(job.started) or parse_timestamp(job.created)
            since = f" since {format_time(since_s)}" if since_s else ""
            return Verdict(OPEN, f"{name} is running{since}.{deleted}", what, expiry_s)
        paused = self._describe_paused_queue()
        to_do = f"{paused} {self._resume_queue} starts it." if paused else ""
        return Verdict(
            OPEN, f"{name} waits in the speech queue for its turn.{deleted}", what, expiry_s, to_do
        )

    def _describe_paused_queue(self) -> str:
        queue = self._facts.queue
        is_paused = queue is not None and queue.state.lower() in _PAUSED
        return f'The speech queue "{queue.name}" is paused.' if queue and is_paused else ""

    def _decide_waiting(self, receipt: Receipt) -> Verdict:
        facts, message = self._facts, self._read_error("message")
        if receipt.refusal_code == BUDGET_CODE:
            return self._decide_held(receipt)
        message = message or "The recording is in an archive and cannot be read before it is restored."
        if facts.head and not facts.head.is_archived:
            what = "It can be read again: the event of its restore, or the audit, submits it."
            to_do = f"{self._missed} submits it now."
            return Verdict(WAITING, "The recording was in an archive.", what, self._next_audit_s(), to_do)
        if facts.head is None:
            return Verdict(WAITING, f"{message} It was deleted since.")
        what = "Nothing before it is restored; then the event of the restore submits it, or the audit within six hours."
        return Verdict(WAITING, message, what, to_do="Restore it in the COS console.")

    def _decide_held(self, receipt: Receipt) -> Verdict:
        facts, budget_minutes = self._facts, self._settings.monthly_minutes
        text = self._read_error("message") or "The budget of the month has no room for it: MONTHLY_MINUTES."
        to_do = self._read_error("next_step") or f"Raise MONTHLY_MINUTES, then {self._deploy}."
        month = get_month(receipt.finished_s)
        if not budget_minutes or month != get_month(facts.now_s):
            what = "The audit, which runs every six hours, tries it again: its month or its budget is another one now."
            return Verdict(WAITING, text, what, self._next_audit_s(), to_do)
        if estimate_seconds(receipt.key, receipt.size) > budget_minutes * 60:
            what = "Nothing before MONTHLY_MINUTES is raised; then the audit submits it, within six hours."
            return Verdict(WAITING, text, what, to_do=to_do)
        next_month = get_next_month(month)
        what = (
            f"The audit tries it again every six hours: it goes on in {next_month}, as far as the budget has room, "
            "or when MONTHLY_MINUTES was raised."
        )
        return Verdict(WAITING, text, what, float(get_month_start_s(next_month) + AUDIT_INTERVAL_S), to_do)

    def _decide_transcribed(self, receipt: Receipt) -> Verdict:
        facts = self._facts
        at = format_time(receipt.finished_s)
        deleted = "" if facts.head else " The recording itself was deleted since."
        written = [item for item in facts.outputs if item.key != facts.error_key]
        if not facts.missing:
            text = f"Transcribed at {at}: {len(written)} files are there.{deleted}"
            if facts.error:
                text += f" An upload after that was refused: {self._read_error('message')}"
            return Verdict(DONE, text, "Nothing: it is done.", to_do=self._read_error("next_step"))
        if written:
            text = f"Transcribed at {at}, but files are missing: {', '.join(facts.missing)}.{deleted}"
        else:
            text = f"Transcribed at {at}, but its transcripts were deleted since.{deleted}"
        if facts.error:
            text += f" {self._read_error('message')}"
        return Verdict(DONE, text, to_do=f"{self._retry} writes them again, without paying again.")

    def _decide_failed(self, receipt: Receipt) -> Verdict:
        facts = self._facts
        message = self._read_error("message") or "It failed, and its error object is not there any more."
        code = self._read_error("code")
        text = f"{message.rstrip('.')} ({code})." if code else message
        if facts.head is None:
            text += " The recording itself was deleted since."
        to_do = self._read_error("next_step")
        has_result = facts.job is not None and facts.job.state == SUCCESS
        if message == NO_RESULT_IN_TIME.message:
            text = f"Given up at {format_time(receipt.finished_s)}: {message}"
            if not has_result:
                what = (
                    "Nothing by itself. If the job still ends with a result, its notification has it written."
                )
                return Verdict(
                    FAILED, text, what, to_do=f"{to_do} Or: {self._retry} looks for the job first."
                )
        if has_result:
            to_do = f"Its job has a result in the meantime: {self._retry} writes it without paying again."
        elif facts.head is None:
            to_do = ""
        elif not facts.error or facts.error.get("retryable") or receipt.job_id:
            to_do = f"{to_do} Or, without an upload: {self._retry}.".lstrip()
        return Verdict(FAILED, text, to_do=to_do)

    def _decide_superseded(self, current: StoredReceipt) -> Verdict:
        head = self._facts.head
        if head is None:
            text = (
                "Other content was uploaded under this key before it was transcribed, and that was deleted."
            )
            return Verdict(REPLACED, text)
        text = (
            "Not submitted: other content was uploaded under this key in between, and this content came back."
        )
        if head.modified_s >= int(current.modified_s):
            what = "The event of its upload, or the audit, submits it."
            return Verdict(NOT_SUBMITTED, text, what, self._next_audit_s(), f"{self._missed} submits it now.")
        return Verdict(NOT_SUBMITTED, text, to_do=f"Upload it again, or {self._backfill}.")

    def _read_error(self, name: str) -> str:
        """Return a member of the error object; "" without one."""
        error: Mapping[str, Any] = self._facts.error or {}
        value = error.get(name)
        return value if isinstance(value, str) else ""


def _job_as_json(job: Job) -> dict[str, Any]:
    times = {
        name: format_time(parse_timestamp(getattr(job, name))) for name in ("created", "started", "ended")
    }
    members = {
        name: getattr(job, name) for name in ("job_id", "state", "code", "message", "queue_id", "engine")
    }
    return {**members, **times}


def _receipt_as_json(stored: StoredReceipt) -> dict[str, Any]:
    receipt = stored.receipt
    return {
        "receipt_id": receipt.id,
        "folder": stored.place,
        "state": receipt.state.value,
        "etag": receipt.etag,
        "size": receipt.size,
        "uploaded": format_time(receipt.modified_s),
        "created": format_time(receipt.created_s),
        "finished": format_time(receipt.finished_s),
        "attempt": receipt.attempt,
        "job_id": receipt.job_id,
        "refusals": receipt.refusals,
        "next_at": format_time(receipt.retry_at_s),
    }
