"""Submits that are refused because of the account, the role or the service: kept, explained once, tried again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import RequestRejected
from shared.recordings.failures import JOB_FAILURES, REJECTIONS, failure_from_rejection
from shared.recordings.limiter import MAX_REFUSED_IN_ROW
from shared.recordings.models import Status
from shared.recordings.receipt import DEFERRED, MAX_SUPERSEDED_JOBS, TRANSCRIBED
from shared.recordings.submit import MAX_RETRY_PAUSE_S
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses

KEY, A = "a.mp3", b"words of the recording"
DAY_S = 86_400.0
ACCOUNT_AND_ROLE = (401, 402, 403, 451)
CODES = st.sampled_from([*REJECTIONS, "UnavailableForLegalReasons", "UnauthorizedOperation", ""]) | st.text(
    max_size=20
)
NO_MONEY = [code for code, reason in JOB_FAILURES.items() if reason.retried_automatically]


def build_refusal(status: int = 451, code: str = "UnavailableForLegalReasons") -> RequestRejected:
    return RequestRejected(resource=f"{INPUT_BUCKET}/{KEY}", status=status, code=code, request_id="r1")


def refuse_submits(pipeline: InMemoryPipeline, times: int = 10**9, **refusal: Any) -> None:
    pipeline.cloud.before("POST", "", raise_error(build_refusal(**refusal)), times=times)


def count_error_objects(pipeline: InMemoryPipeline) -> int:
    requests = pipeline.take_requests()
    return len([each for each in requests if (each.method, each.key[-11:]) == ("PUT", ".error.json")])


@given(status=st.sampled_from(ACCOUNT_AND_ROLE), code=CODES)
@settings(max_examples=150, deadline=None)
def test_refusal_of_the_account_or_the_role_is_never_final(status: int, code: str) -> None:
    pipeline = InMemoryPipeline()
    refuse_submits(pipeline, times=1, status=status, code=code)
    assert pipeline.upload_and_ingest(KEY, A).status is Status.DEFERRED
    error = pipeline.get_error(KEY)
    assert error is not None
    assert (error["retried_automatically"], error["code"]) == (True, code)
    assert error["next_step"].strip()
    assert pipeline.get_events("error") == ["operator_action_required"]
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == 1
    assert pipeline.list_claims() == []


def test_content_that_came_back_within_a_second_keeps_its_transcripts_when_what_was_between_is_refused() -> (
    None
):
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, A)
    modified_s = pipeline.get_open().modified_s
    pipeline.run_and_notify()
    refuse_submits(pipeline, times=1)
    assert pipeline.upload_and_ingest(KEY, b"other words").status is Status.DEFERRED
    pipeline.upload(KEY, A)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, modified_s=int(modified_s))
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == 1
    assert pipeline.list_open() == []


@given(status=st.integers(300, 499), code=st.text("abcXYZ", max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_unknown_refusal_waits_with_an_explanation(status: int, code: str) -> None:
    failure = failure_from_rejection(build_refusal(status, code))
    assert failure.reason.retried_automatically
    assert failure.reason.message_zh.endswith("。")


@pytest.mark.parametrize("waiting_s", [DAY_S + 1, 30 * DAY_S])
def test_refused_recording_waits_without_a_deadline_and_has_its_full_time_afterwards(
    pipeline: InMemoryPipeline, waiting_s: float
) -> None:
    refuse_submits(pipeline)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(waiting_s)
    assert count_statuses(pipeline.sweep()) == {Status.DEFERRED: 1}
    pipeline.cloud.clear_hooks()
    pipeline.cloud.clock.advance(MAX_RETRY_PAUSE_S)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    # The job runs for a while: GIVE_UP_AFTER counts from the submit, not from the upload.
    assert count_statuses(pipeline.sweep_when_due()) == {Status.JOB_RUNNING: 1}
    pipeline.cloud.run_jobs()
    pipeline.cloud.clock.advance(DAY_S - DUE_S - 1)
    assert count_statuses(pipeline.sweep()) == {Status.TRANSCRIBED: 1}
    assert pipeline.get_error(KEY) is None


def test_job_of_a_refused_recording_still_expires(pipeline: InMemoryPipeline) -> None:
    refuse_submits(pipeline, times=1)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(2 * DAY_S)
    pipeline.sweep()
    pipeline.cloud.clock.advance(DAY_S + 1)
    assert count_statuses(pipeline.sweep()) == {Status.FAILED: 1}


def test_pauses_between_refused_submits_grow_to_an_hour(pipeline: InMemoryPipeline) -> None:
    refuse_submits(pipeline)
    pipeline.upload_and_ingest(KEY, A)
    pauses_s = []
    for _ in range(8):
        receipt = pipeline.get_open()
        pauses_s.append(receipt.retry_at_s - pipeline.cloud.clock.now())
        pipeline.cloud.clock.advance(max(pauses_s[-1] - 1, DUE_S))
        if receipt.retry_at_s > pipeline.cloud.clock.now():
            pipeline.take_requests()
            assert count_statuses(pipeline.sweep()) == {Status.DEFERRED: 1}
            assert "POST" not in {request.method for request in pipeline.take_requests()}
        pipeline.cloud.clock.advance(1)
        assert count_statuses(pipeline.sweep()) == {Status.DEFERRED: 1}
    assert [round(pause_s) for pause_s in pauses_s] == [300, 600, 1200, 2400, 3600, 3600, 3600, 3600]
    assert pipeline.count_jobs() == 0
    assert pipeline.list_claims() == []


def test_error_object_is_written_again_for_another_reason_only(pipeline: InMemoryPipeline) -> None:
    refuse_submits(pipeline, times=2)
    pipeline.cloud.before("POST", "", raise_error(build_refusal(403, "AccessDenied")), skip=2, times=2)
    pipeline.upload_and_ingest(KEY, A)
    counts = [count_error_objects(pipeline)]
    for _ in range(3):
        pipeline.cloud.clock.advance(MAX_RETRY_PAUSE_S)
        pipeline.sweep()
        counts.append(count_error_objects(pipeline))
    assert counts == [1, 0, 1, 0]
    error = pipeline.get_error(KEY)
    assert error is not None
    assert pipeline.get_open().refusal_code == error["code"] == "AccessDenied"


def test_refused_submits_in_a_row_stop_the_submits_of_that_sweep_only(pipeline: InMemoryPipeline) -> None:
    refuse_submits(pipeline)
    keys = [f"{number}.mp3" for number in range(MAX_REFUSED_IN_ROW + 3)]
    for key in keys:
        pipeline.upload_and_ingest(key, A)
    pipeline.cloud.clear_hooks()
    refuse_submits(pipeline, times=MAX_REFUSED_IN_ROW)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.DEFERRED: len(keys)}
    assert pipeline.count_jobs() == 0
    # The refused ones wait for their pause; the others are submitted by the next sweep.
    assert count_statuses(pipeline.sweep_when_due()) == {
        Status.SUBMITTED: 3,
        Status.DEFERRED: MAX_REFUSED_IN_ROW,
    }
    pipeline.settle()
    assert [pipeline.get_text(key) for key in keys] == [A.decode()] * len(keys)
    assert pipeline.count_jobs() == len(keys)


def test_recordings_that_are_refused_again_and_again_do_not_stop_the_others(
    pipeline: InMemoryPipeline,
) -> None:
    """Twelve come first in the order of the keys: more than one sweep tries."""
    pipeline.cloud.refused_keys = {f"a-{number:02}.mp3" for number in range(12)}
    for key in sorted(pipeline.cloud.refused_keys):
        pipeline.upload_and_ingest(key, A)
    refuse_submits(pipeline, times=1)
    pipeline.upload_and_ingest("good.mp3", A)
    for _ in range(8):
        pipeline.sweep_when_due()
    pipeline.cloud.run_jobs()
    pipeline.sweep_when_due()
    assert pipeline.get_text("good.mp3") == A.decode()
    assert pipeline.count_jobs() == 1


def test_refusal_in_one_bucket_does_not_stop_the_submits_of_another() -> None:
    second = "calls-1250000000"
    pipeline = InMemoryPipeline(input_buckets=(INPUT_BUCKET, second))
    pipeline.cloud.buckets[second] = {}
    refuse_submits(pipeline, times=1)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.put_object(second, KEY, A)
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.cloud.before("POST", "", raise_error(build_refusal()), times=1)
    pipeline.audit_when_due()
    pipeline.cloud.clock.advance(MAX_RETRY_PAUSE_S)
    pipeline.sweep()
    assert pipeline.count_jobs() == 2


@pytest.mark.parametrize("code", NO_MONEY)
def test_job_that_failed_for_want_of_money_is_submitted_again_after_a_pause(
    pipeline: InMemoryPipeline, code: str
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", "Failed", code)
    (result,) = pipeline.notify("s1")
    assert result.status is Status.DEFERRED
    receipt = pipeline.get_open()
    assert (receipt.state, receipt.superseded_job_ids, receipt.refusals) == (DEFERRED, ("s1",), 1)
    error = pipeline.get_error(KEY)
    assert error is not None
    assert (error["kind"], error["retried_automatically"], error["job_id"]) == ("account", True, "")
    # The same notification again, an event and a sweep before the pause is over change nothing.
    assert pipeline.notify_one("s1").status is Status.IN_PROGRESS
    assert pipeline.ingest(KEY).status is Status.IN_PROGRESS
    pipeline.cloud.clock.advance(299)
    pipeline.sweep()
    assert pipeline.get_open() == receipt
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.get_done().all_job_ids == ("s1", "s2")
    assert pipeline.count_jobs() == 2


@pytest.mark.parametrize("is_versioned", [True, False])
@pytest.mark.parametrize("is_notified", [True, False])
def test_account_that_stays_empty_is_tried_with_growing_pauses(
    pipeline: InMemoryPipeline, is_notified: bool, is_versioned: bool
) -> None:
    if is_versioned:
        pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    pipeline.upload_and_ingest(KEY, A)
    for _ in range(200):  # every five minutes
        for job_id in [job.job_id for job in pipeline.cloud.jobs.values() if job.state == "Submitted"]:
            pipeline.cloud.end_job(job_id, "Failed", "FailedOperation.UserHasNoAmount")
            if is_notified:
                pipeline.notify(job_id)
        pipeline.sweep_when_due()
    # 200 sweeps are 16.7 hours.
    assert pipeline.count_jobs() <= 22
    assert len(pipeline.list_claims()) <= 2
    assert pipeline.get_open().refusals == pipeline.count_jobs()
    error = pipeline.get_error(KEY)
    assert error is not None
    assert error["code"] == "FailedOperation.UserHasNoAmount"
    pipeline.cloud.clock.advance(MAX_RETRY_PAUSE_S)
    pipeline.sweep()
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.get_done().state is TRANSCRIBED
    assert pipeline.list_claims() == []


def test_receipt_of_an_empty_account_does_not_grow_without_end(pipeline: InMemoryPipeline) -> None:
    receipt = pipeline.build_receipt(KEY, A)
    for number in range(200):
        receipt = receipt.with_job(f"s{number}").restart(0.0, 0.0)
    assert receipt.superseded_job_ids == tuple(
        f"s{number}" for number in range(200 - MAX_SUPERSEDED_JOBS, 200)
    )


def test_new_upload_while_the_account_is_empty_pays_once(pipeline: InMemoryPipeline) -> None:
    refuse_submits(pipeline)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.IN_PROGRESS
    pipeline.upload_and_ingest(KEY, b"new content")
    pipeline.cloud.clear_hooks()
    pipeline.settle()
    assert pipeline.get_text(KEY) == "new content"
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == 1


def test_deleted_recording_of_an_empty_account_ends(pipeline: InMemoryPipeline) -> None:
    refuse_submits(pipeline, times=1)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.delete(KEY)
    pipeline.settle()
    assert pipeline.list_open() == []
