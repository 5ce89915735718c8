"""The fault plan is accepted or rejected as a whole, and the injector follows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localcloud.faults.decisions import FaultDecisions
from localcloud.faults.plan import KINDS, FaultPlan, FaultPlanError, KillRule, load_plan, parse_plan


def injector(**members: Any) -> FaultDecisions:
    return FaultDecisions(parse_plan(members))


def test_empty_plan_injects_nothing() -> None:
    plan = parse_plan({})
    assert (plan, plan.is_empty, plan.as_json()) == (FaultPlan(), True, {})
    assert parse_plan({"seed": 7, "rates": dict.fromkeys(KINDS, 0)}).is_empty


def test_plan_round_trips_through_json() -> None:
    raw = {
        "seed": 3,
        "rates": {"throttled": 0.5},
        "until": 9,
        "delay_ms": [1, 2],
        "kill": {"function": "upload", "request": 3, "when": "after", "times": 2},
        "clock_skew_s": -4.5,
    }
    plan = parse_plan(raw)
    assert plan == FaultPlan(
        seed=3,
        rates={"throttled": 0.5},
        until=9,
        delay_ms=(1, 2),
        kill=KillRule(function="upload", request=3, when="after", times=2),
        clock_skew_s=-4.5,
    )
    assert parse_plan(json.loads(json.dumps(plan.as_json()))) == plan


def test_all_errors_of_a_plan_are_reported() -> None:
    raw = {
        "sead": 1,
        "seed": "x",
        "rates": {"throttled": 2, "lost_evnt": 0.1},
        "until": -1,
        "delay_ms": [5, 1],
        "kill": {"function": "", "request": 0, "when": "during", "wen": 1},
        "clock_skew_s": True,
    }
    with pytest.raises(FaultPlanError) as caught:
        parse_plan(raw)
    errors = {error.partition(":")[0] for error in caught.value.errors}
    assert errors == {
        *("sead", "seed", "rates.throttled", "rates.lost_evnt.[key]", "until", "delay_ms"),
        *("kill.function", "kill.request", "kill.when", "kill.wen", "clock_skew_s"),
    }
    assert all(error in str(caught.value) for error in caught.value.errors)


@pytest.mark.parametrize("raw", [[], "storm", 1, {"rates": []}, {"kill": 1}, {"rates": {"throttled": None}}])
def test_invalid_plan_is_rejected(raw: object) -> None:
    with pytest.raises(FaultPlanError):
        parse_plan(raw)


def test_option_takes_file_or_json_text(tmp_path: Path) -> None:
    (tmp_path / "storm.json").write_text('{"seed": 5, "rates": {"cut_after": 1}}')
    assert load_plan(str(tmp_path / "storm.json")) == load_plan('{"seed":5,"rates":{"cut_after":1.0}}')


@pytest.mark.parametrize("option", ["none.json", "{", '{"rates": {"x": 1}}'])
def test_missing_file_or_invalid_text_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FaultPlanError):
        load_plan(option)


@pytest.mark.parametrize("kind", KINDS)
def test_rate_one_always_injects_and_zero_never(kind: str) -> None:
    always, never = injector(rates={kind: 1.0}), injector(rates={kind: 0.0})
    assert all(always.should_inject(kind, str(number)) for number in range(100))
    assert not any(never.should_inject(kind, str(number)) for number in range(100))
    assert (dict(always.injected), dict(never.injected)) == ({kind: 100}, {})


def test_same_seed_is_independent_of_order() -> None:
    names = [f"bucket/{number}.mp3" for number in range(300)]
    first, second, other = (injector(seed=seed, rates={"late_event": 0.3}) for seed in (1, 1, 2))
    affected = {name for name in names if first.should_inject("late_event", name)}
    assert affected == {name for name in reversed(names) if second.should_inject("late_event", name)}
    assert affected != {name for name in names if other.should_inject("late_event", name)}
    assert 60 < len(affected) < 120


def test_repeated_event_is_decided_again() -> None:
    faults = injector(seed=1, rates={"throttled": 0.5})
    decisions = [faults.should_inject("throttled", faults.event_id("PUT the same")) for _ in range(100)]
    assert 30 < sum(decisions) < 70
    repeated = injector(seed=1, rates={"throttled": 0.5})
    assert [
        repeated.should_inject("throttled", repeated.event_id("PUT the same")) for _ in range(100)
    ] == decisions


def test_until_limits_faults_to_first_events() -> None:
    faults = injector(rates={"throttled": 1, "cut_after": 1}, until=3)
    assert [faults.should_inject("throttled", str(number)) for number in range(5)] == [True] * 3 + [False] * 2
    assert faults.should_inject("cut_after", "x")


def test_delays_are_within_limits() -> None:
    faults = injector(rates={"late_event": 1}, delay_ms=[20, 40])
    delays = []
    for number in range(200):
        assert faults.should_inject("late_event", str(number))
        delays.append(faults.delay_s("late_event", str(number)))
    assert 0.02 <= min(delays) < 0.023
    assert 0.037 < max(delays) <= 0.04


def test_empty_plan_keeps_counts_and_new_plan_resets_them() -> None:
    faults = injector(rates={"late_event": 1})
    faults.should_inject("late_event", "x")
    faults.set_plan(FaultPlan())
    assert (faults.should_inject("late_event", "x"), dict(faults.injected)) == (False, {"late_event": 1})
    faults.set_plan(parse_plan({"rates": {"lost_event": 1}}))
    assert dict(faults.injected) == {}
