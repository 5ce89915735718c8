"""Queues run jobs in order and within their limits."""

from __future__ import annotations

import time

import pytest

from tests.localcloud.speech_queue import MakeQueue, SpeechQueue
from tests.localcloud.stand_in import Receiver, eventually

pytestmark = pytest.mark.process


def test_queue_respects_max_concurrent(make_queue: MakeQueue) -> None:
    queue = make_queue("--max-concurrent", "2", "--job-delay-ms", "120")
    queue.update("Paused")  # so that all wait, however slow the submits are
    jobs = [queue.submit() for _ in range(6)]
    queue.update("Active")
    most, deadline = 0, time.monotonic() + 20
    while set(states := queue.get_states().values()) != {"Success"}:
        most = max(most, list(states).count("Running"))
        assert time.monotonic() < deadline
    assert most == 2
    started = [job["started"] for job in queue.cloud.admin("GET", "jobs")]
    assert started == sorted(started), "first come, first served"
    assert len(jobs) == 6


def test_higher_level_job_runs_first(make_queue: MakeQueue) -> None:
    queue = make_queue("--max-concurrent", "1", "--job-delay-ms", "100")
    queue.update("Paused")
    low, high, middle = (queue.submit(level=level) for level in (0, 2, 1))
    queue.update("Active")
    order = [high, middle, low]

    def have_ended() -> bool:
        states = queue.get_states()
        started = [job_id for job_id in order if states[job_id] in {"Running", "Success"}]
        assert started == order[: len(started)]
        return set(states.values()) == {"Success"}

    eventually(have_ended)


def test_paused_queue_keeps_jobs_until_active(queue: SpeechQueue) -> None:
    queue.update("Paused")
    job = queue.submit()
    assert queue.get_state(job) == "Pause"
    queue.update("Active")
    queue.cloud.wait_idle()
    assert queue.get_state(job) == "Success"


def test_only_waiting_job_can_be_cancelled(queue: SpeechQueue) -> None:
    queue.update("Paused")
    waiting = queue.submit()
    response = queue.raw.send("PUT", queue.host, f"/jobs/{waiting}", {"cancel": ""})
    assert (response.status_code, response.headers["content-length"]) == (200, "0")
    assert queue.get_state(waiting) == "Cancel"
    queue.update("Active")
    done = queue.submit()
    queue.cloud.wait_idle()
    # The Python SDK does not sign the flag.
    headers = {"host": queue.host}
    headers["authorization"] = queue.raw.sign("PUT", f"/jobs/{done}", {}, headers)
    rejected = queue.raw.target("PUT", f"/jobs/{done}?cancel", headers)
    assert rejected.status_code == 400
    assert queue.get_state(done) == "Success"
    assert queue.get_state(waiting) == "Cancel"


def test_full_queue_rejects_job(make_queue: MakeQueue) -> None:
    queue = make_queue("--max-size", "2")
    queue.update("Paused")
    first, _ = queue.submit(), queue.submit()
    assert queue.submit() == "QueueFull"
    queue.raw.send("PUT", queue.host, f"/jobs/{first}", {"cancel": ""})
    assert queue.submit().startswith("s")


def test_jobs_and_objects_survive_restart(make_queue: MakeQueue, receiver: Receiver) -> None:
    queue = make_queue("--job-delay-ms", "60000")
    first = queue.cloud
    queue.update(url=receiver.url, form="JSON")
    queue.put_object("音 &.txt", b"kept")
    interrupted = queue.submit(user_data="r-1")
    assert queue.get_states() == {interrupted: "Running"}
    assert first.stop() == 0
    assert not (first.folder / "ready.json").exists()

    second_queue = make_queue()
    second = second_queue.cloud
    assert (second.secret_id, second.secret_key) == (first.secret_id, first.secret_key)
    assert second_queue.queue_id == queue.queue_id
    assert second_queue.raw.send("GET", second.bucket_host(queue.bucket), "/音 &.txt").content == b"kept"
    notification = receiver.next_job()
    assert (notification["JobId"], notification["State"]) == (interrupted, "Success")
    second_queue.cloud.wait_idle()


def test_list_of_jobs_names_who_submitted_each(queue: SpeechQueue) -> None:
    key = queue.cloud.admin("POST", "keys")
    jobs = [queue.submit(), queue.submit(issued_key=key)]
    submitters = {job["job_id"]: job["submitter"] for job in queue.cloud.admin("GET", "jobs")}
    assert [submitters[job] for job in jobs] == [queue.cloud.secret_id, key["secret_id"]]
