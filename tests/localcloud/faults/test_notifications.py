"""Notifications are lost, delayed, duplicated and forged by plan; jobs fail and queues are full."""

from __future__ import annotations

import json
import time

import pytest

from localcloud.faults.service_faults import FORGED_TEXT
from tests.localcloud.clients import MakeRaw, RawClient
from tests.localcloud.speech_queue import IssuedKey, SpeechQueue
from tests.localcloud.stand_in import Receiver, StartCloud

pytestmark = pytest.mark.process


class NotifyingQueue(SpeechQueue):
    """Ten recordings with numbers, and a queue that notifies a receiver."""

    def __init__(self, raw: RawClient, receiver: Receiver) -> None:
        super().__init__(raw, "line")
        self.receiver = receiver
        self.update(url=receiver.url, form="JSON")
        for number in range(10):
            self.put_object(f"{number}.mp3", b"speech")

    def submit_number(self, number: int = 0, issued_key: IssuedKey | None = None) -> str:
        """Submit a job for a recording; returns its id, or the error code."""
        return self.submit(
            key=f"{number}.mp3",
            output_key=f"{number}.txt",
            user_data=f"receipt-{number}",
            issued_key=issued_key,
        )

    def receive_all(self) -> list[bytes]:
        """All bodies that were posted until the cloud is idle."""
        self.cloud.wait_idle()
        bodies = []
        while not self.receiver.arrived.empty():
            bodies.append(self.receiver.next()[1])
        return bodies


@pytest.fixture
def queue(start_cloud: StartCloud, make_raw: MakeRaw, receiver: Receiver) -> NotifyingQueue:
    return NotifyingQueue(make_raw(start_cloud()), receiver)


def get_job_ids(bodies: list[bytes]) -> list[str]:
    return [json.loads(body)["JobsDetail"][0]["JobId"] for body in bodies]


def test_lost_notification_never_arrives(queue: NotifyingQueue) -> None:
    queue.cloud.set_faults(rates={"lost_notification": 1.0})
    queue.submit_number()
    assert queue.receive_all() == []
    assert queue.cloud.injected_faults() == {"lost_notification": 1}


def test_duplicate_notification_arrives_twice(queue: NotifyingQueue) -> None:
    queue.cloud.set_faults(rates={"duplicate_notification": 1.0}, delay_ms=[10, 50])
    job = queue.submit_number()
    bodies = queue.receive_all()
    assert get_job_ids(bodies) == [job, job]
    assert bodies[0] == bodies[1]


def test_late_notification_is_overtaken_and_keeps_the_cloud_busy(queue: NotifyingQueue) -> None:
    queue.cloud.set_faults(rates={"late_notification": 1.0}, delay_ms=[1500, 1500], until=1)
    started_s = time.monotonic()
    late = queue.submit_number(0)
    assert queue.cloud.admin("GET", "idle?timeout=0.2") is False
    punctual = queue.submit_number(1)
    assert get_job_ids(queue.receive_all()) == [punctual, late]
    assert time.monotonic() - started_s >= 1.5


def test_forged_notifications_arrive_with_the_real_one(queue: NotifyingQueue) -> None:
    other_id = queue.submit_number(1)
    assert get_job_ids(queue.receive_all()) == [other_id]
    queue.cloud.set_faults(rates={"forged_notification": 1.0}, delay_ms=[10, 30])
    queue.receiver.statuses[:] = [403] * 5  # a forged one is not retried
    job_id = queue.submit_number(0)
    bodies = queue.receive_all()
    assert len(bodies) in (6, 7), "the real one is retried if it was rejected"
    garbage = [body for body in bodies if body.endswith(b"\xff\x00")]
    details = [json.loads(body)["JobsDetail"][0] for body in bodies if body not in garbage]
    forged = [job for job in details if FORGED_TEXT in json.dumps(job)]
    assert (len(garbage), len(forged)) == (1, 4)
    assert {job["State"] for job in forged} == {"Success"}
    rows = {row["job_id"]: row for row in queue.cloud.admin("GET", "jobs")}
    foreign = [job_id for job_id, row in rows.items() if not row["paid"]]
    assert [rows[job_id]["user_data"] for job_id in foreign] == ["another-client"]
    forged_ids = [job["JobId"] for job in forged]
    assert {other_id, foreign[0], job_id} < set(forged_ids)
    assert [forged_id for forged_id in forged_ids if forged_id not in rows], "one of them is unknown"
    input_buckets = [job["Input"]["BucketId"] for job in forged if job["JobId"] == job_id]
    assert input_buckets == [f"line-elsewhere-{queue.cloud.appid}"]
    assert rows[job_id]["paid"] is rows[other_id]["paid"] is True


def test_rate_zero_changes_no_notification(queue: NotifyingQueue) -> None:
    kinds = ("lost", "late", "duplicate", "forged", "early")
    queue.cloud.set_faults(rates={f"{kind}_notification": 0.0 for kind in kinds})
    jobs = [queue.submit_number(number) for number in range(4)]
    assert sorted(get_job_ids(queue.receive_all())) == sorted(jobs)
    assert queue.cloud.injected_faults() == {}


def test_early_notification_arrives_before_submit_response(queue: NotifyingQueue) -> None:
    key = queue.cloud.admin("POST", "keys")
    queue.cloud.set_faults(rates={"early_notification": 1.0})
    job = queue.submit_number(0, key)
    # Without waiting: it arrived before the response.
    assert get_job_ids([queue.receiver.arrived.get_nowait()[1]]) == [job]
    queue.receiver.statuses[:] = [500] * 3
    assert queue.submit_number(1, key).startswith("s"), "a failed attempt also ends the delay"


def test_submit_response_is_delayed_two_seconds_at_most(
    start_cloud: StartCloud, make_raw: MakeRaw, receiver: Receiver
) -> None:
    cloud = start_cloud("--job-delay-ms", "60000", "--faults", '{"rates": {"early_notification": 1}}')
    slow = NotifyingQueue(make_raw(cloud), receiver)
    started_s = time.monotonic()
    assert slow.submit_number(0, cloud.admin("POST", "keys")).startswith("s")
    assert 2 <= time.monotonic() - started_s < 5


def test_full_queue_rejects_functions_but_not_the_operator(queue: NotifyingQueue) -> None:
    queue.cloud.set_faults(rates={"queue_full": 1.0})
    assert queue.submit_number(0, queue.cloud.admin("POST", "keys")) == "QueueFull"
    assert queue.submit_number(0).startswith("s")
    queue.cloud.wait_idle()
    assert len(queue.cloud.admin("GET", "jobs")) == 1


def test_planned_job_failure_is_marked(queue: NotifyingQueue) -> None:
    queue.cloud.set_faults(rates={"job_failed": 1.0}, until=1)
    failed, succeeded = queue.submit_number(0), queue.submit_number(1)
    assert sorted(get_job_ids(queue.receive_all())) == sorted((failed, succeeded))
    rows = {
        row["job_id"]: (row["state"], row["code"], row["fault"]) for row in queue.cloud.admin("GET", "jobs")
    }
    assert rows[failed] == ("Failed", "FailedOperation.ErrorRecognize", "job_failed")
    assert rows[succeeded] == ("Success", "Success", "")


def test_same_seed_affects_the_same_recordings(
    start_cloud: StartCloud, make_raw: MakeRaw, receiver: Receiver
) -> None:
    plan = '{"seed": 4, "rates": {"lost_notification": 0.4, "job_failed": 0.4}}'
    results = []
    for name, order in (("a", range(10)), ("b", range(9, -1, -1))):
        cloud = start_cloud("--faults", plan, folder=name)
        queue = NotifyingQueue(make_raw(cloud), receiver)
        jobs = {queue.submit_number(number): number for number in order}
        notified = {jobs[job] for job in get_job_ids(queue.receive_all())}
        failed = {jobs[row["job_id"]] for row in cloud.admin("GET", "jobs") if row["fault"]}
        results.append((notified, failed))
    assert results[0] == results[1]
    assert 0 < len(results[0][0]) < 10
    assert 0 < len(results[0][1]) < 10
