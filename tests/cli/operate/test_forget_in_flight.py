"""`scribe forget` while something else happens: work in flight, sweeps, errors of the cloud, and kills."""

from __future__ import annotations

import pytest

from cli.operate.cost import read_costs
from shared.errors import OutcomeUnknown, RequestRejected, Throttled
from shared.recordings.index import get_month
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.forgotten import (
    KEY,
    WORDS,
    ForgottenPipeline,
    fill,
    find_traces,
)
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.operate import build_workspace


def test_recording_with_a_job_in_flight_is_refused_and_others_go() -> None:
    pipeline = ForgottenPipeline()
    pipeline.transcribe("calls/b.mp3", b"zebra b")
    pipeline.begin()
    pipeline.upload_and_ingest(KEY, WORDS)
    assert not pipeline.forget("calls/")
    assert f"{INPUT_BUCKET}/{KEY}: its job s2 is in flight" in pipeline.printed
    assert "1 forgotten" in pipeline.printed
    assert pipeline.get_output("calls/b.mp3", "txt") is None
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == WORDS.decode()
    assert pipeline.forget("calls/")
    assert find_traces(pipeline.stored, "calls/", "zebra") == []


def test_attempt_that_has_begun_is_refused() -> None:
    pipeline = ForgottenPipeline()
    pipeline.upload(KEY, WORDS)
    pipeline.put_open(pipeline.build_receipt(KEY, WORDS))
    assert not pipeline.forget(KEY)
    assert "an attempt to submit it has begun" in pipeline.printed


def test_job_that_runs_after_its_recording_was_given_up_is_refused() -> None:
    pipeline = ForgottenPipeline()
    pipeline.upload_and_ingest(KEY, WORDS)
    pipeline.cloud.clock.advance(90_000)
    pipeline.begin()
    pipeline.sweep()
    assert pipeline.get_done().outcome == "failed"
    assert not pipeline.forget(KEY)
    assert "its job s1 still runs" in pipeline.printed
    pipeline.cloud.end_job("s1")
    assert pipeline.forget(KEY)


def test_deferred_recording_is_forgotten_and_never_submitted() -> None:
    pipeline = ForgottenPipeline()
    pipeline.upload(KEY, WORDS)
    pipeline.put_open(pipeline.build_receipt(KEY, WORDS).defer(pipeline.cloud.clock.now()))
    assert pipeline.forget(KEY), pipeline.printed
    assert pipeline.list_left({}) == []
    pipeline.sweep_when_due()
    assert pipeline.count_jobs() == 0


@pytest.mark.parametrize("is_versioned", [False, True])
@pytest.mark.parametrize("number", range(60))
def test_sweep_at_any_moment_submits_before_or_not_at_all(number: int, *, is_versioned: bool) -> None:
    pipeline = ForgottenPipeline(formats=("txt",))
    if is_versioned:
        pipeline.cloud.versioned.add(OUTPUT_BUCKET)
    pipeline.upload(KEY, WORDS)
    pipeline.put_open(pipeline.build_receipt(KEY, WORDS).defer(pipeline.cloud.clock.now()))
    pipeline.cloud.clock.advance(DUE_S)
    other = ForgottenPipeline.__new__(ForgottenPipeline)
    other.__dict__.update(pipeline.__dict__)
    pipeline.cloud.before("", "", other.sweep, skip=number)
    is_forgotten_now = pipeline.forget(KEY)
    pipeline.cloud.clear_hooks()
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.begin()
    pipeline.settle()
    assert is_forgotten_now is (pipeline.count_jobs() == 0)
    assert (pipeline.list_left({}) == []) is is_forgotten_now


def test_claim_of_a_receipt_that_a_sweep_changed_before_does_not_count() -> None:
    pipeline = ForgottenPipeline(formats=("txt",))
    pipeline.upload(KEY, WORDS)
    pipeline.put_open(pipeline.build_receipt(KEY, WORDS).defer(pipeline.cloud.clock.now()))
    pipeline.cloud.clock.advance(DUE_S)
    other = ForgottenPipeline.__new__(ForgottenPipeline)
    other.__dict__.update(pipeline.__dict__)
    # The first sweep has to wait, and leaves the next attempt to the second one.
    pipeline.cloud.before("POST", "", raise_error(Throttled(resource="queue", status=429)))
    pipeline.cloud.before("PUT", "claim/", other.sweep)
    pipeline.cloud.before("DELETE", "open/", other.sweep_when_due)
    assert not pipeline.forget(KEY)
    pipeline.begin()
    pipeline.settle()
    assert pipeline.get_text(KEY) == WORDS.decode()


def count_requests(naming: str, *, with_recording: bool) -> int:
    pipeline, key, _ = fill(naming, formats=("txt", "html"))
    assert pipeline.forget(key, with_recording=with_recording)
    return len(pipeline.take_requests())


@pytest.mark.parametrize(("naming", "with_recording"), [("short", False), ("full", True), ("long", False)])
def test_killed_at_any_request_the_same_command_ends_clean(naming: str, *, with_recording: bool) -> None:
    total = count_requests(naming, with_recording=with_recording)
    assert total > 40
    for number in range(total):
        pipeline, key, neighbours = fill(naming, formats=("txt", "html"))
        month = get_month(pipeline.ctx.now())
        costs = read_costs(build_workspace(pipeline), month).total
        # Every request from this one on: those of the other threads die with the process.
        pipeline.cloud.before("", "", raise_error(Killed()), skip=number, times=10_000)
        with pytest.raises(Killed):
            pipeline.forget(key, with_recording=with_recording)
        pipeline.cloud.clear_hooks()
        is_gone = key not in pipeline.cloud.buckets[INPUT_BUCKET] and pipeline.list_left(neighbours) == []
        if not is_gone:
            assert pipeline.forget(key, with_recording=with_recording), pipeline.printed
        assert pipeline.list_left(neighbours) == []
        assert neighbours.items() <= pipeline.stored.items()
        assert read_costs(build_workspace(pipeline), month).total == costs
        assert (key in pipeline.cloud.buckets[INPUT_BUCKET]) is not with_recording
        assert pipeline.list_keys(".scribe/index/forgotten/") == [] or not with_recording


@pytest.mark.parametrize("number", range(0, 60, 3))
def test_error_of_the_cloud_says_what_to_do_and_the_same_command_goes_on(number: int) -> None:
    pipeline, key, neighbours = fill(formats=("txt", "html"))
    error = OutcomeUnknown(resource="transcripts", status=500, code="InternalError")
    pipeline.cloud.before("DELETE", "", raise_error(error), skip=number)
    is_done = pipeline.forget(key)
    if not is_done:
        assert "InternalError" in pipeline.printed
    pipeline.cloud.clear_hooks()
    assert pipeline.forget(key)
    assert pipeline.list_left(neighbours) == []


def test_denied_key_learns_which_permissions_it_needs() -> None:
    pipeline, key, _ = fill()
    error = RequestRejected(resource="transcripts", status=403, code="AccessDenied")
    pipeline.cloud.before("DELETE", "", raise_error(error), times=1000)
    assert not pipeline.forget(key)
    assert "scribe policy operator" in pipeline.printed
