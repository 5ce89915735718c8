"""What the sweep repairs, what it leaves alone, what it costs, and where it goes on after it ran out of time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotFound, OutcomeUnknown, RequestRejected, Throttled
from shared.recordings.ingest import ingest
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED, SUBMITTED, TRANSCRIBED
from shared.recordings.sweep import JOBS_PER_QUERY, MAX_BYTES_PER_QUERY, reconcile
from shared.tencent.client import UNREADABLE_RESPONSE
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, FakeCloud, FakeRequest, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses

A = b"words of the recording"
CURSOR = ".scribe/sweep-cursor"
SECOND_BUCKET = "calls-1250000000"
SHANGHAI = "ap-shanghai"


def submit_many(pipeline: InMemoryPipeline, count: int, size: int | None = None) -> None:
    """Submit recordings named 00.mp3, 01.mp3 and so on; their jobs finish, and no notification comes."""
    for number in range(count):
        key = f"{number:02}.mp3"
        pipeline.cloud.put_object(INPUT_BUCKET, key, A + key.encode(), size=size)
        assert pipeline.ingest(key).status is Status.SUBMITTED
    pipeline.cloud.run_jobs()
    pipeline.take_requests()


def get_queries(requests: list[FakeRequest]) -> list[int]:
    """Return how many jobs each query asked for."""
    return [request.key.count(",") + 1 for request in requests if request.key.startswith("/asr_jobs/")]


def test_sweep_with_nothing_open_costs_two_requests(pipeline: InMemoryPipeline) -> None:
    assert pipeline.sweep_when_due().counts == {}
    assert len(pipeline.take_requests()) == 2


def test_sweep_costs_the_same_however_much_is_done(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 12)
    pipeline.run_and_notify()
    pipeline.take_requests()
    pipeline.sweep_when_due()
    assert len(pipeline.list_done()) == 12
    assert len(pipeline.take_requests()) == 2


def test_lost_notifications_cost_one_query_and_one_read_of_each_receipt(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 3)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 3}
    requests = pipeline.take_requests()
    requests_per_job = (
        1 + 1 + 5 + 1 + 2
    )  # HEAD, the index, the formats, the error object deleted, done and open
    assert len(requests) == 2 + 3 + 1 + 3 * requests_per_job
    assert [pipeline.get_text(f"{number:02}.mp3") for number in range(3)] == [
        f"{A.decode()}{number:02}.mp3" for number in range(3)
    ]
    assert pipeline.list_open() == []


def test_young_work_is_skipped(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 1)
    pipeline.cloud.clock.advance(299)
    assert pipeline.sweep().counts == {}
    assert len(pipeline.take_requests()) == 2
    pipeline.cloud.clock.advance(1)
    assert count_statuses(pipeline.sweep()) == {Status.TRANSCRIBED: 1}


def test_second_sweep_changes_nothing(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 2)
    pipeline.sweep_when_due()
    objects = dict(pipeline.cloud.buckets[OUTPUT_BUCKET])
    assert pipeline.sweep_when_due().counts == {}
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == objects


def test_running_jobs_are_counted_and_not_logged(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest("a.mp3", A)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.JOB_RUNNING: 1}
    assert pipeline.log_lines == []
    assert pipeline.get_open().state is SUBMITTED


def test_each_query_asks_for_up_to_ten_jobs(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 2 * JOBS_PER_QUERY + 3)
    pipeline.sweep_when_due()
    assert get_queries(pipeline.take_requests()) == [10, 10, 3]


def test_long_recordings_are_queried_one_by_one(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 3, size=MAX_BYTES_PER_QUERY // 2)
    pipeline.sweep_when_due()
    assert get_queries(pipeline.take_requests()) == [2, 1]


def test_longest_recording_is_queried_too(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 2, size=500_000_000)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 2}
    assert get_queries(pipeline.take_requests()) == [1, 1]


def test_each_bucket_and_region_has_its_own_query() -> None:
    cloud = FakeCloud(
        buckets={INPUT_BUCKET: {}, SECOND_BUCKET: {}, OUTPUT_BUCKET: {}}, regions={SECOND_BUCKET: SHANGHAI}
    )
    pipeline = InMemoryPipeline(cloud, input_buckets=(INPUT_BUCKET, SECOND_BUCKET))
    cloud.put_object(INPUT_BUCKET, "a.mp3", A)
    cloud.put_object(SECOND_BUCKET, "a.mp3", A)
    pipeline.ingest("a.mp3")
    ingest(pipeline.ctx.for_region(SHANGHAI), SECOND_BUCKET, "a.mp3")
    cloud.run_jobs()
    pipeline.take_requests()
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 2}
    queries = [request.bucket for request in cloud.requests if request.key.startswith("/asr_jobs/")]
    assert queries == [SECOND_BUCKET, INPUT_BUCKET]
    assert f"transcripts/{SECOND_BUCKET}/a.mp3.txt" in pipeline.list_keys()


def test_rejected_query_of_several_jobs_is_repeated_one_by_one(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 3)
    rejection = RequestRejected(resource="x", status=400, code="InvalidArgument")
    pipeline.cloud.before("GET", "/asr_jobs/s1,", raise_error(rejection))
    pipeline.cloud.before("GET", "/asr_jobs/s2", raise_error(rejection))
    summary = pipeline.sweep_when_due()
    assert count_statuses(summary) == {Status.TRANSCRIBED: 2}
    assert summary.errors == 1
    assert get_queries(pipeline.take_requests()) == [1, 1]
    assert pipeline.get_open().job_id == "s2"
    assert "job_lookup_failed" in pipeline.get_events("error")


def test_queries_that_are_lost_are_left_to_the_next_sweep(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 3)
    lost = raise_error(OutcomeUnknown(resource="x", code="NoAnswer"))
    pipeline.cloud.before("GET", "/asr_jobs/", lost, times=4)
    summary = pipeline.sweep_when_due()
    assert (summary.counts, summary.errors) == ({}, 3)
    assert len(pipeline.list_open()) == 3
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 3}


UNREADABLE = OutcomeUnknown(resource="x", status=200, code=UNREADABLE_RESPONSE)


def test_unreadable_job_ends_in_an_error_and_does_not_stop_the_others(
    pipeline: InMemoryPipeline,
) -> None:
    submit_many(pipeline, 2)
    pipeline.cloud.before("GET", "/asr_jobs/s1", raise_error(UNREADABLE), times=99)
    summary = pipeline.sweep_when_due()
    assert (count_statuses(summary), summary.errors) == ({Status.TRANSCRIBED: 1}, 1)
    assert pipeline.get_open().job_id == "s1"
    pipeline.cloud.clock.advance(86_400)
    assert count_statuses(pipeline.sweep()) == {Status.FAILED: 1}
    assert pipeline.get_error("00.mp3") is not None
    assert pipeline.list_open() == []


@pytest.mark.parametrize("is_rejected", [True, False])
def test_job_that_ci_does_not_know_is_queried_again(pipeline: InMemoryPipeline, is_rejected: bool) -> None:
    """The result is paid for: a temporary fault of the service must not lose it."""
    submit_many(pipeline, 1)
    job = pipeline.cloud.jobs.pop("s1")
    if is_rejected:
        unknown = NotFound(resource="s1", status=404, code="NoSuchJob")
        pipeline.cloud.before("GET", "/asr_jobs/s1", raise_error(unknown))
    summary = pipeline.sweep_when_due()
    assert (count_statuses(summary), summary.errors) == ({Status.JOB_RUNNING: 1}, 0)
    assert pipeline.get_events("warning") == ["job_unknown_to_ci"]
    pipeline.cloud.jobs["s1"] = job
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("is_known", [True, False])
def test_work_without_a_result_in_time_ends_in_an_error_object(
    pipeline: InMemoryPipeline, is_known: bool
) -> None:
    pipeline.upload_and_ingest("a.mp3", A)
    if not is_known:
        pipeline.cloud.jobs.clear()
    pipeline.cloud.clock.advance(86_399)
    assert count_statuses(pipeline.sweep()) == {Status.JOB_RUNNING: 1}
    assert pipeline.get_error("a.mp3") is None
    pipeline.cloud.clock.advance(2)
    assert count_statuses(pipeline.sweep()) == {Status.FAILED: 1}
    error = pipeline.get_error("a.mp3")
    assert error is not None
    assert "GIVE_UP_AFTER" in error["message"]
    assert pipeline.get_done().state is FAILED
    assert pipeline.list_open() == []


def test_finished_job_counts_however_late_it_is(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 1)
    pipeline.cloud.clock.advance(90_000)
    assert count_statuses(pipeline.sweep()) == {Status.TRANSCRIBED: 1}
    assert pipeline.get_error("00.mp3") is None


def test_expired_work_writes_no_error_beside_newer_content(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest("a.mp3", b"first")
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest("a.mp3", A)
    pipeline.cloud.run_jobs("s2")
    pipeline.notify("s2")
    pipeline.cloud.clock.advance(90_000)
    assert count_statuses(pipeline.sweep()) == {Status.SUPERSEDED: 1}
    assert pipeline.get_error("a.mp3") is None
    assert pipeline.get_text("a.mp3") == A.decode()


def test_failure_of_one_recording_does_not_stop_the_others(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 3)
    pipeline.cloud.before("PUT", "01.mp3.json", raise_error(Throttled(resource="x", code="SlowDown")))
    summary = pipeline.sweep_when_due()
    assert (count_statuses(summary), summary.errors) == ({Status.TRANSCRIBED: 2}, 1)
    assert pipeline.get_open().key == "01.mp3"
    assert "reconcile_failed" in pipeline.get_events("error")


def test_unreadable_receipt_is_reported_and_does_not_stop_the_others(pipeline: InMemoryPipeline) -> None:
    receipt_id = f"{INPUT_BUCKET}/!" + "0" * 32
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/open/{receipt_id}", b"not a receipt")
    pipeline.upload_and_ingest("a.mp3", A)
    pipeline.cloud.run_jobs()
    summary = pipeline.sweep_when_due()
    assert (count_statuses(summary), summary.errors) == ({Status.TRANSCRIBED: 1}, 1)
    (line,) = [line for line in pipeline.log_lines if line["level"] == "error"]
    assert (line["event"], line["receipt_id"]) == ("receipt_unreadable", receipt_id)


def test_receipt_with_an_impossible_time_does_not_stop_the_others(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload("a.mp3", A)
    pipeline.put_open(pipeline.build_receipt("a.mp3", A, created_s=1e15))
    pipeline.upload_and_ingest("b.mp3", A)
    pipeline.cloud.run_jobs()
    summary = pipeline.sweep_when_due()
    assert (count_statuses(summary), summary.errors) == ({Status.TRANSCRIBED: 1}, 1)
    assert pipeline.get_text("b.mp3") == A.decode()


def test_receipt_of_a_bucket_that_was_removed_is_kept_and_reported(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 1)
    pipeline.cloud.clock.advance(DUE_S)
    summary = reconcile(pipeline.build_context(input_buckets=(SECOND_BUCKET,)))
    assert (summary.counts, summary.errors) == ({}, 0)
    assert pipeline.get_events() == ["receipt_skipped"]
    assert len(pipeline.list_open()) == 1


def test_receipt_that_has_just_ended_is_passed_over(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 2)
    pipeline.cloud.before("GET", "open/", lambda: pipeline.notify("s1"))
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    assert get_queries(pipeline.take_requests()) == [1, 1]
    assert pipeline.list_open() == []


def test_failed_job_that_is_not_noted_yet_is_left_to_the_sweep(pipeline: InMemoryPipeline) -> None:
    def fail_and_notify() -> None:
        pipeline.cloud.end_job("s1", "Failed", "InternalError")
        assert pipeline.notify_one("s1").status is Status.IN_PROGRESS

    # The notification comes before the response to the submit is recorded.
    pipeline.cloud.before("PUT", "open/", fail_and_notify, skip=1)
    pipeline.upload_and_ingest("a.mp3", A)
    assert len(pipeline.list_open()) == 1
    assert pipeline.list_keys("transcripts/") == []
    assert count_statuses(pipeline.sweep_when_due()) == {Status.FAILED: 1}
    assert pipeline.list_open() == []
    assert pipeline.get_done().state is FAILED
    assert pipeline.count_jobs() == 1


def test_receipt_of_a_new_upload_after_a_failure_is_not_deleted(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest("a.mp3", A)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")

    def close_and_upload_again() -> None:
        pipeline.notify("s1")
        pipeline.cloud.clock.advance(2)
        pipeline.upload_and_ingest("a.mp3", A)

    pipeline.cloud.clock.advance(DUE_S)
    pipeline.cloud.before("GET", "done/", close_and_upload_again)
    assert count_statuses(pipeline.sweep()) == {Status.ALREADY_DONE: 1}
    assert pipeline.get_open().job_id == "s2"
    pipeline.settle()
    assert pipeline.get_text("a.mp3") == A.decode()
    assert pipeline.count_jobs() == 2


def test_error_of_one_bucket_does_not_stop_the_next() -> None:
    cloud = FakeCloud(buckets={SECOND_BUCKET: {}, INPUT_BUCKET: {}})
    pipeline = InMemoryPipeline(cloud, input_buckets=(SECOND_BUCKET, INPUT_BUCKET), output_bucket="")
    pipeline.upload_and_ingest("a.mp3", A)
    cloud.run_jobs()
    cloud.before("LIST", ".scribe/open/", raise_error(Throttled(resource="x", code="SlowDown")))
    summary = pipeline.sweep_when_due()
    assert (count_statuses(summary), summary.errors) == ({Status.TRANSCRIBED: 1}, 1)
    assert "bucket_sweep_failed" in pipeline.get_events("error")
    assert "transcripts/a.mp3.txt" in cloud.buckets[INPUT_BUCKET]


def stop_after(pipeline: InMemoryPipeline, reads: int) -> None:
    """Let the function's time run out after it has read this many receipts."""

    def run_out() -> None:
        pipeline.cloud.remaining_s = 14.0

    pipeline.cloud.after("GET", ".scribe/open/", run_out, skip=reads - 1)


def test_sweep_that_runs_out_of_time_continues_where_it_stopped(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 25)
    ids = sorted(receipt.id for receipt in pipeline.list_open())
    stop_after(pipeline, 10)
    summary = pipeline.sweep_when_due()
    assert summary.stopped_early
    assert count_statuses(summary) == {Status.TRANSCRIBED: 10}
    assert pipeline.get_events("warning") == ["sweep_stopped_early"]
    assert pipeline.cloud.buckets[OUTPUT_BUCKET][CURSOR].body.decode() == ids[9]
    pipeline.cloud.remaining_s = 60.0
    pipeline.upload_and_ingest("!.mp3", A)  # before the cursor: it waits for the next full sweep
    summary = pipeline.sweep_when_due()
    assert (count_statuses(summary), summary.stopped_early) == ({Status.TRANSCRIBED: 15}, False)
    assert CURSOR not in pipeline.list_keys()
    pipeline.settle()
    assert pipeline.get_text("!.mp3") == A.decode()


def test_sweep_that_stops_twice_moves_its_cursor_on(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 25)
    ids = sorted(receipt.id for receipt in pipeline.list_open())
    for expected in (ids[9], ids[19]):
        stop_after(pipeline, 10)
        pipeline.sweep_when_due()
        assert pipeline.cloud.buckets[OUTPUT_BUCKET][CURSOR].body.decode() == expected
        pipeline.cloud.remaining_s = 60.0


def test_sweep_without_time_processes_nothing_and_keeps_the_cursor(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 2)
    cursor = pipeline.list_open()[0].id.encode()
    pipeline.cloud.put_object(OUTPUT_BUCKET, CURSOR, cursor)
    pipeline.cloud.remaining_s = 10.0
    summary = pipeline.sweep_when_due()
    assert (summary.counts, summary.stopped_early) == ({}, True)
    assert pipeline.cloud.buckets[OUTPUT_BUCKET][CURSOR].body == cursor


def test_sweep_stops_even_if_its_cursor_cannot_be_stored(
    pipeline: InMemoryPipeline,
) -> None:
    submit_many(pipeline, 2)

    def run_out() -> None:
        pipeline.cloud.remaining_s = 0.0

    pipeline.cloud.after("GET", "/asr_jobs/", run_out)
    summary = pipeline.sweep_when_due()
    assert (summary.counts, summary.errors, summary.stopped_early) == ({}, 0, True)
    assert CURSOR not in pipeline.list_keys()
    pipeline.cloud.remaining_s = 60.0
    assert count_statuses(pipeline.sweep()) == {Status.TRANSCRIBED: 2}


def test_cursor_with_other_bytes_starts_from_the_beginning(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 2)
    pipeline.cloud.put_object(OUTPUT_BUCKET, CURSOR, "会".encode())
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 2}


def test_no_log_line_contains_a_word_of_a_transcript(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 2)
    pipeline.cloud.before("PUT", "00.mp3.txt", raise_error(ValueError("words of the recording")))
    pipeline.sweep_when_due()
    assert pipeline.get_events("error") == ["reconcile_failed"]
    assert not re.search("words of", str(pipeline.log_lines))


work = st.sampled_from(["running", "finished", "failed", "unknown", "dead", "deferred"])


@given(works=st.lists(work, max_size=15), page_size=st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_any_open_work_ends_with_a_transcript_or_an_error_object(works: list[str], page_size: int) -> None:
    pipeline = InMemoryPipeline()
    pipeline.cloud.page_size = page_size
    submitted = 0
    for number, kind in enumerate(works):
        key, body = f"{number:02}.mp3", b"%d" % number
        pipeline.upload(key, body)
        receipt = pipeline.build_receipt(key, body)
        if kind in {"dead", "deferred"}:
            pipeline.put_open(receipt if kind == "dead" else receipt.defer(pipeline.cloud.clock.now()))
            continue
        job_id = pipeline.ingest(key).job_id
        submitted += 1
        if kind == "finished":
            pipeline.cloud.run_jobs(job_id)
        elif kind == "failed":
            pipeline.cloud.end_job(job_id, "Failed", "InternalError")
        elif kind == "unknown":
            del pipeline.cloud.jobs[job_id]
    for _ in range(3):
        pipeline.sweep_when_due()
        pipeline.cloud.run_jobs()
    pipeline.cloud.clock.advance(86_400)
    pipeline.sweep()
    assert not pipeline.list_open()
    assert not pipeline.list_claims()
    assert pipeline.count_jobs() == len(works)
    for number, kind in enumerate(works):
        key = f"{number:02}.mp3"
        expected = None if kind in {"failed", "unknown"} else str(number)
        assert pipeline.get_text(key) == expected
        assert (pipeline.get_error(key) is None) == (expected is not None)


def test_reopened_receipt_that_has_lost_its_transcript_gets_it_back(pipeline: InMemoryPipeline) -> None:
    submit_many(pipeline, 1)
    pipeline.sweep_when_due()
    del pipeline.cloud.buckets[OUTPUT_BUCKET]["transcripts/00.mp3.txt"]
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest("00.mp3", A + b"00.mp3")
    pipeline.settle()
    assert pipeline.get_text("00.mp3") == f"{A.decode()}00.mp3"
    assert pipeline.count_jobs() == 1
    assert pipeline.get_done().state is TRANSCRIBED
