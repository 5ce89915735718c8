"""One bad member of a batch, one odd answer, one large object: each costs itself only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from shared.errors import CloudError, DeadlineExceeded, OutcomeUnknown, RequestRejected, Throttled
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED, TRANSCRIBED, Recording
from shared.recordings.receipt_store import MAX_RECEIPT_BYTES, STATE_METADATA
from shared.tencent.client import MAX_BODY_BYTES
from shared.tencent.cos import ObjectMetadata
from shared.tencent.speech_models import SUCCESS, JobLookup, JobResult
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, raise_error
from tests.helpers.fakes import FakeSpeech
from tests.helpers.in_memory_pipeline import InMemoryPipeline, count_statuses

DAY_S = 86_400
ERRORS: dict[str, CloudError] = {
    "500": OutcomeUnknown(resource="x", status=500, code="InternalError"),
    "502": OutcomeUnknown(resource="x", status=502),
    "hang-up": OutcomeUnknown(resource="x", code="NoAnswer"),
    "400": RequestRejected(resource="x", status=400, code="InvalidArgument"),
    "403": RequestRejected(resource="x", status=403),
    "throttled": Throttled(resource="x", status=503, code="SlowDown"),
}


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    return InMemoryPipeline(formats=("txt",))


def submit_many(pipeline: InMemoryPipeline, number: int) -> None:
    for index in range(number):
        pipeline.upload_and_ingest(f"{index:02}.mp3", f"words {index}".encode())
    pipeline.cloud.run_jobs()


class BadMember(FakeSpeech):
    """Every query that names this job fails."""

    job_id: str
    error: Exception

    def get_jobs(
        self, bucket: str, job_ids: Sequence[str], *, detail_parser: Callable[[Any], Any] | None = None
    ) -> JobLookup:
        if self.job_id in job_ids:
            raise self.error
        return super().get_jobs(bucket, job_ids, detail_parser=detail_parser)


def add_bad_member(pipeline: InMemoryPipeline, job_id: str, error: Exception) -> None:
    speech = BadMember(pipeline.cloud)
    speech.job_id, speech.error = job_id, error
    pipeline.ctx.speech = speech


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_bad_job_of_a_batch_does_not_hold_up_the_others(
    pipeline: InMemoryPipeline, error: CloudError
) -> None:
    submit_many(pipeline, 10)
    add_bad_member(pipeline, "s4", error)
    summary = pipeline.sweep_when_due()
    assert (summary.counts, summary.errors) == ({"transcribed": 9}, 1)
    assert [receipt.job_id for receipt in pipeline.list_open()] == ["s4"]


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_bad_job_is_reported_when_it_is_overdue(pipeline: InMemoryPipeline, error: CloudError) -> None:
    submit_many(pipeline, 2)
    add_bad_member(pipeline, "s2", error)
    pipeline.cloud.clock.advance(DAY_S + 1)
    pipeline.sweep()
    assert pipeline.get_text("00.mp3") == "words 0"
    assert "GIVE_UP_AFTER" in (pipeline.get_error("01.mp3") or {})["message"]
    assert pipeline.list_open() == []


def test_sweep_that_runs_out_of_time_goes_on_after_what_was_slow(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 25)
    add_bad_member(pipeline, "s1", DeadlineExceeded("no time is left"))
    assert pipeline.sweep_when_due().stopped_early
    assert count_statuses(pipeline.sweep()) == {Status.TRANSCRIBED: 15}
    pipeline.ctx.speech = FakeSpeech(pipeline.cloud)
    assert count_statuses(pipeline.sweep()) == {Status.TRANSCRIBED: 10}


class ExtraMembers(FakeSpeech):
    """Every answer about some jobs has all jobs of the bucket."""

    def get_jobs(
        self, bucket: str, job_ids: Sequence[str], *, detail_parser: Callable[[Any], Any] | None = None
    ) -> JobLookup:
        return super().get_jobs(bucket, list(self.cloud.jobs), detail_parser=detail_parser)


def test_jobs_that_were_not_asked_for_are_not_completed(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 2)
    pipeline.ctx.speech = ExtraMembers(pipeline.cloud)
    assert pipeline.notify_one("s404").status is Status.UNKNOWN_JOB
    assert pipeline.list_keys("transcripts/") == []
    assert pipeline.notify_one("s2").status is Status.TRANSCRIBED
    assert (pipeline.get_text("00.mp3"), pipeline.get_text("01.mp3")) == (None, "words 1")


PLANTED = {
    "garbage": b"\x00\xff no receipt",
    "json": b'{"version": 3, "id": "x"}',
    "list": b"[]",
    "large": b"x" * (MAX_RECEIPT_BYTES + 1),
}


@pytest.mark.parametrize("body", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("folder", ["open", "done"])
def test_object_that_is_no_receipt_costs_itself_only(
    pipeline: InMemoryPipeline, body: bytes, folder: str
) -> None:
    """Also one that has the place of other content under the same key."""
    submit_many(pipeline, 1)
    for key in ("00.mp3", "aa.mp3"):
        planted_id = Recording(INPUT_BUCKET, key, "planted", 1).id
        pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/{folder}/{planted_id}", body)
    pipeline.touch("00.mp3")  # so that receipts of other content are looked at
    pipeline.take_requests()
    pipeline.sweep_when_due()
    assert pipeline.get_text("00.mp3") == "words 0"
    read = [request.key for request in pipeline.take_requests() if request.method == "GET"]
    if folder == "open":
        assert "receipt_unreadable" in pipeline.get_events("error")
    if len(body) > MAX_RECEIPT_BYTES:
        assert not [key for key in read if "!planted" in key]


@pytest.mark.parametrize(
    "region", ["evil.example/x?", "evil.example", "", "ap-guangzhou@evil", "ap/guangzhou"]
)
def test_receipt_whose_region_is_an_address_is_not_used(pipeline: InMemoryPipeline, region: str) -> None:
    submit_many(pipeline, 1)
    (receipt,) = pipeline.list_open()
    pipeline.put_open(receipt._replace(region=region))
    pipeline.take_requests()
    summary = pipeline.sweep_when_due()
    assert (summary.counts, summary.errors) == ({}, 1)
    assert "receipt_unreadable" in pipeline.get_events("error")
    assert all(request.bucket == OUTPUT_BUCKET for request in pipeline.take_requests())


def test_receipt_under_the_id_of_another_recording_is_not_used(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 2)
    first, second = pipeline.list_open()
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/open/{first.id}", second.to_json())
    summary = pipeline.sweep_when_due()
    assert (summary.counts, summary.errors) == ({"transcribed": 1}, 1)


@pytest.mark.parametrize("body", [b"x" * 5000, b"zzz", b"\xff\x00"], ids=["large", "no receipt", "bytes"])
def test_cursor_that_is_none_starts_a_new_round(pipeline: InMemoryPipeline, body: bytes) -> None:
    submit_many(pipeline, 2)
    pipeline.cloud.put_object(OUTPUT_BUCKET, ".scribe/sweep-cursor", body)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 2}
    assert pipeline.list_keys(".scribe/sweep-cursor") == []


@pytest.mark.parametrize("body", [b"x" * 5000, b"[]", b"\xff"], ids=["large", "no object", "bytes"])
def test_audit_cursor_that_is_none_is_removed_after_the_round(
    pipeline: InMemoryPipeline, body: bytes
) -> None:
    pipeline.upload("a.mp3", b"words")
    pipeline.cloud.put_object(OUTPUT_BUCKET, ".scribe/audit-cursor", body)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    assert pipeline.list_keys(".scribe/audit-cursor") == []


NO_TEXT = {
    "no result": None,
    "time and name only": JobResult("3.2", "", (), (), object_name="raw.txt", has_text=False),
}


def end_without_text(pipeline: InMemoryPipeline, result: JobResult | None) -> JobResult | None:
    """End the job as Success without its text, and return the text that comes later."""
    pipeline.upload_and_ingest("a.mp3", b"late words")
    pipeline.cloud.run_jobs()
    complete = pipeline.cloud.jobs["s1"]
    pipeline.cloud.jobs["s1"] = complete._replace(state=SUCCESS, result=result)
    return complete.result


@pytest.mark.parametrize("result", NO_TEXT.values(), ids=NO_TEXT)
def test_success_without_text_is_looked_at_again(
    pipeline: InMemoryPipeline, result: JobResult | None
) -> None:
    late_result = end_without_text(pipeline, result)
    assert pipeline.notify_one("s1").status is Status.JOB_RUNNING
    assert count_statuses(pipeline.sweep_when_due()) == {Status.JOB_RUNNING: 1}
    assert pipeline.list_keys("transcripts/") == []
    pipeline.cloud.jobs["s1"] = pipeline.cloud.jobs["s1"]._replace(result=late_result)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    assert pipeline.get_text("a.mp3") == "late words"


def test_raw_text_is_not_used_if_the_service_does_not_say_when_the_job_ended(
    pipeline: InMemoryPipeline,
) -> None:
    end_without_text(pipeline, None)
    pipeline.cloud.jobs["s1"] = pipeline.cloud.jobs["s1"]._replace(ended="")
    raw_key = f".scribe/raw/{pipeline.get_open().id}.txt"
    pipeline.cloud.put_object(OUTPUT_BUCKET, raw_key, b"[0:0.000,0:1.500]  words of a neighbour\n")
    assert count_statuses(pipeline.sweep_when_due()) == {Status.JOB_RUNNING: 1}
    assert pipeline.list_keys("transcripts/") == []


@pytest.mark.parametrize("result", NO_TEXT.values(), ids=NO_TEXT)
@pytest.mark.parametrize("words", ["late words", ""])
def test_success_without_text_uses_what_the_service_stored(
    pipeline: InMemoryPipeline, result: JobResult | None, words: str
) -> None:
    end_without_text(pipeline, result)
    raw_key = f".scribe/raw/{pipeline.get_open().id}.txt"
    text = f"[0:0.000,0:1.500]  {words}\n" if words else ""
    pipeline.cloud.put_object(OUTPUT_BUCKET, raw_key, text.encode())
    assert pipeline.notify_one("s1").status is Status.JOB_RUNNING
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    assert pipeline.get_text("a.mp3") == words


def test_raw_text_that_was_written_after_the_job_is_not_used(pipeline: InMemoryPipeline) -> None:
    """Who may submit jobs can have the speech service write the words of another recording to that key."""
    end_without_text(pipeline, None)
    job = pipeline.cloud.jobs["s1"]
    pipeline.cloud.jobs["s1"] = job._replace(ended=job.created)
    pipeline.cloud.clock.advance(3600)
    raw_key = f".scribe/raw/{pipeline.get_open().id}.txt"
    pipeline.cloud.put_object(OUTPUT_BUCKET, raw_key, b"[0:0.000,0:1.500]  words of a neighbour\n")
    pipeline.sweep_when_due()
    assert pipeline.list_keys("transcripts/") == []
    assert "raw_result_too_new" in pipeline.get_events("warning")


def test_raw_text_that_a_deployment_copied_to_another_place_is_used(pipeline: InMemoryPipeline) -> None:
    end_without_text(pipeline, None)
    job = pipeline.cloud.jobs["s1"]
    pipeline.cloud.jobs["s1"] = job._replace(ended=job.created)
    pipeline.cloud.clock.advance(3600)
    raw_key = f".scribe/raw/{pipeline.get_open().id}.txt"
    text = b"[0:0.000,0:1.500]  late words\n"
    pipeline.cloud.put_object(OUTPUT_BUCKET, raw_key, text, metadata=STATE_METADATA)
    pipeline.sweep_when_due()
    assert pipeline.get_text("a.mp3") == "late words"


def test_raw_text_that_is_too_large_is_left_and_the_job_looked_at_again(pipeline: InMemoryPipeline) -> None:
    late_result = end_without_text(pipeline, None)
    raw_key = f".scribe/raw/{pipeline.get_open().id}.txt"
    pipeline.cloud.put_object(OUTPUT_BUCKET, raw_key, bytes(MAX_BODY_BYTES + 1))
    assert count_statuses(pipeline.sweep_when_due()) == {Status.JOB_RUNNING: 1}
    assert pipeline.get_events("warning") == ["raw_result_too_large"]
    assert pipeline.list_keys("transcripts/") == []
    pipeline.cloud.jobs["s1"] = pipeline.cloud.jobs["s1"]._replace(result=late_result)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    assert pipeline.get_text("a.mp3") == "late words"


def test_raw_text_that_the_role_may_not_read_keeps_the_work_open(pipeline: InMemoryPipeline) -> None:
    end_without_text(pipeline, None)
    raw_key = f".scribe/raw/{pipeline.get_open().id}.txt"
    pipeline.cloud.put_object(OUTPUT_BUCKET, raw_key, b"[0:0.000,0:1.500]  late words\n")
    pipeline.cloud.before("GET", raw_key, raise_error(ERRORS["403"]))
    assert pipeline.sweep_when_due().errors == 1
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    assert pipeline.get_text("a.mp3") == "late words"


def test_success_without_text_ends_when_it_is_overdue(pipeline: InMemoryPipeline) -> None:
    end_without_text(pipeline, None)
    pipeline.cloud.clock.advance(DAY_S + 1)
    pipeline.sweep()
    assert pipeline.get_error("a.mp3") is not None
    assert pipeline.get_done().state is FAILED


@pytest.mark.parametrize(
    ("etag", "has_time"), [("", True), ("kept", False), ("", False)], ids=["no ETag", "no time", "neither"]
)
@pytest.mark.parametrize("body", [b"words", b"NOT AUDIO"], ids=["transcribed", "failed"])
def test_head_that_leaves_something_out_means_the_same_recording(
    pipeline: InMemoryPipeline, etag: str, has_time: bool, body: bytes
) -> None:
    pipeline.upload_and_ingest("a.mp3", body)
    pipeline.run_and_notify()
    head = pipeline.ctx.input_cos.head

    def leave_out(bucket: str, key: str) -> ObjectMetadata:
        metadata = head(bucket, key)
        return metadata._replace(
            etag=metadata.etag if etag else "", modified_s=metadata.modified_s if has_time else 0.0
        )

    pipeline.ctx.input_cos.head = leave_out  # type: ignore[method-assign]
    pipeline.cloud.clock.advance(DAY_S)
    assert pipeline.ingest("a.mp3").status is Status.ALREADY_DONE
    assert count_statuses(pipeline.audit_when_due()) in ({}, {Status.ALREADY_DONE: 1})
    assert pipeline.count_jobs() == 1


def test_recording_that_nothing_identifies_is_left_to_the_next_event(pipeline: InMemoryPipeline) -> None:
    pipeline.upload("a.mp3", b"words")
    pipeline.cloud.before("LIST", "a.mp3", pipeline.cloud.buckets[INPUT_BUCKET].clear)
    pipeline.ctx.input_cos.head = lambda bucket, key: ObjectMetadata("", 5, "", 0.0)  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknown, match="NoETag"):
        pipeline.ingest("a.mp3")
    assert pipeline.count_jobs() == 0


def test_transcribed_state_is_reached_after_all_of_it(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 3)
    pipeline.cloud.before("GET", "/asr_jobs/", raise_error(ERRORS["502"]), times=2)
    pipeline.settle()
    assert {receipt.state for receipt in pipeline.list_done()} == {TRANSCRIBED}
