"""The events in the life of a recording, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cli.language import _, is_chinese, ngettext
from cli.operate.names import show_name
from cli.operate.story_reader import Facts, StoredReceipt
from shared.notices.delivery import Delivery
from shared.recordings.receipt import SUPERSEDED, Receipt
from shared.tencent.clock import parse_timestamp
from shared.tencent.speech_models import FINAL_STATES, Job


class Event(NamedTuple):
    """Something that happened. `at_s` in Unix seconds, 0 if the time is not known."""

    at_s: float
    event: str
    detail: str = ""

    @property
    def name(self) -> str:
        """What the event is called on the screen."""
        return show_name(self.event)

    @property
    def text(self) -> str:
        """The detail for the screen."""
        return show_name(self.detail) if self.event == "closed" else self.detail


def list_events(facts: Facts) -> list[Event]:
    """Return what happened in its order: of the same second, and where the time is not known, as it must have been."""
    keyed, at_s = [], 0
    for event in _iter_events(facts):
        at_s = int(event.at_s) or at_s
        keyed.append((at_s, event))
    return [event for _, event in sorted(keyed, key=lambda pair: pair[0])]


def _iter_events(facts: Facts) -> Iterator[Event]:
    current, head = facts.current, facts.head
    for stored in sorted(facts.others, key=lambda each: each.modified_s):
        yield _describe_other(stored, current)
    if head:
        yield Event(head.modified_s, "uploaded", format_bytes(head.size))
    if current:
        yield from _list_events_of_receipt(facts, current)
    for delivery in facts.notices:
        yield Event(delivery.created_s, "notice", _describe_notice(delivery))
    if facts.head_problem:
        yield Event(0.0, "unreadable", _("COS does not show it: {problem}", problem=facts.head_problem))
    if head is None:
        yield Event(facts.now_s, "deleted", _("the recording is not in the bucket any more"))


def _describe_notice(delivery: Delivery) -> str:
    kind, target = delivery.notice.type.value, delivery.target
    attempts = _("not attempted yet")
    if delivery.attempts:
        attempts = ngettext("{count} attempt failed", "{count} attempts failed", delivery.attempts)
    if delivery.reason:
        return _(
            "{type} for {target}: {attempts}, {reason}",
            type=kind,
            target=target,
            attempts=attempts,
            reason=delivery.reason,
        )
    return _("{type} for {target}: {attempts}", type=kind, target=target, attempts=attempts)


def _describe_other(stored: StoredReceipt, current: StoredReceipt | None) -> Event:
    receipt = stored.receipt
    is_same = current is not None and receipt.id == current.receipt.id
    which = _("this content") if is_same else _("other content of this key")
    state = show_name(receipt.state.value)
    detail = _("{which}: {state}", which=which, state=state)
    if receipt.job_id:
        detail = _("{which}: {state}, job {job_id}", which=which, state=state, job_id=receipt.job_id)
    return Event(receipt.finished_s or stored.modified_s, "earlier", detail)


def _list_events_of_receipt(facts: Facts, stored: StoredReceipt) -> Iterator[Event]:
    receipt, job = stored.receipt, facts.job
    if facts.head is None:
        yield Event(receipt.modified_s, "uploaded", format_bytes(receipt.size))
    accepted_s = receipt.waits_since_s or receipt.created_s
    accepted = ngettext(
        "engine {engine}, {count} channel",
        "engine {engine}, {count} channels",
        receipt.channels,
        engine=receipt.engine,
    )
    yield Event(accepted_s, "accepted", accepted)
    if receipt.attempt > 1 and receipt.created_s > accepted_s:
        yield Event(receipt.created_s, "attempt", _("number {number}", number=receipt.attempt))
    if receipt.superseded_job_ids:
        job_ids = _(", ").join(receipt.superseded_job_ids)
        number = len(receipt.superseded_job_ids)
        jobs = ngettext("{count} job: {job_ids}", "{count} jobs: {job_ids}", number, job_ids=job_ids)
        yield Event(accepted_s, "earlier jobs", jobs)  # not translated: the name
    if receipt.is_open and receipt.deferred:
        event = "refused" if receipt.refusals else "deferred"
        detail = receipt.refusal_code if receipt.refusals else _("no job yet")
        yield Event(stored.modified_s, event, detail)
    if receipt.job_id:
        yield from _list_events_of_job(receipt, job)
    written = [parse_timestamp(item.modified) for item in facts.outputs if item.key != facts.error_key]
    if written:
        count = len(written)
        yield Event(max(written), "written", ngettext("{count} transcript", "{count} transcripts", count))
    for item in facts.outputs:
        if item.key == facts.error_key:
            yield Event(parse_timestamp(item.modified), "error", item.key)
    if receipt.finished_s and receipt.state is not SUPERSEDED:
        yield Event(receipt.finished_s, "closed", receipt.state.value)


def _list_events_of_job(receipt: Receipt, job: Job | None) -> Iterator[Event]:
    created_s = parse_timestamp(job.created) if job else 0.0
    yield Event(created_s or receipt.created_s, "submitted", _("job {job_id}", job_id=receipt.job_id))
    if job and job.started:
        yield Event(parse_timestamp(job.started), "running", _("job {job_id}", job_id=job.job_id))
    if job and job.state in FINAL_STATES:
        # The state is the word of Cloud Infinite.
        comma = "，" if is_chinese() else ", "
        result = f"{job.state}{comma}{job.code}" if job.code and job.code != job.state else job.state
        ended = _("job {job_id}: {result}", job_id=job.job_id, result=result)
        yield Event(parse_timestamp(job.ended), "ended", ended)


def format_bytes(size: int) -> str:
    """Format a size for people."""
    return ngettext("{count} byte", "{count} bytes", size)
