"""A small chaos run and a small load run; `make chaos` and `make load` do the large ones."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.chaos.__main__ import main as chaos
from tests.load.__main__ import main as load

pytestmark = pytest.mark.process


def read_output(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """Return the summary and standard error, which pytest also shows if the test fails."""
    output = capsys.readouterr()
    sys.stderr.write(output.err)
    summary: dict[str, Any] = json.loads(output.out)
    return summary, output.err


@pytest.mark.timeout(400)  # local clouds one after the other
@pytest.mark.parametrize(
    "options",
    [("--seed", "1"), ("--seed", "3", "--clocks-apart", "240")],
    ids=["seed 1", "clocks apart"],
)
def test_faults_and_neighbours_lose_forge_and_pay_nothing(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    status = chaos(["--uploads", "60", *options])
    summary, messages = read_output(capsys)
    assert status == 0, summary
    assert sum(summary["faults_struck"].values()) > 30
    assert summary["submits_refused"] > 0
    assert summary["jobs_without_money"] > 0
    assert sum(summary["forged_jobs"].values()) > 10
    assert set(summary["forged_posts"]) == {"with the token", "without the token"}
    assert summary["planted"] > 40
    assert "faults: nothing lost, nothing paid twice" in messages.splitlines()[-1]


def test_three_hundred_uploads_stay_within_the_queue(capsys: pytest.CaptureFixture[str]) -> None:
    status = load(["--uploads", "300", "--max-concurrent", "3", "--job-delay-ms", "100"])
    summary, _ = read_output(capsys)
    assert status == 0, summary
    assert summary["jobs"] == 300
    assert 1 <= summary["most_running"] <= 3
