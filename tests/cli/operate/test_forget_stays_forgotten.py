"""A forgotten recording is transcribed again only by an upload: not by a restore, a copy or an old listing."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.operate.forget import Forget, ForgetOptions
from shared.recordings.index import FORGOTTEN_REASON
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED
from tests.helpers.budgets import BudgetPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline
from tests.helpers.operate import build_console, build_workspace

KEY = "calls/a.mp3"
RESTORED = 'ongoing-request="false", expiry-date="Fri, 01 Jan 2027 00:00:00 GMT"'


def forget(pipeline: InMemoryPipeline) -> None:
    """Forget the recording, as another process does."""
    console, output = build_console()
    command = Forget(build_workspace(pipeline), ForgetOptions((KEY,)), Path("nowhere"))
    assert command.run(console, None), output.getvalue()


def test_restore_of_a_forgotten_recording_submits_nothing() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload(KEY, b"words")
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    assert pipeline.ingest(KEY).status is Status.WAITING
    forget(pipeline)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore=RESTORED)
    result = pipeline.ingest(KEY, is_restore=True)
    assert (result.status, result.reason) == (Status.SKIPPED, FORGOTTEN_REASON)
    assert pipeline.count_jobs() == 0


def test_copy_of_a_forgotten_recording_submits_nothing_but_an_upload_does() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, b"words")
    pipeline.run_and_notify()
    forget(pipeline)
    result = pipeline.ingest(KEY, is_upload=False)
    assert (result.status, result.reason) == (Status.SKIPPED, FORGOTTEN_REASON)
    assert pipeline.count_jobs() == 1
    assert pipeline.ingest(KEY).status is Status.SUBMITTED


@pytest.mark.parametrize("moment", [("LIST", "waiting/"), ("HEAD", KEY)])
def test_audit_with_a_listing_from_before_submits_nothing(moment: tuple[str, str]) -> None:
    pipeline = BudgetPipeline(10)
    pipeline.upload_minutes("calls/0.mp3", 8)
    assert pipeline.upload_minutes(KEY, 8).status is Status.WAITING
    pipeline.set_budget(100)
    pipeline.cloud.clock.advance(DUE_S)
    act = pipeline.cloud.after if moment[0] == "LIST" else pipeline.cloud.before
    act(*moment, lambda: forget(pipeline))
    assert pipeline.audit_when_due().counts == {"in_progress": 1, "skipped": 1}
    assert pipeline.count_jobs() == 1
    assert pipeline.list_waiting() == []


def test_mark_is_looked_for_only_where_no_receipt_is() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, b"words")
    pipeline.run_and_notify()
    pipeline.touch(KEY)
    pipeline.upload("calls/b.mp3", b"other words")
    for key, is_upload, looks in (
        (KEY, False, 0),
        (KEY, True, 0),
        ("calls/b.mp3", True, 0),
        ("calls/c.mp3", False, 1),
    ):
        pipeline.upload("calls/c.mp3", b"more words")
        pipeline.take_requests()
        pipeline.ingest(key, is_upload=is_upload)
        assert sum("index/forgotten/" in request.key for request in pipeline.take_requests()) == looks


def test_late_result_of_a_recording_that_is_forgotten_in_this_moment_is_not_written() -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, b"secret words")
    pipeline.cloud.clock.advance(86_402)
    pipeline.sweep()
    assert pipeline.get_done().state is FAILED
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("PUT", ".scribe/open/", lambda: forget(pipeline))
    assert pipeline.notify_one("s1").status is Status.ALREADY_DONE
    assert [key for key in pipeline.list_keys() if "/index/forgotten/" not in key] == []
