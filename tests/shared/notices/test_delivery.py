"""A notice on its way: retries for three days, the pauses that a target asks for, and its stored form."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.notices.delivery import (
    BACKOFF_S,
    MAX_AGE_S,
    MAX_DIGEST_NOTICES,
    MAX_SINGLE_MESSAGES,
    Action,
    Delivery,
    TargetState,
    after_target_marker,
    apply_outcome,
    delivery_key,
    parse_delivery_key,
    parse_target_state_key,
    plan_messages,
    target_state_key,
)
from shared.notices.models import DELIVERED, InvalidNotice, NoticeType, Outcome, OutcomeKind, TargetKind
from tests.helpers.notices import (
    NOW_S,
    ROBOTS,
    build_budget_notice,
    build_failed_notice,
    build_notice,
    build_target,
)

FAILED = Outcome(OutcomeKind.FAILED, "status 500")
GONE = Outcome(OutcomeKind.GONE, "status 410")
DAY_S = 86_400.0


def busy(retry_after_s: float) -> Outcome:
    return Outcome(OutcomeKind.RATE_LIMITED, "status 429", retry_after_s)


def build_delivery(**members: Any) -> Delivery:
    return Delivery(build_notice(), "webhook", NOW_S)._replace(**members)


def run_attempts(outcome: Outcome, seed: int) -> list[float]:
    """Attempt a delivery whenever it is due, until it is given up; return the times after its creation."""
    chance = random.Random(seed)  # noqa: S311 - jitter
    delivery, now_s, times = build_delivery(), NOW_S, []
    while True:
        times.append(now_s - NOW_S)
        step = apply_outcome(delivery, outcome, now_s, chance.random())
        if step.action is Action.GIVE_UP:
            assert step.delivery.attempts == len(times)
            return times
        assert step.action is Action.RETRY
        assert step.delivery.due_s > now_s
        delivery, now_s = step.delivery, step.delivery.due_s


@pytest.mark.parametrize("seed", range(20))
def test_failing_notice_is_tried_for_three_days_and_then_given_up(seed: int) -> None:
    times = run_attempts(FAILED, seed)
    assert times[-1] == MAX_AGE_S
    assert 75 <= len(times) <= 150
    assert 30 <= times[1] <= 60
    assert max(after - before for before, after in itertools.pairwise(times)) <= BACKOFF_S[-1]


def test_many_notices_that_failed_together_are_not_tried_together() -> None:
    chance = random.Random(1)  # noqa: S311 - jitter
    due = {apply_outcome(build_delivery(), FAILED, NOW_S, chance.random()).delivery.due_s for _ in range(100)}
    assert len(due) == 100


def test_delivered_notice_is_done() -> None:
    step = apply_outcome(build_delivery(), DELIVERED, NOW_S, 0.5)
    assert (step.action, step.delivery.attempts) == (Action.DELIVERED, 1)


def test_gone_receiver_gets_no_second_attempt() -> None:
    step = apply_outcome(build_delivery(), GONE, NOW_S, 0.5)
    assert (step.action, step.delivery.reason) == (Action.GIVE_UP, "status 410")


@pytest.mark.parametrize("retry_after_s", [0.0, 45.0, 120.0, 7200.0, DAY_S])
def test_next_attempt_is_not_before_the_pause_that_was_asked_for(retry_after_s: float) -> None:
    step = apply_outcome(build_delivery(), busy(retry_after_s), NOW_S, 0.0)
    assert step.action is Action.RETRY
    assert step.delivery.due_s >= NOW_S + max(retry_after_s, 30.0)


def test_pause_that_was_asked_for_is_kept_beyond_the_third_day() -> None:
    now_s = NOW_S + MAX_AGE_S - 60
    step = apply_outcome(build_delivery(), busy(DAY_S), now_s, 0.5)
    assert step.delivery.due_s == now_s + DAY_S
    assert apply_outcome(step.delivery, busy(DAY_S), step.delivery.due_s, 0.5).action is Action.GIVE_UP
    assert apply_outcome(step.delivery, DELIVERED, step.delivery.due_s, 0.5).action is Action.DELIVERED


def test_receiver_that_always_asks_for_a_day_ends_too() -> None:
    assert run_attempts(busy(DAY_S), 1) == [0.0, DAY_S, 2 * DAY_S, 3 * DAY_S]


@given(st.floats(0, 1), st.integers(0, 100), st.floats(0, DAY_S), st.floats(0, 4 * DAY_S))
def test_retry_is_always_later_than_now(chance: float, attempts: int, pause_s: float, age_s: float) -> None:
    now_s = NOW_S + age_s
    step = apply_outcome(build_delivery(attempts=attempts), busy(pause_s), now_s, chance)
    assert (step.action is Action.GIVE_UP) == (age_s >= MAX_AGE_S)
    if step.action is Action.RETRY:
        assert step.delivery.due_s > now_s
        assert step.delivery.due_s >= now_s + pause_s


@pytest.mark.parametrize(
    "delivery",
    [
        build_delivery(),
        build_delivery(
            notice=build_failed_notice(key="会议\ud800.mp3"),
            attempts=3,
            due_s=NOW_S + 0.5,
            reason="好",
            deployment="ap-chengdu/default/scribe-prod-",
        ),
    ],
)
def test_stored_delivery_is_read_back(delivery: Delivery) -> None:
    body = delivery.to_json()
    assert Delivery.from_json(body) == delivery
    assert json.loads(body)["version"] == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 9999, b'{"notice": {}}'])
def test_other_object_is_no_delivery(body: bytes) -> None:
    with pytest.raises(InvalidNotice):
        Delivery.from_json(body)


@pytest.mark.parametrize("time_s", [float("inf"), float("nan"), 1e300, -1.0])
@pytest.mark.parametrize("name", ["due_s", "created_s"])
def test_time_that_is_no_time_is_refused(name: str, time_s: float) -> None:
    with pytest.raises(InvalidNotice):
        Delivery.from_json(build_delivery(**{name: time_s}).to_json())


def test_pause_that_is_no_time_is_a_state_without_failures() -> None:
    assert TargetState.from_json(TargetState(3, 1e300).to_json()) == TargetState()


def test_member_of_a_later_version_is_ignored() -> None:
    raw = json.loads(build_delivery().to_json()) | {"version": 2, "colour": "blue"}
    raw["notice"]["colour"] = "blue"
    assert Delivery.from_json(json.dumps(raw).encode()) == build_delivery()


def test_first_key_is_the_same_whenever_the_notice_is_made() -> None:
    first, again = build_delivery(), build_delivery(created_s=NOW_S + 99)
    assert delivery_key(".scribe/", first) == delivery_key(".scribe/", again)
    assert delivery_key(".scribe/", first) == f".scribe/notices/webhook/0000000000-{first.id}"


def test_listing_has_what_is_due_first() -> None:
    deliveries = [build_delivery(due_s=due_s) for due_s in (NOW_S + 10, 0.0, NOW_S, 9e9, 99e9)]
    keys = [delivery_key("s/", delivery) for delivery in deliveries]
    due = [parsed.due_s for key in sorted(keys) if (parsed := parse_delivery_key("s/", key))]
    assert due == [0, 1_800_000_000, 1_800_000_010, 9_000_000_000, 9_999_999_999]


def test_key_never_says_earlier_than_the_delivery() -> None:
    parsed = parse_delivery_key("s/", delivery_key("s/", build_delivery(due_s=NOW_S + 0.2)))
    assert parsed == ("webhook", int(NOW_S) + 1, build_delivery().id, "", int(NOW_S))


@pytest.mark.parametrize("deployment", ["", "ap-chengdu/default/scribe-prod-"])
def test_key_after_an_attempt_says_when_the_notice_was_made(deployment: str) -> None:
    first = build_delivery(deployment=deployment)
    keys = [delivery_key("s/", delivery) for delivery in (first, first._replace(due_s=NOW_S + 60))]
    before, after = (parse_delivery_key("s/", key) for key in keys)
    assert before
    assert after
    assert (before.created_s, after.created_s) == (0, int(NOW_S))
    assert before.deployment == after.deployment


def test_key_says_which_deployment_the_notice_is_of() -> None:
    names = ("ap-chengdu/default/scribe-prod-", "ap-chengdu/default/scribe-test-")
    own, other = (delivery_key("s/", build_delivery(deployment=name)) for name in names)
    assert own != other
    for key, expected in ((own, [True, False, True]), (other, [False, True, True])):
        parsed = parse_delivery_key("s/", key)
        assert parsed
        assert parsed.id == build_delivery().id
        assert [parsed.may_be_of(name) for name in (*names, "")] == expected
    unknown = parse_delivery_key("s/", delivery_key("s/", build_delivery()))
    assert unknown
    assert all(map(unknown.may_be_of, names))


@pytest.mark.parametrize(
    "key",
    [
        *("notices/webhook/1-msg_0", "s/notices/webhook.json", "s/notices/", "s/open/a!b"),
        "s/notices/Webhook/0000000000-msg_0123456789abcdef0123456789abcdef",
        "notices/webhook/0000000000-msg_0123456789abcdef0123456789abcdef",
        "s/notices/webhook/0000000000-msg_0123456789abcdef0123456789abcdef.txt",
        "s/notices/webhook/0000000000-msg_0123456789abcdef0123456789abcdef-",
        "s/notices/webhook/0000000000-msg_0123456789abcdef0123456789abcdef-0123456",
    ],
)
def test_other_key_is_not_parsed(key: str) -> None:
    assert parse_delivery_key("s/", key) is None


def test_marker_passes_all_notices_of_one_target_and_no_others() -> None:
    own = delivery_key("s/", build_delivery(due_s=9e9))
    others = [delivery_key("s/", build_delivery(target=name)) for name in ("webhook-crm", "wecom")]
    marker = after_target_marker("s/", "webhook")
    assert own < marker
    assert min(others) < marker < max(others)  # `-` sorts before `/`, so `webhook-crm` came earlier
    assert target_state_key("s/", "webhook", "") < own
    assert target_state_key("s/", "webhook", "ap-chengdu/default/scribe-prod-") < own


@pytest.mark.parametrize("deployment", ["", "ap-chengdu/default/scribe-prod-"])
def test_key_of_a_state_is_that_of_one_deployment(deployment: str) -> None:
    key = target_state_key("s/", "webhook-crm", deployment)
    assert parse_target_state_key("s/", key, deployment) == "webhook-crm"
    for other in ("ap-chengdu/default/scribe-test-", "" if deployment else "ap-chengdu/default/scribe-prod-"):
        assert parse_target_state_key("s/", key, other) == ""
    assert parse_target_state_key("t/", key, deployment) == ""
    assert parse_delivery_key("s/", key) is None


@pytest.mark.parametrize(
    "key", ["s/notices/a/b.json", "s/notices/.json", "s/notices/a.txt", "s/notices/A.json"]
)
def test_other_key_is_no_state(key: str) -> None:
    assert parse_target_state_key("s/", key, "") == ""


def test_state_counts_failures_in_a_row() -> None:
    target, state = build_target(), TargetState()
    for number in range(1, 4):
        state = state.note_outcome(target, FAILED, NOW_S)
        assert (state.failures_in_row, state.reason) == (number, "status 500")
        assert state.may_send(target, NOW_S)
    assert state.note_outcome(target, DELIVERED, NOW_S).is_clear


def test_pause_that_a_target_asks_for_holds_for_all_its_notices() -> None:
    target = build_target(TargetKind.DINGTALK)
    state = TargetState().note_outcome(target, busy(600.0), NOW_S)
    assert not state.may_send(target, NOW_S + 599)
    assert state.may_send(target, NOW_S + 600)


def test_gone_target_is_stopped_until_its_address_changes() -> None:
    target = build_target()
    state = TargetState().note_outcome(target, GONE, NOW_S)
    assert state.is_stopped(target)
    assert not state.may_send(target, NOW_S + 365 * DAY_S)
    other = build_target(url=target.url + "2")
    assert not state.is_stopped(other)
    assert state.may_send(other, NOW_S)


def test_notices_that_were_given_up_are_remembered_after_a_success() -> None:
    state = TargetState().note_given_up(3, NOW_S).note_outcome(build_target(), DELIVERED, NOW_S + 1)
    assert (state.given_up, state.is_clear) == (3, False)


def test_stored_state_is_read_back() -> None:
    state = TargetState(6, NOW_S, "0123", "status 500", NOW_S, 2)
    assert TargetState.from_json(state.to_json()) == state


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"[" * 9999, b'{"failures_in_row": "x"}'])
def test_state_that_cannot_be_read_is_a_state_without_failures(body: bytes) -> None:
    assert TargetState.from_json(body) == TargetState()


@pytest.mark.parametrize("kind", ROBOTS)
def test_few_messages_are_sent_one_by_one_and_many_as_digests(kind: TargetKind) -> None:
    deliveries = [build_delivery(attempts=number) for number in range(1000)]
    few = plan_messages(build_target(kind), deliveries[:MAX_SINGLE_MESSAGES])
    assert [len(group) for group in few] == [1] * MAX_SINGLE_MESSAGES
    many = plan_messages(build_target(kind), deliveries[: MAX_SINGLE_MESSAGES + 1])
    assert [len(group) for group in many] == [MAX_SINGLE_MESSAGES + 1]
    all_of_them = plan_messages(build_target(kind), deliveries)
    assert max(map(len, all_of_them)) == MAX_DIGEST_NOTICES
    assert len(all_of_them) <= 20  # a minute
    assert [delivery for group in all_of_them for delivery in group] == deliveries


def test_webhook_gets_every_notice_by_itself() -> None:
    groups = plan_messages(build_target(), [build_delivery()] * 50)
    assert [len(group) for group in groups] == [1] * 50


def test_warning_about_a_budget_has_a_message_of_its_own() -> None:
    deliveries = [build_delivery() for _ in range(MAX_SINGLE_MESSAGES)]
    deliveries.insert(2, build_delivery()._replace(notice=build_budget_notice()))
    groups = plan_messages(build_target(TargetKind.WECOM), deliveries)
    assert [len(group) for group in groups] == [1, MAX_SINGLE_MESSAGES]
    assert groups[0][0].notice.type is NoticeType.BUDGET
