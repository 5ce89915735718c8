"""A whole pipeline on a stand-in cloud, seen from outside: objects, notifications, requests and logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from cli.local import Pipeline
from tests.helpers.flow import Flow
from tests.permissions import Used, place_under, policies_file
from tests.pipeline import running_pipeline


@pytest.fixture(scope="session")
def used() -> Used:
    """What the functions asked for in all flows so far; the shared pipeline's is asked for in the end."""
    return Used()


@pytest.fixture(scope="session")
def shared_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    data = tmp_path_factory.mktemp("cloud")
    policies = ["--policies", str(policies_file(data, place_under({})))]
    with running_pipeline(data, ["--speech", "scripted", *policies]) as pipeline:
        yield pipeline


@pytest.fixture
def flow(shared_pipeline: Pipeline) -> Iterator[Flow]:
    """The pipeline that all tests share; each uses keys of its own."""
    with httpx.Client(base_url=shared_pipeline.standin.endpoint, trust_env=False, timeout=60) as client:
        yield Flow(shared_pipeline, client)


@contextmanager
def _running_flow(data: Path, used: Used, *arguments: str, **settings: str) -> Iterator[Flow]:
    """Under least permissions, unless the arguments name other policies. What was asked of it is noted in the end."""
    place = place_under(settings)
    is_least = "--policies" not in arguments
    policies = ("--policies", str(policies_file(data, place))) if is_least else ()
    with (
        running_pipeline(data, ["--speech", "scripted", *policies, *arguments], settings) as pipeline,
        httpx.Client(base_url=pipeline.standin.endpoint, trust_env=False, timeout=60) as client,
    ):
        flow = Flow(pipeline, client)
        yield flow
        if is_least:
            used.note(flow.admin("GET", "requests"), place)


@pytest.fixture
def own_flow(tmp_path: Path, used: Used) -> Iterator[Flow]:
    """A pipeline of the test's own, for those that count everything or break something."""
    with _running_flow(tmp_path / "cloud", used) as flow:
        yield flow


@pytest.fixture
def eager_flow(tmp_path: Path, used: Used) -> Iterator[Flow]:
    """A pipeline of the test's own whose sweep takes everything open for due."""
    with _running_flow(tmp_path / "cloud", used, SWEEP_AFTER="0") as flow:
        yield flow


@pytest.fixture
def start_flow(tmp_path: Path, used: Used) -> Iterator[Callable[..., Flow]]:
    """Starts a pipeline of the test's own with these options of the stand-in and settings of the functions."""
    with ExitStack() as stack:
        yield lambda *arguments, **settings: stack.enter_context(
            _running_flow(tmp_path / "cloud", used, *arguments, **settings)
        )


@pytest.fixture(scope="session")
def flows_run() -> set[tuple[str, str]]:
    """File and name of every flow that this process has run."""
    return set()


@pytest.fixture(autouse=True)
def _note_the_flow(request: pytest.FixtureRequest, flows_run: set[tuple[str, str]]) -> None:
    flows_run.add((request.path.name, request.node.originalname))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is proven of all flows comes after all flows."""
    items.sort(key=lambda item: item.path.name == "test_least_permissions.py")
