"""A recording is paid once, whatever the bucket of the receipts is: unversioned, versioned, or suspended."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import (
    AlreadyExists,
    CloudError,
    DeadlineExceeded,
    OutcomeUnknown,
    RequestRejected,
    ScribeError,
    Throttled,
)
from shared.recordings.context import VERSIONING_TTL_S, VersionedBuckets
from shared.recordings.ingest import ingest
from shared.recordings.models import Status
from shared.recordings.sweep import reconcile
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, START_S, FakeCloud, Killed, raise_error
from tests.helpers.fakes import FakeCos
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
    ("unversioned", False, [8, 4, 2]),
    ("unversioned", True, [9, 4, 2]),
    ("versioned", False, [10, 7, 2]),
    ("versioned", True, [11, 7, 2]),
    ("suspended", False, [10, 7, 2]),
    ("suspended", True, [11, 7, 2]),
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


@ANY_KIND
@pytest.mark.parametrize("error", [Throttled, RequestRejected])
@given(order=st.lists(st.integers(0, 2), max_size=60), refusals=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_deferred_recording_is_submitted_once_by_sweeps_at_once(
    kind: str, error: type[CloudError], order: list[int], refusals: int
) -> None:
    pipeline = build_pipeline(kind)
    pipeline.cloud.before("POST", "", raise_error(error(resource=KEY, status=403)), times=refusals)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(DUE_S)
    run_interleaved(pipeline.cloud, order, *(build_sweep(pipeline) for _ in range(3)))
    for _ in range(refusals):  # after each, the pause is longer
        pipeline.cloud.clock.advance(3600)
        pipeline.sweep()
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.list_claims() == []


@pytest.mark.parametrize("kind", ["versioned", "suspended"])
@pytest.mark.parametrize("number", range(11))
def test_delivery_that_is_killed_on_a_versioned_bucket_pays_once(kind: str, number: int) -> None:
    pipeline = build_pipeline(kind)
    pipeline.upload(KEY, A)
    pipeline.cloud.kill_before(number)
    try:
        pipeline.ingest(KEY)
    except Killed:
        pipeline.cloud.clock.advance(DUE_S)  # the platform delivers the event again
        pipeline.ingest(KEY)
    pipeline.cloud.clear_hooks()
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1
    assert pipeline.list_claims() == []


@pytest.mark.parametrize("kind", ["versioned", "suspended"])
def test_failed_recording_on_a_versioned_bucket_is_submitted_again(kind: str) -> None:
    pipeline = build_pipeline(kind)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.notify("s1")
    assert pipeline.list_claims() == []
    pipeline.cloud.clock.advance(2)
    assert pipeline.upload_and_ingest(KEY, A).status is Status.SUBMITTED
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()


@pytest.mark.parametrize("kind", ["versioned", "suspended"])
def test_content_that_comes_back_on_a_versioned_bucket_is_submitted_once(kind: str) -> None:
    pipeline = build_pipeline(kind)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.upload_and_ingest(KEY, b"other words")
    pipeline.run_and_notify()
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 3
    assert pipeline.list_claims() == []


def test_versioning_is_asked_for_once_in_its_time(pipeline: InMemoryPipeline) -> None:
    known, cos = VersionedBuckets(), FakeCos(pipeline.cloud)
    times_s = [0, 1, VERSIONING_TTL_S - 1, VERSIONING_TTL_S, VERSIONING_TTL_S + 1]
    answers, requests = [], []
    for number, time_s in enumerate(times_s):
        if number == 1:
            pipeline.cloud.versioned.add(OUTPUT_BUCKET)
        answers.append(known.check(cos, OUTPUT_BUCKET, START_S + time_s))
        requests.append(count_requests(pipeline))
    assert answers == [False, False, False, True, True]
    assert requests == [1, 0, 0, 1, 0]
    assert known.check(cos, INPUT_BUCKET, START_S) is False


def test_clock_that_was_set_back_asks_again(pipeline: InMemoryPipeline) -> None:
    known, cos = VersionedBuckets(), FakeCos(pipeline.cloud)
    known.check(cos, OUTPUT_BUCKET, START_S)
    known.check(cos, OUTPUT_BUCKET, START_S - 1)
    assert count_requests(pipeline) == 2


@ANY_KIND
def test_bucket_that_the_role_may_not_check_counts_as_versioned(kind: str) -> None:
    pipeline = build_pipeline(kind, is_cold=True)
    denied = RequestRejected(resource=OUTPUT_BUCKET, status=403, code="AccessDenied")
    pipeline.cloud.before("GET", "?versioning", raise_error(denied))
    assert pipeline.upload_and_ingest(KEY, A).status is Status.SUBMITTED
    assert pipeline.get_open().versioned
    assert pipeline.ingest(KEY).status is Status.IN_PROGRESS
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert pipeline.list_claims() == []


def build_unchecked_pipeline() -> InMemoryPipeline:
    """A bucket without versioning, which the role may not check: it counts as versioned, and is create-only."""
    pipeline = build_pipeline("unversioned", is_cold=True)
    denied = RequestRejected(resource=OUTPUT_BUCKET, status=403, code="AccessDenied")
    pipeline.cloud.before("GET", "?versioning", raise_error(denied))
    return pipeline


def test_role_that_may_check_the_bucket_a_moment_later_pays_once() -> None:
    """A process with the new role claims nothing, and creates its receipt after the claim of the other."""
    pipeline = build_unchecked_pipeline()
    checked = pipeline.build_context()
    pipeline.cloud.before("PUT", "open/", lambda: ingest(checked, INPUT_BUCKET, KEY))
    assert pipeline.upload_and_ingest(KEY, A).status is Status.IN_PROGRESS
    assert pipeline.list_claims() == []
    assert not pipeline.get_open().versioned
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1


def test_own_receipt_on_an_unchecked_bucket_is_recognised_after_a_lost_response() -> None:
    """The retry of the write meets the object that the first try has created."""
    pipeline = build_unchecked_pipeline()
    error = AlreadyExists(resource=KEY, status=409, code="FileAlreadyExists")
    error.possibly_own_write = True
    pipeline.cloud.after("PUT", "open/", raise_error(error))
    assert pipeline.upload_and_ingest(KEY, A).status is Status.SUBMITTED
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert (pipeline.count_jobs(), pipeline.list_claims()) == (1, [])


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
