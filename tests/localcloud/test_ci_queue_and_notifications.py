"""Queues run jobs in order and within their limits, and tell of every end."""

# ruff: noqa: S314 - what is parsed here are the stand-in's own answers
from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

pytestmark = pytest.mark.process


class Line:
    """A bucket with recordings and a speech queue, on one stand-in."""

    def __init__(self, cloud: Any, raw: Any, name: str = "line") -> None:
        self.cloud, self.raw = cloud, raw
        self.bucket = f"{name}-{cloud.appid}"
        self.host = cloud.ci_host(self.bucket)
        raw.send("PUT", cloud.bucket_host(self.bucket))
        raw.send("PUT", cloud.bucket_host(self.bucket), "/call.mp3", body=b"some seconds of speech")
        raw.send("POST", self.host, "/asrbucket")
        self.queue_id = self.ask("GET", "/asrqueue").findtext("QueueList/QueueId", "")

    def ask(self, method: str, path: str, query: Any = None, body: str = "") -> ET.Element:
        answer = self.raw.send(method, self.host, path, query, body=body.encode())
        return ET.fromstring(answer.content or b"<Nothing/>")

    def settings(
        self, state: str = "Active", url: str = "", form: str = "", event: str = "TaskFinish"
    ) -> None:
        notify = (
            f"<State>{'On' if url else 'Off'}</State><Type>Url</Type><Url>{url}</Url><Event>{event}</Event>"
        )
        notify += f"<ResultFormat>{form}</ResultFormat>" if form else ""
        body = f"<Request><Name>q</Name><State>{state}</State><NotifyConfig>{notify}</NotifyConfig></Request>"
        assert self.ask("PUT", f"/asrqueue/{self.queue_id}", body=body).find("Queue") is not None

    def submit(self, *, level: int = 0, key: str = "call.mp3", request: str = "", user: str = "") -> str:
        where = f"<Region>{self.cloud.region}</Region><Bucket>{self.bucket}</Bucket><Object>out.txt</Object>"
        speech = "<EngineModelType>16k_en</EngineModelType><ResTextFormat>1</ResTextFormat>"
        body = (
            f"<Request><Tag>SpeechRecognition</Tag><Input><Object>{escape(key)}</Object></Input><Operation>"
            f"<SpeechRecognition>{speech}</SpeechRecognition><Output>{where}</Output><JobLevel>{level}</JobLevel>"
            f"<UserData>{user}</UserData></Operation>{request}</Request>"
        )
        answer = self.ask("POST", "/asr_jobs", body=body)
        return answer.findtext("JobsDetail/JobId", "") or answer.findtext("Code", "")

    def states(self) -> dict[str, str]:
        return {job["job_id"]: job["state"] for job in self.cloud.admin("GET", "jobs")}

    def state(self, job_id: str) -> str:
        return self.ask("GET", f"/asr_jobs/{job_id}").findtext("JobsDetail/State", "")

    def idle(self) -> None:
        assert self.cloud.admin("GET", "idle?timeout=20") is True


@pytest.fixture
def make_line(start_cloud: Callable[..., Any], raw_of: Callable[..., Any]) -> Callable[..., Line]:
    def make(*options: str) -> Line:
        cloud = start_cloud(*options)
        return Line(cloud, raw_of(cloud))

    return make


@pytest.fixture
def line(cloud: Any, raw: Any, bucket: str) -> Line:
    return Line(cloud, raw, bucket.removesuffix(f"-{cloud.appid}"))


def test_a_queue_runs_no_more_jobs_at_once_than_it_may(make_line: Callable[..., Line]) -> None:
    line = make_line("--max-concurrent", "2", "--job-delay-ms", "120")
    jobs = [line.submit() for _ in range(6)]
    most, deadline = 0, time.monotonic() + 20
    while set(states := line.states().values()) != {"Success"}:
        most = max(most, list(states).count("Running"))
        assert time.monotonic() < deadline
    assert most == 2
    started = [job["started"] for job in line.cloud.admin("GET", "jobs")]
    assert started == sorted(started), "first come, first served"
    assert len(jobs) == 6


def test_a_job_of_a_higher_level_goes_first(make_line: Callable[..., Line], receiver: Any) -> None:
    line = make_line(
        "--max-concurrent", "1", "--job-delay-ms", "100"
    )  # so that deliveries do not overtake each other
    line.settings("Paused", receiver.url, "JSON")
    low, high, middle = (line.submit(level=level) for level in (0, 2, 1))
    line.settings("Active", receiver.url, "JSON")
    ended = [json.loads(receiver.next()[1])["JobsDetail"][0]["JobId"] for _ in range(3)]
    assert ended == [high, middle, low]


def test_a_paused_queue_keeps_its_jobs_until_it_is_active_again(line: Line) -> None:
    line.settings("Paused")
    job = line.submit()
    assert line.state(job) == "Pause"
    line.settings("Active")
    line.idle()
    assert line.state(job) == "Success"


def test_only_a_waiting_job_can_be_cancelled(line: Line) -> None:
    line.settings("Paused")
    waiting = line.submit()
    answer = line.raw.send("PUT", line.host, f"/jobs/{waiting}", {"cancel": ""})
    assert (answer.status_code, answer.headers["content-length"]) == (200, "0")
    assert line.state(waiting) == "Cancel"
    line.settings("Active")
    done = line.submit()
    line.idle()
    # The Python SDK leaves the flag out of its signature.
    headers = {"host": line.host}
    headers["authorization"] = line.raw.sign("PUT", f"/jobs/{done}", {}, headers)
    refused = line.raw.target("PUT", f"/jobs/{done}?cancel", headers)
    assert refused.status_code == 400
    assert line.state(done) == "Success"
    assert line.state(waiting) == "Cancel"


def test_a_full_queue_refuses_more(make_line: Callable[..., Line]) -> None:
    line = make_line("--max-size", "2")
    line.settings("Paused")
    first, _ = line.submit(), line.submit()
    assert line.submit() == "QueueFull"
    line.raw.send("PUT", line.host, f"/jobs/{first}", {"cancel": ""})
    assert line.submit().startswith("s")


def test_the_end_of_a_job_is_told_in_xml_by_default(line: Line, receiver: Any) -> None:
    line.settings(url=receiver.url)
    job_id = line.submit(user="receipt-7")
    headers, body = receiver.next()
    root = ET.fromstring(body)
    assert headers["content-type"] == "application/xml"
    assert (root.tag, root.findtext("EventName")) == ("Response", "TaskFinish")
    assert root.findtext("JobsDetail/JobId") == job_id
    assert root.findtext("JobsDetail/State") == "Success"
    assert root.findtext("JobsDetail/Operation/UserData") == "receipt-7"
    assert root.find("JobsDetail/Operation/SpeechRecognition") is None
    assert root.findtext("JobsDetail/Operation/SpeechRecognitionResult/ObjectName") == "out.txt"


def test_the_end_of_a_job_is_told_in_json_on_request(line: Line, receiver: Any) -> None:
    line.settings(url=receiver.url, form="JSON", event="TransCodingFinish")
    job_id = line.submit()
    headers, body = receiver.next()
    told = json.loads(body)
    assert headers["content-type"] == "application/json"
    job = told["JobsDetail"][0]
    assert (told["EventName"], job["JobId"], job["State"]) == ("TaskFinish", job_id, "Success")
    assert job["Operation"]["JobLevel"] == 0
    details = job["Operation"]["SpeechRecognitionResult"]["ResultDetail"]
    assert isinstance(details, list)
    assert isinstance(details[0]["Words"], list)


def test_a_failed_job_is_told_of_too(line: Line, receiver: Any) -> None:
    line.settings(url=receiver.url, form="JSON")
    line.raw.send("PUT", line.cloud.bucket_host(line.bucket), "/notes.txt", body=b"NOT AUDIO")
    line.submit(key="notes.txt")
    job = json.loads(receiver.next()[1])["JobsDetail"][0]
    assert job["State"] == "Failed"
    assert job["Message"]


def test_a_job_may_name_its_own_address_or_none(line: Line, receiver: Any) -> None:
    line.settings(url="http://127.0.0.1:9/nobody", form="JSON")
    own = line.submit(request=f"<CallBack>{receiver.url}</CallBack>")
    assert ET.fromstring(receiver.next()[1]).findtext("JobsDetail/JobId") == own
    line.settings(url=receiver.url)
    line.submit(request="<CallBack>no</CallBack>")
    line.idle()
    assert receiver.arrived.empty()
    line.submit(request="<CallBackFormat>JSON</CallBackFormat>")
    assert receiver.next()[1].startswith(b"{")


def test_a_queue_that_is_off_tells_nobody(line: Line, receiver: Any) -> None:
    line.settings(url=receiver.url)
    line.settings()
    line.submit()
    line.idle()
    assert receiver.arrived.empty()


def test_a_notification_that_is_not_taken_is_sent_again_twice(line: Line, receiver: Any) -> None:
    line.settings(url=receiver.url, form="JSON")
    receiver.statuses[:] = [500, 302, 200]
    line.submit()
    bodies = {receiver.next()[1] for _ in range(3)}
    assert len(bodies) == 1, "the same body each time"
    line.idle()
    receiver.statuses[:] = [500] * 9
    line.submit()
    for _ in range(3):
        receiver.next()
    line.idle()
    assert receiver.arrived.empty()


def test_nothing_is_sent_off_this_machine(line: Line) -> None:
    line.settings(url="https://example.com/hook?token=secret")
    job_id = line.submit()
    line.idle()
    log = [words for words in line.cloud.log().splitlines() if job_id in words]
    assert len(log) == 1
    assert "example.com is neither a function of this cloud nor this machine" in log[0]
    assert "secret" not in log[0]


def test_everything_survives_a_restart(
    start_cloud: Callable[..., Any], raw_of: Callable[..., Any], receiver: Any
) -> None:
    first = start_cloud("--job-delay-ms", "60000")
    line = Line(first, raw_of(first))
    line.settings(url=receiver.url, form="JSON")
    line.raw.send("PUT", first.bucket_host(line.bucket), "/音 &.txt", body=b"kept")
    interrupted = line.submit(user="r-1")
    assert line.states() == {interrupted: "Running"}
    assert first.stop() == 0
    assert not (first.folder / "ready.json").exists()

    second = start_cloud()
    assert (second.secret_id, second.secret_key) == (first.secret_id, first.secret_key)
    again = Line(second, raw_of(second))
    assert again.queue_id == line.queue_id
    assert again.raw.send("GET", second.bucket_host(line.bucket), "/音 &.txt").content == b"kept"
    told = json.loads(receiver.next()[1])["JobsDetail"][0]
    assert (told["JobId"], told["State"]) == (interrupted, "Success")
    again.idle()


def test_an_undelivered_notification_survives_a_restart(
    start_cloud: Callable[..., Any],
    raw_of: Callable[..., Any],
    receiver: Any,
    eventually: Callable[[Any], Any],
) -> None:
    first = start_cloud("--retry-delay", "60")
    line = Line(first, raw_of(first))
    line.settings(url=receiver.url, form="JSON")
    receiver.statuses[:] = [503]
    job_id = line.submit()
    receiver.next()
    eventually(lambda: "is tried again" in first.log())
    assert first.stop() == 0
    second = start_cloud()
    assert json.loads(receiver.next()[1])["JobsDetail"][0]["JobId"] == job_id
    Line(second, raw_of(second)).idle()
