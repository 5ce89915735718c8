"""The events in the life of a recording, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cli.operate.story_reader import Facts, StoredReceipt
from shared.recordings.receipt import SUPERSEDED, Receipt
from shared.tencent.clock import parse_timestamp
from shared.tencent.speech_models import FINAL_STATES, Job


class Event(NamedTuple):
    """Something that happened. `at_s` in Unix seconds, 0 if the time is not known."""

    at_s: float
    event: str
    detail: str = ""


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
        attempts = (
            f"{_count(delivery.attempts, 'attempt')} failed" if delivery.attempts else "not attempted yet"
        )
        reason = f", {delivery.reason}" if delivery.reason else ""
        detail = f"{delivery.notice.type.value} for {delivery.target}: {attempts}{reason}"
        yield Event(delivery.created_s, "notice", detail)
    if facts.head_problem:
        yield Event(0.0, "unreadable", f"COS does not show it: {facts.head_problem}")
    if head is None:
        yield Event(facts.now_s, "deleted", "the recording is not in the bucket any more")


def _describe_other(stored: StoredReceipt, current: StoredReceipt | None) -> Event:
    receipt = stored.receipt
    which = "this content" if current and receipt.id == current.receipt.id else "other content of this key"
    job = f", job {receipt.job_id}" if receipt.job_id else ""
    at_s = receipt.finished_s or stored.modified_s
    return Event(at_s, "earlier", f"{which}: {receipt.state.value}{job}")


def _list_events_of_receipt(facts: Facts, stored: StoredReceipt) -> Iterator[Event]:
    receipt, job = stored.receipt, facts.job
    if facts.head is None:
        yield Event(receipt.modified_s, "uploaded", format_bytes(receipt.size))
    accepted_s = receipt.waits_since_s or receipt.created_s
    yield Event(accepted_s, "accepted", f"engine {receipt.engine}, {_count(receipt.channels, 'channel')}")
    if receipt.attempt > 1 and receipt.created_s > accepted_s:
        yield Event(receipt.created_s, "attempt", f"number {receipt.attempt}")
    if receipt.superseded_job_ids:
        jobs = _count(len(receipt.superseded_job_ids), "job")
        yield Event(accepted_s, "earlier jobs", f"{jobs}: {', '.join(receipt.superseded_job_ids)}")
    if receipt.is_open and receipt.deferred:
        event = "refused" if receipt.refusals else "deferred"
        detail = receipt.refusal_code if receipt.refusals else "no job yet"
        yield Event(stored.modified_s, event, detail)
    if receipt.job_id:
        yield from _list_events_of_job(receipt, job)
    written = [parse_timestamp(item.modified) for item in facts.outputs if item.key != facts.error_key]
    if written:
        yield Event(max(written), "written", _count(len(written), "transcript"))
    for item in facts.outputs:
        if item.key == facts.error_key:
            yield Event(parse_timestamp(item.modified), "error", item.key)
    if receipt.finished_s and receipt.state is not SUPERSEDED:
        yield Event(receipt.finished_s, "closed", receipt.state.value)


def _list_events_of_job(receipt: Receipt, job: Job | None) -> Iterator[Event]:
    created_s = parse_timestamp(job.created) if job else 0.0
    yield Event(created_s or receipt.created_s, "submitted", f"job {receipt.job_id}")
    if job and job.started:
        yield Event(parse_timestamp(job.started), "running", f"job {job.job_id}")
    if job and job.state in FINAL_STATES:
        code = f", {job.code}" if job.code and job.code != job.state else ""
        yield Event(parse_timestamp(job.ended), "ended", f"job {job.job_id}: {job.state}{code}")


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def format_bytes(size: int) -> str:
    """Format a size for people."""
    return _count(size, "byte")
