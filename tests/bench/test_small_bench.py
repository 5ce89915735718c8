"""The measurements of `make bench` with very few events, on this interpreter: every implementation still works."""

from __future__ import annotations

import platform
import sys
import sysconfig
from pathlib import Path

import pytest

from cli.package import Package
from cli.package.dependencies import Interpreter
from cli.package.files import copy_sources
from tests.bench import large_audit, long_result, warm_event
from tests.bench.fixtures import ROOT
from tests.bench.implementations import SCRIPTS, Implementations
from tests.bench.report import Metric, Section, build_page, build_table
from tests.bench.sweep_and_audit import measure_costs

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="memory and processor time are read from /proc"),
]


@pytest.fixture
def implementations(tmp_path: Path) -> Implementations:
    """Nothing is installed: libraries come from this environment."""
    tree, scripts = tmp_path / "tree", tmp_path / "scripts"
    tree.mkdir()
    scripts.mkdir()
    for folder in (tree, scripts):
        for library in Path(sysconfig.get_path("purelib")).iterdir():
            (folder / library.name).symlink_to(library)
    copy_sources(ROOT, tree)
    for script in SCRIPTS.glob("[a-z]*.py"):
        (scripts / script.name).symlink_to(script)
    return Implementations(
        python=Interpreter(sys.executable, platform.python_version()),
        package=Package(tree.with_suffix(".zip"), tree, "0" * 16, 1, 1, has_bytecode=False, version="0"),
        scribe=tree / "upload.py",
        sdk=scripts / "sdk_upload.py",
        sdk_with_bytecode=scripts / "sdk_upload.py",
        floor=scripts / "floor_upload.py",
        bare_httpx=scripts / "bare_httpx_upload.py",
        library_versions="sdk",
    )


def get_metric(section: Section, name: str) -> Metric:
    return next(metric for metric in section.metrics if name in metric.name)


def test_compared_implementations_make_the_same_number_of_requests(
    implementations: Implementations, tmp_path: Path
) -> None:
    section = warm_event.measure(implementations, tmp_path / "warm", 1)
    assert [metric.name for metric in section.metrics[:4]] == [
        "Scribe, 8 requests",
        "bare httpx, 8 requests",
        "SDK handler, 5 requests",
        "floor, 8 requests",
    ]


def test_scribe_and_sdk_read_every_word_of_a_long_result(
    implementations: Implementations, tmp_path: Path
) -> None:
    section = long_result.measure(implementations, tmp_path / "long", 1, 200)
    assert get_metric(section, "peak memory").is_met


def test_sweep_and_audit_list_the_created_recordings(
    implementations: Implementations, tmp_path: Path
) -> None:
    costs = measure_costs(implementations, tmp_path / "cloud", 5, 1)
    # Open receipts, and what other outputs the one unfinished recording has.
    assert (costs.sweep.pages, costs.audit.pages) == (2, 5)


def test_audits_of_a_large_bucket_list_each_page_once(implementations: Implementations) -> None:
    many = large_audit.measure_round(implementations, 5_000, 17.8)
    runs = len(many.runs)
    assert runs >= 2
    assert 10 <= many.pages <= 10 + 5 * runs
    assert all(run.seconds < 17.8 for run in many.runs)


def test_missed_goal_is_shown_as_missed() -> None:
    metrics = [
        Metric.ratio("slow", 3, 2, 1.2),
        Metric.at_most("small", 1, 2, "MiB"),
        Metric("known", "7"),
    ]
    assert [metric.is_met for metric in metrics] == [False, True, None]
    sections = [Section("One", "Method.", metrics)]
    page = build_page(sections, command="make bench", date="today", environment=["here"])
    assert "| slow | 1.50 | at most 1.20 | **missed** |" in page
    assert build_table(sections).row_count == 4
