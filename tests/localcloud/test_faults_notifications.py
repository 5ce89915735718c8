"""Notifications are lost, held back, doubled and forged as the plan says; jobs fail and queues are full."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from localcloud.faults.services import FORGED_TEXT

pytestmark = pytest.mark.process


class Line:
    """A bucket with recordings and a queue whose ends of jobs are told to a receiver."""

    def __init__(self, cloud: Any, raw: Any, receiver: Any) -> None:
        self.cloud, self.raw, self.receiver = cloud, raw, receiver
        self.bucket = f"line-{cloud.appid}"
        self.host = cloud.ci_host(self.bucket)
        raw.send("PUT", cloud.bucket_host(self.bucket))
        raw.send("POST", self.host, "/asrbucket")
        queue_id = raw.send("GET", self.host, "/asrqueue").text.split("<QueueId>")[1].split("</QueueId>")[0]
        notify = f"<State>On</State><Type>Url</Type><Url>{receiver.url}</Url><Event>TaskFinish</Event>"
        notify = f"<NotifyConfig>{notify}<ResultFormat>JSON</ResultFormat></NotifyConfig>"
        settings = f"<Request><Name>q</Name><State>Active</State>{notify}</Request>"
        assert raw.send("PUT", self.host, f"/asrqueue/{queue_id}", body=settings.encode()).status_code == 200
        for number in range(10):
            raw.send("PUT", cloud.bucket_host(self.bucket), f"/{number}.mp3", body=b"speech")

    def plan(self, rates: dict[str, float], **members: Any) -> None:
        self.cloud.admin("PUT", "faults", {"rates": rates, **members})

    def submit(self, number: int = 0, key: Any = None) -> str:
        """The job's id, or the code of the refusal."""
        where = (
            f"<Region>{self.cloud.region}</Region><Bucket>{self.bucket}</Bucket><Object>{number}.txt</Object>"
        )
        body = (
            f"<Request><Tag>SpeechRecognition</Tag><Input><Object>{number}.mp3</Object></Input><Operation>"
            "<SpeechRecognition><EngineModelType>16k_en</EngineModelType></SpeechRecognition>"
            f"<Output>{where}</Output><UserData>receipt-{number}</UserData></Operation></Request>"
        ).encode()
        signing = {} if key is None else {name: key[name] for name in ("secret_id", "secret_key")}
        headers = {} if key is None else {"x-ci-security-token": key["token"]}
        text = self.raw.send("POST", self.host, "/asr_jobs", headers=headers, body=body, **signing).text
        tag = "JobId" if "<JobId>" in text else "Code"
        return str(text.split(f"<{tag}>")[1].split(f"</{tag}>")[0])

    def idle(self) -> None:
        assert self.cloud.admin("GET", "idle?timeout=20") is True

    def arrived(self) -> list[bytes]:
        """All bodies that were posted until everything is quiet."""
        self.idle()
        bodies = []
        while not self.receiver.arrived.empty():
            bodies.append(self.receiver.next()[1])
        return bodies

    def struck(self) -> dict[str, int]:
        return dict(self.cloud.admin("GET", "faults")["struck"])


@pytest.fixture
def line(start_cloud: Callable[..., Any], raw_of: Callable[..., Any], receiver: Any) -> Line:
    cloud = start_cloud()
    return Line(cloud, raw_of(cloud), receiver)


def told(bodies: list[bytes]) -> list[str]:
    return [json.loads(body)["JobsDetail"][0]["JobId"] for body in bodies]


def test_a_lost_notification_never_comes(line: Line) -> None:
    line.plan({"lost_notification": 1.0})
    line.submit()
    assert line.arrived() == []
    assert line.struck() == {"lost_notification": 1}


def test_a_doubled_notification_comes_twice_the_same(line: Line) -> None:
    line.plan({"duplicate_notification": 1.0}, delay_ms=[10, 50])
    job = line.submit()
    bodies = line.arrived()
    assert told(bodies) == [job, job]
    assert bodies[0] == bodies[1]


def test_a_late_notification_is_overtaken_and_keeps_the_cloud_busy(line: Line) -> None:
    line.plan({"late_notification": 1.0}, delay_ms=[1500, 1500], until=1)
    began = time.monotonic()
    late = line.submit(0)
    assert line.cloud.admin("GET", "idle?timeout=0.2") is False
    punctual = line.submit(1)
    assert told(line.arrived()) == [punctual, late]
    assert time.monotonic() - began >= 1.5


def test_forged_notifications_come_beside_the_real_one(line: Line) -> None:
    other = line.submit(1)
    assert told(line.arrived()) == [other]
    line.plan({"forged_notification": 1.0}, delay_ms=[10, 30])
    line.receiver.statuses[:] = [403] * 5  # nobody tries a forged one again
    job = line.submit(0)
    bodies = line.arrived()
    assert len(bodies) in (6, 7), "the real one is tried again if it was refused"
    garbage = [body for body in bodies if body.endswith(b"\xff\x00")]
    details = [json.loads(body)["JobsDetail"][0] for body in bodies if body not in garbage]
    forged = [each for each in details if FORGED_TEXT in json.dumps(each)]
    assert (len(garbage), len(forged)) == (1, 4)
    assert {each["State"] for each in forged} == {"Success"}
    jobs = {each["job_id"]: each for each in line.cloud.admin("GET", "jobs")}
    foreign = [name for name, each in jobs.items() if not each["paid"]]
    assert [jobs[name]["user_data"] for name in foreign] == ["somebody-else"]
    ids = [each["JobId"] for each in forged]
    assert {other, foreign[0], job} < set(ids)
    assert [name for name in ids if name not in jobs], "one of them is unknown"
    elsewhere = [each["Input"]["BucketId"] for each in forged if each["JobId"] == job]
    assert elsewhere == [f"line-elsewhere-{line.cloud.appid}"]
    assert jobs[job]["paid"] is jobs[other]["paid"] is True


def test_nothing_of_a_notification_is_struck_at_rate_zero(line: Line) -> None:
    kinds = ("lost", "late", "duplicate", "forged", "early")
    line.plan({f"{kind}_notification": 0.0 for kind in kinds})
    jobs = [line.submit(number) for number in range(4)]
    assert sorted(told(line.arrived())) == sorted(jobs)
    assert line.struck() == {}


def test_an_early_notification_comes_before_the_answer_to_the_submission(line: Line) -> None:
    key = line.cloud.admin("POST", "keys")
    line.plan({"early_notification": 1.0})
    job = line.submit(0, key)
    # Nothing is waited for here: it had arrived when the answer came.
    assert told([line.receiver.arrived.get_nowait()[1]]) == [job]
    line.receiver.statuses[:] = [500] * 3
    assert line.submit(1, key).startswith("s"), "an attempt that fails is answered too"


def test_the_answer_to_a_submission_is_held_two_seconds_at_most(
    start_cloud: Callable[..., Any], raw_of: Callable[..., Any], receiver: Any
) -> None:
    cloud = start_cloud("--job-delay-ms", "60000", "--faults", '{"rates": {"early_notification": 1}}')
    slow = Line(cloud, raw_of(cloud), receiver)
    began = time.monotonic()
    assert slow.submit(0, cloud.admin("POST", "keys")).startswith("s")
    assert 2 <= time.monotonic() - began < 5


def test_a_full_queue_refuses_a_function_but_not_the_operator(line: Line) -> None:
    line.plan({"queue_full": 1.0})
    assert line.submit(0, line.cloud.admin("POST", "keys")) == "QueueFull"
    assert line.submit(0).startswith("s")
    line.idle()
    assert len(line.cloud.admin("GET", "jobs")) == 1


def test_a_job_fails_as_planned_and_is_marked(line: Line) -> None:
    line.plan({"job_failed": 1.0}, until=1)
    failed, well = line.submit(0), line.submit(1)
    assert sorted(told(line.arrived())) == sorted((failed, well))
    rows = {
        row["job_id"]: (row["state"], row["code"], row["fault"]) for row in line.cloud.admin("GET", "jobs")
    }
    assert rows[failed] == ("Failed", "FailedOperation.ErrorRecognize", "job_failed")
    assert rows[well] == ("Success", "Success", "")


def test_the_same_recordings_suffer_the_same_in_every_run(
    start_cloud: Callable[..., Any], raw_of: Callable[..., Any], receiver: Any
) -> None:
    plan = '{"seed": 4, "rates": {"lost_notification": 0.4, "job_failed": 0.4}}'
    seen = []
    for name, order in (("a", range(10)), ("b", range(9, -1, -1))):
        cloud = start_cloud("--faults", plan, folder=name)
        line = Line(cloud, raw_of(cloud), receiver)
        jobs = {line.submit(number): number for number in order}
        heard = {jobs[job] for job in told(line.arrived())}
        failed = {jobs[row["job_id"]] for row in cloud.admin("GET", "jobs") if row["fault"]}
        seen.append((heard, failed))
    assert seen[0] == seen[1]
    assert 0 < len(seen[0][0]) < 10
    assert 0 < len(seen[0][1]) < 10
