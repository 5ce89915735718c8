"""A recording is paid once, whatever the bucket of the receipts is: unversioned, versioned, or suspended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import (
    DeadlineExceeded,
    OutcomeUnknown,
    ScribeError,
    Throttled,
)
from shared.recordings.context import VersionedBuckets
from shared.recordings.ingest import ingest
from shared.recordings.models import Status
from shared.recordings.sweep import reconcile
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, FakeCloud, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses
from tests.helpers.interleaving import run_interleaved

KEY, A = "a.mp3", b"words of the recording"
KINDS = ["unversioned", "versioned", "suspended"]
ANY_KIND = pytest.mark.parametrize("kind", KINDS)


def build_pipeline(kind: str, *, is_cold: bool = False) -> InMemoryPipeline:
    cloud = FakeCloud()
    if kind != "unversioned":
        cloud.versioned.add(OUTPUT_BUCKET)
    if kind == "suspended":
        cloud.suspended.add(OUTPUT_BUCKET)
    pipeline = InMemoryPipeline(cloud)
    if is_cold:
        pipeline.ctx.versioned_buckets = VersionedBuckets()
    return pipeline


def count_requests(pipeline: InMemoryPipeline) -> int:
    return len(pipeline.take_requests())


@ANY_KIND
@pytest.mark.parametrize("pause_s", [0, 1, 119, 121, DUE_S, 90_000])
def test_event_that_comes_three_times_in_sequence_pays_once(kind: str, pause_s: float) -> None:
    pipeline = build_pipeline(kind)
    pipeline.upload(KEY, A)
    statuses = []
    for _ in range(3):
        statuses.append(pipeline.ingest(KEY).status)
        pipeline.cloud.clock.advance(pause_s)
    assert statuses == [Status.SUBMITTED, Status.IN_PROGRESS, Status.IN_PROGRESS]
    pipeline.settle()
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1
    assert pipeline.list_claims() == []


# Requests for a new recording, the same event while the job runs, and after it was transcribed.
COSTS = [
    ("unversioned", False, [7, 3, 2]),
    ("unversioned", True, [8, 3, 2]),
    ("versioned", False, [9, 6, 2]),
    ("versioned", True, [10, 6, 2]),
    ("suspended", False, [9, 6, 2]),
    ("suspended", True, [10, 6, 2]),
]


@pytest.mark.parametrize(("kind", "is_cold", "requests"), COSTS)
def test_requests_of_a_new_recording_and_of_a_redelivery(
    kind: str, is_cold: bool, requests: list[int]
) -> None:
    pipeline = build_pipeline(kind, is_cold=is_cold)
    pipeline.upload(KEY, A)
    counts = []
    pipeline.ingest(KEY)
    counts.append(count_requests(pipeline))
    pipeline.cloud.clock.advance(130)
    pipeline.ingest(KEY)
    counts.append(count_requests(pipeline))
    pipeline.run_and_notify()
    pipeline.take_requests()
    pipeline.ingest(KEY)
    counts.append(count_requests(pipeline))
    assert counts == requests


@ANY_KIND
@pytest.mark.parametrize("is_submitted", [True, False])
@given(order=st.lists(st.integers(0, 2), max_size=60))
@settings(max_examples=40, deadline=None)
def test_sweeps_at_once_pay_once_on_any_bucket(kind: str, is_submitted: bool, order: list[int]) -> None:
    pipeline = build_pipeline(kind)
    (pipeline.cloud.after if is_submitted else pipeline.cloud.before)("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(DUE_S)
    sweeps = [build_sweep(pipeline) for _ in range(3)]
    results = run_interleaved(pipeline.cloud, order, *sweeps)
    assert [result for result in results if isinstance(result, BaseException)] == []
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1
    assert pipeline.list_claims() == []


def build_sweep(pipeline: InMemoryPipeline) -> Callable[[], object]:
    ctx = pipeline.build_context()
    return lambda: reconcile(ctx)


@pytest.mark.parametrize(
    "error",
    [
        Throttled(resource=OUTPUT_BUCKET, status=503),
        OutcomeUnknown(resource=OUTPUT_BUCKET, status=500),
        DeadlineExceeded("no time is left"),
    ],
    ids=["throttled", "unreadable", "late"],
)
@ANY_KIND
def test_failed_check_of_versioning_submits_nothing_and_is_raised(kind: str, error: ScribeError) -> None:
    """Two processes with different answers would not see each other's claims, and both would pay."""
    pipeline = build_pipeline(kind, is_cold=True)
    pipeline.cloud.before("GET", "?versioning", raise_error(error))
    with pytest.raises(type(error)):
        pipeline.upload_and_ingest(KEY, A)
    assert pipeline.count_jobs() == 0
    assert pipeline.list_open() == []
    assert pipeline.ingest(KEY).status is Status.SUBMITTED


def test_receipt_of_an_unversioned_bucket_goes_on_after_versioning_is_switched_on() -> None:
    pipeline = build_pipeline("unversioned")
    pipeline.cloud.before("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.SUBMITTED: 1}
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert pipeline.list_claims() == []


@pytest.mark.parametrize("kind", ["versioned", "suspended"])
@given(order=st.lists(st.integers(0, 2), max_size=80))
@settings(max_examples=40, deadline=None)
def test_events_at_once_with_the_real_cache_pay_once(kind: str, order: list[int]) -> None:
    pipeline = build_pipeline(kind)
    pipeline.upload(KEY, A)

    def build_event() -> Callable[[], object]:
        ctx = pipeline.build_context()
        ctx.versioned_buckets = VersionedBuckets()
        return lambda: ingest(ctx, INPUT_BUCKET, KEY)

    run_interleaved(pipeline.cloud, order, *(build_event() for _ in range(3)))
    assert pipeline.count_jobs() <= 1
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.ingest(KEY)
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert pipeline.list_claims() == []
