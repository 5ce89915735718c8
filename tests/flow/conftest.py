"""A whole pipeline on a stand-in cloud, seen from outside: objects, notifications, requests and logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from cli.local.emulator import CALLBACK_TOKEN, INPUT_BUCKET, OUTPUT_BUCKET, LocalPipeline
from shared.errors import NotFound
from tests.helpers.permissions import UsedGrants, build_scope, write_policies
from tests.helpers.pipeline import running_pipeline


@dataclass(frozen=True)
class Flow:
    """What a test does to the pipeline, and what it sees of it."""

    pipeline: LocalPipeline
    client: httpx.Client

    def upload(self, key: str, body: bytes, **metadata: str) -> None:
        self.pipeline.clients.cos.put(INPUT_BUCKET, key, body, metadata=metadata)

    def delete(self, key: str) -> None:
        self.pipeline.clients.cos.delete(INPUT_BUCKET, key)

    def output(self, key: str) -> bytes:
        return self.pipeline.clients.cos.get(OUTPUT_BUCKET, key).body

    def outputs(self, prefix: str = "") -> list[str]:
        return [item.key for item in self.pipeline.clients.cos.iter_objects(OUTPUT_BUCKET, prefix=prefix)]

    def has(self, key: str) -> bool:
        try:
            self.output(key)
        except NotFound:
            return False
        return True

    def transcript(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.output(f"transcripts/{key}.json"))
        return found

    def receipts(self, state: str) -> list[str]:
        return self.outputs(f".scribe/{state}/")

    def settle(self, seconds: float = 30.0) -> None:
        """Until no job is open, no notification due and no function at work."""
        answer = self.admin("GET", f"idle?timeout={seconds}")
        assert answer is True, "the pipeline did not come to rest"

    def queue(self, **changes: str) -> None:
        """Changes the state of the queue, or where it tells of finished jobs (`notify`: On or Off)."""
        speech = self.pipeline.clients.speech
        queue = speech.list_queues(INPUT_BUCKET).queues[0]
        told = queue.notification._replace(state=changes.get("notify", queue.notification.state))
        speech.update_queue(
            INPUT_BUCKET, queue._replace(state=changes.get("state", queue.state), notification=told)
        )

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.client.request(method, f"/-/{path}", json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    @staticmethod
    def event_of(key: str, bucket: str = INPUT_BUCKET) -> dict[str, Any]:
        """The event of an upload, in the published shape."""
        short, _, appid = bucket.rpartition("-")
        url = f"http://{bucket}.cos.ap-guangzhou.myqcloud.com/{quote(key, safe='/')}"
        cos = {
            "cosObject": {"url": url, "key": f"/{appid}/{short}/{key}"},
            "cosBucket": {"region": "gz", "name": short, "appid": appid},
        }
        return {"Records": [{"cos": cos, "event": {"eventName": "cos:ObjectCreated:Put"}}]}

    def invoke(self, function: str, event: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.admin("POST", f"functions/{function}/invoke", event)
        return found

    def sweep(self, message: str = "reconcile") -> dict[str, Any]:
        event = {"Type": "Timer", "TriggerName": message, "Time": "2026-11-21T01:15:00Z", "Message": message}
        done = self.invoke("sweep", event)
        assert done["outcome"] == "ok", done
        return done

    def invocations(self, function: str, since: int = 0) -> list[dict[str, Any]]:
        found = self.admin("GET", f"invocations?since={since}")
        return [one for one in found if one["function"] == function]

    def last_number(self) -> int:
        found = self.admin("GET", "invocations?since=0")
        return max((one["number"] for one in found), default=0)

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.admin("GET", "jobs")
        return found

    def notify(
        self, body: bytes | str, *, path: str = "/" + CALLBACK_TOKEN, method: str = "POST"
    ) -> httpx.Response:
        """A request to the callback function's public URL, as a stranger would send it."""
        host = httpx.URL(self.pipeline.emulator.callback_url).host
        return self.client.request(method, path, content=body, headers={"Host": host})


@pytest.fixture(scope="session")
def used() -> UsedGrants:
    """What the functions asked for in all flows so far; the shared pipeline's is asked for in the end."""
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
    with httpx.Client(base_url=shared_pipeline.emulator.endpoint, trust_env=False, timeout=60) as client:
        yield Flow(shared_pipeline, client)


@contextmanager
def _running_flow(data: Path, used: UsedGrants, *arguments: str, **settings: str) -> Iterator[Flow]:
    """Under least permissions, unless the arguments name other policies. What was asked of it is noted in the end."""
    place = build_scope(settings)
    is_least = "--policies" not in arguments
    policies = ("--policies", str(write_policies(data, place))) if is_least else ()
    with (
        running_pipeline(data, ["--speech", "scripted", *policies, *arguments], settings) as pipeline,
        httpx.Client(base_url=pipeline.emulator.endpoint, trust_env=False, timeout=60) as client,
    ):
        flow = Flow(pipeline, client)
        yield flow
        if is_least:
            used.add(flow.admin("GET", "requests"), place)


@pytest.fixture
def own_flow(tmp_path: Path, used: UsedGrants) -> Iterator[Flow]:
    """A pipeline of the test's own, for those that count everything or break something."""
    with _running_flow(tmp_path / "cloud", used) as flow:
        yield flow


@pytest.fixture
def eager_flow(tmp_path: Path, used: UsedGrants) -> Iterator[Flow]:
    """A pipeline of the test's own whose sweep takes everything open for due."""
    with _running_flow(tmp_path / "cloud", used, SWEEP_AFTER="0") as flow:
        yield flow


@pytest.fixture
def start_flow(tmp_path: Path, used: UsedGrants) -> Iterator[Callable[..., Flow]]:
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
