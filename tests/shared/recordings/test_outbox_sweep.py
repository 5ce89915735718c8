"""The sweep sends what is due: targets that fail, pause or end, until the time runs out."""

from __future__ import annotations

from shared.notices.delivery import MAX_AGE_S, target_state_key
from shared.notices.models import DELIVERED
from shared.recordings.outbox_sweep import MAX_FAILURES_PER_SWEEP, NoticeCounts
from tests.helpers.fake_cloud import OUTPUT_BUCKET
from tests.helpers.notices import build_notice, build_target
from tests.helpers.outbox import BUSY, CRM, FAILED, GONE, PREFIX, WEBHOOK, WECOM, Network, Setup


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
        setup.cloud.buckets[OUTPUT_BUCKET].pop(target_state_key(PREFIX, "webhook", ""))
        setup.cloud.buckets[OUTPUT_BUCKET].pop(target_state_key(PREFIX, "wecom", ""))
    setup.cloud.requests.clear()
    setup.sweep(1)
    assert [request.method for request in setup.cloud.requests] == ["LIST"] * 3


def test_notice_that_another_sweep_delivered_is_passed_over() -> None:
    setup = Setup()
    (delivery,) = setup.outbox.store(build_notice())
    setup.cloud.before("GET", "msg_", lambda: setup.outbox.withdraw([delivery]))
    assert setup.sweep() == NoticeCounts()
    assert "notice_unreadable" not in setup.list_events()


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
