"""The arithmetic of docs/cost.md and of the README starts from what the functions do and from serverless.yml."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import yaml

from shared.notices.models import DELIVERED, Outcome, OutcomeKind, Target
from shared.recordings.announcer import Announcer
from shared.recordings.budget import MAX_LOOKS
from tests.helpers.budgets import BudgetPipeline
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.notices import build_target

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/cost.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
DAYS = 30
FAILED = Outcome(OutcomeKind.FAILED, "status 500")
SWEEPS, AUDITS = DAYS * 24 * 60 // 5, DAYS * 24 // 6
CALLS = SWEEPS + AUDITS
IDLE_S, SWEEP_GB = 0.5, 0.25
CNY_PER_GB_SECOND, CNY_PER_CALL, CNY_PER_REQUEST = 0.00011108, 0.0133 / 10_000, 0.01 / 10_000


def count_idle_requests() -> tuple[int, int]:
    """Count the requests of a sweep and of an audit if nothing was ever uploaded."""
    pipeline = InMemoryPipeline()
    pipeline.sweep()
    sweep = len(pipeline.take_requests())
    pipeline.audit_when_due()
    return sweep, len(pipeline.take_requests())


def test_timers_and_memory_are_those_of_the_deployment() -> None:
    text = (ROOT / "serverless.yml").read_text("utf-8")
    inputs = yaml.safe_load(text)["inputs"]
    timers = {
        trigger["parameters"]["name"]: trigger["parameters"]["cronExpression"]
        for trigger in inputs["triggers"]
        if trigger["type"] == "timer"
    }
    assert timers == {"reconcile": "0 */5 * * * * *", "audit": "0 33 */6 * * * *"}
    memory = [
        inputs["functions"][name].get("memorySize", inputs["memorySize"]) for name in ("upload", "sweep")
    ]
    assert memory == [128, SWEEP_GB * 1024]


def test_idle_figures_follow_from_the_timers_and_the_counted_requests() -> None:
    sweep, audit = count_idle_requests()
    requests = CALLS * sweep + AUDITS * audit
    gb_seconds = CALLS * SWEEP_GB * IDLE_S
    idle_cny = gb_seconds * CNY_PER_GB_SECOND + CALLS * CNY_PER_CALL + requests * CNY_PER_REQUEST
    assert f"{CALLS:,} × {sweep} for the sweep + {AUDITS} × {audit} for the audit" in PAGE
    for figure in (f"| {CALLS:,} |", f"| {gb_seconds:,.0f} |", f"| {requests:,} |", f"**{idle_cny:.2f}**"):
        assert figure in PAGE
    assert (
        f"{gb_seconds:,.0f} GB-seconds and {requests:,} requests a month, about {idle_cny:.2f} CNY" in README
    )


def count_with_notices(targets: list[Target], outcome: Outcome) -> tuple[int, int]:
    """Count the requests of a notification and of the sweep after it, if each attempt has this outcome."""
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest("a.mp3", b"words")
    counts = []
    for step in (pipeline.run_and_notify, pipeline.sweep_when_due):
        pipeline.ctx = pipeline.build_context()
        pipeline.ctx.announcer = Announcer(targets, lambda *_: outcome) if targets else None
        pipeline.take_requests()
        step()
        counts.append(len(pipeline.take_requests()))
    return counts[0], counts[1]


def test_requests_of_notices_are_those_of_the_functions() -> None:
    plain, plain_sweep = count_with_notices([], DELIVERED)
    accepted, idle_sweep = count_with_notices([build_target()], DELIVERED)
    failed, failed_sweep = count_with_notices([build_target()], FAILED)
    section = PAGE[PAGE.index("## Notices") : PAGE.index("## What the sources say")]
    assert f"accepted at once | {accepted - plain} for each target" in section
    assert f"first attempt that fails | {failed - plain} |" in section
    assert f"by the sweep that fails | {failed_sweep - idle_sweep - 1}, and 1 for the state" in section
    assert f"a sweep | {idle_sweep - plain_sweep} more for each output bucket" in section
    assert (
        f"{CALLS:,} sweeps a month are {CALLS:,} requests more, {CALLS * CNY_PER_REQUEST:.2f} CNY" in section
    )


def count_each(pipeline: BudgetPipeline, *steps: Callable[[], object]) -> list[int]:
    counts = []
    for step in steps:
        pipeline.take_requests()
        step()
        counts.append(len(pipeline.take_requests()))
    return counts


def test_requests_of_a_budget_are_those_of_the_functions() -> None:
    counts = []
    for minutes in (0, 10):
        pipeline = BudgetPipeline(minutes)
        pipeline.put_recording("a.mp3", 60)
        event, end, audit = (
            partial(pipeline.ingest, "a.mp3"),
            partial(pipeline.finish, "s1", 60),
            pipeline.audit_when_due,
        )
        counts.append(count_each(pipeline, event, end, audit))
    upload, callback, audit = (after - before for before, after in zip(*counts, strict=True))
    section = PAGE[PAGE.index("## A budget") : PAGE.index("## What the sources say")]
    assert f"| upload, a new recording | {upload}, and 1 for each 1,000 jobs" in section
    assert f"| callback | {callback}: the" in section
    assert f"| audit | {audit}, and 1 for each 1,000 finished jobs" in section
    pipeline.put_recording("b.mp3", 700)
    first, again = count_each(pipeline, *[partial(pipeline.ingest, "b.mp3")] * 2)
    assert (
        f"without room costs {first} requests in all, once, with its error object; {again} for each"
        in section
    )
    assert f"up to {2 * (MAX_LOOKS - 1)} more if others" in section


def test_rows_of_the_bill_add_up() -> None:
    section = PAGE[PAGE.index("## 100 recordings") : PAGE.index("**all, without a base package**")]
    amounts = [float(amount) for amount in re.findall(r"\| ([0-9.]+) \|$", section, re.MULTILINE)]
    assert len(amounts) == 6
    total = float(re.findall(r"\*\*all, without a base package\*\* \| \| \*\*([0-9.]+)\*\*", PAGE)[0])
    assert abs(sum(amounts) - total) < 0.01
    assert f"about {total:.0f} CNY" in README
