"""Receipts that wait for content that was replaced or deleted: the audit removes them, and no others."""

from __future__ import annotations

import json

import pytest

from shared.errors import RequestRejected
from shared.recordings.audit import audit
from shared.recordings.keys import audit_cursor_key
from shared.recordings.models import Status
from tests.helpers.budgets import BudgetPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, raise_error
from tests.helpers.in_memory_pipeline import DUE_S

KEY = "calls/b.mp3"


@pytest.fixture(params=[KEY, "calls/b" + "x" * 200 + ".mp3"])
def key(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def hold(key: str) -> BudgetPipeline:
    """Return a deployment with a full budget, and a recording that waits for a later month."""
    pipeline = BudgetPipeline(10)
    pipeline.upload_minutes("calls/a.mp3", 9)
    assert pipeline.upload_minutes(key, 8).status is Status.WAITING
    pipeline.cloud.clock.advance(DUE_S)
    return pipeline


@pytest.mark.parametrize("others", [[], ["calls/z.mp3"], ["calls/b" + "x" * 200 + "y.mp3"]])
def test_deleted_recording_waits_no_longer(key: str, others: list[str]) -> None:
    pipeline = hold(key)
    for other in others:
        assert pipeline.upload_minutes(other, 7).status is Status.WAITING
    pipeline.delete(key)
    assert pipeline.audit_when_due().counts["in_progress"] == 1
    assert len(pipeline.list_waiting()) == len(others)
    assert pipeline.get_events("info").count("waiting_receipt_removed") == 1


def test_replaced_content_waits_no_longer(key: str) -> None:
    pipeline = hold(key)
    pipeline.cloud.put_object(INPUT_BUCKET, key, b"new content", size=16_000 * 60)
    assert pipeline.ingest(key).status is Status.SUBMITTED
    pipeline.audit_when_due()
    assert pipeline.list_waiting() == []


def test_recording_that_is_there_keeps_waiting(key: str) -> None:
    pipeline = hold(key)
    pipeline.upload_minutes(key[:-4] + "y.mp3", 8)
    before = pipeline.list_waiting()
    for _ in range(2):
        pipeline.audit_when_due()
        pipeline.touch(key)  # too young for the audit
        audit(pipeline.ctx)
    assert pipeline.list_waiting() == before


def test_recording_that_the_listing_does_not_show_keeps_waiting(key: str) -> None:
    """An audit that goes on behind a key sees its receipts again, but not its object."""
    pipeline = hold(key)
    position = json.dumps({"bucket": INPUT_BUCKET, "key": key}).encode()
    pipeline.cloud.put_object(OUTPUT_BUCKET, audit_cursor_key(pipeline.ctx.settings), position)
    pipeline.take_requests()
    pipeline.audit_when_due()
    assert len(pipeline.list_waiting()) == 1
    assert [request.key for request in pipeline.take_requests() if request.method == "HEAD"] == [key]


def test_recording_that_cannot_be_looked_at_keeps_waiting(key: str) -> None:
    pipeline = hold(key)
    pipeline.delete(key)
    denied = RequestRejected(resource=key, status=403, code="AccessDenied")
    pipeline.cloud.before("HEAD", key, raise_error(denied))
    summary = pipeline.audit_when_due()
    assert summary.errors == 1
    assert len(pipeline.list_waiting()) == 1
    assert "waiting_receipt_not_removed" in pipeline.get_events("error")


def test_receipt_that_went_in_between_needs_nothing(key: str) -> None:
    pipeline = hold(key)
    pipeline.delete(key)
    (waiting,) = pipeline.list_waiting()
    pipeline.cloud.before(
        "GET", ".scribe/waiting/", lambda: pipeline.cloud.buckets[OUTPUT_BUCKET].pop(waiting)
    )
    pipeline.audit_when_due()
    assert pipeline.list_waiting() == []
    assert "waiting_receipt_removed" not in pipeline.get_events("info")
