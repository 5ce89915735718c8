"""An invocation that is killed before any of its requests: the sweeps finish its work, and nothing is paid twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import OutcomeUnknown
from shared.recordings.models import Status
from shared.recordings.receipt import TRANSCRIBED
from tests.helpers.fake_cloud import NOT_AUDIO, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline

KEY, A, B = "a.mp3", b"words of the first content", b"other words"
Step = Callable[[InMemoryPipeline], object]


def upload(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)


def submit(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()


def leave_dead(pipeline: InMemoryPipeline, *, is_submitted: bool) -> None:
    (pipeline.cloud.after if is_submitted else pipeline.cloud.before)("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest(KEY, A)


def defer(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)
    pipeline.put_open(pipeline.build_receipt(KEY, A).defer(pipeline.cloud.clock.now()))


def reopen(pipeline: InMemoryPipeline) -> None:
    for body in (A, B):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.run_and_notify()
        pipeline.cloud.clock.advance(2)
    pipeline.upload(KEY, A)


def replace(pipeline: InMemoryPipeline) -> None:
    for body in (B, A):
        pipeline.upload_and_ingest(KEY, body)
        pipeline.cloud.clock.advance(2)
    pipeline.cloud.run_jobs()


SCENARIOS: dict[str, tuple[Step, Step, int]] = {
    # what happened before, the invocation that is killed, and the jobs that are paid for in the end
    "upload": (upload, lambda pipeline: pipeline.ingest(KEY), 1),
    "callback": (submit, lambda pipeline: pipeline.notify("s1"), 1),
    "callback of replaced content": (replace, lambda pipeline: pipeline.notify("s1"), 2),
    "upload of transcribed content": (reopen, lambda pipeline: pipeline.ingest(KEY), 2),
    "sweep of a finished job": (submit, lambda pipeline: pipeline.sweep_when_due(), 1),
    "sweep of replaced content": (replace, lambda pipeline: pipeline.sweep_when_due(), 2),
    "sweep of a deferred attempt": (defer, lambda pipeline: pipeline.sweep_when_due(), 1),
    "sweep of an attempt that died before its submit": (
        lambda pipeline: leave_dead(pipeline, is_submitted=False),
        lambda pipeline: pipeline.sweep_when_due(),
        1,
    ),
    "sweep of an attempt that died after its submit": (
        lambda pipeline: leave_dead(pipeline, is_submitted=True),
        lambda pipeline: pipeline.sweep_when_due(),
        1,
    ),
}


def count_requests(name: str) -> int:
    before, invoke, _ = SCENARIOS[name]
    pipeline = InMemoryPipeline()
    before(pipeline)
    pipeline.take_requests()
    invoke(pipeline)
    return len(pipeline.take_requests())


CASES = [(name, number) for name in SCENARIOS for number in range(count_requests(name))]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_killed_invocation_loses_nothing_and_pays_once(name: str, number: int) -> None:
    before, invoke, jobs = SCENARIOS[name]
    pipeline = InMemoryPipeline()
    before(pipeline)
    pipeline.cloud.kill_before(number)
    with pytest.raises(Killed):
        invoke(pipeline)
    pipeline.audit_when_due()  # a killed upload may have left no receipt
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == jobs
    assert pipeline.get_error(KEY) is None
    assert pipeline.list_claims() == []
    etag = pipeline.build_receipt(KEY, A).etag
    assert [receipt.state for receipt in pipeline.list_done() if receipt.etag == etag] == [TRANSCRIBED]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_lost_response_loses_nothing_and_pays_once(name: str, number: int) -> None:
    """The request had its effect, but its response did not come, and no retry helped."""
    before, invoke, jobs = SCENARIOS[name]
    pipeline = InMemoryPipeline()
    before(pipeline)
    pipeline.cloud.after("", "", raise_error(OutcomeUnknown(resource=KEY, code="NoAnswer")), skip=number)
    with suppress(OutcomeUnknown):
        invoke(pipeline)
    pipeline.audit_when_due()
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == jobs
    assert pipeline.list_claims() == []


INVOCATIONS: dict[str, Step] = {
    "event": lambda pipeline: pipeline.ingest(KEY),
    "callback": lambda pipeline: pipeline.notify(*pipeline.cloud.jobs),
    "sweep": lambda pipeline: pipeline.sweep(),
    "audit": lambda pipeline: pipeline.audit_when_due(),
}


@given(
    kills=st.lists(
        st.tuples(
            st.sampled_from(sorted(INVOCATIONS)),
            st.integers(0, 12),
            st.sampled_from([0.0, 2.0, DUE_S]),
            st.booleans(),
        ),
        max_size=8,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_series_of_killed_invocations_pays_once(kills: list[tuple[str, int, float, bool]]) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, A)
    for name, number, pause_s, is_job_run in kills:
        pipeline.cloud.kill_before(number)
        with suppress(Killed):
            INVOCATIONS[name](pipeline)
        pipeline.cloud.clear_hooks()
        pipeline.cloud.clock.advance(pause_s)
        if is_job_run:
            pipeline.cloud.run_jobs()
    pipeline.audit_when_due()
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert pipeline.get_text(KEY) == A.decode()
    assert [receipt.state for receipt in pipeline.list_done()] == [TRANSCRIBED]


@pytest.mark.parametrize("number", range(6))
def test_killed_callback_of_a_failed_job_leaves_its_error_object(number: int) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, NOT_AUDIO)
    pipeline.cloud.run_jobs()
    pipeline.cloud.kill_before(number)
    with pytest.raises(Killed):
        pipeline.notify("s1")
    pipeline.settle()
    error = pipeline.get_error(KEY)
    assert error is not None
    assert error["job_id"] == "s1"
    assert pipeline.count_jobs() == 1
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
