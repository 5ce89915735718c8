"""Jobs of a paused queue: in state Pause until the queue is active again."""

from __future__ import annotations

import pytest

from tests.localcloud.speech_queue import MakeQueue, SpeechQueue
from tests.localcloud.stand_in import eventually

pytestmark = pytest.mark.process


def list_ids(queue: SpeechQueue, states: str) -> set[str]:
    """The ids of the jobs that GET /asr_jobs lists for these states."""
    response = queue.raw.send("GET", queue.host, "/asr_jobs", {"states": states})
    return {part.partition("</JobId>")[0] for part in response.text.split("<JobId>")[1:]}


def test_jobs_of_a_paused_queue_are_listed_as_paused(queue: SpeechQueue) -> None:
    queue.update("Paused")
    jobs = {queue.submit(), queue.submit()}
    assert {queue.get_state(job_id) for job_id in jobs} == {"Pause"}
    assert list_ids(queue, "Pause") == list_ids(queue, "All") == list_ids(queue, "Pause,Running") == jobs
    assert list_ids(queue, "Submitted") == list_ids(queue, "Submitted,Running") == set()
    queue.cloud.wait_idle()
    queue.update("Active")
    assert list_ids(queue, "Pause") == set()
    eventually(lambda: list_ids(queue, "Success") == jobs)


def test_waiting_job_is_paused_and_a_running_one_ends(make_queue: MakeQueue) -> None:
    queue = make_queue("--max-concurrent", "1", "--job-delay-ms", "500")
    running, waiting = queue.submit(), queue.submit()
    assert queue.get_state(waiting) == "Submitted"
    queue.update("Paused")
    assert list_ids(queue, "Pause") == {waiting}
    eventually(lambda: list_ids(queue, "Success") == {running})
    assert list_ids(queue, "Pause") == {waiting}
    queue.update("Active")
    assert list_ids(queue, "Submitted,Running") == {waiting}


def test_job_interrupted_by_a_restart_waits_in_a_paused_queue(make_queue: MakeQueue) -> None:
    queue = make_queue("--job-delay-ms", "60000")
    job_id = queue.submit()
    queue.update("Paused")
    assert list_ids(queue, "Running") == {job_id}
    assert queue.cloud.stop() == 0
    assert list_ids(make_queue(), "Pause") == {job_id}
