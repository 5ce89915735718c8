"""A retry never pays twice: killed at any request, with any lost response, or while others work on the recording."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.operate.reasons import Stopped
from shared.errors import CloudError, OutcomeUnknown, Throttled
from shared.events import NotifiedJob
from shared.recordings.complete import process_notification
from shared.recordings.ingest import ingest
from shared.recordings.receipt import TRANSCRIBED
from shared.recordings.sweep import reconcile
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.interleaving import run_interleaved
from tests.helpers.invocations import Invocation
from tests.helpers.operate import OperatedPipeline
from tests.helpers.retries import KEY, SCENARIOS, A, retry

ORDERS = st.lists(st.integers(0, 2), max_size=60)


def prepare(name: str, *, is_versioned: bool = False) -> OperatedPipeline:
    pipeline = OperatedPipeline()
    if is_versioned:
        pipeline.cloud.versioned.add(OUTPUT_BUCKET)
        pipeline.cloud.suspended.add(OUTPUT_BUCKET)
    SCENARIOS[name].prepare(pipeline)
    pipeline.cloud.clear_hooks()
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.take_requests()
    return pipeline


def assert_paid(pipeline: OperatedPipeline, jobs: int) -> None:
    """Retry until it is done, as an operator would, then let everything end."""
    for _ in range(3):
        retry(pipeline)
        pipeline.settle()
    assert pipeline.count_jobs() == jobs
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_error(KEY) is None
    if not pipeline.cloud.versioned:  # there, the claim of a killed invocation stays until its lease ends
        assert pipeline.list_claims() == []
    assert [receipt.state for receipt in pipeline.list_done()] == [TRANSCRIBED]


def count_requests(name: str, *, is_versioned: bool) -> int:
    pipeline = prepare(name, is_versioned=is_versioned)
    retry(pipeline)
    return len(pipeline.take_requests())


CASES = [
    pytest.param(
        name, is_versioned, number, id=f"{name}, {'' if is_versioned else 'not '}versioned, {number}"
    )
    for name in SCENARIOS
    for is_versioned in (False, True)
    for number in range(count_requests(name, is_versioned=is_versioned))
]


@pytest.mark.parametrize("is_versioned", [False, True])
@pytest.mark.parametrize("name", SCENARIOS)
def test_retry_of_every_state_ends_with_the_transcript(name: str, is_versioned: bool) -> None:
    pipeline = prepare(name, is_versioned=is_versioned)
    outcome = retry(pipeline)
    assert (outcome.outcome, outcome.goes_on) == (SCENARIOS[name].outcome, True)
    assert_paid(pipeline, SCENARIOS[name].jobs)
    assert retry(pipeline).outcome == "done"
    assert pipeline.count_jobs() == SCENARIOS[name].jobs


@pytest.mark.parametrize(("name", "is_versioned", "number"), CASES)
def test_killed_retry_that_is_run_again_pays_once(name: str, is_versioned: bool, number: int) -> None:
    pipeline = prepare(name, is_versioned=is_versioned)
    pipeline.cloud.kill_before(number)
    with pytest.raises(Killed):
        retry(pipeline)
    pipeline.cloud.clear_hooks()
    with suppress(Throttled):  # in a versioned bucket the claim of the killed one lives until its lease ends
        retry(pipeline)
    pipeline.settle()
    assert_paid(pipeline, SCENARIOS[name].jobs)


@pytest.mark.parametrize(("name", "is_versioned", "number"), CASES)
def test_retry_with_a_lost_response_pays_once(name: str, is_versioned: bool, number: int) -> None:
    pipeline = prepare(name, is_versioned=is_versioned)
    lost = OutcomeUnknown(resource=KEY, code="NoAnswer")
    pipeline.cloud.after("", "", raise_error(lost), skip=number)
    with suppress(CloudError, Stopped):
        retry(pipeline)
    pipeline.cloud.clear_hooks()
    with suppress(Throttled):
        retry(pipeline)
    pipeline.settle()
    assert_paid(pipeline, SCENARIOS[name].jobs)


Other = Callable[[OperatedPipeline], Invocation]


def build_other_retry(pipeline: OperatedPipeline) -> Invocation:
    return lambda: retry(pipeline)


def build_sweep(pipeline: OperatedPipeline) -> Invocation:
    ctx = pipeline.build_context()
    return lambda: reconcile(ctx)


def build_event(pipeline: OperatedPipeline) -> Invocation:
    ctx = pipeline.build_context()
    return lambda: ingest(ctx, INPUT_BUCKET, KEY, is_upload=True)


def build_notification(pipeline: OperatedPipeline) -> Invocation:
    ctx = pipeline.build_context()
    return lambda: process_notification(ctx, [NotifiedJob("s1", "")])


OTHERS: dict[str, Other] = {
    "retry": build_other_retry,
    "sweep": build_sweep,
    "event": build_event,
    "notification": build_notification,
}


@pytest.mark.parametrize("is_versioned", [False, True])
@pytest.mark.parametrize("name", SCENARIOS)
@given(order=ORDERS, others=st.tuples(st.sampled_from(sorted(OTHERS)), st.sampled_from(sorted(OTHERS))))
@settings(max_examples=40, deadline=None)
def test_retry_at_the_moment_of_others_pays_once(
    name: str, is_versioned: bool, order: list[int], others: tuple[str, str]
) -> None:
    pipeline = prepare(name, is_versioned=is_versioned)
    works = [lambda: retry(pipeline), *(OTHERS[other](pipeline) for other in others)]
    results = run_interleaved(pipeline.cloud, order, *works)
    errors = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(error, Throttled) and is_versioned for error in errors), errors
    pipeline.settle()
    assert_paid(pipeline, SCENARIOS[name].jobs)
