"""The budget when two attempts at one recording meet, or one is paused: nothing is lost, nothing is paid twice."""

from __future__ import annotations

import pytest

from cli.operate.reasons import RefusalWatch
from cli.operate.retry_core import Retrier
from shared.errors import QueueFull
from shared.recordings.audit import audit
from shared.recordings.models import Status
from tests.helpers.budgets import BudgetPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.operate import build_workspace


def build_full() -> BudgetPipeline:
    """Return a deployment whose budget has no room for `second.mp3`, of eight minutes."""
    pipeline = BudgetPipeline(10)
    assert pipeline.upload_minutes("first.mp3", 9).status is Status.SUBMITTED
    pipeline.put_recording("second.mp3", 480)
    return pipeline


def run_retry(pipeline: BudgetPipeline) -> str:
    workspace = build_workspace(pipeline)
    workspace.ctx.settings = pipeline.ctx.settings
    return Retrier(workspace.ctx, RefusalWatch(workspace)).retry(INPUT_BUCKET, "second.mp3").outcome


def run_audit(pipeline: BudgetPipeline) -> str:
    ctx = pipeline.build_context()
    ctx.settings = pipeline.ctx.settings
    return ",".join(audit(ctx).counts)


def test_recording_that_another_attempt_holds_at_this_moment_still_waits_after_an_audit() -> None:
    pipeline = build_full()
    assert pipeline.ingest("second.mp3").status is Status.WAITING
    pipeline.cloud.clock.advance(DUE_S)
    outcomes = []

    def meet() -> None:
        pipeline.set_budget(20)  # the audit tries only what may have room
        outcomes.append(run_audit(pipeline))

    pipeline.cloud.before("DELETE", "/open/", meet)
    assert pipeline.ingest("second.mp3").status is Status.WAITING
    assert outcomes == ["in_progress"]
    assert len(pipeline.list_waiting()) == 1
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == 2
    assert pipeline.list_waiting() == []


def test_recording_that_another_attempt_holds_at_this_moment_still_waits_after_a_retry() -> None:
    pipeline = build_full()
    assert pipeline.ingest("second.mp3").status is Status.WAITING
    pipeline.cloud.clock.advance(DUE_S)
    upload = pipeline.build_upload("second.mp3")

    def begin() -> None:
        pipeline.cloud.before("DELETE", "/open/", raise_error(Killed()))
        with pytest.raises(Killed):
            upload()

    pipeline.cloud.before("PUT", "/open/", begin)
    assert run_retry(pipeline) == "in_progress"
    assert len(pipeline.list_waiting()) == 1
    assert pipeline.sweep_when_due().counts["waiting"] == 1
    assert len(pipeline.list_waiting()) == 1


def test_recording_whose_work_is_deferred_waits_until_it_is_done() -> None:
    pipeline = build_full()
    pipeline.ingest("second.mp3")
    pipeline.set_budget(0)
    pipeline.cloud.before("POST", "", raise_error(QueueFull(resource="q", status=403, code="QueueFull")))
    assert pipeline.audit_when_due().counts["deferred"] == 1
    assert len(pipeline.list_waiting()) == 1
    pipeline.sweep_when_due()
    pipeline.finish("s2", 480)
    pipeline.audit_when_due()
    assert (pipeline.count_jobs(), pipeline.list_waiting()) == (2, [])


# What an attempt that holds a recording does next, when it is paused past its lease.
PAUSES = {
    "it looks for a report": ("before", "GET", "/waiting/"),
    "it has reported": ("after", "PUT", ".error.json"),
    "it has written that it waits": ("after", "PUT", "/waiting/"),
}


@pytest.mark.parametrize("name", PAUSES)
def test_attempt_that_is_paused_while_it_holds_a_recording_gives_way_to_its_job(name: str) -> None:
    pipeline = build_full()
    upload = pipeline.build_upload("second.mp3")

    def pause() -> None:
        pipeline.finish("s1", 60)
        assert pipeline.sweep_when_due().counts == {"submitted": 1}

    when, method, key = PAUSES[name]
    getattr(pipeline.cloud, when)(method, key, pause)
    assert upload().status is Status.IN_PROGRESS
    assert [receipt.job_id for receipt in pipeline.list_open()] == ["s2"]
    assert pipeline.get_usage().reserved_s == 480
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == 2
    pipeline.finish("s2", 480)
    pipeline.audit_when_due()
    assert (pipeline.count_jobs(), pipeline.list_waiting()) == (2, [])
    assert pipeline.get_text("second.mp3") == "words"
    assert pipeline.get_error("second.mp3") is None


def test_attempt_whose_open_receipt_is_of_another_one_keeps_it() -> None:
    """The clocks of two functions differ: the sweep's says that the lease is over."""
    pipeline = build_full()

    def take() -> None:
        (receipt,) = [each for each in pipeline.list_open() if each.key == "second.mp3"]
        pipeline.ctx.receipts(INPUT_BUCKET).update(receipt._replace(nonce="other", attempt=2).with_job("s2"))

    pipeline.cloud.after("PUT", "/waiting/", take)
    assert pipeline.ingest("second.mp3").status is Status.IN_PROGRESS
    assert [receipt.job_id for receipt in pipeline.list_open()] == ["s1", "s2"]


def test_reservation_of_the_attempt_after_a_deferred_one_stays() -> None:
    pipeline = BudgetPipeline(10)
    pipeline.put_recording("second.mp3", 480)
    pipeline.cloud.before("POST", "", raise_error(QueueFull(resource="q", status=403, code="QueueFull")))

    def submit_at_once() -> None:
        assert run_retry(pipeline) == "submitted"

    pipeline.cloud.after("PUT", "/open/", submit_at_once, skip=1)
    assert pipeline.ingest("second.mp3").status is Status.DEFERRED
    assert pipeline.get_usage().reserved_s == 480
    assert pipeline.upload_minutes("first.mp3", 9).status is Status.WAITING


def test_recording_still_waits_if_its_waiting_receipt_is_removed_while_it_is_held_again() -> None:
    """An attempt that was paused removes it: there was room before."""
    pipeline = build_full()
    pipeline.ingest("second.mp3")
    (receipt_id,) = [key.removeprefix(".scribe/waiting/") for key in pipeline.list_waiting()]
    store = pipeline.ctx.receipts(INPUT_BUCKET)
    pipeline.cloud.after("GET", "/waiting/", lambda: store.delete_waiting(receipt_id))
    assert pipeline.ingest("second.mp3").status is Status.WAITING
    assert len(pipeline.list_waiting()) == 1
    errors = [
        each for each in pipeline.take_requests() if each.method == "PUT" and each.key.endswith(".error.json")
    ]
    assert len(errors) == 1
