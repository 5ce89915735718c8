"""The sweep sends notices after its work on recordings: every bucket has its turn, and none takes all of the time."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import RequestRejected
from shared.notices.models import DELIVERED, Notice, Outcome, OutcomeKind, Target, TargetKind
from shared.recordings.announcer import Announcer
from shared.recordings.ingest import ingest
from tests.helpers.announced_pipeline import BODY, KEY, AnnouncedPipeline
from tests.helpers.fake_cloud import raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.notices import build_target

WECOM = build_target(TargetKind.WECOM)
FAILED = Outcome(OutcomeKind.FAILED, "status 500")


def test_target_that_fails_delays_no_transcript() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.outcome = FAILED
    pipeline.upload_all(pipeline.run_and_notify)
    assert pipeline.get_text(KEY) == BODY.decode()
    assert len(pipeline.list_open_notices()) == 1
    pipeline.outcome = DELIVERED
    pipeline.sweep_when_due()
    assert len(pipeline.notices) == 1
    assert pipeline.list_open_notices() == []


def test_many_outcomes_of_one_sweep_become_one_message_of_a_robot() -> None:
    pipeline = AnnouncedPipeline(WECOM)
    for number in range(12):
        pipeline.upload_and_ingest(f"{number}.mp3", BODY)
    pipeline.cloud.run_jobs()
    pipeline.sweep_when_due()
    assert pipeline.sizes == [12]
    assert len(pipeline.notices) == 12


def test_sweep_writes_transcripts_before_it_sends_notices() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.outcome = FAILED
    pipeline.upload_all(pipeline.run_and_notify)
    pipeline.upload_and_ingest("late.mp3", BODY)  # its notification does not come
    pipeline.cloud.run_jobs()
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.begin()
    attempts: list[bool] = []
    pipeline.cloud.before(
        "LIST", "notices/", lambda: attempts.append(pipeline.get_text("late.mp3") is not None)
    )
    pipeline.sweep()
    assert attempts == [True]


def test_sweep_keeps_time_for_notices() -> None:
    pipeline = AnnouncedPipeline()
    pipeline.outcome = FAILED
    pipeline.upload_all(pipeline.run_and_notify)
    pipeline.outcome = DELIVERED
    pipeline.upload_and_ingest("late.mp3", BODY)
    pipeline.cloud.run_jobs()
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.cloud.after("LIST", ".scribe/open/", lambda: setattr(pipeline.cloud, "remaining_s", 18.0))
    assert pipeline.sweep().stopped_early
    assert len(pipeline.notices) == 1
    assert pipeline.get_text("late.mp3") is None


class SlowBuckets:
    """Five buckets with notices that are due, and a target that takes seven seconds for each."""

    def __init__(
        self, remaining_s: float, notices: int = 1, chance: float = 0.0, *, stores_only: bool = False
    ) -> None:
        self.attempts: list[str] = []
        self.outcome: Outcome | None = None
        self.buckets = [f"b{number}-1250000000" for number in range(5)]
        pipeline = AnnouncedPipeline(output_bucket="", input_buckets=tuple(self.buckets))
        pipeline.ctx.announcer = Announcer(pipeline.targets, self.send)
        for bucket in self.buckets:
            pipeline.cloud.buckets[bucket] = {}
            for number in range(notices):
                pipeline.cloud.put_object(bucket, f"{number}.mp3", b"", {})
                ingest(pipeline.ctx, bucket, f"{number}.mp3", is_restore=False, is_upload=True)
        self.pipeline = pipeline
        pipeline.cloud.remaining_s = remaining_s
        if stores_only:
            return
        pipeline.begin()
        pipeline.cloud.client.random = lambda: chance
        self.pipeline.ctx.announcer = Announcer(pipeline.targets, self.send)

    def send(self, target: Target, notices: Sequence[Notice], now_s: float, timeout_s: float) -> Outcome:
        self.attempts.append(notices[0].bucket)
        if self.outcome:
            return self.outcome
        self.pipeline.cloud.remaining_s -= min(7.0, timeout_s)
        return DELIVERED if timeout_s >= 7.0 else FAILED

    def sweep(self) -> None:
        self.pipeline.sweep_when_due()

    def list_open(self) -> list[str]:
        return [key for name in self.buckets for key in self.pipeline.cloud.buckets[name] if "-msg_" in key]


def test_notices_of_many_buckets_leave_half_of_the_time_to_what_comes_after_them() -> None:
    setup = SlowBuckets(remaining_s=200.0, notices=20)
    setup.sweep()
    assert 100.0 - 8.0 <= setup.pipeline.cloud.remaining_s <= 100.0 + 8.0
    assert set(setup.attempts) == set(setup.buckets)


def test_sweep_that_ran_out_of_time_gives_notices_all_that_is_left() -> None:
    setup = SlowBuckets(remaining_s=600.0, notices=20)
    cloud = setup.pipeline.cloud
    cloud.put_object(setup.buckets[0], ".scribe/open/" + "0" * 32, b"", {})
    cloud.after("LIST", ".scribe/open/", lambda: setattr(cloud, "remaining_s", 60.0))
    setup.sweep()
    assert "sweep_stopped_early" in setup.pipeline.get_events()
    assert cloud.remaining_s < 10.0


def test_bucket_with_few_notices_leaves_its_time_to_the_next() -> None:
    setup = SlowBuckets(remaining_s=600.0, notices=1)
    setup.sweep()
    assert setup.attempts == setup.buckets
    assert "notices_stopped_early" not in setup.pipeline.get_events()


def test_each_bucket_is_the_first_at_times() -> None:
    first = []
    for chance in (0.0, 0.3, 0.5, 0.7, 0.999):
        setup = SlowBuckets(remaining_s=24.0, notices=3, chance=chance)
        setup.sweep()
        assert len(set(setup.attempts)) < len(setup.buckets)  # there is no time for all
        first.append(setup.attempts[0])
    assert first == setup.buckets


def test_bucket_that_refuses_holds_up_no_other() -> None:
    setup = SlowBuckets(remaining_s=600.0)
    denied = RequestRejected(resource="b0", status=403, code="AccessDenied")
    setup.pipeline.cloud.before("LIST", ".scribe/notices/", raise_error(denied))
    setup.sweep()
    assert setup.attempts == setup.buckets[1:]


def test_pause_that_a_target_asked_for_holds_in_all_buckets_of_a_sweep() -> None:
    setup = SlowBuckets(remaining_s=600.0, notices=3)
    busy = Outcome(OutcomeKind.RATE_LIMITED, "status 429", 3600.0)
    assert sweep_with(setup, busy) == [setup.buckets[0]]
    assert len(setup.list_open()) == 15


def test_target_that_answered_410_gets_nothing_in_any_bucket_of_a_sweep() -> None:
    setup = SlowBuckets(remaining_s=600.0, notices=3)
    assert sweep_with(setup, Outcome(OutcomeKind.GONE, "status 410")) == [setup.buckets[0]]
    assert setup.list_open() == []


def test_failure_in_one_bucket_stops_no_attempt_in_another() -> None:
    setup = SlowBuckets(remaining_s=600.0)
    assert sweep_with(setup, FAILED) == setup.buckets


def test_first_attempts_of_one_invocation_keep_the_pause_in_all_buckets() -> None:
    setup = SlowBuckets(remaining_s=600.0, stores_only=True)
    setup.outcome = Outcome(OutcomeKind.RATE_LIMITED, "status 429", 3600.0)
    setup.pipeline.ctx.send_notices()
    assert setup.attempts == setup.buckets[:1]


def sweep_with(setup: SlowBuckets, outcome: Outcome) -> list[str]:
    setup.outcome = outcome
    setup.sweep()
    return setup.attempts
