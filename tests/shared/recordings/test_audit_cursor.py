"""An audit that runs out of time goes on where it stopped: a bucket of any size is covered round after round."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import CloudError, DeadlineExceeded, RequestRejected, Throttled
from shared.recordings.audit import audit
from shared.recordings.keys import OUTPUT_MARK
from shared.recordings.models import Status
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses

A = b"words of the recording"
SECOND = "calls-1250000000"
CURSOR = ".scribe/audit-cursor"
# Marked objects are skipped after one HEAD, so that each look at one is a request.
SKIPPED = {OUTPUT_MARK: "state"}


def build_pipeline(*buckets: str, page_size: int = 1000) -> InMemoryPipeline:
    pipeline = InMemoryPipeline(input_buckets=buckets or (INPUT_BUCKET,), input_extensions=("*",))
    pipeline.cloud.buckets[SECOND] = {}
    pipeline.cloud.page_size = page_size
    return pipeline


def run_out_after(pipeline: InMemoryPipeline, requests: int, method: str = "HEAD") -> None:
    """Let time run out after this many requests of the next audit."""

    def run_out() -> None:
        pipeline.cloud.remaining_s = 10.0

    pipeline.cloud.after(method, "", run_out, skip=requests - 1)


def audit_once(pipeline: InMemoryPipeline, recordings: int) -> list[str]:
    """Run an audit that has time for so many recordings, and return the keys that it looked at."""
    pipeline.take_requests()
    pipeline.cloud.remaining_s = 60.0
    pipeline.cloud.clear_hooks()
    run_out_after(pipeline, recordings)
    audit(pipeline.ctx)
    return [request.key for request in pipeline.take_requests() if request.method == "HEAD"]


KEYS = st.text("ab/é会~!-.", min_size=1, max_size=6).filter(lambda key: not key.endswith("/")) | st.integers(
    0, 9
).map(lambda number: "k" * 181 + str(number))


@given(
    keys=st.sets(KEYS, min_size=1, max_size=12),
    other_keys=st.sets(KEYS, max_size=6),
    recordings=st.integers(1, 5),
    page_size=st.integers(1, 4),
)
@example(keys={"a", "a/b", "a!"}, other_keys={"a"}, recordings=1, page_size=1)
@settings(max_examples=60, deadline=None)
def test_each_round_looks_at_each_recording_once(
    keys: set[str], other_keys: set[str], recordings: int, page_size: int
) -> None:
    pipeline = build_pipeline(INPUT_BUCKET, SECOND, page_size=page_size)
    for bucket, bucket_keys in ((INPUT_BUCKET, keys), (SECOND, other_keys)):
        for key in bucket_keys:
            pipeline.cloud.put_object(bucket, key, A, SKIPPED)
    pipeline.cloud.clock.advance(DUE_S)
    expected = Counter([*keys, *other_keys])
    for _ in range(2):
        looked_at: list[str] = []
        for _ in range(20):
            looked_at += audit_once(pipeline, recordings)
            if CURSOR not in pipeline.cloud.buckets[OUTPUT_BUCKET]:
                break
        assert Counter(looked_at) == expected


def test_audit_that_always_runs_out_of_time_still_submits_everything() -> None:
    pipeline = build_pipeline(page_size=3)
    for number in range(20):
        pipeline.upload(f"{number:02}.mp3", A)
    pipeline.cloud.clock.advance(DUE_S)
    runs = 0
    while pipeline.count_jobs() < 20:
        pipeline.cloud.remaining_s = 60.0
        pipeline.cloud.clear_hooks()
        run_out_after(pipeline, 2, "POST")
        audit(pipeline.ctx)
        runs += 1
        assert runs <= 12
    assert [request.input_key for request in pipeline.cloud.job_requests] == [
        f"{number:02}.mp3" for number in range(20)
    ]


@pytest.mark.parametrize("number", range(9))
def test_audit_that_stops_at_any_request_of_a_recording_loses_nothing(number: int) -> None:
    pipeline = build_pipeline(page_size=2)
    for name in ("a", "b", "c"):
        pipeline.upload(f"{name}.mp3", A)
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.cloud.before("", "", raise_error(DeadlineExceeded("no time")), skip=number + 1)
    first = audit(pipeline.ctx)
    assert first.stopped_early
    for _ in range(3):
        pipeline.audit_when_due()
    pipeline.settle()
    assert pipeline.count_jobs() == 3


def test_audit_without_time_to_read_the_cursor_stops_at_once() -> None:
    pipeline = build_pipeline()
    pipeline.upload("a.mp3", A)
    pipeline.cloud.remaining_s = 0.5
    summary = pipeline.audit_when_due()
    assert (summary.stopped_early, summary.counts) == (True, {})
    assert pipeline.get_events() == ["audit_stopped_early"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"7",
        b"null",
        b'{"bucket": "x"}',
        b"[" * 5000,
        b'"bucket"',
        b'{"key": 1}',
    ],
)
def test_cursor_that_cannot_be_read_starts_a_new_round(body: bytes) -> None:
    pipeline = build_pipeline()
    pipeline.upload("a.mp3", A)
    pipeline.cloud.put_object(OUTPUT_BUCKET, CURSOR, body)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    assert pipeline.get_events("warning") == ["audit_cursor_unreadable"]


@pytest.mark.parametrize("error", [Throttled, RequestRejected])
def test_cursor_that_is_refused_starts_a_new_round(error: type[CloudError]) -> None:
    pipeline = build_pipeline()
    pipeline.upload("a.mp3", A)
    pipeline.cloud.before("GET", CURSOR, raise_error(error(resource=CURSOR, status=403)))
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    assert pipeline.get_events("warning") == ["audit_cursor_unreadable"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_cursor_that_cannot_be_written_stops_no_audit(method: str) -> None:
    pipeline = build_pipeline()
    for number in range(4):
        pipeline.cloud.put_object(INPUT_BUCKET, f"{number}", A, SKIPPED)
    pipeline.cloud.clock.advance(DUE_S)
    for _ in range(4):
        pipeline.cloud.before(method, CURSOR, raise_error(Throttled(resource=CURSOR, code="SlowDown")))
        run_out_after(pipeline, 2)
        pipeline.cloud.remaining_s = 60.0
        audit(pipeline.ctx)
    assert "bucket_audit_failed" not in pipeline.get_events()


def test_cursor_of_a_bucket_that_was_removed_starts_a_new_round_and_goes() -> None:
    pipeline = build_pipeline(SECOND, INPUT_BUCKET)
    for name in ("a", "b"):
        pipeline.cloud.put_object(SECOND, name, A, SKIPPED)
    pipeline.upload("c", A, **SKIPPED)
    pipeline.cloud.clock.advance(DUE_S)
    assert audit_once(pipeline, 1) == ["a"]
    assert CURSOR in pipeline.cloud.buckets[OUTPUT_BUCKET]
    both = pipeline.ctx.settings
    pipeline.ctx.settings = pipeline.build_context(input_extensions=("*",)).settings
    assert audit_once(pipeline, 9) == ["c"]
    assert CURSOR not in pipeline.cloud.buckets[OUTPUT_BUCKET]
    pipeline.ctx.settings = both
    assert audit_once(pipeline, 9) == ["a", "b", "c"]


def test_recording_that_is_uploaded_behind_the_cursor_is_found_in_the_next_round() -> None:
    pipeline = build_pipeline()
    for name in ("b.mp3", "c.mp3"):
        pipeline.cloud.put_object(INPUT_BUCKET, name, A, SKIPPED)
    pipeline.cloud.clock.advance(DUE_S)
    audit_once(pipeline, 1)
    pipeline.upload("a.mp3", A)
    pipeline.cloud.clock.advance(DUE_S)
    audit_once(pipeline, 9)
    assert pipeline.count_jobs() == 0
    audit_once(pipeline, 9)
    assert pipeline.count_jobs() == 1


def test_bucket_that_fails_does_not_stop_the_round(pipeline: InMemoryPipeline) -> None:
    pipeline = build_pipeline(SECOND, INPUT_BUCKET)
    pipeline.upload("a.mp3", A)
    pipeline.cloud.before("LIST", "", raise_error(Throttled(resource=SECOND, code="SlowDown")), times=99)
    assert pipeline.audit_when_due().errors == 2
    pipeline.cloud.clear_hooks()
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}


@pytest.mark.parametrize("start", ["a", "k" * 181])
def test_receipts_of_the_key_after_the_cursor_are_seen(start: str) -> None:
    """Receipts of long keys that begin alike sort by their digests, on both sides of the cursor."""
    pipeline = build_pipeline()
    keys = [f"{start}{number}.mp3" for number in range(8)]
    for key in keys:
        pipeline.upload(key, A)
    pipeline.cloud.clock.advance(2)
    for key in keys:
        pipeline.ingest(key)
    pipeline.run_and_notify()
    pipeline.cloud.clock.advance(DUE_S)
    for key in keys:
        cursor = json.dumps({"bucket": INPUT_BUCKET, "key": key}).encode()
        pipeline.cloud.put_object(OUTPUT_BUCKET, CURSOR, cursor)
        assert audit(pipeline.ctx).counts == {}
