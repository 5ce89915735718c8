"""A whole pipeline on a stand-in cloud, seen from outside: objects, notifications, requests and logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from cli.local.emulator import LocalPipeline
from tests.helpers.flow import Flow, StartFlow
from tests.helpers.loopback import open_client
from tests.helpers.permissions import UsedGrants, build_scope, write_policies
from tests.helpers.pipeline import running_pipeline


@pytest.fixture(scope="session")
def used_grants() -> UsedGrants:
    """The grants that all flows have used so far; those of the shared pipeline are added last."""
    return UsedGrants()


@pytest.fixture(scope="session")
def shared_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPipeline]:
    data = tmp_path_factory.mktemp("cloud")
    policies = ["--policies", str(write_policies(data, build_scope({})))]
    with running_pipeline(data, ["--speech", "scripted", *policies]) as pipeline:
        yield pipeline


@pytest.fixture
def flow(shared_pipeline: LocalPipeline) -> Iterator[Flow]:
    """The pipeline that all tests share; each uses keys of its own."""
    with open_client(base_url=shared_pipeline.emulator.endpoint, timeout=60) as client:
        yield Flow(shared_pipeline, client)


@contextmanager
def _running_flow(data: Path, used_grants: UsedGrants, *arguments: str, **settings: str) -> Iterator[Flow]:
    """Run under least permissions, unless the arguments name other policies; then add the grants that were used."""
    scope = build_scope(settings)
    is_least = "--policies" not in arguments
    policies = ("--policies", str(write_policies(data, scope))) if is_least else ()
    with (
        running_pipeline(data, ["--speech", "scripted", *policies, *arguments], settings) as pipeline,
        open_client(base_url=pipeline.emulator.endpoint, timeout=60) as client,
    ):
        flow = Flow(pipeline, client)
        yield flow
        if is_least:
            used_grants.add(flow.admin("GET", "requests"), scope)


@pytest.fixture
def own_flow(tmp_path: Path, used_grants: UsedGrants) -> Iterator[Flow]:
    """A separate pipeline, for tests that count everything or break something."""
    with _running_flow(tmp_path / "cloud", used_grants) as flow:
        yield flow


@pytest.fixture
def eager_flow(tmp_path: Path, used_grants: UsedGrants) -> Iterator[Flow]:
    """A separate pipeline whose sweep considers everything open as due."""
    with _running_flow(tmp_path / "cloud", used_grants, SWEEP_AFTER="0") as flow:
        yield flow


@pytest.fixture
def start_flow(tmp_path: Path, used_grants: UsedGrants) -> Iterator[StartFlow]:
    """Starts a separate pipeline with these options of the stand-in and settings of the functions."""
    with ExitStack() as stack:
        yield lambda *arguments, **settings: stack.enter_context(
            _running_flow(tmp_path / "cloud", used_grants, *arguments, **settings)
        )


@pytest.fixture(scope="session")
def flows_run() -> set[tuple[str, str]]:
    """File and name of every flow that this process has run."""
    return set()


@pytest.fixture(autouse=True)
def _record_flow(request: pytest.FixtureRequest, flows_run: set[tuple[str, str]]) -> None:
    flows_run.add((request.path.name, request.node.originalname))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the test that concerns all flows after all flows."""
    items.sort(key=lambda item: item.path.name == "test_least_permissions.py")
