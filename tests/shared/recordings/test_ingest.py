"""From an upload to its job: each recording is submitted once, and what is not submitted is explained or kept."""

from __future__ import annotations

import pytest

from cli.config import PROJECT_FOLDER
from shared.errors import (
    CloudError,
    DeadlineExceeded,
    NotFound,
    OutcomeUnknown,
    QueueFull,
    RequestRejected,
    Throttled,
)
from shared.recordings.ingest import ingest
from shared.recordings.models import Result, Status
from shared.recordings.options import MAX_RECORDING_BYTES
from shared.recordings.receipt import DEFERRED, FAILED, SUBMITTED, SUBMITTING, SUPERSEDED, TRANSCRIBED
from shared.tencent.speech_models import JobRequest, Queue
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, REGION, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline, count_statuses

A, B = b"words of the first content", b"other words"
KEY = "calls/a.mp3"


def submit_error(error_class: type[CloudError], code: str, status: int = 403) -> CloudError:
    return error_class(
        resource=f"{INPUT_BUCKET}/{KEY}", status=status, code=code, message=f"says {code}", request_id="rq1"
    )


def test_new_recording_is_submitted_with_eight_requests(pipeline: InMemoryPipeline) -> None:
    result = pipeline.upload_and_ingest(KEY, A)
    assert (result.status, result.job_id) == (Status.SUBMITTED, "s1")
    methods = [(request.method, request.key.split("/")[1]) for request in pipeline.take_requests()]
    assert methods == [
        ("HEAD", "a.mp3"),
        ("GET", "done"),
        ("GET", "a.mp3.scribe.json"),
        ("PUT", "open"),
        ("GET", "open"),
        ("GET", "done"),
        ("POST", "asr_jobs"),
        ("PUT", "open"),
    ]


def test_job_names_recording_receipt_and_output(pipeline: InMemoryPipeline) -> None:
    result = pipeline.upload_and_ingest(KEY, A)
    assert pipeline.cloud.job_requests == [
        JobRequest(
            input_key=KEY,
            output_bucket=OUTPUT_BUCKET,
            output_region=REGION,
            output_key=f".scribe/raw/{result.receipt_id}.txt",
            engine="16k_zh",
            channels=1,
            user_data=f"{result.receipt_id}#secret-1",
            speech={
                "EngineModelType": "16k_zh",
                "ChannelNum": "1",
                "ResTextFormat": "2",
                "ConvertNumMode": "1",
            },
        )
    ]


def test_receipt_records_the_job_and_the_content(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    expected = pipeline.build_receipt(KEY, A, nonce=pipeline.get_open().nonce, job_id="s1")
    assert pipeline.get_open() == expected
    assert pipeline.get_open().state is SUBMITTED


def test_metadata_and_settings_decide_the_job() -> None:
    pipeline = InMemoryPipeline(engine="16k_en", queue_id="p9", output_bucket="")
    pipeline.upload_and_ingest("plain.mp3", A)
    pipeline.upload_and_ingest("call.mp3", B, engine="8k_zh", channels="2")
    plain, call = pipeline.cloud.job_requests
    assert (plain.engine, plain.channels, plain.queue_id) == ("16k_en", 1, "p9")
    assert (call.engine, call.channels, call.output_bucket) == ("8k_zh", 2, INPUT_BUCKET)


@pytest.mark.parametrize(
    ("bucket", "key", "status", "reason"),
    [
        ("strangers-1250000000", "a.mp3", Status.UNKNOWN_BUCKET, ""),
        (INPUT_BUCKET, "in/folder/", Status.SKIPPED, "a folder marker"),
        (INPUT_BUCKET, "transcripts/a.mp3.txt", Status.SKIPPED, "an output of Scribe"),
        (INPUT_BUCKET, ".scribe/raw/a.txt", Status.SKIPPED, "an output of Scribe"),
        (INPUT_BUCKET, "elsewhere/a.mp3", Status.SKIPPED, "outside INPUT_PREFIX"),
    ],
)
def test_object_that_is_no_recording_costs_no_request(
    bucket: str, key: str, status: Status, reason: str
) -> None:
    pipeline = InMemoryPipeline(input_prefix="in/", output_bucket="")
    assert ingest(pipeline.ctx, bucket, key) == Result(status, bucket, key, reason=reason)
    assert pipeline.cloud.requests == []


def test_deleted_recording_is_reported_and_nothing_is_written(pipeline: InMemoryPipeline) -> None:
    assert pipeline.ingest(KEY) == Result(Status.OBJECT_NOT_FOUND, INPUT_BUCKET, KEY)
    assert pipeline.list_keys() == []


def test_redelivered_event_submits_no_second_job(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    open_receipt = pipeline.get_open()
    pipeline.take_requests()
    assert pipeline.ingest(KEY).status is Status.IN_PROGRESS
    assert len(pipeline.take_requests()) <= 4
    assert pipeline.get_open() == open_receipt
    pipeline.run_and_notify()
    objects = dict(pipeline.cloud.buckets[OUTPUT_BUCKET])
    pipeline.take_requests()
    result = pipeline.ingest(KEY)
    assert (result.status, result.reason, result.job_id) == (Status.ALREADY_DONE, "transcribed", "s1")
    assert len(pipeline.take_requests()) <= 3
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == objects
    assert pipeline.count_jobs() == 1


def test_new_content_under_the_same_key_is_new_work(pipeline: InMemoryPipeline) -> None:
    for body in (A, B):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.run_and_notify()
        assert pipeline.get_text(KEY) == body.decode()
    assert pipeline.count_jobs() == 2


@pytest.mark.parametrize(
    ("size", "metadata", "word"),
    [
        (0, {}, "0 bytes"),
        (MAX_RECORDING_BYTES + 1, {}, "512 MB"),
        (9, {"channels": "7"}, "x-cos-meta-channels"),
        (9, {"engine": "no engine"}, "x-cos-meta-engine"),
    ],
)
def test_recording_that_cannot_be_submitted_costs_no_job_and_is_explained(
    pipeline: InMemoryPipeline, size: int, metadata: dict[str, str], word: str
) -> None:
    pipeline.cloud.put_object(INPUT_BUCKET, KEY, b"", metadata, size=size)
    assert pipeline.ingest(KEY).status is Status.FAILED
    error = pipeline.get_error(KEY)
    assert error is not None
    assert word in error["message"]
    assert pipeline.get_done().state is FAILED
    assert pipeline.list_open() == []
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    assert pipeline.count_jobs() == 0


def test_largest_recording_is_submitted(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.put_object(INPUT_BUCKET, KEY, b"", size=MAX_RECORDING_BYTES)
    assert pipeline.ingest(KEY).status is Status.SUBMITTED


def test_control_character_in_the_key_costs_no_job_and_is_explained(pipeline: InMemoryPipeline) -> None:
    assert pipeline.upload_and_ingest("bell\x07.mp3", A).status is Status.FAILED
    error = pipeline.get_error("bell\x07.mp3")
    assert error is not None
    assert "control character" in error["message"]
    assert pipeline.count_jobs() == 0
    assert pipeline.list_open() == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (submit_error(Throttled, "SlowDown", 503), "throttled"),
        (submit_error(QueueFull, "QueueFull"), "the queue is full"),
    ],
    ids=["throttled", "queue full"],
)
def test_recording_is_kept_until_the_queue_accepts_it(
    pipeline: InMemoryPipeline, error: CloudError, reason: str
) -> None:
    pipeline.cloud.before("POST", "", raise_error(error))
    result = pipeline.upload_and_ingest(KEY, A)
    assert (result.status, result.reason) == (Status.DEFERRED, reason)
    assert pipeline.get_open().state is DEFERRED
    assert pipeline.get_error(KEY) is None
    assert "submit_deferred" in pipeline.get_events("warning")
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1


def test_full_queue_defers_what_it_cannot_take(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.queues = [Queue("p1", "queue", "Active", max_size=2, max_concurrent=1)]
    statuses = [pipeline.upload_and_ingest(f"{number}.mp3", A).status for number in range(3)]
    assert statuses == [Status.SUBMITTED, Status.SUBMITTED, Status.DEFERRED]
    pipeline.settle()
    assert pipeline.count_jobs() == 3
    assert [pipeline.get_text(f"{number}.mp3") for number in range(3)] == [A.decode()] * 3


@pytest.mark.parametrize("is_submitted", [True, False])
def test_lost_response_to_the_submit_pays_once(pipeline: InMemoryPipeline, is_submitted: bool) -> None:
    lost = raise_error(OutcomeUnknown(resource=KEY, code="NoAnswer"))
    (pipeline.cloud.after if is_submitted else pipeline.cloud.before)("POST", "", lost)
    result = pipeline.upload_and_ingest(KEY, A)
    assert (result.status, result.job_id) == (Status.IN_PROGRESS, "")
    assert pipeline.get_open().state is SUBMITTING
    assert pipeline.get_events("warning") == ["submit_outcome_unknown"]
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1


def test_permanent_rejection_is_explained_and_closed(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.before("POST", "", raise_error(submit_error(RequestRejected, "InvalidArgument", 400)))
    assert pipeline.upload_and_ingest(KEY, A).status is Status.FAILED
    error = pipeline.get_error(KEY)
    assert error is not None
    assert (error["code"], error["cloud_message"], error["request_id"]) == (
        "InvalidArgument",
        "says InvalidArgument",
        "rq1",
    )
    assert pipeline.list_open() == []
    assert pipeline.get_done().state is FAILED


def test_rejection_that_the_operator_can_fix_is_explained_and_kept(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.before("POST", "", raise_error(submit_error(NotFound, "AsrBucketUnBinded")))
    assert pipeline.upload_and_ingest(KEY, A).status is Status.DEFERRED
    error = pipeline.get_error(KEY)
    assert error is not None
    assert error["retried_automatically"] is True
    assert pipeline.get_events("error") == ["operator_action_required"]
    assert count_statuses(pipeline.sweep_when_due()) == {Status.SUBMITTED: 1}
    pipeline.run_and_notify()
    assert pipeline.get_error(KEY) is None
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.list_claims() == []


def test_failed_recording_that_is_uploaded_again_is_new_work(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.notify("s1")
    assert pipeline.get_error(KEY) is not None
    pipeline.cloud.clock.advance(2)
    assert pipeline.upload_and_ingest(KEY, A).status is Status.SUBMITTED
    assert pipeline.get_open().superseded_job_ids == ("s1",)
    pipeline.run_and_notify()
    assert pipeline.get_error(KEY) is None
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_done().all_job_ids == ("s1", "s2")


def test_transcribed_content_that_is_restored_is_not_paid_again(pipeline: InMemoryPipeline) -> None:
    for body in (A, B):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.run_and_notify()
        pipeline.cloud.clock.advance(2)
    result = pipeline.upload_and_ingest(KEY, A)
    assert (result.status, result.job_id) == (Status.REOPENED, "s1")
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 2
    assert [receipt.state for receipt in pipeline.list_done()] == [TRANSCRIBED, TRANSCRIBED]
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE


@pytest.mark.parametrize("pause_s", [0, 2], ids=["in the same second", "later"])
def test_superseded_content_that_is_restored_is_new_work(pipeline: InMemoryPipeline, pause_s: float) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.upload_and_ingest(KEY, B)
    pipeline.run_and_notify()
    pipeline.cloud.clock.advance(pause_s)
    assert pipeline.upload_and_ingest(KEY, A).status is Status.SUBMITTED
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 3


def test_delivery_that_paused_while_another_did_all_the_work_pays_nothing(
    pipeline: InMemoryPipeline,
) -> None:
    def deliver_and_finish() -> None:
        pipeline.ingest(KEY)
        pipeline.run_and_notify()

    pipeline.cloud.before("PUT", "open/", deliver_and_finish)
    assert pipeline.upload_and_ingest(KEY, A).status is Status.ALREADY_DONE
    assert pipeline.count_jobs() == 1
    assert pipeline.list_open() == []


def test_delivery_paused_until_its_content_was_superseded_restarts(
    pipeline: InMemoryPipeline,
) -> None:
    def supersede() -> None:
        pipeline.ingest(KEY)
        pipeline.upload_and_ingest(KEY, B)
        pipeline.run_and_notify()
        pipeline.cloud.clock.advance(2)

    pipeline.cloud.before("PUT", "open/", supersede)
    pipeline.upload(KEY, A)
    result = pipeline.ingest(KEY)
    assert (result.status, result.job_id) == (Status.ALREADY_DONE, "s2")
    assert pipeline.get_text(KEY) == B.decode()
    assert [receipt.state for receipt in pipeline.list_done()] == [SUPERSEDED, TRANSCRIBED]
    assert pipeline.list_open() == []


@pytest.mark.parametrize(("pause_s", "jobs"), [(95.0, 1), (97.0, 0)])
def test_attempt_that_paused_for_most_of_its_lease_submits_nothing(
    pipeline: InMemoryPipeline, pause_s: float, jobs: int
) -> None:
    pipeline.cloud.before("GET", "open/", lambda: pipeline.cloud.clock.advance(pause_s))
    pipeline.upload_and_ingest(KEY, A)
    assert pipeline.count_jobs() == jobs
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert pipeline.get_text(KEY) == A.decode()


def test_second_writer_on_a_versioned_bucket_pays_once(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    pipeline.upload(KEY, A)

    def deliver_again() -> None:
        with pytest.raises(Throttled, match="ClaimedByAnother"):
            pipeline.ingest(KEY)

    pipeline.cloud.before("LIST", ".scribe/claim/", deliver_again)
    assert pipeline.ingest(KEY).status is Status.SUBMITTED
    assert pipeline.ingest(KEY).status is Status.IN_PROGRESS
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("number", range(4))
def test_error_before_the_submit_is_raised_so_that_the_event_comes_again(
    pipeline: InMemoryPipeline, number: int
) -> None:
    pipeline.cloud.before("", "", raise_error(Throttled(resource=KEY, code="SlowDown")), skip=number)
    pipeline.upload(KEY, A)
    with pytest.raises(Throttled):
        pipeline.ingest(KEY)
    assert pipeline.count_jobs() == 0
    pipeline.ingest(KEY)
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert pipeline.get_text(KEY) == A.decode()


def test_without_time_left_nothing_is_begun(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)
    pipeline.cloud.remaining_s = 0.5
    with pytest.raises(DeadlineExceeded):
        pipeline.ingest(KEY)
    assert pipeline.list_keys() == []


def test_options_that_became_invalid_do_not_close_work_in_flight(pipeline: InMemoryPipeline) -> None:
    """The metadata was changed while the job runs: its result is paid, and is still written."""
    pipeline.upload_and_ingest(KEY, A)
    pipeline.upload(KEY, A, channels="7")
    assert pipeline.ingest(KEY).status is Status.IN_PROGRESS
    assert pipeline.get_error(KEY) is None
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1


def test_remedy_of_the_guides_for_a_wrong_language_works(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest("a.mp3", A)
    pipeline.run_and_notify()
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest("a.mp3", A, **{"scribe-engine": "16k_en"})
    assert [request.engine for request in pipeline.cloud.job_requests] == ["16k_zh", "16k_en"]
    for guide, remedy in (
        (
            "deploy.md",
            "[upload it again with the right language](options.md#a-wrong-language-put-right), such as",
        ),
        ("deploy.zh.md", "[带上正确的语言重新上传](options.zh.md#语言选错了怎么改)，例如"),
    ):
        assert f"{remedy} `x-cos-meta-scribe-engine: 16k_en`" in (PROJECT_FOLDER / "docs" / guide).read_text(
            "utf-8"
        )
