"""A failed recording that is tried again and has to wait goes on when it can: its old failure does not end the wait."""

from __future__ import annotations

from shared.recordings.models import Status
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET
from tests.helpers.in_memory_pipeline import DUE_S, count_statuses
from tests.helpers.operate import OperatedPipeline
from tests.helpers.retries import KEY, A, fail_job, retry

RESTORED = 'ongoing-request="false", expiry-date="Fri, 01 Jan 2027 00:00:00 GMT"'


def wait_after_failure() -> OperatedPipeline:
    """A failed recording is in an archive when it is tried again, and restored later."""
    pipeline = OperatedPipeline()
    fail_job(pipeline)
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    outcome = retry(pipeline)
    assert (outcome.outcome, pipeline.count_jobs()) == ("waiting", 1)
    assert "is in an archive" in outcome.detail
    assert "Restore it in the COS console" in outcome.detail
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore=RESTORED)
    return pipeline


def assert_transcribed_once(pipeline: OperatedPipeline) -> None:
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.audit_when_due().counts == {}
    assert retry(pipeline).outcome == "done"
    assert pipeline.count_jobs() == 2
    assert pipeline.list_keys(".scribe/waiting/") == []


def test_audit_submits_it_after_the_restore() -> None:
    pipeline = wait_after_failure()
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    assert_transcribed_once(pipeline)


def test_event_of_the_restore_submits_it() -> None:
    pipeline = wait_after_failure()
    assert pipeline.ingest(KEY, is_restore=True).status is Status.SUBMITTED
    assert_transcribed_once(pipeline)


def test_second_retry_submits_it() -> None:
    pipeline = wait_after_failure()
    assert retry(pipeline).outcome == "submitted"
    assert_transcribed_once(pipeline)


def test_old_wait_does_not_pay_for_a_later_failure_again() -> None:
    pipeline = OperatedPipeline()
    pipeline.upload(KEY, A)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    pipeline.ingest(KEY)
    (waiting,) = pipeline.list_keys(".scribe/waiting/")
    stored = pipeline.cloud.buckets[OUTPUT_BUCKET][waiting]
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore=RESTORED)
    pipeline.ingest(KEY, is_restore=True)
    pipeline.cloud.clock.advance(2)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.notify("s1")
    pipeline.cloud.buckets[OUTPUT_BUCKET][waiting] = stored
    assert count_statuses(pipeline.audit_when_due()) == {Status.ALREADY_DONE: 1}
    assert pipeline.count_jobs() == 1
    pipeline.cloud.buckets[OUTPUT_BUCKET][waiting] = stored
    assert retry(pipeline).outcome == "submitted"  # as for any failed recording
    assert pipeline.count_jobs() == 2


def test_recording_that_the_budget_holds_says_which_month_and_goes_on_when_it_is_raised() -> None:
    pipeline = OperatedPipeline(monthly_minutes=1)
    fail_job(pipeline)
    pipeline.cloud.clock.advance(DUE_S)
    for number in range(60):
        pipeline.upload_and_ingest(f"{number}.mp3", A)
    held = retry(pipeline)
    assert (held.outcome, held.goes_on) == ("waiting", False)
    assert "2026-11" in held.detail
    jobs = pipeline.count_jobs()
    pipeline.ctx = pipeline.build_context(monthly_minutes=10)
    assert retry(pipeline).outcome == "submitted"
    assert pipeline.count_jobs() == jobs + 1
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
