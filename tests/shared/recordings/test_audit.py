"""The audit finds every recording without a receipt, and only those, at the cost of three listings."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import Throttled
from shared.recordings.audit import audit
from shared.recordings.index import forgotten_key
from shared.recordings.models import Status
from shared.recordings.receipt import TRANSCRIBED
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, FakeCloud, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline, count_statuses

A, B = b"words of the first content", b"other words"
KEY = "calls/a.mp3"
BUSY = Throttled(resource=INPUT_BUCKET, status=503, code="SlowDown")


def test_recording_without_an_event_is_submitted(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    assert pipeline.get_events() == ["missing_recording_found"]
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.audit_when_due().counts == {}
    assert pipeline.count_jobs() == 1


def test_recordings_with_receipts_cost_one_read_and_four_listings(pipeline: InMemoryPipeline) -> None:
    keys = [f"dir{number % 2}/{number}-会.mp3" for number in range(6)]
    for key in keys:
        pipeline.upload(key, A)
    pipeline.cloud.clock.advance(1)
    for key in keys:
        pipeline.ingest(key)
    pipeline.cloud.run_jobs("s1", "s2", "s3")
    pipeline.notify("s1", "s2", "s3")
    pipeline.take_requests()
    assert pipeline.audit_when_due().counts == {}
    assert [request.method for request in pipeline.take_requests()] == ["GET", *["LIST"] * 4]


def test_young_recording_is_left_to_its_event(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)
    pipeline.cloud.clock.advance(299)
    assert audit(pipeline.ctx).counts == {}
    pipeline.cloud.clock.advance(1)
    assert count_statuses(audit(pipeline.ctx)) == {Status.SUBMITTED: 1}


def test_outputs_and_folder_markers_are_no_recordings() -> None:
    pipeline = InMemoryPipeline(output_bucket="", input_prefix="in/")
    for key in ("in/folder/", "transcripts/a.mp3.txt", ".scribe/raw/a.txt", "elsewhere/a.mp3"):
        pipeline.upload(key, A)
    assert pipeline.audit_when_due().counts == {}
    assert pipeline.count_jobs() == 0


def test_new_content_without_an_event_is_found(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    pipeline.upload(KEY, B)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == B.decode()


def test_failed_recording_uploaded_again_without_an_event_is_found(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload_and_ingest(KEY, NOT_AUDIO)
    pipeline.run_and_notify()
    pipeline.cloud.clock.advance(2)
    pipeline.upload(KEY, NOT_AUDIO)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    assert pipeline.count_jobs() == 2


def test_recording_written_in_the_second_of_its_receipt_is_checked(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    assert count_statuses(pipeline.audit_when_due()) == {Status.ALREADY_DONE: 1}
    assert pipeline.count_jobs() == 1


def test_error_of_one_recording_does_not_stop_the_others(pipeline: InMemoryPipeline) -> None:
    for key in ("a.mp3", "b.mp3"):
        pipeline.upload(key, A)
    pipeline.cloud.before("HEAD", "a.mp3", raise_error(BUSY))
    summary = pipeline.audit_when_due()
    assert (count_statuses(summary), summary.errors) == ({Status.SUBMITTED: 1}, 1)
    (line,) = [line for line in pipeline.log_lines if line["level"] == "error"]
    assert (line["event"], line["key"]) == ("ingest_failed", "a.mp3")


def test_error_of_one_bucket_does_not_stop_the_next() -> None:
    second = "calls-1250000000"
    cloud = FakeCloud(buckets={INPUT_BUCKET: {}, second: {}, OUTPUT_BUCKET: {}})
    pipeline = InMemoryPipeline(cloud, input_buckets=(second, INPUT_BUCKET))
    pipeline.upload(KEY, A)
    cloud.before("LIST", "", raise_error(BUSY))
    summary = pipeline.audit_when_due()
    assert (count_statuses(summary), summary.errors) == ({Status.SUBMITTED: 1}, 1)
    assert pipeline.get_events("error") == ["bucket_audit_failed"]


@pytest.mark.parametrize("method", ["LIST", "POST"])
def test_audit_stops_when_time_runs_out(pipeline: InMemoryPipeline, method: str) -> None:
    for key in ("a.mp3", "b.mp3"):
        pipeline.upload(key, A)

    def run_out() -> None:
        pipeline.cloud.remaining_s = 0.0

    pipeline.cloud.after(method, "", run_out)
    summary = pipeline.audit_when_due()
    assert (summary.counts, summary.errors, summary.stopped_early) == ({}, 0, True)
    assert pipeline.get_events("warning") == ["audit_stopped_early"]
    pipeline.cloud.remaining_s = 60.0
    pipeline.audit_when_due()
    pipeline.settle()
    assert pipeline.count_jobs() == 2


SMALL = st.text("a!-./0A~会é", min_size=1, max_size=4)
LONG = SMALL.map(lambda end: "k" * 178 + end)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | SMALL | LONG
STATES = st.sampled_from(["missing", "open", "done", "other content", "written again"])


def put_receipt(pipeline: InMemoryPipeline, key: str, state: str) -> None:
    receipt = pipeline.build_receipt(key, B if state == "other content" else A)
    if state == "open":
        pipeline.put_open(receipt)
    elif state != "missing":
        pipeline.ctx.receipts(INPUT_BUCKET).close(receipt.with_job("s0").close(TRANSCRIBED, 1.0))


@given(recordings=st.dictionaries(KEYS, STATES, max_size=14), page_size=st.integers(1, 5))
@example(recordings={"a": "missing", "a!": "done", "a-": "open", "aa": "missing"}, page_size=1)
@example(recordings={"k" * 181 + end: state for end, state in (("1", "done"), ("2", "missing"))}, page_size=1)
@settings(max_examples=80, deadline=None)
def test_audit_finds_exactly_what_has_no_receipt(recordings: dict[str, str], page_size: int) -> None:
    pipeline = InMemoryPipeline(input_extensions=("*",))
    pipeline.cloud.page_size = page_size
    for key in recordings:
        pipeline.upload(key, A)
    pipeline.cloud.clock.advance(1)
    for key, state in recordings.items():
        put_receipt(pipeline, key, state)
    pipeline.cloud.clock.advance(1)
    expected = {key for key, state in recordings.items() if state not in {"open", "done"}}
    for key in expected:
        pipeline.upload(key, A)
    pipeline.cloud.clock.advance(400)
    pipeline.cloud.before("HEAD", "", raise_error(BUSY), times=99)
    audit(pipeline.ctx)
    tried = [line["key"] for line in pipeline.log_lines if line["event"] == "ingest_failed"]
    assert sorted(tried) == sorted(key for key in expected if not key.endswith("/"))


def test_recording_that_was_forgotten_is_left_alone_until_it_is_uploaded_again(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload("a.mp3", b"words")
    recording = pipeline.build_receipt("a.mp3", b"words").recording
    pipeline.cloud.put_object(OUTPUT_BUCKET, forgotten_key(pipeline.ctx.settings, recording), b"")
    assert pipeline.audit_when_due().counts == {"skipped": 1}
    assert pipeline.count_jobs() == 0
    assert pipeline.ingest("a.mp3").status is Status.SUBMITTED


def test_forgotten_recording_that_is_uploaded_again_is_found_if_its_event_is_lost(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload("a.mp3", b"words")
    recording = pipeline.build_receipt("a.mp3", b"words").recording
    pipeline.cloud.put_object(OUTPUT_BUCKET, forgotten_key(pipeline.ctx.settings, recording), b"")
    pipeline.touch("a.mp3")
    assert pipeline.audit_when_due().counts == {"submitted": 1}
