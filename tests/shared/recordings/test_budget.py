"""MONTHLY_MINUTES: what has no room waits, says so, and goes on by itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.errors import OutcomeUnknown, QueueFull, RequestRejected
from shared.recordings.budget import HELD_REASON, STALE_AFTER_S, Usage
from shared.recordings.index import get_month_start_s
from shared.recordings.ingest import ingest
from shared.recordings.models import Status
from shared.recordings.receipt import BUDGET_CODE, FAILED, TRANSCRIBED
from tests.helpers.budgets import BudgetPipeline
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline

MONTH, NEXT_MONTH = "2026-11", "2026-12"


def fill(minutes: int = 10, used: int = 8) -> BudgetPipeline:
    """Return a deployment with a budget of which some minutes are used."""
    pipeline = BudgetPipeline(minutes)
    assert pipeline.upload_minutes("first.mp3", used).status is Status.SUBMITTED
    pipeline.cloud.clock.advance(5)
    pipeline.finish("s1", used * 60)
    pipeline.take_requests()
    return pipeline


def go_to_next_month(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.clock.now_s = get_month_start_s(NEXT_MONTH) + 60.0


def test_finished_jobs_and_those_in_flight_are_added_up() -> None:
    pipeline = fill(minutes=20, used=8)
    assert pipeline.upload_minutes("second.mp3", 5).status is Status.SUBMITTED
    assert pipeline.get_usage() == Usage(MONTH, 480, 300, 1200)
    assert (pipeline.get_usage().total_s, pipeline.get_usage().left_s) == (780, 420)
    pipeline.finish("s2", 290)
    assert pipeline.get_usage() == Usage(MONTH, 770, 0, 1200)
    assert pipeline.list_reserved() == []


def test_recording_without_room_waits_and_says_so() -> None:
    pipeline = fill()
    result = pipeline.upload_minutes("calls/second.mp3", 3)
    assert (result.status, result.reason) == (Status.WAITING, HELD_REASON)
    assert pipeline.count_jobs() == 1
    error = pipeline.get_error("calls/second.mp3")
    assert error is not None
    assert error["message"] == (
        "The budget of 2026-11 has no room for this recording: MONTHLY_MINUTES is 10, of which 8 are used or in "
        "progress, and the recording has about 3."
    )
    assert error["message_zh"] == (
        "2026 年 11 月的转写预算不足：MONTHLY_MINUTES 为 10 分钟，已识别和正在识别的共 8 分钟，该录音约 3 分钟。"
    )
    assert "later month" in error["next_step"]
    assert "以后的月份" in error["next_step_zh"]
    assert (error["kind"], error["retryable"], error["retried_automatically"]) == ("account", True, True)
    assert error["code"] == BUDGET_CODE
    assert pipeline.list_open() == []
    assert pipeline.list_reserved() == []
    assert len(pipeline.list_waiting()) == 1


def test_recording_that_fits_exactly_is_submitted() -> None:
    assert fill().upload_minutes("second.mp3", 2).status is Status.SUBMITTED


def test_recording_longer_than_the_whole_budget_says_that_it_has_to_be_raised() -> None:
    pipeline = BudgetPipeline(10)
    assert pipeline.upload_minutes("long.mp3", 11).status is Status.WAITING
    error = pipeline.get_error("long.mp3")
    assert error is not None
    assert "longer than the budget of a whole month. Raise MONTHLY_MINUTES" in error["next_step"]


def test_waiting_recording_goes_on_in_the_next_month() -> None:
    pipeline = fill()
    pipeline.upload_minutes("second.mp3", 3)
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == 1
    go_to_next_month(pipeline)
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == 2
    assert pipeline.list_waiting() == []
    pipeline.finish("s2", 180)
    assert pipeline.get_text("second.mp3") == "words"
    assert pipeline.get_error("second.mp3") is None
    assert pipeline.get_usage() == Usage(NEXT_MONTH, 180, 0, 600)


@pytest.mark.parametrize("minutes", [11, 0])
def test_waiting_recording_goes_on_when_the_budget_is_raised_or_removed(minutes: int) -> None:
    pipeline = fill()
    pipeline.upload_minutes("second.mp3", 3)
    pipeline.set_budget(minutes)
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == 2
    assert pipeline.list_waiting() == []
    pipeline.finish("s2", 180)
    assert {receipt.state for receipt in pipeline.list_done()} == {TRANSCRIBED}


def test_job_that_is_in_flight_at_the_end_of_a_month_counts_in_the_next() -> None:
    pipeline = BudgetPipeline(10)
    pipeline.cloud.clock.now_s = get_month_start_s(NEXT_MONTH) - 60.0
    assert pipeline.get_usage().month == MONTH
    pipeline.upload_minutes("first.mp3", 8)
    go_to_next_month(pipeline)
    assert pipeline.get_usage() == Usage(NEXT_MONTH, 0, 480, 600)
    assert pipeline.upload_minutes("second.mp3", 3).status is Status.WAITING
    pipeline.finish("s1", 480)
    assert pipeline.get_usage() == Usage(NEXT_MONTH, 480, 0, 600)


def test_redelivered_event_of_a_waiting_recording_is_not_reported_again() -> None:
    pipeline = fill()
    pipeline.upload_minutes("second.mp3", 3)
    (waiting,) = pipeline.list_waiting()
    before = dict(pipeline.cloud.buckets[OUTPUT_BUCKET])
    pipeline.cloud.clock.advance(DUE_S)
    assert pipeline.ingest("second.mp3").status is Status.WAITING
    assert pipeline.cloud.buckets[OUTPUT_BUCKET].pop(waiting) != before.pop(waiting)
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == before
    assert pipeline.count_jobs() == 1


def test_event_of_a_waiting_recording_takes_it_if_there_is_room_now() -> None:
    pipeline = fill()
    pipeline.upload_minutes("second.mp3", 3)
    pipeline.set_budget(20)
    assert pipeline.ingest("second.mp3").status is Status.SUBMITTED
    assert pipeline.list_waiting() == []


def test_audit_sends_no_request_for_what_certainly_has_no_room() -> None:
    pipeline = fill()
    for number in range(5):
        pipeline.upload_minutes(f"{number}.mp3", 3)
    pipeline.take_requests()
    summary = pipeline.audit_when_due()
    assert summary.counts == {"waiting": 5}
    requests = pipeline.take_requests()
    assert len(requests) == 2 + 1 + 1 + 3  # the budget, the cursor, recordings, receipts of three kinds


def test_audit_takes_as_many_as_fit_and_tries_no_more() -> None:
    pipeline = BudgetPipeline(1)
    for number in range(5):
        pipeline.upload_minutes(f"{number}.mp3", 3)
    pipeline.set_budget(7)
    assert pipeline.audit_when_due().counts == {"submitted": 2, "waiting": 3}


def test_archived_recording_still_waits_for_its_restore() -> None:
    pipeline = fill()
    pipeline.put_recording("old.mp3", 60)
    pipeline.cloud.change_object(INPUT_BUCKET, "old.mp3", storage="ARCHIVE")
    assert pipeline.ingest("old.mp3").status is Status.WAITING
    pipeline.audit_when_due()
    error = pipeline.get_error("old.mp3")
    assert error is not None
    assert "archive" in error["message"]


def test_recording_that_is_archived_while_it_waits_says_that_instead() -> None:
    pipeline = fill()
    pipeline.upload_minutes("second.mp3", 3)
    pipeline.cloud.change_object(INPUT_BUCKET, "second.mp3", storage="ARCHIVE")
    pipeline.set_budget(20)
    pipeline.take_requests()
    for _ in range(2):
        pipeline.audit_when_due()
    error = pipeline.get_error("second.mp3")
    assert error is not None
    assert "archive" in error["message"]
    writes = [each for each in pipeline.take_requests() if each.key.endswith(".error.json")]
    assert len(writes) == 1


FAILING: dict[str, Callable[[BudgetPipeline], None]] = {
    "the queue is full": lambda pipeline: pipeline.cloud.before(
        "POST", "", raise_error(QueueFull(resource="q", status=403, code="QueueFull"))
    ),
    "the role may not submit": lambda pipeline: pipeline.cloud.before(
        "POST", "", raise_error(RequestRejected(resource="q", status=403, code="AccessDenied"))
    ),
    "the recording is refused": lambda pipeline: pipeline.cloud.before(
        "POST", "", raise_error(RequestRejected(resource="q", status=400, code="InvalidArgument"))
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_submit_that_fails_leaves_no_reservation(name: str) -> None:
    pipeline = fill()
    FAILING[name](pipeline)
    assert pipeline.upload_minutes("second.mp3", 2).status in {Status.DEFERRED, Status.FAILED}
    assert pipeline.list_reserved() == []


def test_failed_job_costs_nothing() -> None:
    pipeline = fill()
    pipeline.cloud.put_object(INPUT_BUCKET, "bad.mp3", NOT_AUDIO, size=60 * 16_000)
    pipeline.ingest("bad.mp3")
    assert pipeline.get_usage().reserved_s == 60
    pipeline.run_and_notify()
    assert FAILED in {receipt.state for receipt in pipeline.list_done()}
    assert pipeline.get_usage() == Usage(MONTH, 480, 0, 600)


@pytest.mark.parametrize("is_submitted", [True, False])
def test_lost_answer_to_the_submit_keeps_one_reservation(is_submitted: bool) -> None:
    pipeline = BudgetPipeline(10)
    error = raise_error(OutcomeUnknown(resource="q", code="NoAnswer"))
    (pipeline.cloud.after if is_submitted else pipeline.cloud.before)("POST", "", error)
    assert pipeline.upload_minutes("a.mp3", 6).status is Status.IN_PROGRESS
    assert pipeline.get_usage().reserved_s == 360
    pipeline.sweep_when_due()
    assert pipeline.count_jobs() == 1
    assert pipeline.get_usage() == Usage(MONTH, 0, 360, 600)
    pipeline.finish("s1", 360)
    assert pipeline.list_reserved() == []


def test_deferred_recording_waits_for_the_budget_when_the_sweep_submits_it() -> None:
    pipeline = BudgetPipeline(10)
    FAILING["the queue is full"](pipeline)
    pipeline.upload_minutes("a.mp3", 6)
    pipeline.upload_minutes("b.mp3", 6)
    assert pipeline.sweep_when_due().counts == {"job_running": 1, "waiting": 1}
    assert pipeline.list_open()[0].key == "b.mp3"
    assert pipeline.list_claims() == []
    assert len(pipeline.list_waiting()) == 1


def test_reservation_of_a_dead_deployment_counts_for_two_days_and_is_removed() -> None:
    pipeline = BudgetPipeline(10)
    pipeline.upload_minutes("a.mp3", 6)
    (key,) = pipeline.list_reserved()
    for name in list(pipeline.list_keys(".scribe/open/")):
        del pipeline.cloud.buckets[OUTPUT_BUCKET][name]
    age_s = pipeline.ctx.settings.give_up_after_s + STALE_AFTER_S
    pipeline.cloud.clock.advance(age_s - 10)
    assert pipeline.get_usage().reserved_s == 360
    pipeline.cloud.clock.advance(20)
    assert pipeline.get_usage().reserved_s == 0
    assert pipeline.list_reserved() == [key]
    pipeline.audit_when_due()
    assert key not in pipeline.list_reserved()


def test_job_that_is_finished_but_still_reserved_counts_once() -> None:
    """The callback was killed between the two requests; the sweep ends its work."""
    pipeline = BudgetPipeline(10)
    pipeline.upload_minutes("a.mp3", 6)
    pipeline.cloud.clock.advance(60)
    pipeline.cloud.after("PUT", "/finished/", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.finish("s1", 350)
    assert len(pipeline.list_reserved()) == 1
    assert pipeline.get_usage() == Usage(MONTH, 350, 0, 600)
    pipeline.sweep_when_due()
    assert pipeline.list_reserved() == []


def test_other_objects_among_the_reservations_are_passed_over() -> None:
    pipeline = fill()
    pipeline.cloud.put_object(OUTPUT_BUCKET, ".scribe/index/reserved/readme.x.99999", b"")
    assert pipeline.get_usage() == Usage(MONTH, 480, 0, 600)


def test_budget_is_for_all_output_buckets_together() -> None:
    other = "calls-1250000000"
    pipeline = BudgetPipeline(10, input_buckets=(INPUT_BUCKET, other), output_bucket="")
    pipeline.cloud.buckets[other] = {}
    assert pipeline.upload_minutes("a.mp3", 6).status is Status.SUBMITTED
    pipeline.put_recording("b.mp3", 300, other)
    assert pipeline.build_upload("b.mp3", other)().status is Status.WAITING
    pipeline.put_recording("c.mp3", 240, other)
    assert pipeline.build_upload("c.mp3", other)().status is Status.SUBMITTED
    pipeline.finish("s1", 360)
    pipeline.finish("s2", 240)
    assert pipeline.get_usage() == Usage(MONTH, 600, 0, 600)


def test_slow_look_at_the_budget_submits_nothing_after_the_lease() -> None:
    pipeline = BudgetPipeline(10)
    pipeline.cloud.after("LIST", "/finished/", lambda: pipeline.cloud.clock.advance(110))
    assert pipeline.upload_minutes("a.mp3", 6).status is Status.IN_PROGRESS
    assert pipeline.count_jobs() == 0
    pipeline.sweep_when_due()
    assert pipeline.count_jobs() == 1
    assert pipeline.get_usage().reserved_s == 360


def test_audit_goes_on_if_the_budget_cannot_be_read() -> None:
    pipeline = fill()
    pipeline.upload_minutes("second.mp3", 3)
    pipeline.set_budget(20)
    error = RequestRejected(resource="b", status=403, code="AccessDenied")
    pipeline.cloud.before("LIST", "/reserved/", raise_error(error))
    assert pipeline.audit_when_due().counts == {"submitted": 1}
    assert "budget_unreadable" in pipeline.get_events("warning")


def test_without_a_budget_the_functions_send_no_request_for_it(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest("a.mp3", b"words")
    pipeline.run_and_notify()
    pipeline.audit_when_due()
    keys = [request.key for request in pipeline.take_requests() if "/index/" in request.key]
    assert [key.split("/")[2] for key in keys] == ["finished"]


def count_requests(minutes: int) -> list[int]:
    pipeline = BudgetPipeline(minutes)
    pipeline.put_recording("a.mp3", 60)
    counts = []
    for step in (
        lambda: pipeline.ingest("a.mp3"),
        lambda: pipeline.finish("s1", 60),
        pipeline.sweep_when_due,
        pipeline.audit_when_due,
    ):
        pipeline.take_requests()
        step()
        counts.append(len(pipeline.take_requests()))
    return counts


def test_budget_costs_four_requests_for_an_upload_and_two_for_a_transcript() -> None:
    without, with_budget = count_requests(0), count_requests(10)
    assert [after - before for before, after in zip(without, with_budget, strict=True)] == [4, 2, 0, 2]


def test_job_that_ends_between_two_listings_is_counted_once() -> None:
    pipeline = BudgetPipeline(10)
    pipeline.upload_minutes("a.mp3", 6)
    pipeline.cloud.clock.advance(5)
    pipeline.cloud.after("LIST", "index/", lambda: pipeline.finish("s1", 350))
    assert pipeline.get_usage() == Usage(MONTH, 350, 0, 600)


def test_output_bucket_that_is_not_there_counts_as_empty() -> None:
    pipeline = BudgetPipeline(10, input_buckets=("gone-1250000000", INPUT_BUCKET), output_bucket="")
    assert pipeline.upload_minutes("a.mp3", 8).status is Status.SUBMITTED
    assert pipeline.upload_minutes("b.mp3", 3).status is Status.WAITING
    assert pipeline.get_usage() == Usage(MONTH, 0, 480, 600)
    assert pipeline.get_events("warning") == ["budget_warning"]
    pipeline.set_budget(20)
    assert pipeline.audit_when_due().counts["submitted"] == 1


def test_output_bucket_in_another_region_counts_for_its_own_recordings() -> None:
    other = "calls-1250000000"
    pipeline = BudgetPipeline(10, input_buckets=(INPUT_BUCKET, other), output_bucket="")
    pipeline.cloud.buckets[other] = {}
    pipeline.cloud.regions[other] = "ap-shanghai"
    ctx = pipeline.ctx.for_region("ap-shanghai")
    assert pipeline.upload_minutes("a.mp3", 4).status is Status.SUBMITTED
    statuses = []
    for key in ("b.mp3", "c.mp3"):
        pipeline.put_recording(key, 300, other)
        statuses.append(ingest(ctx, other, key).status)
    assert statuses == [Status.SUBMITTED, Status.WAITING]
    assert pipeline.upload_minutes("d.mp3", 2).status is Status.SUBMITTED
