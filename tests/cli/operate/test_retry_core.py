"""What a retry does with one recording, and what it says where it can do nothing."""

from __future__ import annotations

import pytest

from cli.operate.reasons import Stopped
from shared.errors import QueueFull, RequestRejected, Throttled
from shared.recordings.receipt import FAILED
from shared.tencent.speech_models import Queue
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.operate import OperatedPipeline
from tests.helpers.retries import (
    KEY,
    A,
    defer,
    die,
    fail_job,
    give_up,
    lose_notification,
    refuse,
    reject,
    remove_transcripts,
    restore,
    retry,
    succeed_late,
)

B = b"other words"


@pytest.fixture
def pipeline() -> OperatedPipeline:
    return OperatedPipeline()


def list_methods(pipeline: OperatedPipeline) -> set[str]:
    return {request.method for request in pipeline.take_requests()}


def test_running_job_is_left_alone(pipeline: OperatedPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.take_requests()
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.job_id) == ("running", "s1")
    assert "Submitted at the speech service" in outcome.detail
    assert list_methods(pipeline) == {"HEAD", "GET"}


def test_done_recording_costs_reads_only(pipeline: OperatedPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    pipeline.take_requests()
    assert retry(pipeline).outcome == "done"
    assert list_methods(pipeline) == {"HEAD", "GET"}


def test_attempt_that_is_alive_is_left_alone(pipeline: OperatedPipeline) -> None:
    die(pipeline, is_submitted=False)
    pipeline.cloud.clock.advance(-DUE_S)
    outcome = retry(pipeline)
    assert (outcome.outcome, pipeline.count_jobs()) == ("in_progress", 0)
    assert "at this moment" in outcome.detail


def test_given_up_job_is_followed_again_until_its_result(pipeline: OperatedPipeline) -> None:
    give_up(pipeline)
    assert pipeline.get_error(KEY) is not None
    assert retry(pipeline).outcome == "running"
    pipeline.cloud.run_jobs()
    pipeline.sweep_when_due()  # no notification comes
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1


def test_forgotten_job_of_a_recording_without_a_result_is_not_paid_again(pipeline: OperatedPipeline) -> None:
    succeed_late(pipeline)
    del pipeline.cloud.jobs["s1"]
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.goes_on, pipeline.count_jobs()) == ("lost", False, 1)
    assert "does not know its job s1 now, which may be paid for" in outcome.detail


@pytest.mark.parametrize("is_error_object_there", [True, False])
def test_forgotten_job_is_replaced_only_if_it_is_known_to_have_failed(
    pipeline: OperatedPipeline, is_error_object_there: bool
) -> None:
    fail_job(pipeline)
    del pipeline.cloud.jobs["s1"]
    if not is_error_object_there:
        for key in pipeline.list_keys("transcripts/"):
            del pipeline.cloud.buckets[OUTPUT_BUCKET][key]
    expected = "submitted" if is_error_object_there else "lost"
    assert retry(pipeline).outcome == expected


def test_job_is_not_replaced_while_the_service_does_not_answer(pipeline: OperatedPipeline) -> None:
    fail_job(pipeline)
    pipeline.cloud.before("GET", "/asr_jobs/", raise_error(Throttled(resource=KEY, status=503)))
    with pytest.raises(Throttled):
        retry(pipeline)
    assert pipeline.count_jobs() == 1
    assert pipeline.list_open() == []


def test_job_that_no_receipt_notes_is_found_before_a_new_one(pipeline: OperatedPipeline) -> None:
    """The receipt was closed as failed although its submit, whose response was lost, had left a job."""
    die(pipeline, is_submitted=True)
    receipt = pipeline.get_open()
    pipeline.ctx.receipts(INPUT_BUCKET).close(receipt.close(FAILED, pipeline.cloud.clock.now()))
    pipeline.cloud.run_jobs()
    assert retry(pipeline).outcome == "transcribed"
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("prepare", [defer, refuse, fail_job, reject])
def test_full_queue_leaves_the_submit_to_the_sweep(pipeline: OperatedPipeline, prepare: object) -> None:
    assert callable(prepare)
    prepare(pipeline)
    before = pipeline.count_jobs()
    full = Queue("p1", "queue", "Active", max_size=1, max_concurrent=1)
    pipeline.cloud.queues = [full]
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.upload("other.mp3", B)
    pipeline.ingest("other.mp3")
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.goes_on) == ("deferred", True)
    assert "the queue has no room: the sweep submits it" in outcome.detail
    assert pipeline.count_jobs() == before + 1
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == before + 2


def test_queue_that_fills_up_at_the_last_moment_defers(pipeline: OperatedPipeline) -> None:
    refuse(pipeline)
    pipeline.cloud.before("POST", "", raise_error(QueueFull(resource=KEY, status=403, code="QueueFull")))
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.detail) == ("deferred", "the queue is full: the sweep submits it")


def test_choice_of_options_is_made_again(pipeline: OperatedPipeline) -> None:
    reject(pipeline)
    pipeline.ctx = pipeline.build_context(engine="16k_en")
    assert retry(pipeline).outcome == "submitted"
    assert pipeline.cloud.job_requests[-1].engine == "16k_en"


def test_metadata_that_is_still_wrong_fails_again_without_a_job(pipeline: OperatedPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A, **{"scribe-engine": "no such engine"})
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.goes_on, pipeline.count_jobs()) == ("failed", False, 0)
    assert "options are wrong" in outcome.detail


def test_archived_recording_says_restore(pipeline: OperatedPipeline) -> None:
    restore(pipeline)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore="")
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.goes_on, pipeline.count_jobs()) == ("waiting", False, 0)
    assert "restore it in the COS console" in outcome.detail


def test_restored_recording_waits_no_longer(pipeline: OperatedPipeline) -> None:
    restore(pipeline)
    assert retry(pipeline).outcome == "submitted"
    assert pipeline.list_keys(".scribe/waiting/") == []


def test_failed_recording_that_is_archived_now_waits(pipeline: OperatedPipeline) -> None:
    fail_job(pipeline)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="DEEP_ARCHIVE")
    outcome = retry(pipeline)
    assert (outcome.outcome, pipeline.count_jobs()) == ("waiting", 1)


def test_new_content_without_a_receipt_is_not_submitted_by_a_retry(pipeline: OperatedPipeline) -> None:
    fail_job(pipeline)
    pipeline.upload(KEY, B)
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.detail) == ("missing", "it has no receipt")
    assert pipeline.count_jobs() == 1


def test_object_that_is_no_recording_says_so(pipeline: OperatedPipeline) -> None:
    pipeline.upload("notes.txt", B)
    outcome = retry(pipeline, "notes.txt")
    assert (outcome.outcome, outcome.detail) == (
        "missing",
        "it is not a recording: its extension is not in INPUT_EXTENSIONS",
    )


def test_unknown_key_is_unknown(pipeline: OperatedPipeline) -> None:
    outcome = retry(pipeline, "no such.mp3")
    assert (outcome.outcome, outcome.goes_on) == ("unknown", False)


@pytest.mark.parametrize(
    ("prepare", "outcome", "jobs"),
    [
        (fail_job, "failed", 1),
        (succeed_late, "transcribed", 1),
        (give_up, "running", 1),
        (lose_notification, "transcribed", 1),
        (remove_transcripts, "transcribed", 1),
    ],
)
def test_deleted_recording_gets_what_was_paid_for(
    pipeline: OperatedPipeline, prepare: object, outcome: str, jobs: int
) -> None:
    assert callable(prepare)
    prepare(pipeline)
    pipeline.delete(KEY)
    assert retry(pipeline).outcome == outcome
    assert pipeline.count_jobs() == jobs
    assert (pipeline.get_text(KEY) == A.decode()) == (outcome == "transcribed")


def test_recording_that_cos_does_not_show_is_not_submitted(pipeline: OperatedPipeline) -> None:
    fail_job(pipeline)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, refused=403)
    outcome = retry(pipeline)
    assert (outcome.outcome, pipeline.count_jobs()) == ("failed", 1)
    assert "does not let Scribe read" in outcome.detail


def test_job_that_fails_while_it_is_retried_ends_with_its_reason(pipeline: OperatedPipeline) -> None:
    pipeline.upload_and_ingest(KEY, NOT_AUDIO)
    pipeline.cloud.run_jobs()
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.goes_on) == ("failed", False)
    assert "could not recognise" in outcome.detail
    assert retry(pipeline).outcome == "submitted"


@pytest.mark.parametrize("prepare", [succeed_late, lose_notification, remove_transcripts])
def test_with_targets_the_sweep_writes_the_result(pipeline: OperatedPipeline, prepare: object) -> None:
    assert callable(prepare)
    prepare(pipeline)
    outcome = retry(pipeline, writes_results=False)
    assert outcome.goes_on
    assert "the sweep writes its result" in outcome.detail
    assert pipeline.get_text(KEY) is None
    pipeline.sweep_when_due()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "InvalidAccessKeyId"),
        (403, "AccessDenied"),
        (403, "NoSuchCode"),
        (402, "Arrears"),
        (451, "AccountProblem"),
    ],
)
def test_refusal_of_the_account_stops_everything(pipeline: OperatedPipeline, status: int, code: str) -> None:
    fail_job(pipeline)
    pipeline.cloud.before(
        "POST", "", raise_error(RequestRejected(resource=KEY, status=status, code=code)), times=9
    )
    with pytest.raises(Stopped, match=f"{INPUT_BUCKET}/{KEY} was refused") as caught:
        retry(pipeline)
    assert ("scribe policy operator" in str(caught.value)) == (status in {401, 403})
    assert "\n" not in str(caught.value)
    pipeline.cloud.clear_hooks()
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 2


def test_job_that_failed_for_want_of_money_stops_everything(pipeline: OperatedPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", "Failed", "FailedOperation.UserHasNoAmount")
    with pytest.raises(Stopped, match="no balance"):
        retry(pipeline)


def test_refusal_of_one_object_concerns_no_other(pipeline: OperatedPipeline) -> None:
    fail_job(pipeline)
    pipeline.cloud.refused_keys.add(KEY)
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.goes_on) == ("refused", False)
    assert "may not read the recording" in outcome.detail


def test_stale_failure_does_not_reopen_what_was_transcribed_before_that(pipeline: OperatedPipeline) -> None:
    give_up(pipeline)

    def upload_again() -> None:
        pipeline.touch(KEY)
        pipeline.ingest(KEY)
        pipeline.cloud.run_jobs("s2")
        pipeline.notify("s2")

    pipeline.cloud.before("PUT", ".scribe/open/", upload_again)
    assert retry(pipeline).outcome == "done"
    assert pipeline.list_open() == []
    assert (pipeline.get_done().job_id, pipeline.count_jobs()) == ("s2", 2)


def test_old_receipt_of_an_archived_upload_does_not_hide_a_later_failure(pipeline: OperatedPipeline) -> None:
    restore(pipeline)
    (waiting,) = pipeline.list_keys(".scribe/waiting/")
    stored = pipeline.cloud.buckets[OUTPUT_BUCKET][waiting]
    pipeline.ingest(KEY)
    pipeline.cloud.clock.advance(2)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.notify("s1")
    pipeline.cloud.buckets[OUTPUT_BUCKET][waiting] = stored
    assert retry(pipeline).outcome == "submitted"
    assert pipeline.count_jobs() == 2
