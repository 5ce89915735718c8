"""Notices on their way: none is lost when a target fails or an invocation is killed, and none delays the work."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from shared.logger import Logger
from shared.notices.delivery import (
    MAX_AGE_S,
    MAX_FAILURES_IN_ROW,
    MAX_SINGLE_MESSAGES,
    Delivery,
    TargetState,
    delivery_key,
    target_state_key,
)
from shared.notices.models import (
    DELIVERED,
    ERROR_MEMBERS,
    MAX_ERROR_TEXT_LENGTH,
    Notice,
    NoticeType,
    Outcome,
    OutcomeKind,
    Target,
    TargetKind,
)
from shared.options.model import FORMATS
from shared.recordings.outbox import MAX_FAILURES_PER_SWEEP, NoticeCounts, Outbox
from shared.tencent.cos import MAX_KEY_BYTES
from tests.helpers.fake_cloud import OUTPUT_BUCKET, FakeCloud, Killed
from tests.helpers.fakes import FakeCos
from tests.helpers.notices import build_failed_notice, build_notice, build_target

PREFIX = ".scribe/"
SWEEP_S = 300.0
WEBHOOK, WECOM = build_target(), build_target(TargetKind.WECOM)
CRM = build_target(name="webhook-crm", is_default=False)
FAILED = Outcome(OutcomeKind.FAILED, "status 500")
GONE = Outcome(OutcomeKind.GONE, "status 410")
BUSY = Outcome(OutcomeKind.RATE_LIMITED, "status 429", 120.0)


class Network:
    """Answers attempts as `respond` says; it keeps what was delivered, and every attempt."""

    def __init__(self, respond: Callable[[Target], Outcome] = lambda _: DELIVERED) -> None:
        self.respond = respond
        self.attempts: list[tuple[str, int]] = []  # target, and how many notices
        self.delivered: list[str] = []
        self.timeouts: list[float] = []
        self.refused: set[str] = set()  # ids that fail every message

    def send(self, target: Target, notices: Sequence[Notice], now_s: float, timeout_s: float) -> Outcome:
        self.attempts.append((target.name, len(notices)))
        self.timeouts.append(timeout_s)
        ids = {notice.build_id(target.name) for notice in notices}
        outcome = self.respond(target) if self.refused.isdisjoint(ids) else FAILED
        if outcome.kind is OutcomeKind.DELIVERED:
            self.delivered += [notice.build_id(target.name) for notice in notices]
        return outcome


class Setup:
    """An outbox in an empty bucket."""

    def __init__(self, *targets: Target, network: Network | None = None, **members: Any) -> None:
        self.cloud = FakeCloud()
        self.network = network or Network()
        self.lines: list[dict[str, Any]] = []
        self.outbox = self.build(*(targets or (WEBHOOK,)), **members)

    def build(self, *targets: Target, **members: Any) -> Outbox:
        log = Logger({}, lambda line: self.lines.append(json.loads(line)))
        cos, clock = FakeCos(self.cloud), self.cloud.clock
        return Outbox(cos, OUTPUT_BUCKET, PREFIX, targets, self.network.send, log, now=clock.now, **members)

    def store_and_send(self, notice: Notice) -> None:
        self.outbox.send_now(self.outbox.store(notice))

    def sweep(self, after_s: float = SWEEP_S) -> NoticeCounts:
        self.cloud.clock.advance(after_s)
        return self.outbox.send_due(lambda: self.cloud.remaining_s)

    def list_keys(self) -> list[str]:
        return sorted(self.cloud.buckets[OUTPUT_BUCKET])

    def list_open(self) -> list[str]:
        return [key for key in self.list_keys() if not key.endswith(".json")]

    def load_state(self, target: Target = WEBHOOK) -> TargetState:
        stored = self.cloud.buckets[OUTPUT_BUCKET].get(target_state_key(PREFIX, target.name))
        return TargetState.from_json(stored.body) if stored else TargetState()

    def list_events(self) -> list[str]:
        return [line["event"] for line in self.lines]


def test_delivered_notice_leaves_nothing_behind() -> None:
    setup = Setup(WEBHOOK, WECOM)
    setup.store_and_send(build_notice())
    assert setup.network.attempts == [("webhook", 1), ("wecom", 1)]
    assert setup.list_keys() == []
    assert setup.list_events() == ["notice_delivered", "notice_delivered"]
    assert all(timeout_s <= 2.5 for timeout_s in setup.network.timeouts)


def test_notice_is_stored_before_anything_is_sent() -> None:
    setup = Setup()
    (delivery,) = setup.outbox.store(build_notice())
    assert setup.network.attempts == []
    assert setup.list_keys() == [delivery_key(PREFIX, delivery)]
    setup.outbox.store(build_notice())
    assert setup.list_keys() == [delivery_key(PREFIX, delivery)]
    setup.outbox.withdraw([delivery])
    assert setup.list_keys() == []


def test_target_gets_the_types_it_wants_only() -> None:
    setup = Setup(build_target(types=frozenset({NoticeType.FAILED})), WECOM)
    assert [delivery.target for delivery in setup.outbox.store(build_notice())] == ["wecom"]
    assert len(setup.outbox.store(build_failed_notice())) == 2


def test_recording_can_name_its_targets() -> None:
    setup = Setup(WEBHOOK, CRM)
    assert [each.target for each in setup.outbox.store(build_notice())] == ["webhook"]
    assert [each.target for each in setup.outbox.store(build_notice(), ["webhook-crm"])] == ["webhook-crm"]
    assert setup.outbox.store(build_notice(), []) == []


@pytest.mark.parametrize("names", [["webhook-old"], ["webhook-old", "webhook-crm"]])
def test_name_that_is_no_target_adds_the_default_targets(names: list[str]) -> None:
    setup = Setup(WEBHOOK, WECOM, CRM)
    expected = {"webhook", "wecom", *(name for name in names if name == "webhook-crm")}
    assert {each.target for each in setup.outbox.store(build_failed_notice(), names)} == expected
    (line,) = setup.lines
    assert (line["event"], line["level"], line["targets"]) == (
        "notice_target_unknown", "warning", ["webhook-old"],
    )  # fmt: skip


def test_notice_without_any_target_is_an_error_in_the_log() -> None:
    setup = Setup(CRM)
    assert setup.outbox.store(build_failed_notice(), ["webhook-old"]) == []
    assert [(line["event"], line["level"]) for line in setup.lines] == [("notice_target_unknown", "error")]


def test_failed_attempt_is_repeated_by_the_sweep_with_the_same_id() -> None:
    setup = Setup(network=Network(lambda _: FAILED))
    setup.store_and_send(build_notice())
    assert len(setup.list_open()) == 1
    assert setup.sweep(10) == NoticeCounts()  # not due yet
    assert setup.sweep() == NoticeCounts(failed=1)
    setup.network.respond = lambda _: DELIVERED
    assert setup.sweep() == NoticeCounts(delivered=1)
    assert setup.network.delivered == [build_notice().build_id("webhook")]
    assert setup.list_keys() == []
    assert len(setup.network.attempts) == 3


def test_pause_that_a_target_asks_for_is_kept() -> None:
    setup = Setup(network=Network(lambda _: BUSY))
    setup.store_and_send(build_notice())
    setup.store_and_send(build_notice(job_id="s2"))  # not tried: the target asked for a pause
    assert len(setup.network.attempts) == 1
    setup.sweep(100)
    assert len(setup.network.attempts) == 1
    setup.network.respond = lambda _: DELIVERED
    assert setup.sweep(21) == NoticeCounts(delivered=2)
    assert setup.cloud.sleeps == []


def test_sweep_waits_for_a_short_pause_but_not_for_long() -> None:
    outcomes = [BUSY._replace(retry_after_s=3.0), DELIVERED] * 20
    setup = Setup(network=Network(lambda _: outcomes.pop(0)))
    for number in range(20):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    counts = setup.sweep()
    assert setup.cloud.sleeps == [3.0] * 6  # 20 seconds at most
    assert (counts.delivered, counts.failed) == (6, 7)


def test_gone_target_gets_nothing_more_until_its_address_changes() -> None:
    setup = Setup(network=Network(lambda _: GONE))
    setup.store_and_send(build_notice())
    setup.store_and_send(build_notice(job_id="s2"))
    assert len(setup.network.attempts) == 1
    assert setup.sweep() == NoticeCounts(given_up=1)
    assert setup.list_open() == []
    assert setup.load_state().given_up == 2
    assert "notice_target_stopped" in setup.list_events()
    setup.network.respond = lambda _: DELIVERED
    setup.outbox = setup.build(build_target(url=WEBHOOK.url + "2"))
    for number in (3, 4):
        setup.store_and_send(build_notice(job_id=f"s{number}"))
    assert len(setup.network.delivered) == 2
    assert (setup.load_state().failures_in_row, setup.load_state().given_up) == (0, 2)


def test_notice_is_given_up_after_three_days_and_remembered() -> None:
    setup = Setup(network=Network(lambda _: FAILED))
    setup.store_and_send(build_notice())
    while setup.list_open():
        setup.sweep()
    attempts = len(setup.network.attempts)
    assert 70 <= attempts <= 150
    assert setup.load_state().given_up == 1
    (line,) = [line for line in setup.lines if line["event"] == "notice_given_up"]
    assert (line["level"], line["key"], line["reason"], line["attempts"]) == (
        "error",
        "calls/会议.mp3",
        "status 500",
        attempts,
    )
    age_s = setup.cloud.clock.now() - setup.load_state().changed_s
    assert age_s < MAX_AGE_S


def test_many_notices_of_a_dead_target_cost_few_attempts_and_end() -> None:
    setup = Setup(network=Network(lambda _: FAILED))
    for number in range(50):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    counts = setup.sweep()
    assert counts.failed == len(setup.network.attempts) == MAX_FAILURES_PER_SWEEP
    sweeps = 1
    while setup.list_open():
        setup.sweep(3600)
        sweeps += 1
    assert setup.load_state().given_up == 50
    assert len(setup.network.attempts) <= sweeps * MAX_FAILURES_PER_SWEEP
    assert sweeps * 3600 < MAX_AGE_S + 6 * 3600


def test_all_old_notices_of_a_dead_target_are_given_up_in_one_sweep() -> None:
    setup = Setup(network=Network(lambda _: FAILED))
    for number in range(50):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    setup.sweep()
    assert setup.sweep(MAX_AGE_S) == NoticeCounts(given_up=50)
    assert len(setup.network.attempts) == 2 * MAX_FAILURES_PER_SWEEP


def test_target_that_failed_gets_a_shorter_time_limit() -> None:
    setup = Setup(network=Network(lambda _: FAILED))
    for number in range(3):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    setup.sweep()
    assert setup.network.timeouts == [15.0, 5.0, 5.0]


def test_sweep_costs_one_request_if_there_are_no_notices() -> None:
    setup = Setup(WEBHOOK, WECOM, CRM)
    setup.sweep()
    assert [request.method for request in setup.cloud.requests] == ["LIST"]


def test_notices_that_are_not_due_are_listed_but_not_read() -> None:
    setup = Setup(WEBHOOK, WECOM, network=Network(lambda _: FAILED))
    for number in range(20):
        setup.store_and_send(build_notice(job_id=f"s{number}"))
        setup.cloud.buckets[OUTPUT_BUCKET].pop(target_state_key(PREFIX, "webhook"))
        setup.cloud.buckets[OUTPUT_BUCKET].pop(target_state_key(PREFIX, "wecom"))
    setup.cloud.requests.clear()
    setup.sweep(1)
    assert [request.method for request in setup.cloud.requests] == ["LIST"] * 3


def test_notice_that_was_just_stored_is_left_to_its_invocation() -> None:
    setup = Setup()
    setup.outbox.store(build_notice())
    assert setup.sweep(29) == NoticeCounts()
    assert setup.sweep(2) == NoticeCounts(delivered=1)


def test_first_attempt_that_comes_late_is_left_to_the_sweep() -> None:
    setup = Setup()
    deliveries = setup.outbox.store(build_notice())
    setup.cloud.clock.advance(28)  # the attempt could end after the 30 seconds
    setup.outbox.send_now(deliveries)
    assert setup.network.attempts == []
    assert setup.sweep(3) == NoticeCounts(delivered=1)
    setup.outbox.send_now(deliveries)
    assert len(setup.network.delivered) == 1


def test_many_messages_to_a_robot_become_a_digest() -> None:
    setup = Setup(WECOM, WEBHOOK)
    for number in range(450):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    assert setup.sweep() == NoticeCounts(delivered=900)
    assert [count for name, count in setup.network.attempts if name == "wecom"] == [200, 200, 50]
    assert [count for name, count in setup.network.attempts if name == "webhook"] == [1] * 450
    assert setup.list_keys() == []


def test_few_messages_to_a_robot_are_sent_one_by_one() -> None:
    setup = Setup(WECOM)
    for number in range(MAX_SINGLE_MESSAGES):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    setup.sweep()
    assert setup.network.attempts == [("wecom", 1)] * MAX_SINGLE_MESSAGES


def test_digest_that_fails_is_repeated_and_given_up_after_three_days() -> None:
    setup = Setup(WECOM, network=Network(lambda _: FAILED))
    for number in range(20):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    setup.cloud.requests.clear()
    assert setup.sweep() == NoticeCounts(failed=20)
    assert [request.key for request in setup.cloud.requests if request.method in {"PUT", "DELETE"}] == [
        target_state_key(PREFIX, "wecom")
    ]
    while setup.list_open():
        setup.sweep(3600)
    assert setup.load_state(WECOM).given_up == 20
    assert max(count for _, count in setup.network.attempts[1:]) == 1


def test_notice_that_a_robot_refuses_holds_up_no_other() -> None:
    setup = Setup(WECOM)
    notices = [build_notice(job_id=f"s{number}") for number in range(100)]
    wrong = notices[70].build_id("wecom")
    for notice in notices:
        setup.outbox.store(notice)
    setup.network.refused.add(wrong)
    for _ in range(12):
        setup.sweep()
    assert sorted(setup.network.delivered) == sorted(
        notice.build_id("wecom") for notice in notices if notice is not notices[70]
    )
    assert len(setup.list_open()) == 1


def test_robot_with_a_limit_gets_digests_again_after_its_pause() -> None:
    setup = Setup(WECOM, network=Network(lambda _: BUSY))
    for number in range(20):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    setup.sweep()
    setup.network.respond = lambda _: DELIVERED
    setup.sweep()
    assert setup.network.attempts == [("wecom", 20)] * 2


def test_first_digest_is_sent_before_the_second_is_read() -> None:
    setup = Setup(WECOM)
    for number in range(450):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    setup.cloud.requests.clear()
    reads: list[int] = []

    def respond(_: Target) -> Outcome:
        reads.append(
            sum(request.method == "GET" and "msg_" in request.key for request in setup.cloud.requests)
        )
        return DELIVERED

    setup.network.respond = respond
    setup.sweep()
    assert reads == [200, 400, 450]


def test_reading_leaves_time_to_send() -> None:
    setup = Setup(WECOM)
    for number in range(200):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    spend_on_each_read(setup, 0.5)
    assert setup.sweep().delivered > 50
    assert setup.network.attempts[0][1] < 70


@pytest.mark.parametrize("chance", [0.0, 0.99])
def test_slow_target_leaves_time_for_the_others(chance: float) -> None:
    setup = Setup(WECOM, WEBHOOK, random=lambda: chance)
    for number in range(200):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    spend_on_each_read(setup, 0.5)
    counts = setup.sweep()
    assert {name for name, _ in setup.network.attempts} == {"wecom", "webhook"}
    assert setup.network.attempts[0][0] == ("webhook" if chance == 0.0 else "wecom")
    assert counts.stopped_early


def spend_on_each_read(setup: Setup, seconds: float) -> None:
    def spend() -> None:
        setup.cloud.remaining_s -= seconds
        setup.cloud.after("GET", "msg_", spend)

    setup.cloud.after("GET", "msg_", spend)


def test_robot_that_fails_gets_one_digest_a_sweep() -> None:
    setup = Setup(WECOM, network=Network(lambda _: FAILED))
    for number in range(450):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    setup.sweep()
    assert setup.network.attempts == [("wecom", 200)]


def test_robot_that_asks_for_a_long_pause_is_left_alone() -> None:
    setup = Setup(WECOM, network=Network(lambda _: BUSY._replace(retry_after_s=600.0)))
    for number in range(2):
        setup.store_and_send(build_notice(job_id=f"s{number}"))
    setup.sweep()
    assert len(setup.network.attempts) == 1
    assert len(setup.list_open()) == 2


def test_notice_that_another_sweep_delivered_is_passed_over() -> None:
    setup = Setup()
    (delivery,) = setup.outbox.store(build_notice())
    setup.cloud.before("GET", "msg_", lambda: setup.outbox.withdraw([delivery]))
    assert setup.sweep() == NoticeCounts()
    assert "notice_unreadable" not in setup.list_events()


def test_one_target_that_fails_holds_up_no_other() -> None:
    setup = Setup(WEBHOOK, WECOM, network=Network(lambda target: FAILED if target is WEBHOOK else DELIVERED))
    for number in range(4):
        setup.store_and_send(build_notice(job_id=f"s{number}"))
    assert len(setup.network.delivered) == 4
    assert len(setup.list_open()) == 4


def test_target_that_fails_again_and_again_is_tried_by_the_sweep_only() -> None:
    setup = Setup(network=Network(lambda _: FAILED))
    for number in range(MAX_FAILURES_IN_ROW + 10):
        setup.store_and_send(build_notice(job_id=f"s{number}"))
    assert len(setup.network.attempts) == MAX_FAILURES_IN_ROW
    setup.network.respond = lambda _: DELIVERED
    setup.sweep()
    assert len(setup.network.delivered) == MAX_FAILURES_IN_ROW + 10
    setup.store_and_send(build_notice(job_id="next"))
    assert len(setup.network.delivered) == MAX_FAILURES_IN_ROW + 11
    assert setup.list_keys() == []


def test_sweep_stops_when_its_time_runs_out_and_goes_on_the_next_time() -> None:
    setup = Setup()
    for number in range(3):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    setup.cloud.remaining_s = 5.0
    setup.cloud.after("DELETE", "", lambda: setattr(setup.cloud, "remaining_s", 2.0))
    counts = setup.sweep()
    assert (counts.delivered, counts.stopped_early) == (1, True)
    assert max(setup.network.timeouts) <= 2.0
    setup.cloud.remaining_s = 60.0
    assert setup.sweep() == NoticeCounts(delivered=2)


def test_notice_of_a_target_that_is_not_set_is_kept_for_three_days() -> None:
    setup = Setup(WEBHOOK, WECOM)
    setup.outbox.store(build_notice())
    setup.outbox = setup.build(WECOM)
    assert setup.sweep() == NoticeCounts(delivered=1)
    assert len(setup.list_open()) == 1  # it may be another deployment's
    assert setup.sweep(MAX_AGE_S) == NoticeCounts(given_up=1)
    assert setup.list_keys() == []
    assert setup.lines[-1]["reason"] == "the target is not set"


def test_notice_of_another_deployment_is_left_alone() -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-prod-")
    setup.outbox.store(build_notice())
    setup.outbox = setup.build(WEBHOOK, deployment="ap-chengdu/default/scribe-test-")
    setup.cloud.requests.clear()
    assert setup.sweep() == NoticeCounts()
    assert setup.sweep(MAX_AGE_S) == NoticeCounts()
    assert len(setup.list_open()) == 1
    assert [request.method for request in setup.cloud.requests] == ["LIST"] * 2  # it is not read


def test_notice_without_the_deployment_in_its_key_is_read_and_left_alone() -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-test-")
    delivery = Delivery(build_notice(), "webhook", setup.cloud.clock.now(), deployment="")
    key = delivery_key(PREFIX, delivery)
    other = delivery._replace(deployment="ap-chengdu/default/scribe-prod-")
    setup.cloud.put_object(OUTPUT_BUCKET, key, other.to_json(), {})
    assert setup.sweep() == NoticeCounts()
    assert setup.list_open() == [key]


def test_same_notice_of_two_deployments_is_sent_by_each() -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-prod-")
    other = setup.build(WEBHOOK, deployment="ap-chengdu/default/scribe-test-")
    for outbox in (setup.outbox, other):
        outbox.store(build_notice())
    assert setup.sweep() == NoticeCounts(delivered=1)
    assert len(setup.list_open()) == 1
    setup.outbox = other
    assert setup.sweep() == NoticeCounts(delivered=1)
    assert setup.list_keys() == []


@pytest.mark.parametrize("target", [WEBHOOK, WECOM], ids=["same target", "unknown target"])
def test_notice_of_a_deployment_that_is_gone_is_deleted_in_the_end(target: Target) -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-prod-")
    setup.outbox.store(build_notice())
    setup.outbox = setup.build(target, deployment="ap-chengdu/default/scribe-test-")
    assert setup.sweep(MAX_AGE_S + 86_400) == NoticeCounts(given_up=1)
    assert setup.list_keys() == []
    assert setup.lines[-1]["reason"] == "its deployment is gone"


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 300_000])
def test_object_that_is_no_notice_holds_up_no_other(body: bytes) -> None:
    setup = Setup()
    (delivery,) = setup.outbox.store(build_notice())
    wrong = build_notice(job_id="other").build_id("webhook")
    key = f"{PREFIX}notices/webhook/0000000000-{wrong}"
    setup.cloud.put_object(OUTPUT_BUCKET, key, body, {})
    setup.cloud.put_object(OUTPUT_BUCKET, f"{PREFIX}notices/readme.txt", b"hello", {})
    setup.cloud.put_object(OUTPUT_BUCKET, key.replace(wrong, "msg_" + "0" * 32), delivery.to_json(), {})
    assert setup.sweep() == NoticeCounts(delivered=1)
    assert setup.list_events().count("notice_unreadable") == 2


def test_notice_with_the_longest_keys_and_texts_is_delivered() -> None:
    setup = Setup()
    key = "\x01" * MAX_KEY_BYTES
    error = dict.fromkeys(ERROR_MEMBERS, "\x01" * MAX_ERROR_TEXT_LENGTH)
    output_keys = tuple(key for _ in FORMATS)
    setup.outbox.store(build_failed_notice(key=key, output_keys=output_keys, error=error))
    assert setup.sweep() == NoticeCounts(delivered=1)


def test_state_that_cannot_be_read_stops_nothing() -> None:
    setup = Setup()
    setup.cloud.put_object(OUTPUT_BUCKET, target_state_key(PREFIX, "webhook"), b"x" * 300_000, {})
    setup.store_and_send(build_notice())
    assert len(setup.network.delivered) == 1
    assert "notice_state_unreadable" in setup.list_events()


def test_notice_with_two_objects_is_sent_once() -> None:
    for target in (WEBHOOK, WECOM):
        setup = Setup(target)
        (delivery,) = setup.outbox.store(build_notice())
        moved = delivery._replace(due_s=setup.cloud.clock.now() + 1, attempts=1)
        setup.cloud.put_object(OUTPUT_BUCKET, delivery_key(PREFIX, moved), moved.to_json(), {})
        setup.sweep()
        assert len(setup.network.delivered) == 1
        assert setup.list_keys() == []


@pytest.mark.parametrize("outcome", [DELIVERED, FAILED, BUSY])
@pytest.mark.parametrize("target", [WEBHOOK, WECOM], ids=["webhook", "robot"])
@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
def test_invocation_killed_at_any_request_loses_no_notice(
    outcome: Outcome, target: Target, is_before: bool
) -> None:
    """Killed while it sends, and killed while it sweeps: the next sweeps deliver, with one id for each notice."""
    for number in range(100):
        setup = Setup(target, network=Network(lambda _: outcome))
        notices = [build_notice(job_id=f"s{index}") for index in range(2)]
        hook = setup.cloud.before if is_before else setup.cloud.after
        stored = [setup.outbox.store(notice) for notice in notices]
        hook("", "", raise_killed, skip=number)
        is_killed = 0
        for deliveries in stored:
            is_killed += is_killed_while(partial(setup.outbox.send_now, deliveries))
        is_killed += is_killed_while(setup.sweep)
        setup.cloud.clear_hooks()
        setup.network.respond = lambda _: DELIVERED
        for _ in range(20):
            setup.sweep()
        assert setup.list_keys() == []
        assert set(setup.network.delivered) == {notice.build_id(target.name) for notice in notices}
        if not is_killed:
            assert number > 2
            return
    pytest.fail("it has too many requests")


def raise_killed() -> None:
    raise Killed


def is_killed_while(step: Callable[[], object]) -> bool:
    try:
        step()
    except Killed:
        return True
    return False


@pytest.mark.parametrize("seed", range(2))
def test_hundreds_of_notices_through_failing_targets_are_all_delivered(seed: int) -> None:
    """Refusals, pauses and errors at random; in the end each notice was delivered, and nothing is left."""
    chance = random.Random(seed)  # noqa: S311 - a made-up network

    def respond(_: Target) -> Outcome:
        busy = BUSY._replace(retry_after_s=chance.choice([0.0, 2.0, 60.0]))
        return chance.choice([DELIVERED, FAILED, FAILED, busy])

    setup = Setup(WEBHOOK, WECOM, network=Network(respond))
    notices = [build_notice(job_id=f"s{number}") for number in range(300)]
    for notice in notices:
        setup.store_and_send(notice)
        setup.cloud.clock.advance(1)
    sweeps = 0
    while setup.list_open():
        setup.sweep()
        sweeps += 1
    assert sweeps * SWEEP_S < MAX_AGE_S
    for target in (WEBHOOK, WECOM):
        expected = {notice.build_id(target.name) for notice in notices}
        delivered = [each for each in setup.network.delivered if each in expected]
        assert len(delivered) == len(set(delivered)) == 300
    digests = [count for name, count in setup.network.attempts if name == "wecom" and count > 1]
    assert digests
    assert "notice_given_up" not in setup.list_events()


def test_stored_notice_says_which_deployment_it_is_of() -> None:
    setup = Setup(deployment="ap-chengdu/default/scribe-prod-")
    (delivery,) = setup.outbox.store(build_notice())
    stored = setup.cloud.buckets[OUTPUT_BUCKET][delivery_key(PREFIX, delivery)]
    assert Delivery.from_json(stored.body).deployment == "ap-chengdu/default/scribe-prod-"
    assert stored.metadata == {"scribe-output": "state"}
