"""Recordings that COS does not show: reported once, then quiet until they change, and never at the cost of a result."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import CloudError, OutcomeUnknown, RequestRejected, Throttled
from shared.recordings.failures import UNREADABLE
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED, SUPERSEDED, Receipt
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline, count_statuses

KEY, NEIGHBOUR, A, B = "calls/b.mp3", "calls/c.mp3", b"words of the first content", b"other words"


def refuse(pipeline: InMemoryPipeline, status: int, *keys: str) -> None:
    for key in keys:
        pipeline.cloud.change_object(INPUT_BUCKET, key, refused=status)


def assert_reported_once(pipeline: InMemoryPipeline) -> None:
    error = pipeline.get_error(KEY)
    assert error is not None
    assert error["message"] == UNREADABLE.message
    assert pipeline.get_done().state is FAILED
    assert (pipeline.count_jobs(), pipeline.list_open()) == (0, [])


@pytest.mark.parametrize("status", [400, 403])
def test_refused_recording_gets_one_error_object_and_is_then_quiet(
    pipeline: InMemoryPipeline, status: int
) -> None:
    pipeline.upload(NEIGHBOUR, B)
    pipeline.upload(KEY, A)
    pipeline.cloud.clock.advance(2)
    refuse(pipeline, status, KEY)
    assert pipeline.ingest(KEY).status is Status.FAILED
    assert_reported_once(pipeline)
    pipeline.take_requests()
    pipeline.delete(NEIGHBOUR)
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    summary = pipeline.audit_when_due()
    assert (summary.errors, set(count_statuses(summary))) == (0, set())
    assert [request for request in pipeline.take_requests() if request.method == "PUT"] == []


def test_audit_reports_a_refused_recording_once(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)
    refuse(pipeline, 400, KEY)
    assert count_statuses(pipeline.audit_when_due()) == {Status.FAILED: 1}
    assert_reported_once(pipeline)
    for _ in range(3):
        summary = pipeline.audit_when_due()
        assert (summary.counts, summary.errors) == ({}, 0)


@pytest.mark.parametrize("body", [A, B], ids=["same content", "other content"])
@pytest.mark.parametrize("has_event", [True, False])
def test_refused_recording_that_is_uploaded_again_is_transcribed(
    pipeline: InMemoryPipeline, body: bytes, has_event: bool
) -> None:
    pipeline.upload(KEY, A)
    refuse(pipeline, 400, KEY)
    pipeline.ingest(KEY)
    pipeline.cloud.clock.advance(2)
    pipeline.upload(KEY, body)
    if has_event:
        pipeline.ingest(KEY)
    else:
        pipeline.audit_when_due()
    pipeline.settle()
    assert pipeline.get_text(KEY) == body.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == 1


def test_refused_recording_that_is_refused_again_after_a_new_upload_is_reported_again(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload(KEY, A)
    refuse(pipeline, 400, KEY)
    pipeline.ingest(KEY)
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.FAILED
    assert_reported_once(pipeline)


@pytest.mark.parametrize("keys", [(KEY,), ("a.mp3", KEY, NEIGHBOUR)], ids=["alone", "of all"])
def test_403_that_may_be_about_the_role_is_raised(pipeline: InMemoryPipeline, keys: tuple[str, ...]) -> None:
    for key in keys:
        pipeline.upload(key, A)
    refuse(pipeline, 403, *keys)
    for _ in range(2):
        with pytest.raises(RequestRejected):
            pipeline.ingest(KEY)
    assert pipeline.audit_when_due().errors == len(keys)
    assert (pipeline.list_keys(), pipeline.count_jobs()) == ([], 0)
    refuse(pipeline, 0, *keys)
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == len(keys)


@pytest.mark.parametrize("status", [401, 405, 409, 451])
def test_other_refusals_of_an_object_are_raised(pipeline: InMemoryPipeline, status: int) -> None:
    pipeline.upload(NEIGHBOUR, B)
    pipeline.upload(KEY, A)
    refuse(pipeline, status, KEY)
    with pytest.raises(RequestRejected):
        pipeline.ingest(KEY)
    assert pipeline.list_keys() == []


@given(
    before=st.integers(0, 120),
    after=st.integers(0, 120),
    readable=st.sampled_from(["", "transcripts/x.mp3", "a.mp3", "zz.mp3", "notes.pdf", ".scribe/open/x"]),
    key=st.sampled_from([KEY, "a0.mp3", "~last.mp3"]),
)
@settings(max_examples=60, deadline=None)
def test_only_another_recording_shows_that_the_role_may_read(
    before: int, after: int, readable: str, key: str
) -> None:
    """Own outputs, which a role may read although it may not read recordings, prove nothing, however many there are."""
    pipeline = InMemoryPipeline(output_bucket="")
    for number in range(before):
        pipeline.upload(f".scribe/done/{number}.mp3", A)
    for number in range(after):
        pipeline.upload(f"transcripts/{number}.mp3", A)
    pipeline.upload(key, A)
    if readable:
        pipeline.upload(readable, A)
    refuse(pipeline, 403, key)
    if readable in {"a.mp3", "zz.mp3"}:
        assert pipeline.ingest(key).status is Status.FAILED
    else:
        with pytest.raises(RequestRejected):
            pipeline.ingest(key)
    assert len(pipeline.take_requests()) <= 15


def test_neighbour_that_cannot_be_asked_is_passed_over(pipeline: InMemoryPipeline) -> None:
    for key in ("a.mp3", KEY, NEIGHBOUR):
        pipeline.upload(key, A)
    refuse(pipeline, 403, KEY)
    pipeline.cloud.before("HEAD", NEIGHBOUR, raise_error(Throttled(resource=KEY, code="SlowDown")), times=3)
    assert pipeline.ingest(KEY).status is Status.FAILED


@pytest.mark.parametrize("status", [400, 403])
def test_object_that_the_listing_does_not_have_is_gone(pipeline: InMemoryPipeline, status: int) -> None:
    pipeline.upload(f"{KEY}-longer.mp3", A)
    pipeline.cloud.before("HEAD", KEY, raise_error(RequestRejected(resource=KEY, status=status)))
    assert pipeline.ingest(KEY).status is Status.OBJECT_NOT_FOUND
    assert pipeline.list_keys() == []


def test_listing_that_fails_is_raised(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)
    refuse(pipeline, 400, KEY)
    pipeline.cloud.before("LIST", "", raise_error(Throttled(resource=KEY, code="SlowDown")))
    with pytest.raises(Throttled):
        pipeline.ingest(KEY)
    assert pipeline.list_keys() == []


def test_refused_object_without_an_extension_may_be_anything(pipeline: InMemoryPipeline) -> None:
    pipeline.upload("readme", A)
    refuse(pipeline, 400, "readme")
    assert pipeline.ingest("readme").status is Status.SKIPPED
    assert pipeline.list_keys() == []


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("is_delivered_again", [True, False])
@pytest.mark.parametrize("is_notified", [True, False])
def test_recording_that_is_refused_while_its_job_runs_gets_its_transcript(
    pipeline: InMemoryPipeline, status: int, is_delivered_again: bool, is_notified: bool
) -> None:
    pipeline.upload(NEIGHBOUR, B)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    refuse(pipeline, status, KEY)
    if is_delivered_again:
        assert pipeline.ingest(KEY).status is Status.IN_PROGRESS
    if is_notified:
        pipeline.notify("s1")
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("change", ["replaced", "deleted"])
def test_refused_content_that_replaced_a_recording_does_not_get_its_words(
    pipeline: InMemoryPipeline, change: str
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.upload(KEY, B)
    refuse(pipeline, 400, KEY)
    if change == "deleted":
        pipeline.cloud.before("LIST", KEY, lambda: pipeline.delete(KEY))
    (result,) = pipeline.notify("s1")
    assert result.status is (Status.SUPERSEDED if change == "replaced" else Status.TRANSCRIBED)
    assert pipeline.list_open() == []


@pytest.mark.parametrize("error", [OutcomeUnknown, Throttled])
def test_head_that_fails_for_another_reason_keeps_the_work_open(
    pipeline: InMemoryPipeline, error: type[CloudError]
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("HEAD", KEY, raise_error(error(resource=KEY, status=503)))
    assert pipeline.sweep_when_due().errors == 1
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()


@pytest.mark.parametrize("status", [401, 405])
def test_head_that_is_refused_with_another_status_keeps_the_work_open(
    pipeline: InMemoryPipeline, status: int
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    refuse(pipeline, status, KEY)
    assert pipeline.sweep_when_due().errors == 1
    refuse(pipeline, 0, KEY)
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()


def defer(pipeline: InMemoryPipeline) -> Receipt:
    pipeline.cloud.before("POST", "", raise_error(Throttled(resource=KEY, code="SlowDown")))
    pipeline.upload_and_ingest(KEY, A)
    return pipeline.get_open()


def test_deferred_recording_that_is_refused_ends_with_an_error_object(pipeline: InMemoryPipeline) -> None:
    defer(pipeline)
    refuse(pipeline, 400, KEY)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.FAILED: 1}
    assert_reported_once(pipeline)
    assert pipeline.list_claims() == []
    summary = pipeline.audit_when_due()
    assert (summary.errors, pipeline.sweep().counts) == (0, {})


def test_deferred_recording_waits_while_the_role_may_read_nothing(pipeline: InMemoryPipeline) -> None:
    defer(pipeline)
    refuse(pipeline, 403, KEY)
    for _ in range(3):
        summary = pipeline.sweep_when_due()
        assert (summary.counts, summary.errors) == ({}, 1)
    assert pipeline.get_error(KEY) is None
    refuse(pipeline, 0, KEY)
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()


def test_deferred_recording_that_was_replaced_by_refused_content_is_superseded(
    pipeline: InMemoryPipeline,
) -> None:
    defer(pipeline)
    pipeline.upload(KEY, B)
    refuse(pipeline, 400, KEY)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.SUPERSEDED: 1}
    assert pipeline.get_done().state is SUPERSEDED


@pytest.mark.parametrize("status", [400, 401])
def test_deferred_recording_that_cannot_be_found_out_waits(pipeline: InMemoryPipeline, status: int) -> None:
    defer(pipeline)
    error = RequestRejected(resource=KEY, status=status)
    pipeline.cloud.before("HEAD", KEY, raise_error(error))
    pipeline.cloud.before("LIST", KEY, lambda: pipeline.cloud.buckets[INPUT_BUCKET].pop(KEY))
    assert pipeline.sweep_when_due().errors == 1
    assert (len(pipeline.list_open()), pipeline.list_claims()) == (1, [])


def test_dead_attempt_whose_recording_is_refused_keeps_its_paid_job(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.after("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    refuse(pipeline, 400, KEY)
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.count_jobs() == 1
    assert pipeline.list_keys("transcripts/", OUTPUT_BUCKET)


def test_role_that_becomes_known_a_moment_later_closes_nothing(pipeline: InMemoryPipeline) -> None:
    """HEAD is refused once, and its neighbour can be read already: the event comes again."""
    pipeline.upload("neighbour.mp3", A)
    pipeline.upload(KEY, A)
    refusal = RequestRejected(resource=KEY, status=403)
    pipeline.cloud.before("HEAD", KEY, raise_error(refusal))
    with pytest.raises(RequestRejected):
        pipeline.ingest(KEY)
    assert pipeline.list_done() == []
    assert pipeline.ingest(KEY).status is Status.SUBMITTED


def test_denied_folder_differs_from_a_denied_role_by_recordings_elsewhere(pipeline: InMemoryPipeline) -> None:
    """The neighbours in the folder are denied as well: those at other places of the bucket are asked too."""
    keys = [f"denied/{number:02}.mp3" for number in range(10)]
    for key in ("a.mp3", *keys, "zz.mp3"):
        pipeline.upload(key, A)
    refuse(pipeline, 403, *keys)
    assert {pipeline.ingest(key).status for key in keys} == {Status.FAILED}
