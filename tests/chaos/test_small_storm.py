"""A small storm and a small load in every run of the suite; `make chaos` and `make load` run the large ones."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.chaos.__main__ import main as chaos
from tests.load.__main__ import main as load

pytestmark = pytest.mark.process


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    said = capsys.readouterr()
    sys.stderr.write(said.err)  # the stories of what went wrong: shown with a failed test
    told: dict[str, Any] = json.loads(said.out)
    return told


@pytest.mark.parametrize("seed", [1, 2])
def test_storm_of_faults_loses_nothing_and_pays_once(seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = chaos(["--uploads", "60", "--seed", str(seed)])
    told = last_line(capsys)
    assert code == 0, told
    assert sum(told["faults_struck"].values()) > 30


def test_three_hundred_uploads_stay_within_the_queue(capsys: pytest.CaptureFixture[str]) -> None:
    code = load(["--uploads", "300", "--max-concurrent", "3", "--job-delay-ms", "100"])
    told = last_line(capsys)
    assert code == 0, told
    assert told["jobs"] == 300
    assert 1 <= told["most_running"] <= 3
