"""Notifications are lost, delayed, duplicated and forged by plan; jobs fail and queues are full."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from localcloud.faults.services import FORGED_TEXT

pytestmark = pytest.mark.process


class SpeechQueue:
    """A bucket with recordings, and a queue that notifies a receiver."""

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
        """Submit a job; returns its id, or the error code."""
        output = (
            f"<Region>{self.cloud.region}</Region><Bucket>{self.bucket}</Bucket><Object>{number}.txt</Object>"
        )
        body = (
            f"<Request><Tag>SpeechRecognition</Tag><Input><Object>{number}.mp3</Object></Input><Operation>"
            "<SpeechRecognition><EngineModelType>16k_en</EngineModelType></SpeechRecognition>"
            f"<Output>{output}</Output><UserData>receipt-{number}</UserData></Operation></Request>"
        ).encode()
        signing = {} if key is None else {name: key[name] for name in ("secret_id", "secret_key")}
        headers = {} if key is None else {"x-ci-security-token": key["token"]}
        text = self.raw.send("POST", self.host, "/asr_jobs", headers=headers, body=body, **signing).text
        tag = "JobId" if "<JobId>" in text else "Code"
        return str(text.split(f"<{tag}>")[1].split(f"</{tag}>")[0])

    def idle(self) -> None:
        assert self.cloud.admin("GET", "idle?timeout=20") is True

    def arrived(self) -> list[bytes]:
        """All bodies that were posted until the cloud is idle."""
        self.idle()
        bodies = []
        while not self.receiver.arrived.empty():
            bodies.append(self.receiver.next()[1])
        return bodies

    def injected(self) -> dict[str, int]:
        return dict(self.cloud.admin("GET", "faults")["struck"])


@pytest.fixture
def queue(start_cloud: Callable[..., Any], make_raw: Callable[..., Any], receiver: Any) -> SpeechQueue:
    cloud = start_cloud()
    return SpeechQueue(cloud, make_raw(cloud), receiver)


def job_ids(bodies: list[bytes]) -> list[str]:
    return [json.loads(body)["JobsDetail"][0]["JobId"] for body in bodies]


def test_lost_notification_never_arrives(queue: SpeechQueue) -> None:
    queue.plan({"lost_notification": 1.0})
    queue.submit()
    assert queue.arrived() == []
    assert queue.injected() == {"lost_notification": 1}


def test_duplicate_notification_arrives_twice(queue: SpeechQueue) -> None:
    queue.plan({"duplicate_notification": 1.0}, delay_ms=[10, 50])
    job = queue.submit()
    bodies = queue.arrived()
    assert job_ids(bodies) == [job, job]
    assert bodies[0] == bodies[1]


def test_late_notification_is_overtaken_and_keeps_the_cloud_busy(queue: SpeechQueue) -> None:
    queue.plan({"late_notification": 1.0}, delay_ms=[1500, 1500], until=1)
    started_s = time.monotonic()
    late = queue.submit(0)
    assert queue.cloud.admin("GET", "idle?timeout=0.2") is False
    punctual = queue.submit(1)
    assert job_ids(queue.arrived()) == [punctual, late]
    assert time.monotonic() - started_s >= 1.5


def test_forged_notifications_arrive_with_the_real_one(queue: SpeechQueue) -> None:
    other = queue.submit(1)
    assert job_ids(queue.arrived()) == [other]
    queue.plan({"forged_notification": 1.0}, delay_ms=[10, 30])
    queue.receiver.statuses[:] = [403] * 5  # a forged one is not retried
    job = queue.submit(0)
    bodies = queue.arrived()
    assert len(bodies) in (6, 7), "the real one is retried if it was rejected"
    garbage = [body for body in bodies if body.endswith(b"\xff\x00")]
    details = [json.loads(body)["JobsDetail"][0] for body in bodies if body not in garbage]
    forged = [each for each in details if FORGED_TEXT in json.dumps(each)]
    assert (len(garbage), len(forged)) == (1, 4)
    assert {each["State"] for each in forged} == {"Success"}
    jobs = {each["job_id"]: each for each in queue.cloud.admin("GET", "jobs")}
    foreign = [name for name, each in jobs.items() if not each["paid"]]
    assert [jobs[name]["user_data"] for name in foreign] == ["somebody-else"]
    ids = [each["JobId"] for each in forged]
    assert {other, foreign[0], job} < set(ids)
    assert [name for name in ids if name not in jobs], "one of them is unknown"
    elsewhere = [each["Input"]["BucketId"] for each in forged if each["JobId"] == job]
    assert elsewhere == [f"line-elsewhere-{queue.cloud.appid}"]
    assert jobs[job]["paid"] is jobs[other]["paid"] is True


def test_rate_zero_changes_no_notification(queue: SpeechQueue) -> None:
    kinds = ("lost", "late", "duplicate", "forged", "early")
    queue.plan({f"{kind}_notification": 0.0 for kind in kinds})
    jobs = [queue.submit(number) for number in range(4)]
    assert sorted(job_ids(queue.arrived())) == sorted(jobs)
    assert queue.injected() == {}


def test_early_notification_arrives_before_submit_response(queue: SpeechQueue) -> None:
    key = queue.cloud.admin("POST", "keys")
    queue.plan({"early_notification": 1.0})
    job = queue.submit(0, key)
    # Without waiting: it arrived before the response.
    assert job_ids([queue.receiver.arrived.get_nowait()[1]]) == [job]
    queue.receiver.statuses[:] = [500] * 3
    assert queue.submit(1, key).startswith("s"), "a failed attempt also ends the delay"


def test_submit_response_is_delayed_two_seconds_at_most(
    start_cloud: Callable[..., Any], make_raw: Callable[..., Any], receiver: Any
) -> None:
    cloud = start_cloud("--job-delay-ms", "60000", "--faults", '{"rates": {"early_notification": 1}}')
    slow = SpeechQueue(cloud, make_raw(cloud), receiver)
    started_s = time.monotonic()
    assert slow.submit(0, cloud.admin("POST", "keys")).startswith("s")
    assert 2 <= time.monotonic() - started_s < 5


def test_full_queue_rejects_functions_but_not_the_operator(queue: SpeechQueue) -> None:
    queue.plan({"queue_full": 1.0})
    assert queue.submit(0, queue.cloud.admin("POST", "keys")) == "QueueFull"
    assert queue.submit(0).startswith("s")
    queue.idle()
    assert len(queue.cloud.admin("GET", "jobs")) == 1


def test_planned_job_failure_is_marked(queue: SpeechQueue) -> None:
    queue.plan({"job_failed": 1.0}, until=1)
    failed, succeeded = queue.submit(0), queue.submit(1)
    assert sorted(job_ids(queue.arrived())) == sorted((failed, succeeded))
    rows = {
        row["job_id"]: (row["state"], row["code"], row["fault"]) for row in queue.cloud.admin("GET", "jobs")
    }
    assert rows[failed] == ("Failed", "FailedOperation.ErrorRecognize", "job_failed")
    assert rows[succeeded] == ("Success", "Success", "")


def test_same_seed_affects_the_same_recordings(
    start_cloud: Callable[..., Any], make_raw: Callable[..., Any], receiver: Any
) -> None:
    plan = '{"seed": 4, "rates": {"lost_notification": 0.4, "job_failed": 0.4}}'
    seen = []
    for name, order in (("a", range(10)), ("b", range(9, -1, -1))):
        cloud = start_cloud("--faults", plan, folder=name)
        queue = SpeechQueue(cloud, make_raw(cloud), receiver)
        jobs = {queue.submit(number): number for number in order}
        notified = {jobs[job] for job in job_ids(queue.arrived())}
        failed = {jobs[row["job_id"]] for row in cloud.admin("GET", "jobs") if row["fault"]}
        seen.append((notified, failed))
    assert seen[0] == seen[1]
    assert 0 < len(seen[0][0]) < 10
    assert 0 < len(seen[0][1]) < 10
