"""What was in the bucket before Scribe came costs nothing, unless it is uploaded again or SINCE is `all`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.recordings.audit import audit
from shared.recordings.models import Status
from shared.tencent.clock import parse_timestamp
from tests.helpers.fake_cloud import INPUT_BUCKET, START_S, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses

A = b"words of the recording"
KEY = "a.mp3"
DAY_S = 86_400.0


def build_pipeline(since_s: float = START_S) -> InMemoryPipeline:
    return InMemoryPipeline(since_s=since_s)


def put_old(pipeline: InMemoryPipeline, key: str = KEY, age_s: float = DAY_S) -> None:
    pipeline.upload(key, A)
    pipeline.cloud.change_object(INPUT_BUCKET, key, modified_s=int(START_S - age_s))


@given(ages_s=st.lists(st.integers(-1000, 10**9), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_audit_takes_exactly_what_was_uploaded_since(ages_s: list[int]) -> None:
    pipeline = build_pipeline(since_s=float(int(START_S)))
    for number, age_s in enumerate(ages_s):
        put_old(pipeline, f"{number}.mp3", age_s)
    pipeline.cloud.clock.advance(2000)
    audit(pipeline.ctx)
    assert pipeline.count_jobs() == sum(age_s <= 0 for age_s in ages_s)
    assert {line["event"] for line in pipeline.log_lines} <= {"missing_recording_found"}


def test_old_recordings_cost_the_audit_no_request_each() -> None:
    pipeline = build_pipeline()
    for number in range(50):
        put_old(pipeline, f"{number}.mp3")
    assert pipeline.audit_when_due().counts == {}
    assert [request.method for request in pipeline.take_requests()] == ["GET", *["LIST"] * 4]


def test_everything_is_taken_when_since_is_all() -> None:
    pipeline = build_pipeline(since_s=0.0)
    put_old(pipeline, age_s=10 * 365 * DAY_S)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}


def test_event_is_served_however_old_its_recording_is() -> None:
    pipeline = build_pipeline()
    put_old(pipeline)
    assert pipeline.ingest(KEY).status is Status.SUBMITTED


def test_old_recording_that_is_written_again_is_new() -> None:
    pipeline = build_pipeline()
    put_old(pipeline)
    pipeline.touch(KEY)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}


@pytest.mark.parametrize("age_s", [1.0, DAY_S])
def test_restore_of_an_old_recording_costs_nothing(age_s: float) -> None:
    pipeline = build_pipeline()
    put_old(pipeline, age_s=age_s)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE", restore='ongoing-request="false"')
    result = pipeline.ingest(KEY, is_restore=True)
    assert (result.status, result.reason) == (Status.SKIPPED, "restored, but uploaded before SINCE")
    assert (pipeline.count_jobs(), pipeline.list_keys()) == (0, [])


def test_restore_of_an_old_recording_that_was_taken_is_served() -> None:
    # Its event came before SINCE was set: the error object promises that the restore submits it.
    pipeline = build_pipeline()
    put_old(pipeline)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    assert pipeline.ingest(KEY).status is Status.WAITING
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore='ongoing-request="false"')
    assert pipeline.ingest(KEY, is_restore=True).status is Status.SUBMITTED


@pytest.mark.parametrize("is_restore", [False, True])
def test_recording_without_a_readable_time_is_served_by_its_upload_only(is_restore: bool) -> None:
    pipeline = build_pipeline()
    pipeline.upload(KEY, A)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, modified_s=0)
    assert pipeline.audit_when_due().counts == {}
    pipeline.ingest(KEY, is_restore=is_restore)
    assert pipeline.count_jobs() == (not is_restore)


@given(text=st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_time_of_a_listing_is_read_without_an_error(text: str) -> None:
    assert isinstance(parse_timestamp(text), float)


def test_later_since_touches_no_receipt_of_earlier_work() -> None:
    pipeline = build_pipeline(since_s=0.0)
    pipeline.upload_and_ingest("done.mp3", A)
    pipeline.run_and_notify()
    pipeline.cloud.before("POST", "", raise_error(RuntimeError("killed")))
    with pytest.raises(RuntimeError):
        pipeline.upload_and_ingest("open.mp3", A)
    pipeline.upload_and_ingest("running.mp3", A)
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.ctx.settings = pipeline.build_context(since_s=pipeline.cloud.clock.now()).settings
    audited = count_statuses(pipeline.audit_when_due())
    assert set(audited) <= {Status.ALREADY_DONE, Status.IN_PROGRESS}
    pipeline.settle()
    assert [pipeline.get_text(f"{name}.mp3") for name in ("done", "open", "running")] == [A.decode()] * 3
    assert pipeline.count_jobs() == 3


@pytest.mark.parametrize("has_failed", [False, True])
def test_head_without_a_time_is_the_same_upload(has_failed: bool) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, A)
    if has_failed:
        pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.run_and_notify()
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, modified_s=0)
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    assert (pipeline.count_jobs(), pipeline.list_open()) == (1, [])


@pytest.mark.parametrize("is_new_upload", [False, True])
def test_receipt_without_a_time_counts_as_older_than_its_end(is_new_upload: bool) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, A)
    written_s = pipeline.cloud.change_object(INPUT_BUCKET, KEY).modified_s
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, modified_s=0)
    pipeline.ingest(KEY)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.notify("s1")
    pipeline.cloud.clock.advance(10)
    if is_new_upload:
        pipeline.upload(KEY, A)
    else:
        pipeline.cloud.change_object(INPUT_BUCKET, KEY, modified_s=written_s)
    expected = Status.SUBMITTED if is_new_upload else Status.ALREADY_DONE
    assert pipeline.ingest(KEY).status is expected
