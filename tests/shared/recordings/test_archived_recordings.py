"""Recordings in an archive: reported once, and submitted after the restore, by its event or by the audit."""

from __future__ import annotations

import pytest

from shared.errors import Throttled
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED, WAITING, Receipt
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline, count_statuses

KEY, A, B = "a.mp3", b"words of the first content", b"other words"
RESTORED, RUNNING = 'ongoing-request="false", expiry-date="Fri, 01 Jan 2027"', 'ongoing-request="true"'
STORAGES = ["ARCHIVE", "DEEP_ARCHIVE", "INTELLIGENT_TIERING ARCHIVE", "INTELLIGENT_TIERING DEEP_ARCHIVE"]


def upload_archived(pipeline: InMemoryPipeline, body: bytes = A, storage: str = "ARCHIVE") -> None:
    pipeline.upload(KEY, body)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage=storage)


def restore(pipeline: InMemoryPipeline, storage: str = "ARCHIVE") -> None:
    is_tiered = storage.startswith("INTELLIGENT")
    changes = {"storage": "INTELLIGENT_TIERING FREQUENT"} if is_tiered else {"restore": RESTORED}
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, **changes)


def get_waiting(pipeline: InMemoryPipeline) -> list[Receipt]:
    stored = pipeline.cloud.buckets[OUTPUT_BUCKET]
    return [Receipt.from_json(stored[key].body) for key in pipeline.list_keys(".scribe/waiting/")]


def count_error_objects(pipeline: InMemoryPipeline) -> int:
    return len([request for request in pipeline.take_requests() if request.key.endswith(".error.json")])


def assert_transcribed(pipeline: InMemoryPipeline, jobs: int = 1, body: bytes = A) -> None:
    pipeline.settle()
    assert pipeline.get_text(KEY) == body.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == jobs
    assert get_waiting(pipeline) == []


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("restore_header", ["", RUNNING])
def test_archived_recording_is_reported_once_and_costs_no_job(
    pipeline: InMemoryPipeline, storage: str, restore_header: str
) -> None:
    upload_archived(pipeline, storage=storage)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore=restore_header)
    assert pipeline.ingest(KEY).status is Status.WAITING
    error = pipeline.get_error(KEY)
    assert error is not None
    assert "archive" in error["message"]
    assert error["retried_automatically"] is True
    assert [receipt.state for receipt in get_waiting(pipeline)] == [WAITING]
    assert count_error_objects(pipeline) == 1
    assert pipeline.ingest(KEY).status is Status.WAITING
    for _ in range(3):
        assert count_statuses(pipeline.audit_when_due()) == {Status.WAITING: 1}
        pipeline.sweep_when_due()
    assert count_error_objects(pipeline) == 0
    assert pipeline.count_jobs() == 0
    assert pipeline.list_open() == []


def test_archived_recording_costs_eight_requests_once_and_five_afterwards(pipeline: InMemoryPipeline) -> None:
    """docs/reliability.md has these figures."""
    upload_archived(pipeline)
    counts = []
    for _ in range(3):
        pipeline.take_requests()
        pipeline.ingest(KEY)
        counts.append(len(pipeline.take_requests()))
    assert counts == [8, 5, 5]


@pytest.mark.parametrize("storage", STORAGES)
def test_restore_event_submits_an_archived_recording(pipeline: InMemoryPipeline, storage: str) -> None:
    upload_archived(pipeline, storage=storage)
    pipeline.ingest(KEY)
    restore(pipeline, storage)
    assert pipeline.ingest(KEY, is_restore=True).status is Status.SUBMITTED
    pipeline.run_and_notify()
    pipeline.audit_when_due()  # with INTELLIGENT_TIERING nothing says that it was restored
    assert_transcribed(pipeline)


@pytest.mark.parametrize("storage", STORAGES)
def test_audit_submits_a_restored_recording_whose_event_was_lost(
    pipeline: InMemoryPipeline, storage: str
) -> None:
    upload_archived(pipeline, storage=storage)
    pipeline.ingest(KEY)
    restore(pipeline, storage)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    assert_transcribed(pipeline)
    assert pipeline.audit_when_due().counts == {}


def test_archived_recording_without_an_event_is_reported_by_the_audit(pipeline: InMemoryPipeline) -> None:
    upload_archived(pipeline)
    assert count_statuses(pipeline.audit_when_due()) == {Status.WAITING: 1}
    assert pipeline.get_error(KEY) is not None


def test_redelivered_restore_event_pays_once(pipeline: InMemoryPipeline) -> None:
    upload_archived(pipeline)
    pipeline.ingest(KEY)
    restore(pipeline)
    statuses = [pipeline.ingest(KEY, is_restore=True).status for _ in range(3)]
    assert statuses == [Status.SUBMITTED, Status.IN_PROGRESS, Status.IN_PROGRESS]
    pipeline.run_and_notify()
    assert pipeline.ingest(KEY, is_restore=True).status is Status.ALREADY_DONE
    assert_transcribed(pipeline)


def test_restored_copy_of_a_transcribed_recording_costs_nothing(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    restore(pipeline)
    assert pipeline.ingest(KEY, is_restore=True).status is Status.ALREADY_DONE
    assert_transcribed(pipeline)


def test_archived_recording_that_is_deleted_is_forgotten(pipeline: InMemoryPipeline) -> None:
    upload_archived(pipeline)
    pipeline.ingest(KEY)
    pipeline.delete(KEY)
    assert pipeline.ingest(KEY, is_restore=True).status is Status.OBJECT_NOT_FOUND
    assert pipeline.audit_when_due().counts == {}
    assert pipeline.count_jobs() == 0


@pytest.mark.parametrize("has_event", [True, False])
def test_archived_recording_that_is_replaced_is_transcribed_as_it_is_now(
    pipeline: InMemoryPipeline, has_event: bool
) -> None:
    upload_archived(pipeline)
    pipeline.ingest(KEY)
    pipeline.cloud.clock.advance(2)
    pipeline.upload(KEY, B)
    if has_event:
        pipeline.ingest(KEY)
    else:
        pipeline.audit_when_due()
    pipeline.settle()
    assert pipeline.get_text(KEY) == B.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.count_jobs() == 1


def test_archived_recording_that_is_uploaded_again_to_the_archive_is_reported_again(
    pipeline: InMemoryPipeline,
) -> None:
    upload_archived(pipeline)
    pipeline.ingest(KEY)
    pipeline.take_requests()
    pipeline.cloud.clock.advance(2)
    upload_archived(pipeline)
    assert pipeline.ingest(KEY).status is Status.WAITING
    assert count_error_objects(pipeline) == 1


@pytest.mark.parametrize("by_audit", [False, True])
def test_failed_recording_that_is_uploaded_to_the_archive_is_submitted_after_its_restore(
    pipeline: InMemoryPipeline, by_audit: bool
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.notify("s1")
    pipeline.cloud.clock.advance(2)
    upload_archived(pipeline)
    assert pipeline.ingest(KEY).status is Status.WAITING
    pipeline.cloud.clock.advance(2)
    restore(pipeline)
    if by_audit:
        assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    else:
        assert pipeline.ingest(KEY, is_restore=True).status is Status.SUBMITTED
    assert_transcribed(pipeline, jobs=2)


@pytest.mark.parametrize("is_running", [True, False])
def test_recording_that_is_archived_while_its_job_runs_keeps_its_job(
    pipeline: InMemoryPipeline, is_running: bool
) -> None:
    if is_running:
        pipeline.upload_and_ingest(KEY, A)
    else:
        pipeline.cloud.after("POST", "", raise_error(Killed()))
        with pytest.raises(Killed):
            pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    assert pipeline.ingest(KEY).status is Status.IN_PROGRESS
    assert pipeline.get_error(KEY) is None
    assert_transcribed(pipeline)


def test_recording_that_is_archived_between_deferral_and_sweep_waits(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.before("POST", "", raise_error(Throttled(resource=KEY, code="SlowDown")))
    assert pipeline.upload_and_ingest(KEY, A).status is Status.DEFERRED
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    assert count_statuses(pipeline.sweep_when_due()) == {Status.WAITING: 1}
    assert (pipeline.count_jobs(), pipeline.list_open(), pipeline.list_claims()) == (0, [], [])
    assert pipeline.get_error(KEY) is not None
    assert pipeline.sweep_when_due().counts == {}
    restore(pipeline)
    assert pipeline.ingest(KEY, is_restore=True).status is Status.SUBMITTED
    assert_transcribed(pipeline)


@pytest.mark.parametrize("number", range(9))
def test_sweep_that_is_killed_while_a_recording_is_archived_is_repeated(
    pipeline: InMemoryPipeline, number: int
) -> None:
    pipeline.cloud.before("POST", "", raise_error(Throttled(resource=KEY, code="SlowDown")))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    pipeline.cloud.clock.advance(400)
    pipeline.cloud.kill_before(number + 2)
    with pytest.raises(Killed):
        pipeline.sweep()
    pipeline.cloud.clear_hooks()
    pipeline.sweep_when_due()
    assert len(get_waiting(pipeline)) == 1
    restore(pipeline)
    pipeline.ingest(KEY, is_restore=True)
    assert_transcribed(pipeline)


def test_restored_copy_that_expires_before_its_submit_waits_again(pipeline: InMemoryPipeline) -> None:
    upload_archived(pipeline)
    pipeline.ingest(KEY)
    restore(pipeline)
    pipeline.cloud.before("POST", "", raise_error(Throttled(resource=KEY, code="SlowDown")))
    assert pipeline.ingest(KEY, is_restore=True).status is Status.DEFERRED
    assert get_waiting(pipeline) == []
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore="")
    assert count_statuses(pipeline.sweep_when_due()) == {Status.WAITING: 1}
    restore(pipeline)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1}
    assert_transcribed(pipeline)


def test_archived_recording_with_wrong_metadata_fails_at_once(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A, channels="7")
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    assert pipeline.ingest(KEY).status is Status.FAILED
    assert pipeline.get_done().state is FAILED


def test_restored_recording_whose_job_fails_is_not_reported_as_archived(pipeline: InMemoryPipeline) -> None:
    upload_archived(pipeline, NOT_AUDIO)
    pipeline.ingest(KEY)
    restore(pipeline)
    pipeline.ingest(KEY, is_restore=True)
    pipeline.run_and_notify()
    error = pipeline.get_error(KEY)
    assert error is not None
    assert error["code"] == "FailedOperation.Unlisted"
    assert pipeline.audit_when_due().counts.keys() <= {Status.ALREADY_DONE.value}
    assert pipeline.count_jobs() == 1


def test_audit_goes_on_when_a_waiting_receipt_cannot_be_deleted(pipeline: InMemoryPipeline) -> None:
    upload_archived(pipeline)
    pipeline.ingest(KEY)
    restore(pipeline)
    pipeline.upload("b.mp3", B)
    pipeline.cloud.before(
        "DELETE", "waiting/", raise_error(Throttled(resource=KEY, code="SlowDown")), times=2
    )
    summary = pipeline.audit_when_due()
    assert (pipeline.count_jobs(), summary.errors) == (1, 1)
    assert "bucket_audit_failed" not in pipeline.get_events()
    pipeline.audit_when_due()
    pipeline.settle()
    for _ in range(2):  # the first one fails to delete it too
        pipeline.audit_when_due()
    assert_transcribed(pipeline, jobs=2)
