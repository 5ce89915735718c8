"""At 80 % of the budget there is one warning: a log line, and a notice to every default target."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.errors import AlreadyExists, OutcomeUnknown, RequestRejected
from shared.notices.models import DELIVERED, Notice, NoticeType, Outcome, Target, TargetKind
from shared.recordings.announcer import Announcer
from shared.recordings.budget import WARNING_LEASE_S
from shared.recordings.models import Status
from tests.helpers.budgets import BudgetPipeline
from tests.helpers.fake_cloud import OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.interleaving import run_interleaved
from tests.helpers.notices import build_target

ONLY_DONE = build_target(types=frozenset({NoticeType.DONE}))
WECOM = build_target(TargetKind.WECOM)
NAMED = build_target(TargetKind.FEISHU, name="feishu-sales", is_default=False)
MARKER = ".scribe/index/budget/2026-11.10.80"


class WarnedPipeline(BudgetPipeline):
    """A deployment with a budget and targets; its warnings are collected."""

    def __init__(self, minutes: int, *targets: Target) -> None:
        self.targets = targets or (ONLY_DONE, WECOM, NAMED)
        self.warnings: list[tuple[str, Notice]] = []
        super().__init__(minutes, targets=self.targets)
        self.begin()

    def begin(self) -> None:
        """Begin another invocation."""
        self.ctx.announcer = Announcer(self.targets, self._send)

    def _send(self, target: Target, notices: Sequence[Notice], *_: float) -> Outcome:
        self.warnings += [(target.name, each) for each in notices if each.type is NoticeType.BUDGET]
        return DELIVERED

    def submit(self, key: str, minutes: int) -> None:
        """Upload a recording as the upload function does, with its notices."""
        self.upload_minutes(key, minutes)
        self.ctx.send_notices()

    def count_warned(self) -> int:
        return self.get_events("warning").count("budget_warning")


def test_every_default_target_is_warned_once_whatever_it_wants_otherwise() -> None:
    pipeline = WarnedPipeline(10)
    pipeline.submit("a.mp3", 7)
    assert pipeline.warnings == []
    for number in range(3):
        pipeline.submit(f"b{number}.mp3", 1)
        pipeline.cloud.clock.advance(WARNING_LEASE_S)
    assert [name for name, _ in pipeline.warnings] == ["webhook", "wecom"]
    assert pipeline.count_warned() == 1
    notice = pipeline.warnings[0][1]
    assert dict(notice.budget) == {
        "month": "2026-11",
        "percent": 80,
        "budget_minutes": 10,
        "finished_minutes": 0,
        "in_flight_minutes": 8,
    }
    assert (notice.key, notice.receipt_id) == ("", "")


def test_log_has_the_numbers_also_without_targets() -> None:
    pipeline = BudgetPipeline(10)
    pipeline.upload_minutes("a.mp3", 5)
    pipeline.finish("s1", 300)
    for number in range(2):
        pipeline.upload_minutes(f"{number}.mp3", 3 - number)
    (line,) = [each for each in pipeline.log_lines if each["event"] == "budget_warning"]
    assert (line["budget_minutes"], line["finished_minutes"], line["in_flight_minutes"]) == (10, 5, 3)


def test_budget_that_was_raised_and_the_next_month_are_warned_of_again() -> None:
    pipeline = WarnedPipeline(10, WECOM)
    pipeline.submit("a.mp3", 8)
    pipeline.set_budget(20)
    pipeline.submit("b.mp3", 7)
    assert len(pipeline.warnings) == 1
    pipeline.submit("c.mp3", 1)
    assert [notice.budget["budget_minutes"] for _, notice in pipeline.warnings] == [10, 20]
    assert len({notice.build_id(name) for name, notice in pipeline.warnings}) == 2
    pipeline.cloud.clock.advance(30 * 86_400)
    pipeline.submit("d.mp3", 16)
    assert [notice.budget["month"] for _, notice in pipeline.warnings] == ["2026-11", "2026-11", "2026-12"]


def test_recording_that_has_no_room_can_show_it_too() -> None:
    pipeline = WarnedPipeline(10, WECOM)
    pipeline.submit("a.mp3", 7)
    pipeline.submit("long.mp3", 20)
    assert pipeline.warnings == []
    pipeline.finish("s1", 590)  # longer than estimated
    pipeline.submit("b.mp3", 1)
    assert pipeline.count_jobs() == 1
    assert len(pipeline.warnings) == 1


def test_two_at_once_warn_once() -> None:
    for order in ([0, 1] * 40, [0] * 9 + [1] * 30, [1] * 12 + [0] * 30):
        pipeline = WarnedPipeline(10, WECOM)
        pipeline.upload_minutes("a.mp3", 7)
        uploads = []
        for key in ("b.mp3", "c.mp3"):
            pipeline.put_recording(key, 60)
            uploads.append(pipeline.build_upload(key))
        run_interleaved(pipeline.cloud, order, *uploads)
        assert pipeline.count_jobs() == 3
        # Each process that is not the first leaves it to the other.
        assert len(pipeline.list_keys(".scribe/notices/")) <= 1


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize(("key_part", "skip"), [(MARKER, 0), ("notices/wecom/", 0), (MARKER, 1)])
def test_warning_of_a_killed_invocation_is_given_by_a_later_one(
    key_part: str, skip: int, is_before: bool
) -> None:
    pipeline = WarnedPipeline(10, WECOM)
    hook = pipeline.cloud.before if is_before else pipeline.cloud.after
    hook("PUT", key_part, raise_error(Killed()), skip=skip)
    with pytest.raises(Killed):
        pipeline.submit("a.mp3", 8)
    for number in range(3):
        pipeline.begin()
        pipeline.cloud.clock.advance(WARNING_LEASE_S + 1)
        pipeline.submit(f"{number}.mp3", 1)
        pipeline.sweep_when_due()
    assert {notice.build_id(name) for name, notice in pipeline.warnings} == {
        pipeline.warnings[0][1].build_id("wecom")
    }
    assert pipeline.cloud.buckets[OUTPUT_BUCKET][MARKER].body == b"stored"


@pytest.mark.parametrize(
    "error",
    [
        RequestRejected(resource="m", status=403, code="AccessDenied"),
        OutcomeUnknown(resource="m", code="NoAnswer"),
    ],
)
def test_warning_that_fails_stops_no_recording(error: Exception) -> None:
    pipeline = WarnedPipeline(10, WECOM)
    pipeline.cloud.before("GET", MARKER, raise_error(error))
    assert pipeline.upload_minutes("a.mp3", 8).status is Status.SUBMITTED
    assert pipeline.get_events("error") == ["budget_warning_failed"]
    pipeline.submit("b.mp3", 1)
    assert len(pipeline.warnings) == 1


def test_command_of_the_operator_leaves_the_warning_to_the_functions() -> None:
    pipeline = WarnedPipeline(10, WECOM)
    pipeline.ctx.announcer = None
    pipeline.upload_minutes("a.mp3", 8)
    assert pipeline.list_keys(".scribe/index/budget/") == []
    pipeline.begin()
    pipeline.submit("b.mp3", 1)
    assert len(pipeline.warnings) == 1


def test_stored_warning_can_be_read_again() -> None:
    pipeline = WarnedPipeline(10, WECOM)
    pipeline.upload_minutes("a.mp3", 8)  # the function ends before it sends anything
    pipeline.begin()
    pipeline.sweep_when_due()
    ((_, notice),) = pipeline.warnings
    assert notice.budget["in_flight_minutes"] == 8
    assert Notice.from_document(notice.as_document()) == notice


@pytest.mark.parametrize(("is_own", "warnings"), [(True, 1), (False, 0)])
def test_marker_that_exists_already_is_of_another_unless_the_answer_was_lost(
    is_own: bool, warnings: int
) -> None:
    pipeline = WarnedPipeline(10, WECOM)
    error = AlreadyExists(resource=MARKER, status=409, code="FileAlreadyExists")
    error.possibly_own_write = is_own
    pipeline.cloud.after("PUT", MARKER, raise_error(error))
    pipeline.submit("a.mp3", 8)
    assert len(pipeline.warnings) == warnings
