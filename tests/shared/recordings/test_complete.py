"""From a finished job to its transcripts; and recordings that were overwritten while their job was running."""

from __future__ import annotations

import json

import pytest

from shared.errors import NotFound, OutcomeUnknown, RequestRejected, Throttled
from shared.events import NotifiedJob
from shared.recordings.complete import complete_job, fetch_jobs, process_notification
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED, SUBMITTED, SUPERSEDED, TRANSCRIBED, Receipt, Recording
from shared.tencent.speech_models import JobRequest
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, REGION, FakeCloud, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline

A, B = b"words of the first content", b"other words"
KEY = "calls/a.mp3"
SECOND_BUCKET = "calls-1250000000"


def add_foreign_job(pipeline: InMemoryPipeline, user_data: str, key: str = KEY) -> str:
    """Another program submits a job with this UserData. Return its id."""
    request = JobRequest(key, OUTPUT_BUCKET, REGION, "raw.txt", "16k_zh", user_data=user_data)
    return pipeline.cloud.add_job(INPUT_BUCKET, request).job_id


@pytest.mark.parametrize("formats", [("json",), ("txt", "srt"), ("json", "txt", "srt", "vtt")], ids=len)
def test_transcripts_cost_seven_requests_and_one_for_each_format(formats: tuple[str, ...]) -> None:
    pipeline = InMemoryPipeline(formats=formats)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.take_requests()
    assert pipeline.notify_one("s1").status is Status.TRANSCRIBED
    assert len(pipeline.take_requests()) == 7 + len(formats)
    assert pipeline.list_keys("transcripts/") == [f"transcripts/{KEY}.{extension}" for extension in formats]
    assert pipeline.list_open() == []
    assert pipeline.get_done().state is TRANSCRIBED


def test_receipt_is_closed_after_the_last_object(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.take_requests()
    pipeline.notify("s1")
    writes = [request for request in pipeline.take_requests() if request.method in {"PUT", "DELETE"}]
    assert [request.key.split("/")[1] for request in writes[-2:]] == ["done", "open"]
    assert writes[0].key.startswith(".scribe/index/finished/")
    assert all(request.key.startswith("transcripts/") for request in writes[1:-2])


def test_transcript_says_which_recording_and_job_it_belongs_to(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A, engine="8k_zh", channels="2")
    pipeline.run_and_notify()
    document = json.loads(pipeline.get_output(KEY, "json") or b"")
    receipt = pipeline.get_done()
    assert document["recording"] == {
        "bucket": INPUT_BUCKET,
        "region": REGION,
        "key": KEY,
        "etag": receipt.etag,
        "size": len(A),
    }
    assert (document["engine"], document["channels"], document["job_id"]) == ("8k_zh", 2, "s1")
    assert document["text"] == A.decode()


def test_silence_gives_an_empty_transcript(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, b"  ")
    pipeline.run_and_notify()
    assert pipeline.get_output(KEY, "txt") == b""
    assert pipeline.get_error(KEY) is None


def test_second_notification_changes_nothing(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    objects = dict(pipeline.cloud.buckets[OUTPUT_BUCKET])
    pipeline.cloud.clock.advance(10)
    result = pipeline.notify_one("s1")
    assert (result.status, result.reason) == (Status.ALREADY_DONE, "transcribed")
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == objects


def test_completing_twice_writes_the_same_transcripts(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    receipt = pipeline.get_open()
    pipeline.run_and_notify()
    objects = dict(pipeline.cloud.buckets[OUTPUT_BUCKET])
    pipeline.cloud.buckets[OUTPUT_BUCKET].clear()
    (job,) = fetch_jobs(pipeline.ctx, INPUT_BUCKET, ["s1"]).jobs
    assert complete_job(pipeline.ctx, INPUT_BUCKET, job, receipt=receipt).status is Status.TRANSCRIBED
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == objects


@pytest.mark.parametrize("state", ["Submitted", "Running", "Pause"])
def test_unfinished_job_writes_nothing(pipeline: InMemoryPipeline, state: str) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", state)
    result = pipeline.notify_one("s1")
    assert (result.status, result.reason) == (Status.JOB_RUNNING, state)
    assert pipeline.list_keys("transcripts/") == []
    assert pipeline.get_open().state is SUBMITTED


def test_notification_before_the_job_was_recorded_is_left_to_the_sweep(pipeline: InMemoryPipeline) -> None:
    """Until the receipt notes the job, a neighbour's copy of it looks the same."""

    def finish() -> None:
        pipeline.run_and_notify()

    pipeline.cloud.before("PUT", "open/", finish, skip=1)
    pipeline.upload_and_ingest(KEY, A)
    assert pipeline.list_keys("transcripts/") == []
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_done().state is TRANSCRIBED
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("user_data", ["", "their own text", f"{INPUT_BUCKET}/theirs!" + "0" * 32])
def test_job_of_another_program_is_skipped(pipeline: InMemoryPipeline, user_data: str) -> None:
    pipeline.upload(KEY, A)
    job_id = add_foreign_job(pipeline, user_data)
    pipeline.cloud.run_jobs()
    assert pipeline.notify_one(job_id).status is Status.UNKNOWN_JOB
    assert pipeline.list_keys() == []


@pytest.mark.parametrize(
    "user_data",
    [Recording("others-1250000000", KEY, "e1", 1).id, f"{INPUT_BUCKET}/../../done/x", f"{INPUT_BUCKET}/"],
)
def test_user_data_that_is_no_receipt_of_the_bucket_reads_nothing(
    pipeline: InMemoryPipeline, user_data: str
) -> None:
    pipeline.upload(KEY, A)
    job_id = add_foreign_job(pipeline, user_data)
    pipeline.cloud.run_jobs()
    assert pipeline.notify_one(job_id).status is Status.UNKNOWN_JOB
    assert [request.key for request in pipeline.take_requests()] == [f"/asr_jobs/{job_id}"]


def test_job_of_another_recording_does_not_use_the_receipt(pipeline: InMemoryPipeline) -> None:
    receipt_id = pipeline.upload_and_ingest(KEY, A).receipt_id
    pipeline.upload("other.mp3", B)
    job_id = add_foreign_job(pipeline, receipt_id, "other.mp3")
    pipeline.cloud.run_jobs(job_id)
    assert pipeline.notify_one(job_id).reason == "it is not the job of this recording"
    assert pipeline.list_keys("transcripts/") == []
    assert pipeline.get_open().job_id == "s1"


@pytest.mark.parametrize("shown_key", ["/" + KEY, f" {KEY} "])
def test_job_of_the_recording_is_recognised_by_its_key(pipeline: InMemoryPipeline, shown_key: str) -> None:
    pipeline.cloud.after("POST", "", raise_error(OutcomeUnknown(resource=KEY, code="NoAnswer")))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.cloud.jobs["s1"] = pipeline.cloud.jobs["s1"]._replace(input_key=shown_key)
    assert pipeline.notify_one("s1").status is Status.IN_PROGRESS
    pipeline.settle()
    assert (pipeline.get_done().job_id, pipeline.count_jobs()) == ("s1", 1)
    assert pipeline.get_text(KEY) == A.decode()


def test_unknown_job_is_reported(pipeline: InMemoryPipeline) -> None:
    assert pipeline.notify_one("s404").status is Status.UNKNOWN_JOB
    assert pipeline.list_keys() == []


def build_two_buckets() -> InMemoryPipeline:
    cloud = FakeCloud(buckets={INPUT_BUCKET: {}, SECOND_BUCKET: {}, OUTPUT_BUCKET: {}})
    return InMemoryPipeline(cloud, input_buckets=(INPUT_BUCKET, SECOND_BUCKET))


@pytest.mark.parametrize(
    ("hint", "expected"),
    [
        ("", [INPUT_BUCKET, SECOND_BUCKET]),
        (SECOND_BUCKET, [SECOND_BUCKET, INPUT_BUCKET]),
        ("strangers-1250000000", [INPUT_BUCKET, SECOND_BUCKET]),
    ],
)
def test_hint_only_decides_which_bucket_is_queried_first(hint: str, expected: list[str]) -> None:
    pipeline = build_two_buckets()
    process_notification(pipeline.ctx, [NotifiedJob("s404", hint)])
    assert [request.bucket for request in pipeline.take_requests()] == expected


def test_rejected_query_goes_on_with_the_next_bucket() -> None:
    pipeline = build_two_buckets()
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    rejection = RequestRejected(resource="s1", status=400, code="InvalidArgument")
    pipeline.cloud.before("GET", "/asr_jobs", raise_error(rejection))
    results = process_notification(pipeline.ctx, [NotifiedJob("s1", SECOND_BUCKET)])
    assert [result.status for result in results] == [Status.TRANSCRIBED]
    assert "job_lookup_failed" in pipeline.get_events("warning")


@pytest.mark.parametrize(
    "error",
    [
        RequestRejected(resource="s1", status=403, code="AccessDenied"),
        OutcomeUnknown(resource="s1", code="NoAnswer"),
        Throttled(resource="s1", status=503, code="SlowDown"),
    ],
    ids=lambda error: error.code,
)
def test_failed_query_is_raised_and_the_receipt_stays_open(
    pipeline: InMemoryPipeline, error: Exception
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("GET", "/asr_jobs", raise_error(error))
    with pytest.raises(type(error)):
        pipeline.notify("s1")
    assert pipeline.get_open().job_id == "s1"
    assert pipeline.get_events("error") == ["job_failed"]


@pytest.mark.parametrize(
    "error",
    [
        RequestRejected(resource="s1", status=403, code="AccessDenied"),
        OutcomeUnknown(resource="s1", status=500),
    ],
    ids=str,
)
def test_bucket_that_cannot_be_queried_does_not_hide_the_job_of_another(error: Exception) -> None:
    pipeline = build_two_buckets()
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("GET", "/asr_jobs", raise_error(error))
    results = process_notification(pipeline.ctx, [NotifiedJob("s1", SECOND_BUCKET)])
    assert [result.status for result in results] == [Status.TRANSCRIBED]


def test_failure_of_one_job_does_not_stop_the_others(pipeline: InMemoryPipeline) -> None:
    for key, body in (("a.mp3", A), ("b.mp3", B)):
        pipeline.upload_and_ingest(key, body)
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("PUT", "a.mp3.json", raise_error(Throttled(resource="a", code="SlowDown")))
    with pytest.raises(Throttled):
        pipeline.notify("s1", "s2")
    assert pipeline.get_text("b.mp3") == B.decode()
    assert pipeline.get_open().key == "a.mp3"
    pipeline.notify("s1")
    assert pipeline.get_text("a.mp3") == A.decode()


@pytest.mark.parametrize(
    ("state", "code", "word"),
    [
        ("Failed", "FailedOperation.Unlisted", "could not recognise"),
        ("Failed", "InternalError", "failed while it worked"),
        ("Cancel", "Success", "cancelled"),
    ],
)
def test_job_without_a_result_gives_an_error_object(
    pipeline: InMemoryPipeline, state: str, code: str, word: str
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", state, code, "无法识别")
    pipeline.take_requests()
    assert pipeline.notify_one("s1").status is Status.FAILED
    assert len(pipeline.take_requests()) <= 9
    error = pipeline.get_error(KEY)
    assert error is not None
    assert word in error["message"]
    assert (error["job_id"], error["code"], error["cloud_message"]) == ("s1", code, "无法识别")
    assert pipeline.get_done().state is FAILED
    assert pipeline.list_open() == []


def test_error_object_is_replaced_by_a_late_result(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(90_000)
    pipeline.sweep()
    assert pipeline.get_error(KEY) is not None
    assert pipeline.get_done().state is FAILED
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.get_done().state is TRANSCRIBED
    assert pipeline.count_jobs() == 1


def test_late_failure_does_not_replace_the_error_object(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(90_000)
    pipeline.sweep()
    objects = dict(pipeline.cloud.buckets[OUTPUT_BUCKET])
    pipeline.cloud.end_job("s1", "Failed", "InternalError")
    assert pipeline.notify_one("s1").status is Status.ALREADY_DONE
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == objects


def test_failure_of_an_earlier_job_waits_for_the_later_one(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    request = pipeline.cloud.job_requests[0]
    earlier = pipeline.cloud.add_job(INPUT_BUCKET, request).job_id
    pipeline.cloud.end_job(earlier, "Failed", "InternalError")
    result = pipeline.notify_one(earlier)
    assert (result.status, result.reason) == (Status.IN_PROGRESS, "a later job is running")
    assert pipeline.get_error(KEY) is None
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == A.decode()


def test_deleted_recording_still_gets_its_paid_transcript(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.delete(KEY)
    assert pipeline.notify_one("s1").status is Status.TRANSCRIBED
    assert pipeline.get_text(KEY) == A.decode()


# Overwritten recordings. Both jobs below read B, because A's job waited until B was there.


def upload_two(pipeline: InMemoryPipeline, first: bytes = A, second: bytes = B) -> tuple[Receipt, Receipt]:
    """Upload two contents under one key; both jobs then read the second. Return both open receipts."""
    for body in (first, second):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.cloud.clock.advance(2)
    pipeline.cloud.run_jobs()
    older, newer = sorted(pipeline.list_open(), key=lambda receipt: receipt.job_id)
    return older, newer


@pytest.mark.parametrize("order", [("s1", "s2"), ("s2", "s1")], ids="-".join)
def test_job_of_replaced_content_writes_nothing(pipeline: InMemoryPipeline, order: tuple[str, ...]) -> None:
    upload_two(pipeline)
    statuses = {job_id: pipeline.notify_one(job_id).status for job_id in order}
    assert statuses == {"s1": Status.SUPERSEDED, "s2": Status.TRANSCRIBED}
    document = json.loads(pipeline.get_output(KEY, "json") or b"")
    assert (document["job_id"], document["text"]) == ("s2", B.decode())
    assert {receipt.job_id: receipt.state for receipt in pipeline.list_done()} == {
        "s1": SUPERSEDED,
        "s2": TRANSCRIBED,
    }
    assert pipeline.list_open() == []


@pytest.mark.parametrize("order", [("s1", "s2"), ("s2", "s1")], ids="-".join)
def test_failure_of_replaced_content_is_not_written(
    pipeline: InMemoryPipeline, order: tuple[str, ...]
) -> None:
    for body in (NOT_AUDIO, A):
        pipeline.upload_and_ingest(KEY, body)
    pipeline.cloud.end_job("s1", "Failed", "FailedOperation.Unlisted")
    pipeline.cloud.run_jobs("s2")
    pipeline.notify(*order)
    assert pipeline.get_error(KEY) is None
    assert pipeline.get_text(KEY) == A.decode()


def test_content_restored_during_its_job_gets_a_separate_job(pipeline: InMemoryPipeline) -> None:
    upload_two(pipeline)
    pipeline.upload(KEY, A)
    assert pipeline.notify_one("s1").status is Status.DEFERRED
    assert pipeline.get_text(KEY) is None
    assert "content_changed_during_job" in pipeline.get_events("warning")
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 3
    done = {receipt.etag: receipt for receipt in pipeline.list_done()}[pipeline.build_receipt(KEY, A).etag]
    assert (done.job_id, done.superseded_job_ids) == ("s3", ("s1",))


def test_job_that_was_set_aside_is_not_used_again(pipeline: InMemoryPipeline) -> None:
    upload_two(pipeline)
    pipeline.upload(KEY, A)
    pipeline.notify("s1")
    result = pipeline.notify_one("s1")
    assert (result.status, result.job_id) == (Status.IN_PROGRESS, "s1")
    assert pipeline.get_text(KEY) is None
    pipeline.settle()
    objects = dict(pipeline.cloud.buckets[OUTPUT_BUCKET])
    assert pipeline.notify_one("s1").status is Status.ALREADY_DONE
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == objects


def test_job_that_was_set_aside_does_not_replace_a_later_error(
    pipeline: InMemoryPipeline,
) -> None:
    upload_two(pipeline)
    pipeline.upload(KEY, A)
    pipeline.notify("s1")
    pipeline.sweep_when_due()
    pipeline.cloud.end_job("s3", "Failed", "InternalError")
    pipeline.notify("s3")
    objects = dict(pipeline.cloud.buckets[OUTPUT_BUCKET])
    assert pipeline.get_error(KEY) is not None
    assert pipeline.notify_one("s1").status is Status.ALREADY_DONE
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == objects


def test_failure_on_other_content_does_not_fail_restored_content(
    pipeline: InMemoryPipeline,
) -> None:
    upload_two(pipeline, A, NOT_AUDIO)
    pipeline.upload(KEY, A)
    assert pipeline.notify_one("s1").status is Status.DEFERRED
    pipeline.settle()
    assert pipeline.get_error(KEY) is None
    assert pipeline.get_text(KEY) == A.decode()


def test_job_of_other_content_is_not_used_for_a_deleted_recording(
    pipeline: InMemoryPipeline,
) -> None:
    upload_two(pipeline)
    pipeline.delete(KEY)
    assert pipeline.notify_one("s1").status is Status.SUPERSEDED
    assert pipeline.get_text(KEY) is None
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == A.decode()


def test_content_from_before_the_recording_cannot_have_been_read(pipeline: InMemoryPipeline) -> None:
    for body in (B, A, A):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.cloud.clock.advance(2)
    pipeline.cloud.run_jobs()
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 2


def test_same_content_uploaded_twice_during_its_job_is_paid_once(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1


def test_content_restored_while_its_receipt_is_closed_is_transcribed(
    pipeline: InMemoryPipeline,
) -> None:
    upload_two(pipeline)
    pipeline.cloud.before("PUT", "done/", lambda: pipeline.upload_and_ingest(KEY, A))
    result = pipeline.notify_one("s1")
    assert (result.status, result.reason) == (Status.DEFERRED, "the content came back")
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 3


def test_receipt_that_another_attempt_changed_is_left_to_it(pipeline: InMemoryPipeline) -> None:
    stale, _ = upload_two(pipeline)
    (job,) = fetch_jobs(pipeline.ctx, INPUT_BUCKET, ["s1"]).jobs

    def close_and_come_back() -> None:
        pipeline.notify("s1")
        pipeline.cloud.clock.advance(2)
        pipeline.upload_and_ingest(KEY, A)

    pipeline.cloud.before("HEAD", KEY, close_and_come_back)
    result = complete_job(pipeline.ctx, INPUT_BUCKET, job, receipt=stale)
    assert (result.status, result.reason) == (Status.IN_PROGRESS, "another attempt continued")
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 3


def transcribe_two(pipeline: InMemoryPipeline) -> None:
    """Transcribe A, then B under the same key."""
    for body in (A, B):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.run_and_notify()
        pipeline.cloud.clock.advance(2)


def test_reopened_transcript_is_kept_when_other_content_comes_first(
    pipeline: InMemoryPipeline,
) -> None:
    transcribe_two(pipeline)
    for body in (A, B):
        assert pipeline.upload_and_ingest(KEY, body).status is Status.REOPENED
        pipeline.cloud.clock.advance(2)
    pipeline.settle()
    assert pipeline.get_text(KEY) == B.decode()
    assert [receipt.state for receipt in pipeline.list_done()] == [TRANSCRIBED, TRANSCRIBED]
    assert pipeline.upload_and_ingest(KEY, A).status is Status.REOPENED
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 2


def test_transcribed_job_belongs_to_restored_content(
    pipeline: InMemoryPipeline,
) -> None:
    transcribe_two(pipeline)
    for body in (A, B):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.cloud.clock.advance(2)
    pipeline.upload(KEY, A)
    assert pipeline.notify_one("s1").status is Status.TRANSCRIBED
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 2


def test_event_of_restored_content_submits_it_before_the_callback(
    pipeline: InMemoryPipeline,
) -> None:
    upload_two(pipeline)
    pipeline.cloud.before("PUT", "done/", lambda: pipeline.upload(KEY, A))
    pipeline.cloud.before("PUT", "open/", lambda: pipeline.ingest(KEY))
    assert pipeline.notify_one("s1").status is Status.SUPERSEDED
    assert {receipt.job_id for receipt in pipeline.list_open()} == {"s2", "s3"}
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 3


def test_failed_read_of_the_recording_writes_nothing(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("HEAD", KEY, raise_error(OutcomeUnknown(resource=KEY, code="NoAnswer")))
    with pytest.raises(OutcomeUnknown):
        pipeline.notify("s1")
    assert pipeline.get_text(KEY) is None
    assert pipeline.get_open().job_id == "s1"


def test_unknown_job_id_form_is_no_error(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.before(
        "GET", "/asr_jobs", raise_error(NotFound(resource="x", status=404, code="NoSuchJob"))
    )
    assert pipeline.notify_one("x").status is Status.UNKNOWN_JOB
