"""Events between two requests of a function, and failures there: a recording was once lost or paid twice by each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from shared.errors import OutcomeUnknown
from shared.events import NotifiedJob
from shared.recordings.complete import complete_job, fetch_jobs, process_notification
from shared.recordings.ingest import ingest
from shared.recordings.models import Status
from shared.recordings.receipt import Receipt
from shared.recordings.resume import resume_attempt
from shared.recordings.sweep import reconcile
from shared.tencent.transport import Transport
from tests.helpers.contexts import ContextFactory, get_target
from tests.helpers.flow import CONTENT_A, CONTENT_B, Flow, render_notification, wait_for_next_second

pytestmark = pytest.mark.process

KEY = "between.wav"


@pytest.fixture
def contexts(eager_flow: Flow) -> Iterator[ContextFactory]:
    with closing(ContextFactory(eager_flow)) as contexts:
        yield contexts


def put_without_event(flow: Flow, body: bytes) -> None:
    """Upload an object whose event is lost."""
    flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    flow.upload(KEY, body)
    flow.settle()
    flow.admin("PUT", "faults", {"seed": 1, "rates": {}})


def put(flow: Flow, body: bytes) -> None:
    flow.upload(KEY, body)
    flow.settle()


def run_both_jobs_on_second_content(flow: Flow) -> str:
    """Upload A, then B, while the queue is paused: both jobs read B, and no notification is sent.

    Return the id of A's job.
    """
    flow.update_queue(state="Paused", notify="Off")
    put(flow, CONTENT_A)
    wait_for_next_second()
    put(flow, CONTENT_B)
    flow.update_queue(state="Active")
    flow.settle()
    wait_for_next_second()
    job: str = flow.jobs()[0]["job_id"]
    return job


def open_receipt(flow: Flow, number: int = 0) -> Receipt:
    return Receipt.from_json(flow.output(flow.receipts("open")[number]))


def repair(flow: Flow) -> None:
    for _ in range(2):
        flow.sweep()
        flow.settle()
    flow.update_queue(notify="On")
    assert flow.receipts("open") == flow.outputs(".scribe/claim/") == []


def test_failed_resume_releases_its_claim(eager_flow: Flow, contexts: ContextFactory) -> None:
    receipt = eager_flow.put_dead_attempt(KEY, CONTENT_A, lease_s=-1)
    put(eager_flow, CONTENT_A)

    def fail() -> None:
        raise httpx.ReadError("cut")

    ctx = contexts.pausing("GET", "/asr_jobs", fail, times=99)
    for _ in range(7):
        with pytest.raises(OutcomeUnknown):
            resume_attempt(ctx, receipt)
    repair(eager_flow)
    assert len(eager_flow.jobs()) == 1
    assert eager_flow.transcript(KEY)["sentences"]


def test_expiry_writes_no_error_over_newer_content(eager_flow: Flow, contexts: ContextFactory) -> None:
    eager_flow.put_dead_attempt(KEY, CONTENT_A, lease_s=-1)
    put(eager_flow, CONTENT_B)
    assert eager_flow.transcript(KEY)["sentences"]
    reconcile(contexts.create(sweep_after_s=0, give_up_after_s=60))
    assert not eager_flow.has(f"transcripts/{KEY}.error.json")
    repair(eager_flow)


def test_expiry_looks_for_a_paid_job_first(eager_flow: Flow, contexts: ContextFactory) -> None:
    put(eager_flow, CONTENT_A)
    eager_flow.pipeline.clients.cos.delete(OUTPUT_BUCKET, eager_flow.receipts("done")[0])
    eager_flow.put_dead_attempt(KEY, CONTENT_A, lease_s=-1)
    summary = reconcile(contexts.create(sweep_after_s=0, give_up_after_s=60))
    assert not eager_flow.has(f"transcripts/{KEY}.error.json"), summary
    repair(eager_flow)
    assert len(eager_flow.jobs()) == 1


def test_queue_lookup_failure_does_not_stop_other_recordings(
    eager_flow: Flow,
    contexts: ContextFactory,
) -> None:
    eager_flow.put_dead_attempt("a-waits.wav", CONTENT_A, lease_s=-1)
    eager_flow.update_queue(notify="Off")
    put(eager_flow, CONTENT_B)

    def fail() -> None:
        raise httpx.ReadError("cut")

    ctx = contexts.pausing("GET", "/asrqueue", fail, times=99, sweep_after_s=0)
    summary = reconcile(ctx)
    assert summary.errors == 2  # the queue's room, and the search for the job of the dead attempt
    assert eager_flow.transcript(KEY)["sentences"]


class TruncatingTransport(Transport):
    """Cuts off the second half of every response about this job."""

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


def test_unreadable_job_does_not_stop_others_and_expires_with_error(
    eager_flow: Flow, contexts: ContextFactory
) -> None:
    eager_flow.update_queue(notify="Off")
    put(eager_flow, CONTENT_A)
    unreadable = TruncatingTransport(eager_flow.jobs()[0]["job_id"])
    eager_flow.upload("neighbour.wav", CONTENT_B)
    eager_flow.settle()
    summary = reconcile(contexts.create(unreadable, sweep_after_s=0))
    assert summary.errors == 1
    assert eager_flow.transcript("neighbour.wav")["sentences"]
    assert len(eager_flow.receipts("open")) == 1
    reconcile(contexts.create(unreadable, sweep_after_s=0, give_up_after_s=-1))
    document = json.loads(eager_flow.output(f"transcripts/{KEY}.error.json"))
    assert document["recording"]["key"] == KEY
    assert eager_flow.receipts("open") == []


def test_reopened_transcript_survives_other_content(
    eager_flow: Flow,
) -> None:
    for body in (CONTENT_A, CONTENT_B, CONTENT_A, CONTENT_B):
        put(eager_flow, body)
        wait_for_next_second()
    repair(eager_flow)
    put(eager_flow, CONTENT_A)
    repair(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == eager_flow.transcribe_text(CONTENT_A)
    assert len(eager_flow.jobs()) == 3  # one of them of the plain recording


def test_earlier_content_does_not_restart_the_recording(eager_flow: Flow) -> None:
    eager_flow.update_queue(state="Paused")
    for body in (CONTENT_B, CONTENT_A, CONTENT_A):
        put(eager_flow, body)
        wait_for_next_second()
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    repair(eager_flow)
    assert len(eager_flow.jobs()) == 2


def test_job_of_other_content_is_not_used_for_restored_recording(
    eager_flow: Flow,
) -> None:
    run_both_jobs_on_second_content(eager_flow)
    eager_flow.delete(KEY)
    repair(eager_flow)
    put(eager_flow, CONTENT_A)
    repair(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == eager_flow.transcribe_text(CONTENT_A)


def test_content_restored_while_closing_is_transcribed(eager_flow: Flow, contexts: ContextFactory) -> None:
    job = run_both_jobs_on_second_content(eager_flow)
    ctx = contexts.pausing("PUT", "/.scribe/done/", lambda: put(eager_flow, CONTENT_A))
    results = process_notification(ctx, [NotifiedJob(job, "")])
    assert [result.status for result in results] == [Status.DEFERRED]
    repair(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == eager_flow.transcribe_text(CONTENT_A)


def test_content_restored_during_ingest_is_transcribed(eager_flow: Flow, contexts: ContextFactory) -> None:
    job = run_both_jobs_on_second_content(eager_flow)
    put_without_event(eager_flow, CONTENT_A)

    def close_and_restore() -> None:
        put_without_event(eager_flow, CONTENT_B)
        eager_flow.notify(render_notification(job))
        wait_for_next_second()
        put_without_event(eager_flow, CONTENT_A)

    ctx = contexts.pausing("PUT", "/.scribe/open/", close_and_restore)
    assert ingest(ctx, INPUT_BUCKET, KEY).status is Status.SUBMITTED
    eager_flow.settle()
    repair(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == eager_flow.transcribe_text(CONTENT_A)


def test_sweep_with_stale_receipt_leaves_new_receipt_alone(
    eager_flow: Flow,
    contexts: ContextFactory,
) -> None:
    job = run_both_jobs_on_second_content(eager_flow)
    stale = next(
        receipt
        for receipt in (open_receipt(eager_flow, 0), open_receipt(eager_flow, 1))
        if receipt.job_id == job
    )

    def close_and_restore() -> None:
        eager_flow.notify(render_notification(job))
        put(eager_flow, CONTENT_A)

    ctx = contexts.pausing("HEAD", KEY, close_and_restore)
    (fetched_job,) = fetch_jobs(ctx, INPUT_BUCKET, [job]).jobs
    assert complete_job(ctx, INPUT_BUCKET, fetched_job, receipt=stale).status is Status.IN_PROGRESS
    repair(eager_flow)
    assert eager_flow.transcript(KEY)["text"] == eager_flow.transcribe_text(CONTENT_A)
    assert len(eager_flow.jobs()) == 4  # one of them of the plain recording


def test_sweep_keeps_receipt_of_new_try_after_failure(eager_flow: Flow, contexts: ContextFactory) -> None:
    eager_flow.update_queue(notify="Off")
    put(eager_flow, b"NOT AUDIO")
    job = eager_flow.jobs()[0]["job_id"]

    def close_and_try_again() -> None:
        eager_flow.notify(render_notification(job))
        wait_for_next_second()
        put(eager_flow, b"NOT AUDIO")

    ctx = contexts.pausing("GET", "/.scribe/done/", close_and_try_again, sweep_after_s=0)
    reconcile(ctx)
    assert open_receipt(eager_flow).job_id == eager_flow.jobs()[1]["job_id"]
    repair(eager_flow)
    assert len(eager_flow.jobs()) == 2
