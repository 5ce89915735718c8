"""Notices are stored before anything is sent, and tried once by the invocation that made them."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest

from shared.notices.delivery import MAX_AGE_S, MAX_FAILURES_IN_ROW, delivery_key
from shared.notices.models import DELIVERED, NoticeType, Outcome, Target
from shared.recordings.outbox_sweep import NoticeCounts
from tests.helpers.fake_cloud import Killed
from tests.helpers.notices import build_failed_notice, build_notice, build_target
from tests.helpers.outbox import BUSY, CRM, FAILED, PREFIX, SWEEP_S, WEBHOOK, WECOM, Network, Setup


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
