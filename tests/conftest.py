"""How the tests are spread over several processes (`pytest --numprocesses`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling


# What stays in one process: the flows, because one of them speaks of all of them; and where a deployment is shared.
TOGETHER = ("tests/flow/", "tests/cli/test_deploy.py", "tests/cli/test_doctor.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Every test goes where there is room, but for those that stay together."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((group for group in TOGETHER if nodeid.startswith(group)), nodeid)

    return Scheduling(config, log)
