"""The parts of `make bench` at a tiny size, on this interpreter: does everybody still do what is measured?"""

from __future__ import annotations

import platform
import sys
import sysconfig
from pathlib import Path

import pytest

from cli.package import Package
from cli.package.dependencies import Interpreter
from cli.package.files import copy_sources
from tests.bench import five_hours, history, warm_event
from tests.bench.figures import Figure, Section, at_most, fact, ratio
from tests.bench.ground import ROOT
from tests.bench.page import page_of, table_of
from tests.bench.sides import PEERS, Sides

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="memory and processor time are read from /proc"),
]


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    """Nobody is installed for it: libraries come from this environment."""
    tree, peers = tmp_path / "tree", tmp_path / "peers"
    tree.mkdir()
    peers.mkdir()
    for folder in (tree, peers):
        for library in Path(sysconfig.get_path("purelib")).iterdir():
            (folder / library.name).symlink_to(library)
    copy_sources(ROOT, tree)
    for peer in PEERS.glob("[a-z]*.py"):
        (peers / peer.name).symlink_to(peer)
    return Sides(
        python=Interpreter(sys.executable, platform.python_version()),
        package=Package(tree.with_suffix(".zip"), tree, "0" * 16, 1, 1, has_bytecode=False, version="0"),
        scribe=tree / "upload.py",
        sdk=peers / "sdk_upload.py",
        sdk_with_bytecode=peers / "sdk_upload.py",
        floor=peers / "floor_upload.py",
        bare_httpx=peers / "bare_httpx_upload.py",
        peers="sdk",
    )


def named(section: Section, part: str) -> Figure:
    return next(figure for figure in section.figures if part in figure.what)


def test_the_peers_submit_jobs_and_those_that_are_compared_make_as_many_requests(
    sides: Sides, tmp_path: Path
) -> None:
    section = warm_event.measure(sides, tmp_path / "warm", 1)
    assert [figure.what for figure in section.figures[:4]] == [
        "Scribe, 7 requests",
        "bare httpx, 7 requests",
        "SDK handler, 5 requests",
        "floor, 7 requests",
    ]


def test_both_sides_read_every_word_of_a_long_result(sides: Sides, tmp_path: Path) -> None:
    section = five_hours.measure(sides, tmp_path / "long", 1, 200)
    assert named(section, "peak memory").is_met


def test_a_filled_cloud_is_swept_and_audited(sides: Sides, tmp_path: Path) -> None:
    costs = history._costs(sides, tmp_path / "cloud", 5, 1)
    assert (costs.sweep.pages, costs.audit.pages) == (1, 4)


def test_a_missed_goal_is_shown_as_missed() -> None:
    figures = [ratio("slow", 3, 2, 1.2), at_most("small", 1, 2, "MiB"), fact("known", "7")]
    assert [figure.is_met for figure in figures] == [False, True, None]
    page = page_of(
        [Section("One", "How.", figures)], command="make bench", date="today", surroundings=["here"]
    )
    assert "| slow | 1.50 | at most 1.20 | **missed** |" in page
    assert table_of([Section("One", "How.", figures)]).row_count == 4
