"""The budget, and a recording that had an outcome before: uploaded again with other options, or tried again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.operate.reasons import RefusalWatch
from cli.operate.retry_core import Retrier
from shared.recordings.index import get_month_start_s
from shared.recordings.models import Status
from shared.recordings.receipt import BUDGET_CODE
from tests.helpers.budgets import BudgetPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET
from tests.helpers.operate import build_workspace

NEXT_MONTH_S = get_month_start_s("2026-12") + 60.0
ENGINES = ("16k_zh", "16k_en")


def set_engine(pipeline: BudgetPipeline, engine: str) -> None:
    pipeline.ctx.settings = replace(pipeline.ctx.settings, engine=engine)


def build_held_again() -> BudgetPipeline:
    """Return a deployment in which transcribed content was uploaded again after ENGINE changed, and is held."""
    pipeline = BudgetPipeline(10)
    set_engine(pipeline, ENGINES[0])
    pipeline.upload_minutes("again.mp3", 4)
    pipeline.finish("s1", 240)
    pipeline.upload_minutes("first.mp3", 5)
    set_engine(pipeline, ENGINES[1])
    pipeline.cloud.clock.advance(100)
    assert pipeline.upload_minutes("again.mp3", 4).status is Status.WAITING
    return pipeline


def get_error_code(pipeline: BudgetPipeline) -> str:
    error = pipeline.get_error("again.mp3")
    return str(error["code"]) if error else ""


@pytest.mark.parametrize("is_touched", [False, True])
def test_transcribed_content_keeps_its_transcripts_while_it_waits_and_then_has_new_ones(
    is_touched: bool,
) -> None:
    pipeline = build_held_again()
    before = pipeline.list_keys("transcripts/again")
    assert pipeline.get_text("again.mp3") == "words"
    assert get_error_code(pipeline) == BUDGET_CODE
    pipeline.finish("s2", 300)
    if is_touched:
        pipeline.touch("again.mp3")
        assert pipeline.ingest("again.mp3", is_upload=False).status is Status.WAITING
    pipeline.cloud.clock.now_s = NEXT_MONTH_S
    assert pipeline.audit_when_due().counts["submitted"] == 1
    assert pipeline.cloud.job_requests[2].engine == ENGINES[1]
    pipeline.finish("s3", 240)
    assert pipeline.list_waiting() == []
    assert get_error_code(pipeline) == ""
    after = pipeline.list_keys("transcripts/again")
    assert after == [key for key in before if not key.endswith(".error.json")]
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == 3


def test_transcribed_content_costs_nothing_if_the_old_options_are_back_before_it_goes_on() -> None:
    pipeline = build_held_again()
    set_engine(pipeline, ENGINES[0])
    pipeline.cloud.clock.now_s = NEXT_MONTH_S
    pipeline.audit_when_due()
    pipeline.finish("s2", 300)
    pipeline.settle()
    pipeline.audit_when_due()
    assert (pipeline.count_jobs(), pipeline.list_waiting()) == (2, [])
    assert pipeline.get_text("again.mp3") == "words"
    assert get_error_code(pipeline) == ""


def fail_job(pipeline: BudgetPipeline, number: int) -> None:
    pipeline.cloud.end_job(f"s{number}", "Failed", "FailedOperation.Unlisted")
    pipeline.notify(f"s{number}")


def run_retry(pipeline: BudgetPipeline) -> str:
    workspace = build_workspace(pipeline)
    return Retrier(workspace.ctx, RefusalWatch(workspace)).retry(INPUT_BUCKET, "again.mp3").outcome


def test_recording_that_failed_and_is_held_twice_goes_on_in_the_next_month() -> None:
    """Between the two, the budget was removed, and a copy's event submitted a job that failed too."""
    pipeline = BudgetPipeline(10)
    pipeline.upload_minutes("again.mp3", 8)
    fail_job(pipeline, 1)
    pipeline.upload_minutes("first.mp3", 9)
    pipeline.cloud.clock.advance(100)
    assert run_retry(pipeline) == "waiting"
    pipeline.set_budget(0)
    pipeline.cloud.clock.advance(100)
    assert pipeline.ingest("again.mp3").status is Status.SUBMITTED
    fail_job(pipeline, 3)
    assert get_error_code(pipeline) != BUDGET_CODE
    pipeline.set_budget(10)
    pipeline.cloud.clock.advance(100)
    assert run_retry(pipeline) == "waiting"
    assert get_error_code(pipeline) == BUDGET_CODE
    pipeline.finish("s2", 540)
    pipeline.cloud.clock.now_s = NEXT_MONTH_S
    assert pipeline.audit_when_due().counts["submitted"] == 1
    pipeline.finish("s4", 480)
    assert (pipeline.get_text("again.mp3"), pipeline.list_waiting()) == ("words", [])
