"""The whole story of a recording: its state and what happens next, and the events of its life. Without requests."""

from __future__ import annotations

from typing import Any, NamedTuple

from cli.config import Commands
from cli.operate.story_events import Event, list_events
from cli.operate.story_reader import Facts, StoredReceipt
from cli.operate.times import format_time
from cli.operate.verdict import Verdict, decide
from shared.settings import Settings
from shared.tencent.clock import parse_timestamp
from shared.tencent.speech_models import Job


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
    return Story(facts, decide(settings, commands, facts), tuple(list_events(facts)))


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
