"""An old recording is written again with the same content (its metadata or its storage class changed).

It costs no second job and gets no error object, also after the speech service has forgotten its job.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import OutcomeUnknown, RequestRejected
from shared.recordings.keys import OUTPUT_MARK, raw_result_key
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED, SUBMITTED, TRANSCRIBED
from shared.tencent.client import UNREADABLE_RESPONSE
from shared.tencent.speech_models import SUCCESS, JobResult
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline, count_statuses

KEY, A, B = "a.mp3", b"words of the first content", b"other words"
DAY_S = 86_400.0
EXTENSIONS = ("json", "txt", "srt", "vtt", "html")


def transcribe(pipeline: InMemoryPipeline, body: bytes = A) -> None:
    pipeline.upload_and_ingest(KEY, body)
    pipeline.run_and_notify()
    pipeline.cloud.clock.advance(2 * DAY_S)


def forget_jobs(pipeline: InMemoryPipeline) -> None:
    """CI forgets every job: the speech service behind it promises 24 hours."""
    pipeline.cloud.jobs.clear()


def delete_transcripts(pipeline: InMemoryPipeline) -> None:
    for key in pipeline.list_keys("transcripts/"):
        del pipeline.cloud.buckets[OUTPUT_BUCKET][key]


def get_outputs(pipeline: InMemoryPipeline) -> dict[str, bytes]:
    stored = pipeline.cloud.buckets[OUTPUT_BUCKET]
    return {key: stored[key].body for key in pipeline.list_keys("transcripts/")}


def assert_transcribed_once(pipeline: InMemoryPipeline, text: bytes = A, jobs: int = 1) -> None:
    assert pipeline.get_text(KEY) == text.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == jobs
    assert pipeline.list_open() == []
    assert {receipt.state for receipt in pipeline.list_done()} == {TRANSCRIBED}


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_touched_recording_with_its_transcripts_is_done(
    pipeline: InMemoryPipeline, is_forgotten: bool
) -> None:
    transcribe(pipeline)
    outputs = get_outputs(pipeline)
    if is_forgotten:
        forget_jobs(pipeline)
    for _ in range(3):
        pipeline.touch(KEY)
        pipeline.take_requests()
        assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
        requests = pipeline.take_requests()
        methods = ["HEAD", "GET", "GET", *["HEAD"] * 6, "LIST", "GET", "PUT"]
        assert [request.method for request in requests] == methods
        assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
        assert len(pipeline.take_requests()) == 2
    assert get_outputs(pipeline) == outputs
    assert_transcribed_once(pipeline)


def test_audit_looks_once_at_a_touched_recording(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    forget_jobs(pipeline)
    pipeline.touch(KEY)
    assert count_statuses(pipeline.audit_when_due()) == {Status.ALREADY_DONE: 1}
    assert pipeline.audit_when_due().counts == {}
    assert_transcribed_once(pipeline)


@pytest.mark.parametrize("change", ["deleted", "one is missing", "of another job", "without a mark"])
@pytest.mark.parametrize("is_forgotten", [False, True])
def test_transcripts_that_are_not_its_own_are_written_again(
    pipeline: InMemoryPipeline, change: str, is_forgotten: bool
) -> None:
    transcribe(pipeline)
    pipeline.put_raw_result(KEY, A)
    if change == "deleted":
        delete_transcripts(pipeline)
    elif change == "one is missing":
        del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.srt"]
    else:
        mark = {OUTPUT_MARK: "transcript s99"} if change == "of another job" else {}
        pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.txt", b"other words", mark)
    if is_forgotten:
        forget_jobs(pipeline)
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.REOPENED
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    assert sorted(get_outputs(pipeline)) == sorted(f"transcripts/{KEY}.{name}" for name in EXTENSIONS)
    assert_transcribed_once(pipeline)


def test_forgotten_job_without_a_raw_result_leaves_what_is_there(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.json"]
    outputs = get_outputs(pipeline)
    forget_jobs(pipeline)
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.REOPENED
    # One answer without the job may be a mistake of the service.
    assert count_statuses(pipeline.sweep_when_due()) == {Status.JOB_RUNNING: 1}
    pipeline.cloud.clock.advance(DAY_S)
    assert count_statuses(pipeline.sweep()) == {Status.ALREADY_DONE: 1}
    assert "result_forgotten" in pipeline.get_events("warning")
    assert get_outputs(pipeline) == outputs
    assert_transcribed_once(pipeline)
    pipeline.cloud.clock.advance(2 * DAY_S)
    assert pipeline.sweep().counts == {}


@pytest.mark.parametrize("has_raw_result", [True, False])
def test_missing_format_of_a_forgotten_job_is_written_with_every_word(
    pipeline: InMemoryPipeline, has_raw_result: bool
) -> None:
    """Such as a format that a new version writes by default: the text that CI stored has no speakers and no words."""
    transcribe(pipeline)
    outputs = get_outputs(pipeline)
    if has_raw_result:
        pipeline.put_raw_result(KEY, b"other words")
    del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.srt"]
    forget_jobs(pipeline)
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.REOPENED
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    assert get_outputs(pipeline) == outputs
    assert_transcribed_once(pipeline)


@pytest.mark.parametrize("answer", ["not found", "unreadable"])
def test_touched_recording_never_expires_to_an_error_object(pipeline: InMemoryPipeline, answer: str) -> None:
    transcribe(pipeline)
    pipeline.put_raw_result(KEY, A)
    delete_transcripts(pipeline)
    pipeline.touch(KEY)
    pipeline.ingest(KEY)
    error = OutcomeUnknown(resource=KEY, status=200, code=UNREADABLE_RESPONSE)
    if answer == "not found":
        forget_jobs(pipeline)
    else:
        pipeline.cloud.before("GET", "/asr_jobs/", raise_error(error), times=99)
    pipeline.cloud.clock.advance(2 * DAY_S)
    pipeline.sweep()
    assert_transcribed_once(pipeline)


@pytest.mark.parametrize("has_raw_result", [True, False])
@pytest.mark.parametrize("result", [None, JobResult("", "", (), ())])
def test_success_without_words_overwrites_no_transcript(
    pipeline: InMemoryPipeline, result: JobResult | None, has_raw_result: bool
) -> None:
    # CI still lists the job, but the speech service behind it has dropped the words.
    transcribe(pipeline)
    if has_raw_result:
        pipeline.put_raw_result(KEY, A)
    del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.srt"]
    pipeline.cloud.jobs["s1"] = pipeline.cloud.jobs["s1"]._replace(result=result)
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.REOPENED
    pipeline.sweep_when_due()
    if not has_raw_result:
        assert pipeline.get_text(KEY) == A.decode()
        pipeline.cloud.clock.advance(DAY_S)
        pipeline.sweep()
    assert_transcribed_once(pipeline)


def test_words_of_a_job_that_one_answer_left_out_are_written_later(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    delete_transcripts(pipeline)
    jobs = dict(pipeline.cloud.jobs)
    forget_jobs(pipeline)
    pipeline.touch(KEY)
    pipeline.ingest(KEY)
    pipeline.sweep_when_due()
    assert pipeline.get_error(KEY) is None
    pipeline.cloud.jobs.update(jobs)
    pipeline.sweep_when_due()
    assert_transcribed_once(pipeline)


def test_silent_recording_keeps_its_empty_transcript(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, b" ")
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == ""
    delete_transcripts(pipeline)
    pipeline.touch(KEY)
    pipeline.put_raw_result(KEY, b" ")
    pipeline.cloud.put_object(
        OUTPUT_BUCKET, raw_result_key(pipeline.ctx.settings, pipeline.get_done().id), b""
    )
    pipeline.ingest(KEY)
    pipeline.settle()
    assert_transcribed_once(pipeline, b"")


@pytest.mark.parametrize("is_forgotten", [False, True])
@pytest.mark.parametrize("other", [B, NOT_AUDIO], ids=["other words", "failed"])
def test_content_that_comes_back_after_other_content_costs_no_second_job(
    pipeline: InMemoryPipeline, is_forgotten: bool, other: bytes
) -> None:
    transcribe(pipeline)
    pipeline.put_raw_result(KEY, A)
    transcribe(pipeline, other)
    if is_forgotten:
        forget_jobs(pipeline)
    assert pipeline.upload_and_ingest(KEY, A).status is Status.REOPENED
    pipeline.sweep_when_due()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_error(KEY) is None
    assert (pipeline.count_jobs(), pipeline.list_open()) == (2, [])
    for _ in range(2):
        pipeline.touch(KEY)
        assert pipeline.ingest(KEY).status is Status.ALREADY_DONE


@pytest.mark.parametrize("has_raw_result", [True, False])
def test_content_that_comes_back_after_a_failure_is_never_without_an_outcome(
    pipeline: InMemoryPipeline, has_raw_result: bool
) -> None:
    transcribe(pipeline)
    if has_raw_result:
        pipeline.put_raw_result(KEY, A)
    transcribe(pipeline, NOT_AUDIO)
    assert "could not recognise" in (pipeline.get_error(KEY) or {})["message"]
    assert pipeline.get_text(KEY) is None
    forget_jobs(pipeline)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.sweep_when_due()
    pipeline.cloud.clock.advance(DAY_S)
    pipeline.sweep()
    error = pipeline.get_error(KEY)
    if has_raw_result:
        assert (pipeline.get_text(KEY), error) == (A.decode(), None)
    else:
        assert error is not None
        assert "under another name" in error["next_step"]
        assert pipeline.get_text(KEY) is None
    assert pipeline.list_open() == []
    assert pipeline.count_jobs() == 2


def test_touch_while_other_content_is_transcribed_writes_its_words_last(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    pipeline.upload_and_ingest(KEY, B)
    pipeline.cloud.run_jobs()
    assert pipeline.upload_and_ingest(KEY, A).status is Status.REOPENED
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 2


def test_touched_recording_that_is_then_replaced_ends_with_the_new_words(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    delete_transcripts(pipeline)
    forget_jobs(pipeline)
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.REOPENED
    pipeline.upload(KEY, B)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.SUPERSEDED: 1}
    pipeline.ingest(KEY)
    pipeline.settle()
    assert pipeline.get_text(KEY) == B.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == 2


def test_failed_recording_that_is_touched_is_new_work(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, NOT_AUDIO)
    assert pipeline.get_done().state is FAILED
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.SUBMITTED


def test_touched_recording_that_cannot_be_read_any_more_keeps_its_transcripts(
    pipeline: InMemoryPipeline,
) -> None:
    transcribe(pipeline)
    pipeline.touch(KEY)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, refused=400)
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    assert_transcribed_once(pipeline)


def test_refused_job_lookup_keeps_the_receipt_open(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    delete_transcripts(pipeline)
    pipeline.touch(KEY)
    pipeline.ingest(KEY)
    pipeline.cloud.before("GET", "/asr_jobs/", raise_error(RequestRejected(resource=KEY, status=403)))
    assert pipeline.sweep_when_due().errors == 1
    assert pipeline.get_open().state is SUBMITTED
    pipeline.sweep()
    assert_transcribed_once(pipeline)


STEPS = st.lists(
    st.sampled_from(["touch", "event", "sweep", "audit", "forget", "delete one", "delete all"]), max_size=12
)


@given(steps=STEPS)
@settings(max_examples=80, deadline=None)
def test_any_order_of_touches_costs_nothing_and_fails_nothing(steps: list[str]) -> None:
    pipeline = InMemoryPipeline()
    transcribe(pipeline)
    pipeline.put_raw_result(KEY, A)
    assert pipeline.cloud.jobs["s1"].state == SUCCESS
    actions: dict[str, Callable[[], object]] = {
        "touch": lambda: pipeline.touch(KEY),
        "event": lambda: pipeline.ingest(KEY),
        "sweep": pipeline.sweep_when_due,
        "audit": pipeline.audit_when_due,
        "forget": lambda: forget_jobs(pipeline),
        "delete one": lambda: pipeline.cloud.buckets[OUTPUT_BUCKET].pop(f"transcripts/{KEY}.srt", None),
        "delete all": lambda: delete_transcripts(pipeline),
    }
    for step in steps:
        actions[step]()
        assert pipeline.get_error(KEY) is None
        assert pipeline.count_jobs() == 1
    delete_transcripts(pipeline)
    pipeline.touch(KEY)
    pipeline.ingest(KEY)
    pipeline.sweep_when_due()
    assert_transcribed_once(pipeline)
