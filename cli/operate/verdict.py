"""In which state a recording is, why, what happens next and when, and what to do: the one case of many."""

from __future__ import annotations

from typing import NamedTuple

from cli.config import Commands
from cli.language import N_, _
from cli.operate.names import show_name
from cli.operate.row import (
    DONE,
    FAILED,
    OPEN,
    WAITING,
    add_code,
    describe_code,
    get_error_text,
)
from cli.operate.story_reader import Facts, StoredReceipt
from cli.operate.text import end_sentence, join_sentences
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
NOTHING = N_("Nothing by itself.")
_PAUSED = ("pause", "paused")


class Verdict(NamedTuple):
    """The state, why, what happens next by itself (`at_s`: at the latest), and what the reader can do."""

    state: str
    summary: str
    what: str = ""
    at_s: float = 0.0
    to_do: str = ""

    @property
    def state_name(self) -> str:
        """What the state is called on the screen."""
        return show_name(self.state)


def decide(settings: Settings, commands: Commands, facts: Facts) -> Verdict:
    """Find the case in which a recording is, and say what is said of it."""
    verdict = _Narrator(settings, commands, facts).decide()
    return verdict._replace(what=verdict.what or _(NOTHING))


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
        assert head, "an unknown key has no story"  # not translated: a bug
        if facts.skipped:
            text = _(
                "Not a recording, so nothing is done and nothing is paid: {reason}.", reason=facts.skipped
            )
            to_do = _("{command} says which settings decide that.", command=self._explain)
            return Verdict(NOT_A_RECORDING, text, to_do=to_do)
        if facts.is_forgotten:
            text = _("It was forgotten on purpose (`scribe forget`): it is not transcribed again by itself.")
            to_do = _("Upload it again if its transcript is needed after all.")
            return Verdict(FORGOTTEN, text, to_do=to_do)
        if head.modified_s < settings.since_s:
            text = _(
                "Never submitted: it was uploaded before SINCE ({since}), and Scribe leaves such recordings alone. It "
                "has cost nothing.",
                since=format_time(settings.since_s),
            )
            to_do = _("{command} transcribes it.", command=self._backfill)
            return Verdict(NOT_SUBMITTED, text, to_do=to_do)
        age_s = facts.now_s - head.modified_s
        if age_s < settings.sweep_after_s:
            text = _(
                "Uploaded {duration} ago, and not submitted yet.", duration=format_duration(max(age_s, 0))
            )
            what = _(
                "The event of its upload submits it, mostly within seconds; without one, the audit does."
            )
            return Verdict(NOT_SUBMITTED, text, what, self._next_audit_s())
        text = _(
            "Not submitted, although it was uploaded {duration} ago: the event of its upload did not arrive, or its "
            "function failed.",
            duration=format_duration(age_s),
        )
        if head.is_archived:
            text = join_sentences(text, _("It is in an archive storage class."))
        what = _("The audit, which runs every six hours, finds and submits it.")
        to_do = join_sentences(
            _("{command} submits it now.", command=self._missed),
            _("{command} says whether events reach the upload function.", command=self._doctor),
        )
        return Verdict(NOT_SUBMITTED, text, what, self._next_audit_s(), to_do)

    def _decide_unsubmitted(self, receipt: Receipt, modified_s: float) -> Verdict:
        now_s, sweep_s = self._facts.now_s, self._next_sweep_s(modified_s)
        if not receipt.deferred:
            if now_s < receipt.lease_expires_s:
                text = _(
                    "It is being submitted: attempt {number} is at work.",
                    number=receipt.attempt,
                )
                what = _("Its job is submitted within seconds.")
                return Verdict(OPEN, text, what, receipt.lease_expires_s + 300)
            text = _("Attempt {number} to submit it ended before it noted a job.", number=receipt.attempt)
            what = _(
                "The sweep looks for a job that it may have left, and submits one only if there is none."
            )
            return Verdict(OPEN, text, what, sweep_s)
        if receipt.refusals:
            return self._decide_refused(receipt, sweep_s)
        text = join_sentences(
            _("It has no job yet: it waits for room in the speech queue."),
            "" if receipt.superseded_job_ids else _("Nothing was paid."),
        )
        to_do = self._describe_paused_queue() or _(
            "If it waits for hours, {command} says whether the queue is full or MAX_IN_FLIGHT too small.",
            command=self._doctor,
        )
        what = _("The next sweep submits it if the queue has room; else the one after that.")
        return Verdict(OPEN, text, what, sweep_s, to_do)

    def _decide_refused(self, receipt: Receipt, sweep_s: float) -> Verdict:
        cause = describe_code(receipt.refusal_code, self._read_error("cloud_message"))
        times = _("once") if receipt.refusals == 1 else _("{number} times", number=receipt.refusals)
        text = _("Its submit was refused {times}, and nothing was paid.", times=times)
        if cause:
            text = _(
                "Its submit was refused {times} ({cause}), and nothing was paid.", times=times, cause=cause
            )
        text = join_sentences(text, self._read_error("message"))
        at_s = max(receipt.retry_at_s + SWEEP_INTERVAL_S, sweep_s)
        retry = _("When that is done, {command} tries at once.", command=self._retry)
        to_do = join_sentences(self._read_error("next_step"), retry)
        what = _("The sweep tries again from {time} on.", time=format_time(receipt.retry_at_s))
        return Verdict(OPEN, text, what, at_s, to_do)

    def _decide_submitted(self, receipt: Receipt, modified_s: float) -> Verdict:
        facts, job = self._facts, self._facts.job
        sweep_s = self._next_sweep_s(modified_s)
        deleted = "" if facts.head else _("The recording itself was deleted since; its job goes on.")
        expiry_s = receipt.created_s + self._settings.give_up_after_s if self._settings.gives_up else 0.0
        expiry = format_time(expiry_s)
        if job is None:
            text = _(
                "Job {job_id} was submitted, and is not known to Cloud Infinite at the moment.",
                job_id=receipt.job_id,
            )
            if facts.job_problem:
                text = _(
                    "Job {job_id} was submitted, and could not be looked at: {problem}.",
                    job_id=receipt.job_id,
                    problem=facts.job_problem,
                )
            what = _("Each sweep asks for it again.")
            if expiry:
                what = _(
                    "Each sweep asks for it again; without a result until {time} an error object says so.",
                    time=expiry,
                )
            to_do = _("{command} checks why.", command=self._doctor)
            return Verdict(OPEN, join_sentences(text, deleted), what, sweep_s, to_do)
        if job.state in FINAL_STATES:
            what = _("The notification of the job, or the next sweep, writes it.")
            return Verdict(OPEN, join_sentences(_describe_ended(job, receipt.job_id), deleted), what, sweep_s)
        what = _("When the job ends, its transcripts are written within a minute, or by the next sweep.")
        if expiry:
            what = _(
                "When the job ends, its transcripts are written within a minute, or by the next sweep; without a "
                "result until {time} an error object says so.",
                time=expiry,
            )
        if job.state == "Running":
            since_s = parse_timestamp(job.started) or parse_timestamp(job.created)
            text = _("Job {job_id} is running.", job_id=receipt.job_id)
            if since_s:
                text = _(
                    "Job {job_id} is running since {time}.", job_id=receipt.job_id, time=format_time(since_s)
                )
            return Verdict(OPEN, join_sentences(text, deleted), what, expiry_s)
        text = _("Job {job_id} waits in the speech queue for its turn.", job_id=receipt.job_id)
        return Verdict(
            OPEN, join_sentences(text, deleted), what, expiry_s, to_do=self._describe_paused_queue()
        )

    def _describe_paused_queue(self) -> str:
        """Say that the queue is paused, and what starts it; "" if it is not."""
        queue = self._facts.queue
        if queue is None or queue.state.lower() not in _PAUSED:
            return ""
        return join_sentences(
            _('The speech queue "{name}" is paused.', name=queue.name),
            _("{command} starts it.", command=self._resume_queue),
        )

    def _decide_waiting(self, receipt: Receipt) -> Verdict:
        facts, message = self._facts, self._read_error("message")
        if receipt.refusal_code == BUDGET_CODE:
            return self._decide_held(receipt)
        message = message or _("The recording is in an archive and cannot be read before it is restored.")
        if facts.head and not facts.head.is_archived:
            text = _("The recording was in an archive.")
            what = _("It can be read again: the event of its restore, or the audit, submits it.")
            to_do = _("{command} submits it now.", command=self._missed)
            return Verdict(WAITING, text, what, self._next_audit_s(), to_do)
        if facts.head is None:
            return Verdict(WAITING, join_sentences(message, _("It was deleted since.")))
        what = _(
            "Nothing before it is restored; then the event of the restore submits it, or the audit within six hours."
        )
        return Verdict(WAITING, message, what, to_do=_("Restore it in the COS console."))

    def _decide_held(self, receipt: Receipt) -> Verdict:
        facts, budget_minutes = self._facts, self._settings.monthly_minutes
        text = self._read_error("message")
        text = text or _("The budget of the month has no room for it: MONTHLY_MINUTES.")
        to_do = self._read_error("next_step")
        to_do = to_do or _("Raise MONTHLY_MINUTES, then {command}.", command=self._deploy)
        month = get_month(receipt.finished_s)
        if not budget_minutes or month != get_month(facts.now_s):
            what = _(
                "The audit, which runs every six hours, tries it again: its month or its budget is another one now."
            )
            return Verdict(WAITING, text, what, self._next_audit_s(), to_do)
        if estimate_seconds(receipt.key, receipt.size) > budget_minutes * 60:
            what = _("Nothing before MONTHLY_MINUTES is raised; then the audit submits it, within six hours.")
            return Verdict(WAITING, text, what, to_do=to_do)
        next_month = get_next_month(month)
        what = _(
            "The audit tries it again every six hours: it goes on in {month}, as far as the budget has room, or when "
            "MONTHLY_MINUTES was raised.",
            month=next_month,
        )
        return Verdict(WAITING, text, what, float(get_month_start_s(next_month) + AUDIT_INTERVAL_S), to_do)

    def _decide_transcribed(self, receipt: Receipt) -> Verdict:
        facts = self._facts
        at = format_time(receipt.finished_s)
        deleted = "" if facts.head else _("The recording itself was deleted since.")
        written = [item for item in facts.outputs if item.key != facts.error_key]
        message = self._read_error("message") if facts.error else ""
        if not facts.missing:
            text = _("Transcribed at {time}: {number} files are there.", time=at, number=len(written))
            refused = _("An upload after that was refused: {message}", message=message) if message else ""
            return Verdict(
                DONE,
                join_sentences(text, deleted, refused),
                _("Nothing: it is done."),
                to_do=self._read_error("next_step"),
            )
        text = _("Transcribed at {time}, but its transcripts were deleted since.", time=at)
        if written:
            missing = _(", ").join(facts.missing)
            text = _("Transcribed at {time}, but files are missing: {names}.", time=at, names=missing)
        to_do = _("{command} writes them again, without paying again.", command=self._retry)
        return Verdict(DONE, join_sentences(text, deleted, message), to_do=to_do)

    def _decide_failed(self, receipt: Receipt) -> Verdict:
        facts = self._facts
        message = self._read_error("message") or _("It failed, and its error object is not there any more.")
        code, cloud_message = self._read_error("code"), self._read_error("cloud_message")
        text = end_sentence(add_code(message, code, cloud_message)) if code or cloud_message else message
        if facts.head is None:
            text = join_sentences(text, _("The recording itself was deleted since."))
        to_do = self._read_error("next_step")
        has_result = facts.job is not None and facts.job.state == SUCCESS
        if facts.error and facts.error.get("message") == NO_RESULT_IN_TIME.message:
            text = _("Given up at {time}: {message}", time=format_time(receipt.finished_s), message=message)
            if not has_result:
                what = _(
                    "Nothing by itself. If the job still ends with a result, its notification has it written."
                )
                retry = _("Or: {command} looks for the job first.", command=self._retry)
                return Verdict(FAILED, text, what, to_do=join_sentences(to_do, retry))
        if has_result:
            to_do = _(
                "Its job has a result in the meantime: {command} writes it without paying again.",
                command=self._retry,
            )
        elif facts.head is None:
            to_do = ""
        elif not facts.error or facts.error.get("retryable") or receipt.job_id:
            to_do = join_sentences(to_do, _("Or, without an upload: {command}.", command=self._retry))
        return Verdict(FAILED, text, to_do=to_do)

    def _decide_superseded(self, current: StoredReceipt) -> Verdict:
        head = self._facts.head
        if head is None:
            text = _(
                "Other content was uploaded under this key before it was transcribed, and that was deleted."
            )
            return Verdict(REPLACED, text)
        text = _(
            "Not submitted: other content was uploaded under this key in between, and this content came back."
        )
        if head.modified_s >= int(current.modified_s):
            what = _("The event of its upload, or the audit, submits it.")
            to_do = _("{command} submits it now.", command=self._missed)
            return Verdict(NOT_SUBMITTED, text, what, self._next_audit_s(), to_do)
        to_do = _("Upload it again, or {command}.", command=self._backfill)
        return Verdict(NOT_SUBMITTED, text, to_do=to_do)

    def _read_error(self, name: str) -> str:
        """Return a member of the error object, in the language of the command; "" without one."""
        return get_error_text(self._facts.error or {}, name)


def _describe_ended(job: Job, job_id: str) -> str:
    """Say how a job ended whose result is not in the bucket yet."""
    if job.state == SUCCESS:
        return _("Job {job_id} has its result, which is not written to the bucket yet.", job_id=job_id)
    cause = describe_code(job.code, job.message)
    result = _("{sentence} ({cause})", sentence=job.state, cause=cause) if cause else job.state
    return _(
        "Job {job_id} ended with {result}, which is not written to the bucket yet.",
        job_id=job_id,
        result=result,
    )
