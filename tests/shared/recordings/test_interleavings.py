"""Several invocations at once, request by request in any order: each recording is paid once and ends as it should."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Throttled
from tests.helpers.fake_cloud import OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline
from tests.helpers.interleaving import run_interleaved
from tests.helpers.invocations import (
    KEY,
    build_audit,
    build_callback,
    build_event,
    build_sweep,
    run,
)

A, B = b"words of the first content", b"other words"
ORDERS = st.lists(st.integers(0, 2), max_size=60)


def assert_paid(pipeline: InMemoryPipeline, text: bytes, jobs: int) -> None:
    pipeline.settle()
    assert pipeline.get_text(KEY) == text.decode()
    assert pipeline.count_jobs() == jobs
    assert pipeline.list_claims() == []
    assert pipeline.get_error(KEY) is None


@pytest.mark.parametrize("is_versioned", [True, False])
@given(order=ORDERS)
@settings(max_examples=60, deadline=None)
def test_deliveries_at_once_submit_one_job(is_versioned: bool, order: list[int]) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, A)
    if is_versioned:
        pipeline.cloud.versioned.add(OUTPUT_BUCKET)
        pipeline.cloud.suspended.add(OUTPUT_BUCKET)
    results = run_interleaved(pipeline.cloud, order, *(build_event(pipeline) for _ in range(3)))
    assert pipeline.count_jobs() <= 1
    errors = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, Throttled) and is_versioned for error in errors)
    for _ in errors:  # the platform delivers the event again
        pipeline.cloud.clock.advance(60)
        pipeline.ingest(KEY)
    assert pipeline.count_jobs() == 1
    assert_paid(pipeline, A, 1)


@pytest.mark.parametrize("is_submitted", [True, False])
@given(order=ORDERS)
@settings(max_examples=60, deadline=None)
def test_sweeps_at_once_continue_a_dead_attempt_once(is_submitted: bool, order: list[int]) -> None:
    pipeline = InMemoryPipeline()
    (pipeline.cloud.after if is_submitted else pipeline.cloud.before)("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(DUE_S)
    run(pipeline, order, build_sweep(pipeline), build_sweep(pipeline), build_audit(pipeline))
    assert pipeline.count_jobs() == 1
    assert_paid(pipeline, A, 1)


@given(order=ORDERS)
@settings(max_examples=60, deadline=None)
def test_event_sweep_and_audit_at_once_submit_one_job(order: list[int]) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, A)
    pipeline.cloud.clock.advance(DUE_S)
    run(pipeline, order, build_event(pipeline), build_sweep(pipeline), build_audit(pipeline))
    assert pipeline.count_jobs() == 1
    assert_paid(pipeline, A, 1)


@given(order=ORDERS, is_failed=st.booleans())
@settings(max_examples=60, deadline=None)
def test_notification_sweep_and_event_at_once_end_the_work_once(order: list[int], is_failed: bool) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(DUE_S)
    if is_failed:
        pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.cloud.run_jobs()
    run(pipeline, order, build_callback(pipeline, "s1"), build_sweep(pipeline), build_event(pipeline))
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert (pipeline.get_text(KEY) is None) == is_failed
    assert (pipeline.get_error(KEY) is None) == (not is_failed)
    assert len(pipeline.list_done()) == 1


@given(order=ORDERS)
@settings(max_examples=60, deadline=None)
def test_replaced_recording_ends_with_the_words_of_the_new_content(order: list[int]) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.upload(KEY, B)
    pipeline.cloud.run_jobs()
    run(pipeline, order, build_callback(pipeline, "s1"), build_sweep(pipeline), build_event(pipeline))
    assert_paid(pipeline, B, 2)


@given(order=ORDERS)
@settings(max_examples=100, deadline=None)
def test_restored_content_gets_its_own_words(order: list[int]) -> None:
    """Both jobs have read the replacement, because the first waited until it was there."""
    pipeline = InMemoryPipeline()
    for body in (A, B):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.cloud.clock.advance(2)
    pipeline.cloud.run_jobs()
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.upload(KEY, A)
    run(pipeline, order, build_callback(pipeline, "s1", "s2"), build_sweep(pipeline), build_event(pipeline))
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 3
