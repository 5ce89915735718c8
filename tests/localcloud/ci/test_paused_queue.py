"""Jobs of a paused queue: in state Pause until the queue is active again."""

# ruff: noqa: S314 - only the stand-in's own responses are parsed here
from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.process


class PausedQueue:
    """The queue of a bucket, and jobs in it."""

    def __init__(self, cloud: Any, raw: Any, bucket: str) -> None:
        self.raw, self.bucket, self.host = raw, bucket, cloud.ci_host(bucket)
        queues = ET.fromstring(raw.send("GET", self.host, "/asrqueue").content)
        self.queue_id = queues.findtext("QueueList/QueueId", "")

    def set_state(self, state: str) -> None:
        body = f"<Request><Name>q</Name><State>{state}</State><NotifyConfig/></Request>".encode()
        response = self.raw.send("PUT", self.host, f"/asrqueue/{self.queue_id}", body=body)
        assert response.status_code == 200, response.text

    def submit(self) -> tuple[str, str]:
        """Submit a job and return its id and state."""
        body = (
            "<Request><Tag>SpeechRecognition</Tag><Input><Object>call.mp3</Object></Input><Operation>"
            "<SpeechRecognition><EngineModelType>16k_en</EngineModelType></SpeechRecognition><Output><Region>"
            f"ap-guangzhou</Region><Bucket>{self.bucket}</Bucket><Object>out.txt</Object></Output></Operation></Request>"
        )
        root = ET.fromstring(self.raw.send("POST", self.host, "/asr_jobs", body=body.encode()).content)
        return root.findtext("JobsDetail/JobId", ""), root.findtext("JobsDetail/State", "")

    def list_ids(self, states: str) -> set[str]:
        root = ET.fromstring(self.raw.send("GET", self.host, "/asr_jobs", {"states": states}).content)
        return {node.text or "" for node in root.findall("JobsDetail/JobId")}


def test_waiting_jobs_are_paused_with_their_queue(
    cloud: Any, raw: Any, speech_bucket: str, eventually: Callable[[Any], Any]
) -> None:
    queue = PausedQueue(cloud, raw, speech_bucket)
    queue.set_state("Paused")
    first, state = queue.submit()
    second, _ = queue.submit()
    assert state == "Pause"
    assert (
        queue.list_ids("Pause") == queue.list_ids("All") == queue.list_ids("Pause,Running") == {first, second}
    )
    assert queue.list_ids("Submitted") == queue.list_ids("Submitted,Running") == set()
    assert cloud.admin("GET", "idle?timeout=20") is True
    queue.set_state("Active")
    assert queue.list_ids("Pause") == set()
    eventually(lambda: queue.list_ids("Success") == {first, second})


def test_job_that_waits_is_paused_and_a_running_one_ends(
    start_cloud: Callable[..., Any],
    make_raw: Callable[..., Any],
    make_sdk: Callable[..., Any],
    eventually: Callable[[Any], Any],
) -> None:
    cloud = start_cloud("--max-concurrent", "1", "--job-delay-ms", "500")
    sdk, bucket = make_sdk(cloud), f"b-{cloud.appid}"
    sdk.create_bucket(bucket)
    sdk.ci_open_asr_bucket(bucket)
    sdk.put_object(bucket, b"words", "call.mp3")
    queue = PausedQueue(cloud, make_raw(cloud), bucket)
    running, _ = queue.submit()
    waiting, state = queue.submit()
    assert state == "Submitted"
    queue.set_state("Paused")
    assert queue.list_ids("Pause") == {waiting}
    eventually(lambda: queue.list_ids("Success") == {running})
    assert queue.list_ids("Pause") == {waiting}
    queue.set_state("Active")
    assert queue.list_ids("Submitted,Running") == {waiting}


def test_job_interrupted_by_a_restart_waits_in_a_paused_queue(
    start_cloud: Callable[..., Any], make_raw: Callable[..., Any], make_sdk: Callable[..., Any]
) -> None:
    cloud = start_cloud("--job-delay-ms", "60000")
    sdk, bucket = make_sdk(cloud), f"b-{cloud.appid}"
    sdk.create_bucket(bucket)
    sdk.ci_open_asr_bucket(bucket)
    sdk.put_object(bucket, b"words", "call.mp3")
    queue = PausedQueue(cloud, make_raw(cloud), bucket)
    job_id, _ = queue.submit()
    queue.set_state("Paused")
    assert queue.list_ids("Running") == {job_id}
    assert cloud.stop() == 0
    again = PausedQueue(started := start_cloud(), make_raw(started), bucket)
    assert again.list_ids("Pause") == {job_id}
