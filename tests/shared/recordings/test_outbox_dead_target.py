"""A target that never accepts anything, with more new notices than attempts: after three days its notices end."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from shared.logger import Logger
from shared.notices.delivery import MAX_AGE_S, Delivery
from shared.notices.models import Outcome, Target
from shared.recordings import outbox_store
from shared.recordings.outbox_sweep import MAX_GIVEN_UP, NoticeCounts
from tests.helpers.fake_cloud import OUTPUT_BUCKET
from tests.helpers.fakes import FakeCos
from tests.helpers.notices import build_notice
from tests.helpers.outbox import BUSY, FAILED, GONE, PREFIX, WEBHOOK, WECOM, Network, Setup

HOUR_S, DAY_S = 3600.0, 86_400.0
DAYS, NOTICES_AN_HOUR = 8, 15


@pytest.mark.parametrize("target", [WEBHOOK, WECOM], ids=["webhook", "robot"])
def test_backlog_of_a_dead_target_has_no_notice_that_is_older_than_three_days(target: Target) -> None:
    setup = Setup(target, network=Network(lambda _: FAILED))
    made = 0
    for hour in range(DAYS * 24):
        for _ in range(NOTICES_AN_HOUR):
            made += 1
            setup.store_and_send(build_notice(key=f"{made}.mp3", job_id=f"s{made}"))
        setup.cloud.requests.clear()
        setup.sweep(HOUR_S)
        reads = Counter(request.method for request in setup.cloud.requests)["GET"]
        assert reads < 200  # those of the attempts, and of what is given up: not the whole backlog
        if hour % 24 == 23:
            oldest_s = min(delivery.created_s for delivery in load_open(setup))
            assert setup.cloud.clock.now() - oldest_s <= MAX_AGE_S + 2 * HOUR_S
    given_up = [line["key"] for line in setup.lines if line["event"] == "notice_given_up"]
    still_open = [delivery.notice.key for delivery in load_open(setup)]
    assert Counter([*given_up, *still_open]) == Counter(f"{number}.mp3" for number in range(1, made + 1))
    assert setup.load_state(target).given_up == len(given_up) > 1000


def load_open(setup: Setup) -> list[Delivery]:
    return [Delivery.from_json(setup.cloud.buckets[OUTPUT_BUCKET][key].body) for key in setup.list_open()]


@pytest.mark.parametrize("target", [WEBHOOK, WECOM], ids=["webhook", "robot"])
def test_new_notices_do_not_hide_the_old_ones(target: Target) -> None:
    setup = Setup(target, network=Network(lambda _: FAILED))
    for number in range(100):
        setup.outbox.store(build_notice(job_id=f"old{number}"))
    setup.cloud.clock.advance(MAX_AGE_S + HOUR_S)
    for number in range(50):
        setup.outbox.store(build_notice(job_id=f"new{number}"))
    assert setup.sweep().given_up == 100
    assert len(setup.list_open()) == 50


@pytest.mark.parametrize("target", [WEBHOOK, WECOM], ids=["webhook", "robot"])
def test_paused_target_keeps_no_old_notice(target: Target) -> None:
    setup = Setup(target, network=Network(lambda _: BUSY))
    for number in range(20):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    setup.cloud.clock.advance(MAX_AGE_S - HOUR_S)
    setup.store_and_send(build_notice(job_id="new"))
    setup.network.respond = lambda _: BUSY._replace(retry_after_s=DAY_S)
    assert setup.sweep() == NoticeCounts(failed=1 if target is WEBHOOK else 21)
    attempts = len(setup.network.attempts)
    assert setup.sweep(HOUR_S) == NoticeCounts(given_up=19 if target is WEBHOOK else 20)
    assert len(setup.network.attempts) == attempts


def test_target_that_hangs_leaves_time_to_give_up_what_is_old() -> None:
    setup = Setup(network=Network(lambda _: FAILED))
    setup.store_and_send(build_notice())
    for number in range(100):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    respond = setup.network.respond

    def hang(target: Target) -> Outcome:
        setup.cloud.remaining_s -= setup.network.timeouts[-1]
        return respond(target)

    setup.network.respond = hang
    setup.cloud.remaining_s = 10.0
    given_up = setup.sweep(MAX_AGE_S).given_up
    assert given_up > 90
    assert sum(setup.network.timeouts[1:]) < 7.0


def test_many_old_notices_are_given_up_in_several_sweeps() -> None:
    setup = Setup(network=Network(lambda _: GONE))
    for number in range(MAX_GIVEN_UP + 100):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
    assert setup.sweep().given_up == MAX_GIVEN_UP + 1
    assert setup.sweep().given_up == 99
    assert setup.load_state().given_up == MAX_GIVEN_UP + 100
    assert setup.list_open() == []


def test_more_notices_than_a_sweep_lists_are_all_seen_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_store, "MAX_LISTED", 40)
    setup = store_many()
    store = open_store(setup)
    seen: set[str] = set()
    for _ in range(50):
        seen |= {entry.key for entries in store.list_due(0.0).values() for entry in entries}
    assert seen == set(setup.list_open())


def test_oldest_of_many_notices_stay_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_store, "MAX_ENTRIES", 10)
    setup = store_many()
    oldest = sorted(load_open(setup), key=lambda each: each.created_s)[:20]  # ten of each target
    due = open_store(setup).list_due(0.0)
    assert all(len(entries) < 20 for entries in due.values())
    ids = {entry.parsed.id for entries in due.values() for entry in entries}
    assert {delivery.id for delivery in oldest} <= ids


def store_many() -> Setup:
    setup = Setup(WECOM, WEBHOOK)
    setup.cloud.page_size = 15
    for number in range(100):
        setup.outbox.store(build_notice(job_id=f"s{number}"))
        setup.cloud.clock.advance(1)
    return setup


def open_store(setup: Setup) -> outbox_store.OutboxStore:
    chance = random.Random(1)  # noqa: S311 - where the listing goes on
    cos, log = FakeCos(setup.cloud), Logger({}, print)
    return outbox_store.OutboxStore(
        cos,
        OUTPUT_BUCKET,
        PREFIX,
        log,
        now=setup.cloud.clock.now,
        random=chance.random,
        deployment="",
        known={},
    )
