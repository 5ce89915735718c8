"""Dead and deferred attempts: a job that was paid for is used, and of several sweeps one continues."""

from __future__ import annotations

import pytest

from shared.errors import OutcomeUnknown, Throttled
from shared.recordings.models import Status
from shared.recordings.receipt import DEFERRED, SUBMITTED, SUBMITTING, SUPERSEDED, Receipt
from shared.recordings.resume import MAX_LOOKUP_PAGES, resume_attempt
from shared.recordings.sweep import reconcile
from shared.tencent.speech_models import JobRequest
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, REGION, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses

KEY, A, B = "a.mp3", b"words of the first content", b"other words"
LOST = OutcomeUnknown(resource=KEY, code="NoAnswer")


def leave_dead_attempt(pipeline: InMemoryPipeline, *, is_submitted: bool) -> Receipt:
    """Kill an upload just before or just after its submit. Its lease has expired when this returns."""
    (pipeline.cloud.after if is_submitted else pipeline.cloud.before)("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest(KEY, A)
    assert pipeline.get_open().state is SUBMITTING
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.take_requests()
    return pipeline.get_open()


def add_other_job(pipeline: InMemoryPipeline, user_data: str) -> str:
    request = JobRequest(KEY, OUTPUT_BUCKET, REGION, "raw.txt", "16k_zh", user_data=user_data)
    return pipeline.cloud.add_job(INPUT_BUCKET, request).job_id


def assert_nothing_is_left(pipeline: InMemoryPipeline, *, jobs: int = 1) -> None:
    pipeline.settle()
    assert pipeline.list_claims() == []
    assert pipeline.count_jobs() == jobs
    assert pipeline.get_text(KEY) == A.decode()


def test_attempt_that_died_before_its_submit_is_continued(pipeline: InMemoryPipeline) -> None:
    receipt = leave_dead_attempt(pipeline, is_submitted=False)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    continued = pipeline.get_open()
    assert (continued.attempt, continued.job_id) == (2, "s1")
    assert continued.nonce != receipt.nonce
    assert_nothing_is_left(pipeline)


def test_attempt_that_died_after_its_submit_is_not_paid_again(pipeline: InMemoryPipeline) -> None:
    leave_dead_attempt(pipeline, is_submitted=True)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    assert pipeline.get_open().job_id == "s1"
    assert_nothing_is_left(pipeline)


def test_continuing_a_dead_attempt_costs_eleven_requests(pipeline: InMemoryPipeline) -> None:
    receipt = leave_dead_attempt(pipeline, is_submitted=False)
    resume_attempt(pipeline.ctx, receipt)
    keys = [request.key for request in pipeline.take_requests()]
    # Claim, read it back, other claims, open and closed receipt, queue, jobs, recording, store the attempt; then
    # submit and record.
    assert len(keys) == 9 + 2
    assert [key for key in keys if key.startswith("/")] == ["/asrqueue", "/asr_jobs", "/asr_jobs"]


def test_living_attempt_is_left_to_work(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)
    now_s = pipeline.cloud.clock.now()
    pipeline.put_open(pipeline.build_receipt(KEY, A, lease_expires_s=now_s + DUE_S + 0.1))
    assert pipeline.sweep_when_due().counts == {}
    assert pipeline.count_jobs() == 0
    pipeline.cloud.clock.advance(0.2)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}


def test_deferred_attempt_looks_for_no_job(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.before("POST", "", raise_error(Throttled(resource=KEY, code="SlowDown")))
    pipeline.upload_and_ingest(KEY, A)
    receipt = pipeline.get_open()
    assert receipt.state is DEFERRED
    pipeline.take_requests()
    assert resume_attempt(pipeline.ctx, receipt).status is Status.SUBMITTED
    assert len(pipeline.take_requests()) == 8
    assert_nothing_is_left(pipeline)


def test_second_claim_continues_nothing(pipeline: InMemoryPipeline) -> None:
    receipt = leave_dead_attempt(pipeline, is_submitted=False)
    pipeline.put_claim(receipt)
    result = resume_attempt(pipeline.ctx, receipt)
    assert (result.status, result.reason) == (Status.IN_PROGRESS, "another attempt claimed it")
    assert pipeline.count_jobs() == 0
    assert_nothing_is_left(pipeline)


def test_claim_of_a_sweep_that_died_too_does_not_stop_the_next(pipeline: InMemoryPipeline) -> None:
    receipt = leave_dead_attempt(pipeline, is_submitted=False)
    pipeline.cloud.after("PUT", "claim/", raise_error(Killed()))
    with pytest.raises(Killed):
        resume_attempt(pipeline.ctx, receipt)
    pipeline.cloud.clock.advance(DUE_S)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    assert pipeline.get_open().attempt == 3
    assert_nothing_is_left(pipeline)


def test_sweep_that_paused_while_another_did_all_the_work_pays_nothing(pipeline: InMemoryPipeline) -> None:
    receipt = leave_dead_attempt(pipeline, is_submitted=False)

    def do_all_the_work() -> None:
        pipeline.sweep()
        pipeline.run_and_notify()

    pipeline.cloud.before("PUT", "claim/", do_all_the_work)
    result = resume_attempt(pipeline.ctx, receipt)
    assert (result.status, result.reason) == (Status.IN_PROGRESS, "another attempt continued")
    assert pipeline.count_jobs() == 1
    assert pipeline.list_open() == []
    assert pipeline.list_claims() == []


def count_requests_to_continue(*, is_submitted: bool) -> int:
    pipeline = InMemoryPipeline()
    receipt = leave_dead_attempt(pipeline, is_submitted=is_submitted)
    resume_attempt(pipeline.ctx, receipt)
    return len(pipeline.take_requests())


@pytest.mark.parametrize("is_submitted", [True, False])
@pytest.mark.parametrize("is_finished", [True, False])
def test_second_sweep_between_any_two_requests_pays_nothing(is_submitted: bool, is_finished: bool) -> None:
    for number in range(count_requests_to_continue(is_submitted=is_submitted)):
        pipeline = InMemoryPipeline()
        receipt = leave_dead_attempt(pipeline, is_submitted=is_submitted)

        def sweep(pipeline: InMemoryPipeline = pipeline) -> None:
            reconcile(pipeline.build_context())
            if is_finished:
                pipeline.run_and_notify()

        pipeline.cloud.before("", "", sweep, skip=number)
        resume_attempt(pipeline.ctx, receipt)
        assert pipeline.count_jobs() == 1, number
        assert_nothing_is_left(pipeline)


@pytest.mark.parametrize("is_submitted", [True, False])
def test_failed_attempts_leave_no_claim_that_blocks_the_next(
    pipeline: InMemoryPipeline, is_submitted: bool
) -> None:
    receipt = leave_dead_attempt(pipeline, is_submitted=is_submitted)
    pipeline.cloud.before("GET", "/asr_jobs", raise_error(LOST), times=3)
    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            resume_attempt(pipeline.ctx, receipt)
        assert pipeline.list_claims() == []
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    assert_nothing_is_left(pipeline)


def test_claim_that_cannot_be_released_hides_no_error(pipeline: InMemoryPipeline) -> None:
    receipt = leave_dead_attempt(pipeline, is_submitted=False)
    pipeline.cloud.before("HEAD", KEY, raise_error(LOST))
    pipeline.cloud.before("DELETE", "claim/", raise_error(Throttled(resource=KEY, code="SlowDown")))
    with pytest.raises(OutcomeUnknown):
        resume_attempt(pipeline.ctx, receipt)
    assert count_statuses(pipeline.sweep()) == {Status.IN_PROGRESS: 1}
    assert_nothing_is_left(pipeline)


def test_job_is_found_on_a_later_page(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.page_size = 3
    for _ in range(7):
        add_other_job(pipeline, "")
    leave_dead_attempt(pipeline, is_submitted=True)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    assert pipeline.get_open().job_id == "s8"
    assert pipeline.count_jobs() == 8


def test_jobs_from_before_the_receipt_are_not_read(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.page_size = 1
    for _ in range(5):
        add_other_job(pipeline, "")
    pipeline.cloud.clock.advance(3600)
    receipt = leave_dead_attempt(pipeline, is_submitted=True)
    resume_attempt(pipeline.ctx, receipt)
    lists = [request for request in pipeline.take_requests() if request.key == "/asr_jobs"]
    assert len(lists) == 1
    assert pipeline.get_open().job_id == "s6"


@pytest.mark.parametrize("skew_s", [-50, 50])
def test_job_is_found_although_the_clocks_differ(pipeline: InMemoryPipeline, skew_s: float) -> None:
    pipeline.cloud.before("POST", "", lambda: pipeline.cloud.clock.advance(skew_s))
    pipeline.cloud.after("POST", "", lambda: pipeline.cloud.clock.advance(-skew_s))
    leave_dead_attempt(pipeline, is_submitted=True)
    pipeline.sweep()
    assert_nothing_is_left(pipeline)


def test_too_many_jobs_to_search_pay_nothing(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.page_size = 1
    for _ in range(MAX_LOOKUP_PAGES + 1):
        add_other_job(pipeline, "")
    receipt = leave_dead_attempt(pipeline, is_submitted=True)
    jobs = pipeline.count_jobs()
    with pytest.raises(OutcomeUnknown, match="TooManyJobs"):
        resume_attempt(pipeline.ctx, receipt)
    assert pipeline.count_jobs() == jobs
    assert pipeline.list_claims() == []


def test_superseded_job_is_not_taken_for_the_one_whose_response_was_lost(
    pipeline: InMemoryPipeline,
) -> None:
    for body in (A, B):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.cloud.clock.advance(2)
    pipeline.cloud.run_jobs()
    pipeline.notify("s1", "s2")
    pipeline.cloud.clock.advance(2)
    pipeline.cloud.after("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest(KEY, A)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.SUBMITTED: 1}
    receipt = pipeline.get_open()
    assert (receipt.job_id, receipt.superseded_job_ids) == ("s3", ("s1",))
    assert_nothing_is_left(pipeline, jobs=3)


@pytest.mark.parametrize("queue_id", ["", "p9"])
def test_jobs_are_searched_in_the_queue_of_the_settings_or_of_the_bucket(queue_id: str) -> None:
    pipeline = InMemoryPipeline(queue_id=queue_id)
    leave_dead_attempt(pipeline, is_submitted=True)
    assert pipeline.cloud.jobs["s1"].queue_id == (queue_id or "p1")
    pipeline.sweep()
    assert_nothing_is_left(pipeline)


def test_bucket_without_a_queue_is_searched_too(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.queues.clear()
    pipeline.ctx.settings = pipeline.build_context(max_in_flight=5).settings
    leave_dead_attempt(pipeline, is_submitted=True)
    pipeline.sweep()
    assert_nothing_is_left(pipeline)


def test_overwritten_recording_is_not_submitted_for_its_earlier_content(pipeline: InMemoryPipeline) -> None:
    leave_dead_attempt(pipeline, is_submitted=False)
    pipeline.upload(KEY, B)
    assert count_statuses(pipeline.sweep()) == {Status.SUPERSEDED: 1}
    assert pipeline.count_jobs() == 0
    assert pipeline.get_done().state is SUPERSEDED
    assert pipeline.list_open() == []
    assert pipeline.list_claims() == []


def test_deleted_recording_ends_with_the_error_of_ci(pipeline: InMemoryPipeline) -> None:
    leave_dead_attempt(pipeline, is_submitted=False)
    pipeline.delete(KEY)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    pipeline.settle()
    error = pipeline.get_error(KEY)
    assert error is not None
    assert error["code"] == "FailedOperation.ErrorDownFile"


def test_recording_that_was_written_again_is_submitted_as_it_is_now(pipeline: InMemoryPipeline) -> None:
    leave_dead_attempt(pipeline, is_submitted=False)
    pipeline.upload(KEY, A)
    pipeline.sweep()
    assert pipeline.get_open().state is SUBMITTED
    assert pipeline.get_open().modified_s == int(pipeline.cloud.clock.now())
    assert_nothing_is_left(pipeline)


def test_expired_attempt_looks_for_its_paid_job_first(pipeline: InMemoryPipeline) -> None:
    leave_dead_attempt(pipeline, is_submitted=True)
    pipeline.cloud.run_jobs()
    pipeline.cloud.clock.advance(90_000)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    assert pipeline.get_error(KEY) is None
    assert_nothing_is_left(pipeline)


def test_old_attempt_without_a_job_is_submitted_however_late(pipeline: InMemoryPipeline) -> None:
    leave_dead_attempt(pipeline, is_submitted=False)
    pipeline.cloud.clock.advance(90_000)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == 1


def test_everything_is_due_when_sweep_after_is_zero() -> None:
    """Only tests use 0: they kill attempts and do not wait for the lease."""
    pipeline = InMemoryPipeline(sweep_after_s=0)
    pipeline.upload(KEY, A)
    pipeline.put_open(pipeline.build_receipt(KEY, A, lease_expires_s=pipeline.cloud.clock.now() + 600))
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 1}
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("is_killed", [True, False])
def test_delivery_that_was_paused_until_the_other_had_ended_pays_nothing(
    pipeline: InMemoryPipeline, is_killed: bool
) -> None:
    """It creates its receipt after the other one has left open/, and ends before it looks for it in done/."""

    def end_the_other() -> None:
        pipeline.ingest(KEY)
        pipeline.run_and_notify()
        error = Killed() if is_killed else LOST
        pipeline.cloud.before("GET", "done/", raise_error(error))

    pipeline.upload(KEY, A)
    pipeline.cloud.before("PUT", "open/", end_the_other)
    with pytest.raises(Killed if is_killed else OutcomeUnknown):
        pipeline.ingest(KEY)
    assert len(pipeline.list_open()) == 1
    pipeline.sweep_when_due()
    assert pipeline.list_open() == []
    assert pipeline.count_jobs() == 1
    assert pipeline.get_text(KEY) == A.decode()
