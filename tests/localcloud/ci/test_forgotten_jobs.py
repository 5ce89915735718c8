"""Jobs that CI has forgotten: no call finds them, and the admin page still lists them."""

from __future__ import annotations

import pytest

from tests.localcloud.speech_queue import SpeechQueue
from tests.localcloud.stand_in import eventually

pytestmark = pytest.mark.process


def list_job_ids(queue: SpeechQueue) -> set[str]:
    response = queue.raw.send("GET", queue.host, "/asr_jobs", {"states": "All"})
    return {part.partition("</JobId>")[0] for part in response.text.split("<JobId>")[1:]}


def test_forgotten_job_is_unknown_to_every_call(queue: SpeechQueue) -> None:
    job_id = queue.submit()
    eventually(lambda: queue.get_state(job_id) in {"Success", "Failed"})
    queue.cloud.admin("DELETE", "jobs?object=another.wav")
    assert list_job_ids(queue) == {job_id}
    queue.cloud.admin("DELETE", "jobs")
    assert list_job_ids(queue) == set()
    assert (
        f"<NonExistJobIds>{job_id}</NonExistJobIds>"
        in queue.raw.send("GET", queue.host, f"/asr_jobs/{job_id}").text
    )
    forgotten = {row["job_id"]: row["forgotten"] for row in queue.cloud.admin("GET", "jobs")}
    assert forgotten[job_id] is True


def test_job_that_has_not_ended_is_not_forgotten(queue: SpeechQueue) -> None:
    queue.update("Paused")
    job_id = queue.submit()
    queue.cloud.admin("DELETE", "jobs")
    assert queue.get_state(job_id) == "Pause"
