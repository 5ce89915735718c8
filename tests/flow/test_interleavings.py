"""What comes between a function's requests, or fails there: where a recording was once lost, paid twice or wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from cli.local import INPUT_BUCKET, OUTPUT_BUCKET
from shared.errors import OutcomeUnknown
from shared.events import NotifiedJob
from shared.recordings.complete import complete_job, fetch_jobs, process_notification
from shared.recordings.ingest import ingest
from shared.recordings.models import Receipt, Status
from shared.recordings.sweep import reconcile, resume_attempt
from shared.tencent.transport import Transport
from tests.flow.standing_still import Desks, get_target
from tests.flow.test_every_ending import A, B, next_second, words_of
from tests.flow.test_notifications import xml_of
from tests.flow.test_repairs import left_behind

pytestmark = pytest.mark.process

KEY = "between.wav"


@pytest.fixture
def desks(eager_flow: Any) -> Iterator[Desks]:
    with closing(Desks(eager_flow)) as desks:
        yield desks


def put_unheard(flow: Any, body: bytes) -> None:
    """An upload whose event is lost."""
    flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    flow.upload(KEY, body)
    flow.settle()
    flow.admin("PUT", "faults", {"seed": 1, "rates": {}})


def put(flow: Any, body: bytes) -> None:
    flow.upload(KEY, body)
    flow.settle()


def both_jobs_heard_the_second(flow: Any) -> str:
    """A, then B, while the queue stood still. Both jobs heard B and nobody was told. The id of A's job."""
    flow.queue(state="Paused", notify="Off")
    put(flow, A)
    next_second()
    put(flow, B)
    flow.queue(state="Active")
    flow.settle()
    next_second()
    job: str = flow.jobs()[0]["job_id"]
    return job


def open_receipt(flow: Any, number: int = 0) -> Receipt:
    return Receipt.from_json(flow.output(flow.receipts("open")[number]))


def mend(flow: Any) -> None:
    for _ in range(2):
        flow.sweep()
        flow.settle()
    flow.queue(notify="On")
    assert flow.receipts("open") == flow.outputs(".scribe/claim/") == []


def test_failed_resume_releases_its_claim(eager_flow: Any, desks: Desks) -> None:
    receipt = left_behind(eager_flow, KEY, A, lease_s=-1)
    put(eager_flow, A)

    def fail() -> None:
        raise httpx.ReadError("cut")

    desk = desks.standing_still("GET", "/asr_jobs", fail, times=99)
    for _ in range(7):
        with pytest.raises(OutcomeUnknown):
            resume_attempt(desk, receipt)
    mend(eager_flow)
    assert len(eager_flow.jobs()) == 1
    assert eager_flow.transcript(KEY)["sentences"]


def test_expiry_writes_no_error_over_newer_content(eager_flow: Any, desks: Desks) -> None:
    left_behind(eager_flow, KEY, A, lease_s=-1)
    put(eager_flow, B)
    assert eager_flow.transcript(KEY)["sentences"]
    reconcile(desks.plain(sweep_after_s=0, give_up_after_s=60))
    assert not eager_flow.has(f"transcripts/{KEY}.error.json")
    mend(eager_flow)


def test_expiry_looks_for_a_paid_job_first(eager_flow: Any, desks: Desks) -> None:
    put(eager_flow, A)
    eager_flow.pipeline.operator.cos.delete(OUTPUT_BUCKET, eager_flow.receipts("done")[0])
    left_behind(eager_flow, KEY, A, lease_s=-1)
    tally = reconcile(desks.plain(sweep_after_s=0, give_up_after_s=60))
    assert not eager_flow.has(f"transcripts/{KEY}.error.json"), tally
    mend(eager_flow)
    assert len(eager_flow.jobs()) == 1


def test_queue_lookup_failure_does_not_stop_other_recordings(
    eager_flow: Any,
    desks: Desks,
) -> None:
    left_behind(eager_flow, "a-waits.wav", A, lease_s=-1)
    eager_flow.queue(notify="Off")
    put(eager_flow, B)

    def fail() -> None:
        raise httpx.ReadError("cut")

    desk = desks.standing_still("GET", "/asrqueue", fail, times=99, sweep_after_s=0)
    tally = reconcile(desk)
    assert tally.errors == 1
    assert eager_flow.transcript(KEY)["sentences"]


class CutsAnswers(Transport):
    """Answers of requests for this job lack their second half."""

    def __init__(self, job: str) -> None:
        super().__init__()
        self._job = job

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if self._job not in get_target(request):
            return response
        body = response.read()
        return httpx.Response(
            response.status_code, headers=response.headers, stream=httpx.ByteStream(body[: len(body) // 2])
        )


def test_unreadable_job_does_not_stop_others_and_expires_with_error(eager_flow: Any, desks: Desks) -> None:
    eager_flow.queue(notify="Off")
    put(eager_flow, A)
    unreadable = CutsAnswers(eager_flow.jobs()[0]["job_id"])
    eager_flow.upload("neighbour.wav", B)
    eager_flow.settle()
    tally = reconcile(desks.plain(unreadable, sweep_after_s=0))
    assert tally.errors == 1
    assert eager_flow.transcript("neighbour.wav")["sentences"]
    assert len(eager_flow.receipts("open")) == 1
    reconcile(desks.plain(unreadable, sweep_after_s=0, give_up_after_s=-1))
    told = json.loads(eager_flow.output(f"transcripts/{KEY}.error.json"))
    assert told["recording"]["key"] == KEY
    assert eager_flow.receipts("open") == []


def test_reopened_transcript_survives_other_content(
    eager_flow: Any,
) -> None:
    for body in (A, B, A, B):
        put(eager_flow, body)
        next_second()
    mend(eager_flow)
    put(eager_flow, A)
    mend(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == words_of(eager_flow, A)
    assert len(eager_flow.jobs()) == 3  # one of them of the plain recording


def test_earlier_content_does_not_restart_the_recording(eager_flow: Any) -> None:
    eager_flow.queue(state="Paused")
    for body in (B, A, A):
        put(eager_flow, body)
        next_second()
    eager_flow.queue(state="Active")
    eager_flow.settle()
    mend(eager_flow)
    assert len(eager_flow.jobs()) == 2


def test_job_of_other_content_does_not_transcribe_deleted_and_restored_recording(
    eager_flow: Any,
) -> None:
    both_jobs_heard_the_second(eager_flow)
    eager_flow.delete(KEY)
    mend(eager_flow)
    put(eager_flow, A)
    mend(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == words_of(eager_flow, A)


def test_content_restored_while_closing_is_transcribed(eager_flow: Any, desks: Desks) -> None:
    job = both_jobs_heard_the_second(eager_flow)
    desk = desks.standing_still("PUT", "/.scribe/done/", lambda: put(eager_flow, A))
    outcomes = process_notification(desk, [NotifiedJob(job, "")])
    assert [result.status for result in outcomes] == [Status.DEFERRED]
    mend(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == words_of(eager_flow, A)


def test_content_restored_during_ingest_is_transcribed(eager_flow: Any, desks: Desks) -> None:
    job = both_jobs_heard_the_second(eager_flow)
    put_unheard(eager_flow, A)

    def close_and_come_back() -> None:
        put_unheard(eager_flow, B)
        eager_flow.notify(xml_of(job))
        next_second()
        put_unheard(eager_flow, A)

    desk = desks.standing_still("PUT", "/.scribe/open/", close_and_come_back)
    assert ingest(desk, INPUT_BUCKET, KEY).status is Status.SUBMITTED
    eager_flow.settle()
    mend(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == words_of(eager_flow, A)


def test_sweep_with_stale_receipt_leaves_new_receipt_alone(
    eager_flow: Any,
    desks: Desks,
) -> None:
    job = both_jobs_heard_the_second(eager_flow)
    stale = next(
        receipt
        for receipt in (open_receipt(eager_flow, 0), open_receipt(eager_flow, 1))
        if receipt.job_id == job
    )

    def close_and_come_back() -> None:
        eager_flow.notify(xml_of(job))
        put(eager_flow, A)

    desk = desks.standing_still("HEAD", KEY, close_and_come_back)
    (found,) = fetch_jobs(desk, INPUT_BUCKET, [job]).jobs
    assert complete_job(desk, INPUT_BUCKET, found, receipt=stale).status is Status.IN_PROGRESS
    mend(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == words_of(eager_flow, A)
    assert len(eager_flow.jobs()) == 4  # one of them of the plain recording


def test_sweep_keeps_receipt_of_new_try_after_failure(eager_flow: Any, desks: Desks) -> None:
    eager_flow.queue(notify="Off")
    put(eager_flow, b"NOT AUDIO")
    job = eager_flow.jobs()[0]["job_id"]

    def close_and_try_again() -> None:
        eager_flow.notify(xml_of(job))
        next_second()
        put(eager_flow, b"NOT AUDIO")

    desk = desks.standing_still("GET", "/.scribe/done/", close_and_try_again, sweep_after_s=0)
    reconcile(desk)
    assert open_receipt(eager_flow).job_id == eager_flow.jobs()[1]["job_id"]
    mend(eager_flow)
    assert len(eager_flow.jobs()) == 2
