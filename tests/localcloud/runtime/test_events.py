"""COS and timer events: asynchronous, in the form of real logs, with three attempts."""

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest

from localcloud.runtime.instances import TemporaryCredentials
from localcloud.runtime.registry import FunctionRegistry
from localcloud.runtime.runner import Invocation
from tests.localcloud.functions import ECHO, returning
from tests.localcloud.runtime.project import Project, build_object_created

pytestmark = pytest.mark.process


def test_upload_event_matches_real_logs(project: Project) -> None:
    project.add("upload", ECHO)
    project.on_object("upload", filter={"prefix": "calls/"})
    (invocation,) = project.upload(
        "calls/会议 a+b%20!.mp3",
        metadata={"x-cos-meta-lang": "zh"},
        request_id="NjVmMDAwMDE=",
        event_name="cos:ObjectCreated:CompleteMultipartUpload",
        size=482_113,
    )
    assert (invocation.trigger, invocation.outcome) == ("cos", "ok")
    event: Any = invocation.result
    (record,) = event["Records"]
    cos, details = record["cos"], record["event"]
    host = "http://audio-1250000000.cos.ap-guangzhou.myqcloud.com"
    assert cos["cosObject"] == {
        "url": f"{host}/calls/%E4%BC%9A%E8%AE%AE%20a%2Bb%2520%21.mp3",
        "meta": {
            "x-cos-request-id": "NjVmMDAwMDE=",
            "Content-Type": "audio/mpeg",
            "ETag": '"900150983cd24fb0d6963f7d28e17f72"',
            "x-cos-storage-class": "STANDARD",
            "x-cos-meta-lang": "zh",
        },
        "vid": "",
        "key": "/1250000000/audio/calls/会议 a+b%20!.mp3",
        "size": 482_113,
    }
    assert cos["cosBucket"] == {
        "region": "gz",
        "cosRegion": "ap-guangzhou",
        "s3Region": "ap-guangzhou",
        "name": "audio",
        "appid": "1250000000",
    }
    assert cos["cosNotificationId"] == "unkown"
    assert details["eventName"] == "cos:ObjectCreated:CompleteMultipartUpload"
    assert details["eventTime"] == 1_794_300_000
    assert details["requestParameters"]["requestHeaders"]["Authorization"].startswith("q-sign-algorithm=")
    assert (
        details["eventQueue"]
        == "qcs:0:scf:ap-guangzhou:appid/1250000000:default.t-test-scribe-upload.$DEFAULT"
    )


@pytest.mark.parametrize(
    ("trigger", "fields", "starts"),
    [
        ({}, {}, True),
        ({}, {"key": "folder/"}, True),
        ({"filter": {"prefix": "in/"}}, {"key": "in/a.mp3"}, True),
        ({"filter": {"prefix": "in/"}}, {"key": "out/a.mp3"}, False),
        ({"filter": {"suffix": ".mp3"}}, {"key": "a.MP3"}, False),
        ({"filter": {"prefix": "", "suffix": ".mp3"}}, {"key": "a.mp3"}, True),
        ({"events": "cos:ObjectCreated:Post"}, {}, False),
        ({"events": "cos:ObjectCreated:Put"}, {}, True),
        ({"events": "cos:ObjectRemove:*"}, {}, False),
        ({"enable": False}, {}, False),
        ({}, {"bucket": "other-1250000000"}, False),
        ({}, {"region": "ap-shanghai"}, False),
    ],
)
def test_only_matching_events_start_the_function(
    project: Project, *, trigger: dict[str, Any], fields: dict[str, Any], starts: bool
) -> None:
    project.add("upload", ECHO)
    project.on_object("upload", **trigger)
    assert bool(project.upload(**{"key": "a.mp3", **fields})) is starts


def test_failed_event_is_dropped_after_three_attempts(project: Project) -> None:
    project.add("upload", "def main_handler(event, context):\n    raise OSError('no luck')\n")
    project.on_object("upload")
    tries = project.upload()
    assert [invocation.attempt for invocation in tries] == [1, 2, 3]
    assert [invocation.dropped for invocation in tries] == [False, False, True]
    assert len({invocation.request_id for invocation in tries}) == 1
    assert [invocation.cold for invocation in tries].count(True) == 1


def test_successful_retry_ends_the_attempts(project: Project) -> None:
    project.add(
        "upload",
        "count = 0\n"
        "def main_handler(event, context):\n"
        "    global count\n"
        "    count += 1\n"
        "    return {'statusCode': 500} if count > 1 else 1 / 0\n",
    )
    project.on_object("upload")
    tries = project.upload()
    # A result that only says it failed counts as success.
    assert [invocation.outcome for invocation in tries] == ["error", "ok"]
    assert not any(invocation.dropped for invocation in tries)


def test_registry_is_not_idle_before_a_retry(project: Project) -> None:
    project.add("upload", returning("1 / 0"))
    project.on_object("upload")

    async def use(functions: FunctionRegistry) -> tuple[bool, list[Invocation]]:
        await functions.on_object_event(build_object_created("a.mp3"))
        early = await functions.wait_idle(0.1)
        assert await functions.wait_idle(10)
        return early, functions.invocations()

    early, tries = project.run(use, retry_delay_s=0.3)
    assert early is False
    gaps = [later.started_s - earlier.started_s for earlier, later in pairwise(tries)]
    assert len(gaps) == 2
    assert min(gaps) >= 0.29


def test_queueing_does_not_wait_for_the_function(project: Project) -> None:
    project.add("upload", "import time\ndef main_handler(event, context):\n    time.sleep(0.5)\n")
    project.on_object("upload")

    async def use(functions: FunctionRegistry) -> float:
        started = time.monotonic()
        await asyncio.gather(
            *(functions.on_object_event(build_object_created(f"{number}.mp3")) for number in range(4))
        )
        queued_s = time.monotonic() - started
        assert await functions.wait_idle(10)
        assert len(functions.invocations()) == 4
        return queued_s

    assert project.run(use) < 0.2


def test_event_over_128_kb_is_dropped(project: Project) -> None:
    project.add("upload", ECHO)
    project.on_object("upload")
    (invocation,) = project.upload(metadata={"x-cos-meta-long": "x" * 131_000})
    assert (invocation.outcome, invocation.attempt, invocation.dropped) == ("error", 1, True)
    assert "131072" in invocation.error


def test_requests_belong_to_the_attempt_that_sent_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.add("upload", returning("1 / 0"))
    project.on_object("upload")
    issue = project.issue_credentials

    def issue_and_send(function: str, request_id: str) -> TemporaryCredentials:
        credentials = issue(function, request_id)
        project.requests.setdefault(request_id, []).append(f"GET {credentials.secret_id}")
        return credentials

    monkeypatch.setattr(project, "issue_credentials", issue_and_send)
    assert [invocation.requests for invocation in project.upload()] == [
        ("GET AKID1",),
        ("GET AKID2",),
        ("GET AKID3",),
    ]


def test_timer_is_fired_by_name(project: Project) -> None:
    project.add("sweep", ECHO)
    project.on_timer("sweep", name="sweep-15min", argument="audit")

    async def use(functions: FunctionRegistry) -> list[Invocation]:
        assert functions.timers == ("sweep-15min",)
        await functions.fire_timer("sweep-15min")
        with pytest.raises(KeyError):
            await functions.fire_timer("unknown")
        assert await functions.wait_idle(10)
        return functions.invocations()

    (invocation,) = project.run(use)
    assert invocation.trigger == "timer"
    event: Any = invocation.result
    assert time.strptime(event.pop("Time"), "%Y-%m-%dT%H:%M:%SZ")
    assert event == {"Type": "Timer", "TriggerName": "sweep-15min", "Message": "audit"}


def test_timers_run_only_after_start(project: Project) -> None:
    project.add("sweep", ECHO)
    project.on_timer("sweep", cronExpression="* * * * * * *")
    project.on_timer("sweep", name="closed", cronExpression="* * * * * * *", enable=False)

    async def use(functions: FunctionRegistry) -> list[Invocation]:
        assert functions.invocations() == []
        await functions.start()
        deadline = time.monotonic() + 10
        while len(functions.invocations()) < 2 and time.monotonic() < deadline:  # noqa: ASYNC110 -- there is no event to wait for
            await asyncio.sleep(0.05)
        return functions.invocations()

    results: list[Any] = [invocation.result for invocation in project.run(use)]
    first, second = results[:2]
    assert {first["TriggerName"], second["TriggerName"]} == {"sweep-timer"}
    assert first["Time"] != second["Time"]
