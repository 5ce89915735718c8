"""A backfill pays for each recording once: killed at any request, with lost responses, and while others work."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.errors import OperatorError
from shared.errors import CloudError, OutcomeUnknown, Throttled
from shared.recordings.audit import audit
from shared.recordings.ingest import ingest
from shared.recordings.sweep import reconcile
from tests.helpers.backfills import backfill, count_jobs_by_key, put_archive
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.interleaving import run_interleaved
from tests.helpers.invocations import Invocation
from tests.helpers.operate import OperatedPipeline
from tests.helpers.retries import A

NUMBER = 3
OTHERS = ("backfill", "event", "audit", "sweep")


def create(*, is_versioned: bool = False) -> OperatedPipeline:
    pipeline = OperatedPipeline()
    if is_versioned:
        pipeline.cloud.versioned.add(OUTPUT_BUCKET)
        pipeline.cloud.suspended.add(OUTPUT_BUCKET)
    put_archive(pipeline, NUMBER)
    pipeline.cloud.clock.advance(DUE_S)
    return pipeline


def assert_paid(pipeline: OperatedPipeline) -> None:
    """Run it again, as the operator does, and let everything end."""
    for _ in range(2):
        with suppress(OperatorError):
            backfill(pipeline, yes=True, as_json=True)
        pipeline.settle()
    keys = [f"archive/{index:03}.mp3" for index in range(NUMBER)]
    assert count_jobs_by_key(pipeline) == dict.fromkeys(keys, 1)
    assert [pipeline.get_text(key) for key in keys] == [(A + key.encode()).decode() for key in keys]


def count_requests(*, is_versioned: bool) -> int:
    pipeline = create(is_versioned=is_versioned)
    backfill(pipeline, yes=True, as_json=True)
    return len(pipeline.take_requests())


CASES = [
    (is_versioned, number)
    for is_versioned in (False, True)
    for number in range(count_requests(is_versioned=is_versioned))
]


@pytest.mark.parametrize(("is_versioned", "number"), CASES)
def test_killed_backfill_that_is_run_again_takes_each_once(is_versioned: bool, number: int) -> None:
    pipeline = create(is_versioned=is_versioned)
    pipeline.cloud.kill_before(number)
    with pytest.raises(Killed):
        backfill(pipeline, yes=True, as_json=True)
    pipeline.cloud.clear_hooks()
    assert_paid(pipeline)


@pytest.mark.parametrize(("is_versioned", "number"), CASES)
def test_backfill_with_a_lost_response_takes_each_once(is_versioned: bool, number: int) -> None:
    pipeline = create(is_versioned=is_versioned)
    pipeline.cloud.after("", "", raise_error(OutcomeUnknown(resource="x", code="NoAnswer")), skip=number)
    with suppress(OperatorError, CloudError):
        backfill(pipeline, yes=True, as_json=True)
    pipeline.cloud.clear_hooks()
    assert_paid(pipeline)


@given(kills=st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0.0, 2.0, DUE_S])), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_series_of_kills_takes_each_once(kills: list[tuple[int, float]]) -> None:
    pipeline = create()
    for number, pause_s in kills:
        pipeline.cloud.kill_before(number)
        with suppress(Killed):
            backfill(pipeline, yes=True, as_json=True)
        pipeline.cloud.clear_hooks()
        pipeline.cloud.clock.advance(pause_s)
    assert_paid(pipeline)


def build(pipeline: OperatedPipeline, name: str) -> Invocation:
    ctx = pipeline.build_context()
    return {
        "backfill": lambda: backfill(pipeline, yes=True, as_json=True),
        "event": lambda: ingest(ctx, INPUT_BUCKET, "archive/001.mp3", is_upload=True),
        "audit": lambda: audit(ctx),
        "sweep": lambda: reconcile(ctx),
    }[name]


@pytest.mark.parametrize("is_versioned", [False, True])
@given(
    order=st.lists(st.integers(0, 2), max_size=150),
    others=st.tuples(st.sampled_from(OTHERS), st.sampled_from(OTHERS)),
)
@settings(max_examples=60, deadline=None)
def test_backfill_at_the_moment_of_others_takes_each_once(
    is_versioned: bool, order: list[int], others: tuple[str, str]
) -> None:
    pipeline = create(is_versioned=is_versioned)
    works = [build(pipeline, name) for name in ("backfill", *others)]
    results = run_interleaved(pipeline.cloud, order, *works)
    errors = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, Throttled | OperatorError) and is_versioned for error in errors), errors
    assert_paid(pipeline)
