"""Many notices to a robot become digests, and one that it refuses holds up no other."""

from __future__ import annotations

import pytest

from shared.notices.delivery import MAX_SINGLE_MESSAGES, target_state_key
from shared.notices.models import DELIVERED, Outcome, Target
from shared.recordings.outbox_sweep import NoticeCounts
from tests.helpers.notices import build_notice
from tests.helpers.outbox import BUSY, FAILED, PREFIX, WEBHOOK, WECOM, Network, Setup


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
        target_state_key(PREFIX, "wecom", "")
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
