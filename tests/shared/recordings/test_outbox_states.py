"""The state of a target when several invocations send at the same moment: no pause, no 410 and no count is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.notices.delivery import MAX_AGE_S, MAX_FAILURES_IN_ROW, TargetState
from shared.notices.models import DELIVERED, Outcome, Target
from shared.recordings.outbox import Outbox
from tests.helpers.fake_cloud import Killed
from tests.helpers.notices import build_notice, build_target
from tests.helpers.outbox import BUSY, FAILED, GONE, WEBHOOK, WECOM, Network, Setup

PAUSE = BUSY._replace(retry_after_s=3600.0)
OTHER = build_target(url="https://other.example.com/")


def send_two_at_once(setup: Setup, target: Target, first: Outcome, second: Outcome) -> None:
    """Send a notice; while it is under way, another invocation sends another one, which ends before it."""
    deliveries = setup.outbox.store(build_notice(job_id="first"))

    def respond(_: Target) -> Outcome:
        setup.network.respond = lambda _: second
        other = setup.build(target)
        other.send_now(other.store(build_notice(job_id="second")))
        return first

    setup.network.respond = respond
    setup.outbox.send_now(deliveries)


@pytest.mark.parametrize("first", [FAILED, BUSY, GONE, DELIVERED])
def test_pause_of_one_invocation_survives_the_attempt_of_another(first: Outcome) -> None:
    setup = Setup(WECOM)
    send_two_at_once(setup, WECOM, first, PAUSE)
    assert setup.load_state(WECOM).paused_until_s == setup.cloud.clock.now() + 3600.0
    attempts = len(setup.network.attempts)
    setup.outbox.store(build_notice(job_id="third"))
    setup.sweep(1800.0)
    assert len(setup.network.attempts) == attempts


def test_pause_survives_the_success_of_an_attempt_that_began_before_it() -> None:
    setup = Setup(network=Network(lambda _: FAILED))
    setup.store_and_send(build_notice(job_id="before"))
    send_two_at_once(setup, WEBHOOK, DELIVERED, PAUSE)
    assert setup.load_state().paused_until_s == setup.cloud.clock.now() + 3600.0


@pytest.mark.parametrize(("first", "is_stopped"), [(FAILED, True), (BUSY, True), (DELIVERED, False)])
def test_stop_of_one_invocation_survives_the_failure_of_another(first: Outcome, is_stopped: bool) -> None:
    setup = Setup(network=Network(lambda _: FAILED))
    setup.store_and_send(build_notice(job_id="before"))
    send_two_at_once(setup, WEBHOOK, first, GONE)
    assert setup.load_state().is_stopped(WEBHOOK) == is_stopped


def test_sweep_keeps_a_pause_that_a_first_attempt_got_at_the_same_time() -> None:
    setup = Setup()
    for number in range(3):
        setup.outbox.store(build_notice(job_id=str(number)))
    respond = interrupt(setup, DELIVERED, lambda: setup.store_and_send(build_notice(job_id="new")), PAUSE)
    setup.network.respond = respond
    setup.sweep()
    assert setup.network.attempts == [("webhook", 1)] * 3  # one more failed, then the pause was seen
    assert setup.load_state().paused_until_s == setup.cloud.clock.now() + 3600.0


def interrupt(
    setup: Setup, first: Outcome, step: Callable[[], None], second: Outcome
) -> Callable[[Target], Outcome]:
    def respond(_: Target) -> Outcome:
        setup.network.respond = lambda _: second
        step()
        setup.network.respond = lambda _: FAILED
        return first

    return respond


@pytest.mark.parametrize("target", [WEBHOOK, WECOM], ids=["webhook", "robot"])
def test_notices_given_up_by_two_sweeps_are_all_counted(target: Target) -> None:
    setup = Setup(target)
    for number in range(60):
        setup.outbox.store(build_notice(job_id=str(number)))

    def respond(_: Target) -> Outcome:
        setup.network.respond = lambda _: FAILED
        setup.build(target).send_due(lambda: 60.0)
        return FAILED

    setup.network.respond = respond
    setup.sweep(MAX_AGE_S)
    assert setup.list_open() == []
    assert setup.load_state(target).given_up >= 60


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("outcome", [FAILED, GONE])
def test_notice_that_is_given_up_is_counted_also_if_the_sweep_is_killed(
    outcome: Outcome, number: int
) -> None:
    setup = Setup(network=Network(lambda _: outcome))
    for each in range(2):
        setup.outbox.store(build_notice(job_id=f"s{each}"))
    setup.cloud.kill_before(number)
    with pytest.raises(Killed):
        setup.sweep(MAX_AGE_S)
    setup.cloud.clear_hooks()
    while setup.list_open():
        setup.sweep()
    assert setup.load_state().given_up >= 2


def test_success_forgets_the_failures_of_the_target() -> None:
    setup = Setup(network=Network(lambda _: BUSY))
    setup.store_and_send(build_notice())
    setup.network.respond = lambda _: DELIVERED
    setup.sweep()
    assert setup.list_keys() == []


def test_state_after_a_pause_that_is_over_has_none() -> None:
    state = TargetState().note_outcome(WEBHOOK, BUSY, 1000.0).note_outcome(WEBHOOK, FAILED, 2000.0)
    assert (state.paused_until_s, state.failures_in_row) == (0.0, 2)


def build_two_deployments() -> tuple[Setup, Outbox, Outbox]:
    """Two deployments with one bucket, whose targets of the same name have other addresses."""
    setup = Setup()
    own = setup.build(WEBHOOK, deployment="ap-chengdu/default/scribe-prod-")
    other = setup.build(OTHER, deployment="ap-chengdu/default/scribe-test-")
    return setup, own, other


def test_stop_of_a_target_is_not_forgotten_by_the_success_of_another_deployment() -> None:
    setup, own, other = build_two_deployments()
    setup.network.respond = lambda target: DELIVERED if target is OTHER else GONE
    for number, outbox in enumerate((own, other, own)):
        outbox.send_now(outbox.store(build_notice(job_id=f"s{number}")))
    assert len(setup.network.attempts) == 2
    assert setup.list_events().count("notice_target_stopped") == 1


def test_failures_of_another_deployment_take_no_first_attempt() -> None:
    setup, own, other = build_two_deployments()
    setup.network.respond = lambda target: FAILED if target is OTHER else DELIVERED
    for number in range(MAX_FAILURES_IN_ROW + 1):
        other.send_now(other.store(build_notice(job_id=f"s{number}")))
    attempts = len(setup.network.attempts)
    own.send_now(own.store(build_notice()))
    assert len(setup.network.attempts) == attempts + 1
