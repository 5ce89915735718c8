"""For all tests: which ones share a process (`pytest --numprocesses`), and which ones may start processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling


# These stay in one process: the flows, because one test checks all of them, and tests that share a deployment, local
# clouds, a package, or what Whisper recognised, which takes half a minute.
TOGETHER = (
    "tests/flow/",
    "tests/cli/deploy/",
    "tests/cli/doctor/",
    "tests/chaos/test_kill_points.py",
    "tests/cli/cloud/",
    "tests/cli/explain/",
    "tests/cli/package/",
    "tests/localcloud/speech/test_whisper.py",
)

# The tests of each file stay in one process: starting a browser takes longer than most of them.
TOGETHER_BY_FILE = ("tests/browser/",)

# Long simulations, and pages in a browser: the same on every Python, so `.ci/run` runs them on one of two.
LONG = (
    "tests/bench/",
    "tests/browser/",
    "tests/chaos/",
    "tests/load/",
    "tests/cli/operate/test_scale.py",
    "tests/shared/recordings/test_outbox_dead_target.py",
    "tests/shared/recordings/test_outbox_receivers.py",
    "tests/shared/recordings/test_thousand_recordings.py",
    "tests/shared/transcript/test_long_transcripts.py",
)

# The command speaks English in tests, also in their child processes, whatever the developer's language is.
for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
    os.environ.pop(variable, None)
os.environ["LANG"] = "C.UTF-8"

PROCESS_EVENTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec"})


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Run each test in any process, except those that stay together."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist publishes no types
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(TOGETHER_BY_FILE):
                return nodeid.partition("::")[0]
            return next((group for group in TOGETHER if nodeid.startswith(group)), nodeid)

    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what takes long, before anything is chosen by its marker."""
    if item.nodeid.startswith(LONG):
        item.add_marker("long")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Measure the coverage of shared/ by the tests that start no process.

    They have to reach it alone: a line that only a whole deployment runs has no test that says what it is for. The
    others take a third less time without.
    """
    if config.pluginmanager.hasplugin("_cov"):
        for item in items:
            if item.get_closest_marker("process"):
                item.add_marker("no_cover")


class ProcessGuard:
    """Fails a test that starts a process without the marker `process`, so that `make test-fast` stays fast."""

    def __init__(self) -> None:
        self.is_forbidden = False
        sys.addaudithook(self._check)

    def _check(self, event: str, _: tuple[Any, ...]) -> None:
        if self.is_forbidden and event in PROCESS_EVENTS:
            raise RuntimeError("this test starts a process: mark it with pytest.mark.process")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Watch one test, from its fixtures to their end."""
        self.is_forbidden = item.get_closest_marker("process") is None
        try:
            return (yield)
        finally:
            self.is_forbidden = False


def pytest_configure(config: pytest.Config) -> None:
    """Start watching. An audit hook cannot be removed, so there is one for the whole run."""
    config.pluginmanager.register(ProcessGuard())
