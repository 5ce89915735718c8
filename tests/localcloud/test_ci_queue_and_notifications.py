"""Queues run jobs in order and within their limits, and notify about every end."""

# ruff: noqa: S314 - only the stand-in's own responses are parsed here
from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

pytestmark = pytest.mark.process


class QueueClient:
    """A bucket with recordings and a speech queue, on one stand-in."""

    def __init__(self, cloud: Any, raw: Any, name: str = "queue") -> None:
        self.cloud, self.raw = cloud, raw
        self.bucket = f"{name}-{cloud.appid}"
        self.host = cloud.ci_host(self.bucket)
        raw.send("PUT", cloud.bucket_host(self.bucket))
        raw.send("PUT", cloud.bucket_host(self.bucket), "/call.mp3", body=b"some seconds of speech")
        raw.send("POST", self.host, "/asrbucket")
        self.queue_id = self.request("GET", "/asrqueue").findtext("QueueList/QueueId", "")

    def request(self, method: str, path: str, query: Any = None, body: str = "") -> ET.Element:
        response = self.raw.send(method, self.host, path, query, body=body.encode())
        return ET.fromstring(response.content or b"<Nothing/>")

    def update(self, state: str = "Active", url: str = "", form: str = "", event: str = "TaskFinish") -> None:
        notify = (
            f"<State>{'On' if url else 'Off'}</State><Type>Url</Type><Url>{url}</Url><Event>{event}</Event>"
        )
        notify += f"<ResultFormat>{form}</ResultFormat>" if form else ""
        body = f"<Request><Name>q</Name><State>{state}</State><NotifyConfig>{notify}</NotifyConfig></Request>"
        assert self.request("PUT", f"/asrqueue/{self.queue_id}", body=body).find("Queue") is not None

    def submit(self, *, level: int = 0, key: str = "call.mp3", request: str = "", user: str = "") -> str:
        output = f"<Region>{self.cloud.region}</Region><Bucket>{self.bucket}</Bucket><Object>out.txt</Object>"
        speech = "<EngineModelType>16k_en</EngineModelType><ResTextFormat>1</ResTextFormat>"
        body = (
            f"<Request><Tag>SpeechRecognition</Tag><Input><Object>{escape(key)}</Object></Input><Operation>"
            f"<SpeechRecognition>{speech}</SpeechRecognition><Output>{output}</Output><JobLevel>{level}</JobLevel>"
            f"<UserData>{user}</UserData></Operation>{request}</Request>"
        )
        response = self.request("POST", "/asr_jobs", body=body)
        return response.findtext("JobsDetail/JobId", "") or response.findtext("Code", "")

    def states(self) -> dict[str, str]:
        return {job["job_id"]: job["state"] for job in self.cloud.admin("GET", "jobs")}

    def state(self, job_id: str) -> str:
        return self.request("GET", f"/asr_jobs/{job_id}").findtext("JobsDetail/State", "")

    def wait_idle(self) -> None:
        assert self.cloud.admin("GET", "idle?timeout=20") is True


@pytest.fixture
def make_queue(start_cloud: Callable[..., Any], make_raw: Callable[..., Any]) -> Callable[..., QueueClient]:
    def make(*options: str) -> QueueClient:
        cloud = start_cloud(*options)
        return QueueClient(cloud, make_raw(cloud))

    return make


@pytest.fixture
def queue(cloud: Any, raw: Any, bucket: str) -> QueueClient:
    return QueueClient(cloud, raw, bucket.removesuffix(f"-{cloud.appid}"))


def test_queue_respects_max_concurrent(make_queue: Callable[..., QueueClient]) -> None:
    queue = make_queue("--max-concurrent", "2", "--job-delay-ms", "120")
    jobs = [queue.submit() for _ in range(6)]
    most, deadline = 0, time.monotonic() + 20
    while set(states := queue.states().values()) != {"Success"}:
        most = max(most, list(states).count("Running"))
        assert time.monotonic() < deadline
    assert most == 2
    started = [job["started"] for job in queue.cloud.admin("GET", "jobs")]
    assert started == sorted(started), "first come, first served"
    assert len(jobs) == 6


def test_higher_level_job_runs_first(make_queue: Callable[..., QueueClient], receiver: Any) -> None:
    # With the delay each notification arrives before the next one is sent.
    queue = make_queue("--max-concurrent", "1", "--job-delay-ms", "100")
    queue.update("Paused", receiver.url, "JSON")
    low, high, middle = (queue.submit(level=level) for level in (0, 2, 1))
    queue.update("Active", receiver.url, "JSON")
    ended = [json.loads(receiver.next()[1])["JobsDetail"][0]["JobId"] for _ in range(3)]
    assert ended == [high, middle, low]


def test_paused_queue_keeps_jobs_until_active(queue: QueueClient) -> None:
    queue.update("Paused")
    job = queue.submit()
    assert queue.state(job) == "Pause"
    queue.update("Active")
    queue.wait_idle()
    assert queue.state(job) == "Success"


def test_only_waiting_job_can_be_cancelled(queue: QueueClient) -> None:
    queue.update("Paused")
    waiting = queue.submit()
    response = queue.raw.send("PUT", queue.host, f"/jobs/{waiting}", {"cancel": ""})
    assert (response.status_code, response.headers["content-length"]) == (200, "0")
    assert queue.state(waiting) == "Cancel"
    queue.update("Active")
    done = queue.submit()
    queue.wait_idle()
    # The Python SDK does not sign the flag.
    headers = {"host": queue.host}
    headers["authorization"] = queue.raw.sign("PUT", f"/jobs/{done}", {}, headers)
    rejected = queue.raw.target("PUT", f"/jobs/{done}?cancel", headers)
    assert rejected.status_code == 400
    assert queue.state(done) == "Success"
    assert queue.state(waiting) == "Cancel"


def test_full_queue_rejects_job(make_queue: Callable[..., QueueClient]) -> None:
    queue = make_queue("--max-size", "2")
    queue.update("Paused")
    first, _ = queue.submit(), queue.submit()
    assert queue.submit() == "QueueFull"
    queue.raw.send("PUT", queue.host, f"/jobs/{first}", {"cancel": ""})
    assert queue.submit().startswith("s")


def test_notification_is_xml_by_default(queue: QueueClient, receiver: Any) -> None:
    queue.update(url=receiver.url)
    job_id = queue.submit(user="receipt-7")
    headers, body = receiver.next()
    root = ET.fromstring(body)
    assert headers["content-type"] == "application/xml"
    assert (root.tag, root.findtext("EventName")) == ("Response", "TaskFinish")
    assert root.findtext("JobsDetail/JobId") == job_id
    assert root.findtext("JobsDetail/State") == "Success"
    assert root.findtext("JobsDetail/Operation/UserData") == "receipt-7"
    assert root.find("JobsDetail/Operation/SpeechRecognition") is None
    assert root.findtext("JobsDetail/Operation/SpeechRecognitionResult/ObjectName") == "out.txt"


def test_notification_is_json_on_request(queue: QueueClient, receiver: Any) -> None:
    queue.update(url=receiver.url, form="JSON", event="TransCodingFinish")
    job_id = queue.submit()
    headers, body = receiver.next()
    notification = json.loads(body)
    assert headers["content-type"] == "application/json"
    job = notification["JobsDetail"][0]
    assert (notification["EventName"], job["JobId"], job["State"]) == ("TaskFinish", job_id, "Success")
    assert job["Operation"]["JobLevel"] == 0
    details = job["Operation"]["SpeechRecognitionResult"]["ResultDetail"]
    assert isinstance(details, list)
    assert isinstance(details[0]["Words"], list)


def test_failed_job_is_notified(queue: QueueClient, receiver: Any) -> None:
    queue.update(url=receiver.url, form="JSON")
    queue.raw.send("PUT", queue.cloud.bucket_host(queue.bucket), "/notes.txt", body=b"NOT AUDIO")
    queue.submit(key="notes.txt")
    job = json.loads(receiver.next()[1])["JobsDetail"][0]
    assert job["State"] == "Failed"
    assert job["Message"]


def test_job_can_set_own_callback_or_none(queue: QueueClient, receiver: Any) -> None:
    queue.update(url="http://127.0.0.1:9/nobody", form="JSON")
    own = queue.submit(request=f"<CallBack>{receiver.url}</CallBack>")
    assert ET.fromstring(receiver.next()[1]).findtext("JobsDetail/JobId") == own
    queue.update(url=receiver.url)
    queue.submit(request="<CallBack>no</CallBack>")
    queue.wait_idle()
    assert receiver.arrived.empty()
    queue.submit(request="<CallBackFormat>JSON</CallBackFormat>")
    assert receiver.next()[1].startswith(b"{")


def test_queue_without_notification_sends_nothing(queue: QueueClient, receiver: Any) -> None:
    queue.update(url=receiver.url)
    queue.update()
    queue.submit()
    queue.wait_idle()
    assert receiver.arrived.empty()


def test_failed_notification_is_retried_twice(queue: QueueClient, receiver: Any) -> None:
    queue.update(url=receiver.url, form="JSON")
    receiver.statuses[:] = [500, 302, 200]
    queue.submit()
    bodies = {receiver.next()[1] for _ in range(3)}
    assert len(bodies) == 1, "the same body each time"
    queue.wait_idle()
    receiver.statuses[:] = [500] * 9
    queue.submit()
    for _ in range(3):
        receiver.next()
    queue.wait_idle()
    assert receiver.arrived.empty()


def test_nothing_is_sent_to_other_machines(queue: QueueClient) -> None:
    queue.update(url="https://example.com/hook?token=secret")
    job_id = queue.submit()
    queue.wait_idle()
    log = [words for words in queue.cloud.log().splitlines() if job_id in words]
    assert len(log) == 1
    assert "example.com is neither a function of this cloud nor this machine" in log[0]
    assert "secret" not in log[0]


def test_jobs_and_objects_survive_restart(
    start_cloud: Callable[..., Any], make_raw: Callable[..., Any], receiver: Any
) -> None:
    first = start_cloud("--job-delay-ms", "60000")
    queue = QueueClient(first, make_raw(first))
    queue.update(url=receiver.url, form="JSON")
    queue.raw.send("PUT", first.bucket_host(queue.bucket), "/音 &.txt", body=b"kept")
    interrupted = queue.submit(user="r-1")
    assert queue.states() == {interrupted: "Running"}
    assert first.stop() == 0
    assert not (first.folder / "ready.json").exists()

    second = start_cloud()
    assert (second.secret_id, second.secret_key) == (first.secret_id, first.secret_key)
    second_queue = QueueClient(second, make_raw(second))
    assert second_queue.queue_id == queue.queue_id
    assert second_queue.raw.send("GET", second.bucket_host(queue.bucket), "/音 &.txt").content == b"kept"
    notification = json.loads(receiver.next()[1])["JobsDetail"][0]
    assert (notification["JobId"], notification["State"]) == (interrupted, "Success")
    second_queue.wait_idle()


def test_undelivered_notification_survives_restart(
    start_cloud: Callable[..., Any],
    make_raw: Callable[..., Any],
    receiver: Any,
    eventually: Callable[[Any], Any],
) -> None:
    first = start_cloud("--retry-delay", "60")
    queue = QueueClient(first, make_raw(first))
    queue.update(url=receiver.url, form="JSON")
    receiver.statuses[:] = [503]
    job_id = queue.submit()
    receiver.next()
    eventually(lambda: "is tried again" in first.log())
    assert first.stop() == 0
    second = start_cloud()
    assert json.loads(receiver.next()[1])["JobsDetail"][0]["JobId"] == job_id
    QueueClient(second, make_raw(second)).wait_idle()
