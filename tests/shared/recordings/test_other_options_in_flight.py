"""The same content uploaded again with other options while its first job waits or runs, and events at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.recordings.models import Status
from shared.recordings.receipt import TRANSCRIBED
from tests.helpers.fake_cloud import INPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses
from tests.helpers.invocations import (
    KEY,
    build_audit,
    build_callback,
    build_event,
    build_sweep,
    run,
)
from tests.helpers.other_options import (
    ENGLISH,
    A,
    assert_words,
    finish,
    settle,
    upload_again,
)


@pytest.mark.parametrize("is_notified", [True, False])
def test_upload_with_other_options_while_the_job_runs_is_new_work(
    pipeline: InMemoryPipeline, is_notified: bool
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    assert upload_again(pipeline, **ENGLISH) is Status.IN_PROGRESS
    finish(pipeline)
    if is_notified:
        assert pipeline.notify_one("s1").status is Status.DEFERRED
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)


def test_job_that_fails_while_other_options_wait_is_replaced(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    upload_again(pipeline, **ENGLISH)
    pipeline.cloud.end_job("s1", "Failed", "FailedOperation.Unlisted")
    pipeline.notify("s1")
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)


def test_title_that_comes_while_the_job_runs_is_written(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    upload_again(pipeline, **{"scribe-title": "b"})
    pipeline.run_and_notify()
    assert pipeline.get_done().recording_options.title == "b"
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("metadata", [{}, {"scribe-engine": "16k zh"}, {"scribe-channels": "2"}])
def test_upload_without_usable_options_while_the_job_runs_keeps_its_words(
    pipeline: InMemoryPipeline, metadata: dict[str, str]
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    upload_again(pipeline, **metadata)
    pipeline.run_and_notify()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1


def test_object_that_is_hidden_while_the_job_runs_made_no_choice(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A, **ENGLISH)
    pipeline.touch(KEY)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, refused=403)
    pipeline.run_and_notify()
    assert pipeline.get_done().state is TRANSCRIBED
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize(
    ("metadata", "is_valid"), [(ENGLISH, True), ({"scribe-words": "all"}, False), ({}, True)]
)
def test_options_of_an_upload_while_the_submit_waits_are_used(
    pipeline: InMemoryPipeline, metadata: dict[str, str], is_valid: bool
) -> None:
    pipeline.cloud.before("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest(KEY, A)
    assert upload_again(pipeline, **metadata) is Status.IN_PROGRESS
    pipeline.cloud.clock.advance(DUE_S)
    status = Status.SUBMITTED if is_valid else Status.FAILED
    assert count_statuses(pipeline.sweep()) == {status: 1}
    if is_valid:
        settle(pipeline)
        assert_words(pipeline, metadata.get("scribe-engine", "16k_zh"), 1)
    else:
        assert "scribe-words is 'all'" in (pipeline.get_error(KEY) or {})["message"]
        assert pipeline.count_jobs() == 0


ORDERS = st.lists(st.integers(0, 2), max_size=60)


def start_again(metadata: dict[str, str]) -> InMemoryPipeline:
    """Transcribe the recording, and upload it again; nothing has handled that event yet."""
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.upload(KEY, A, **metadata)
    return pipeline


@given(order=ORDERS)
@settings(max_examples=60, deadline=None)
def test_event_redelivery_and_audit_at_once_pay_one_new_job(order: list[int]) -> None:
    pipeline = start_again(ENGLISH)
    pipeline.cloud.clock.advance(DUE_S)
    run(
        pipeline,
        order,
        build_event(pipeline, is_upload=True),
        build_event(pipeline, is_upload=True),
        build_audit(pipeline),
    )
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)


@given(order=ORDERS)
@settings(max_examples=60, deadline=None)
def test_event_beside_a_sweep_and_an_old_notification_pays_one_new_job(order: list[int]) -> None:
    pipeline = start_again(ENGLISH)
    run(
        pipeline,
        order,
        build_event(pipeline, is_upload=True),
        build_callback(pipeline, "s1"),
        build_sweep(pipeline),
    )
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)


@given(order=ORDERS)
@settings(max_examples=60, deadline=None)
def test_callback_and_sweep_at_once_restart_a_job_with_other_options_once(order: list[int]) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, A)
    upload_again(pipeline, **ENGLISH)
    finish(pipeline)
    pipeline.cloud.clock.advance(DUE_S)
    run(pipeline, order, build_callback(pipeline, "s1"), build_sweep(pipeline), build_sweep(pipeline))
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)


# The last request of an event stays open (docs/reliability.md).
SLOW_EVENTS = [
    (metadata, number)
    for metadata, last in (({}, 10), ({"scribe-title": "b"}, 14), ({"scribe-words": "all"}, 6))
    for number in range(last)
]


@pytest.mark.parametrize(("metadata", "number"), SLOW_EVENTS)
def test_slow_event_of_another_upload_leaves_new_work_as_it_is(metadata: dict[str, str], number: int) -> None:
    """While the event of an upload that needs no job pauses, the next upload has other options, and is transcribed."""
    pipeline = start_again(metadata)

    def transcribe_again() -> None:
        upload_again(pipeline, **ENGLISH)
        finish(pipeline)
        pipeline.notify("s2")

    pipeline.cloud.before("", "", transcribe_again, skip=number)
    pipeline.ingest(KEY)
    pipeline.cloud.clear_hooks()
    if pipeline.count_jobs() == 1:
        transcribe_again()
    settle(pipeline)
    pipeline.audit_when_due()
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)
