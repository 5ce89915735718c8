"""A neighbour in the same account tries to speak for recordings that are not theirs, and to stop work.

Every key has a policy; the functions run under the deployer's policies. Expected each time: the right words, one job
paid, and nothing closed by what the neighbour did.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET, REGION
from shared.errors import RequestRejected
from shared.recordings.receipt import Recording
from shared.tencent.client import Request
from shared.tencent.speech_models import JobRequest
from tests.helpers.flow import CONTENT_A, CONTENT_B, Flow, render_notification
from tests.helpers.neighbour import MAY_SUBMIT, MAY_UPLOAD, Neighbour, count_own_submits, list_hosts

pytestmark = pytest.mark.process

KEY, THEIR_KEY, BROKEN_KEY = "calls/会议.wav", "theirs.wav", "broken.wav"
SUBMIT = 7  # the number of the submit among the requests of an upload
ELSEWHERE = "evil.example/x?"

Change = Callable[[JobRequest], JobRequest]
# How a forged job differs from the real one.
CHANGES: dict[str, Change] = {
    "another object": lambda request: request._replace(input_key=THEIR_KEY),
    "an object that fails": lambda request: request._replace(input_key=BROKEN_KEY),
    "another engine": lambda request: request._replace(engine="16k_zh"),
    "another output": lambda request: request._replace(output_key="stolen.txt"),
    "two channels": lambda request: request._replace(engine="8k_zh", channels=2),
    "nothing": lambda request: request,
}


@pytest.fixture
def words_of_a(flow: Flow) -> str:
    """What the recogniser returns for CONTENT_A."""
    return flow.transcribe_text(CONTENT_A)


def create_neighbour(flow: Flow) -> Neighbour:
    """Create a neighbour who may submit jobs, with two recordings in the input bucket."""
    neighbour = Neighbour.create(flow, MAY_SUBMIT)
    flow.update_queue(notify="Off")
    neighbour.cos.put(INPUT_BUCKET, THEIR_KEY, CONTENT_B)
    neighbour.cos.put(INPUT_BUCKET, BROKEN_KEY, b"NOT AUDIO")
    flow.settle()
    flow.sweep()
    flow.settle()
    flow.sweep()
    flow.update_queue(notify="On")
    assert flow.receipts("open") == []
    return neighbour


def build_public_request(key: str, body: bytes, secret: str = "") -> JobRequest:
    """Build the request of a job of this recording from what everyone can know: bucket, key and ETag."""
    etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    receipt_id = Recording(INPUT_BUCKET, key, etag, len(body)).id
    user_data = f"{receipt_id}#{secret}" if secret else receipt_id
    return JobRequest(
        key, OUTPUT_BUCKET, REGION, f".scribe/raw/{receipt_id}.txt", "16k_en", user_data=user_data
    )


def submit_all(neighbour: Neighbour, request: JobRequest) -> list[str]:
    """Submit a forged job of every kind; return their ids."""
    return [neighbour.submit(change(request)) for change in CHANGES.values()]


def notify_all(flow: Flow, job_ids: list[str]) -> None:
    """Send notifications with the token, which the neighbour knows."""
    for job_id in job_ids:
        for state in ("Success", "Failed"):
            assert flow.notify(render_notification(job_id, state)).status_code == 200


def check_result(flow: Flow, words: str, forged: list[str], *, submits: int) -> None:
    """Check that the recording has its own words, by a job of its own, and that we paid once."""
    flow.settle()
    flow.sweep()
    flow.settle()
    flow.sweep()
    transcript = flow.transcript(KEY)
    assert transcript["text"] == words
    assert transcript["job_id"] not in forged
    assert not flow.has(f"transcripts/{KEY}.error.json")
    assert flow.receipts("open") == []
    assert count_own_submits(flow) == submits


@pytest.mark.parametrize("secret", ["", "0" * 32], ids=["as in earlier versions", "with a guessed secret"])
def test_jobs_forged_before_the_upload_change_nothing(eager_flow: Flow, words_of_a: str, secret: str) -> None:
    """The key has other content at first: a forged job with the later recording's id reads that."""
    neighbour = create_neighbour(eager_flow)
    eager_flow.upload(KEY, CONTENT_B)
    eager_flow.settle()
    paid = count_own_submits(eager_flow)
    forged = submit_all(neighbour, build_public_request(KEY, CONTENT_A, secret))
    eager_flow.settle()
    text_of_b = eager_flow.transcript(KEY)["text"]
    eager_flow.update_queue(state="Paused")
    eager_flow.upload(KEY, CONTENT_A)
    eager_flow.settle()
    notify_all(eager_flow, forged)
    eager_flow.sweep()
    assert eager_flow.transcript(KEY)["text"] == text_of_b
    assert len(eager_flow.receipts("open")) == 1
    eager_flow.update_queue(state="Active")
    check_result(eager_flow, words_of_a, forged, submits=paid + 1)


@pytest.mark.parametrize("when", ["before", "after"])
def test_forged_job_is_not_taken_for_one_that_was_lost(eager_flow: Flow, words_of_a: str, when: str) -> None:
    """The upload function dies at its submit; the neighbour is faster than the sweep."""
    neighbour = create_neighbour(eager_flow)
    paid = count_own_submits(eager_flow)
    eager_flow.update_queue(notify="Off")
    eager_flow.admin(
        "PUT",
        "faults",
        {"seed": 1, "kill": {"function": "upload", "request": SUBMIT, "when": when, "times": 1}},
    )
    eager_flow.upload(KEY, CONTENT_A)
    eager_flow.settle()
    eager_flow.admin("PUT", "faults", {})
    assert len(eager_flow.receipts("open")) == 1
    forged = submit_all(neighbour, build_public_request(KEY, CONTENT_A))
    exact_copies = []
    if when == "after":  # the list of jobs shows the lost one with its secret
        forged += submit_all(neighbour, neighbour.copy_request(KEY))
        exact_copies.append(
            forged.pop()
        )  # of the same object by the same engine: its words are the right ones
    eager_flow.settle()
    notify_all(eager_flow, forged + exact_copies)
    check_result(eager_flow, words_of_a, forged, submits=paid + 1)


def test_jobs_forged_while_the_real_one_runs_change_nothing(eager_flow: Flow, words_of_a: str) -> None:
    """Copies of the real job fail, are cancelled, or have other words; all of them are notified."""
    flow, neighbour = eager_flow, create_neighbour(eager_flow)
    paid = count_own_submits(flow)
    flow.update_queue(state="Paused")
    flow.upload(KEY, CONTENT_A)
    flow.settle()
    request = neighbour.copy_request(KEY)
    forged = submit_all(neighbour, request)
    cancelled = neighbour.submit(request)
    cancel_job(flow, cancelled)
    notify_all(flow, [*forged, cancelled])
    flow.sweep()
    assert not flow.has(f"transcripts/{KEY}.error.json")
    assert len(flow.receipts("open")) == 1
    flow.update_queue(state="Active")
    check_result(flow, words_of_a, [*forged, cancelled], submits=paid + 1)


def test_failed_copy_of_a_lost_job_closes_nothing(eager_flow: Flow, words_of_a: str) -> None:
    flow, neighbour = eager_flow, create_neighbour(eager_flow)
    paid = count_own_submits(flow)
    flow.update_queue(notify="Off")
    flow.admin(
        "PUT", "faults", {"seed": 1, "kill": {"function": "upload", "request": SUBMIT, "when": "after"}}
    )
    flow.upload(KEY, CONTENT_A)
    flow.settle()
    flow.admin("PUT", "faults", {})
    flow.admin("PUT", "fail_jobs", {"code": "FailedOperation.ErrorRecognize", "message": "forged"})
    forged = [neighbour.submit(neighbour.copy_request(KEY))]
    flow.settle()
    flow.admin("DELETE", "fail_jobs")
    notify_all(flow, forged)
    assert not flow.has(f"transcripts/{KEY}.error.json")
    check_result(flow, words_of_a, forged, submits=paid + 1)


def test_success_forged_after_a_failure_writes_no_words(eager_flow: Flow) -> None:
    flow, neighbour = eager_flow, create_neighbour(eager_flow)
    paid = count_own_submits(flow)
    flow.upload(KEY, b"NOT AUDIO either")
    flow.settle()
    error = flow.error(KEY)
    forged = submit_all(neighbour, neighbour.copy_request(KEY))
    forged += submit_all(neighbour, build_public_request(KEY, b"NOT AUDIO either"))
    flow.settle()
    notify_all(flow, forged)
    flow.sweep()
    assert flow.error(KEY) == error
    assert [key for key in flow.outputs("transcripts/calls/") if not key.endswith(".error.json")] == []
    assert count_own_submits(flow) == paid + 1


def test_neighbour_who_may_only_upload_changes_no_other_recording(eager_flow: Flow, words_of_a: str) -> None:
    flow = eager_flow
    flow.upload(KEY, CONTENT_A)
    flow.settle()
    before = {key: flow.output(key) for key in flow.outputs()}
    neighbour = Neighbour.create(flow, MAY_UPLOAD)
    receipt = flow.receipts("done")[0]
    keys = [
        receipt, receipt.replace("done", "open"), f"{receipt}.wav", f"transcripts/{KEY}", f"transcripts/{KEY}.txt",
        f"{KEY}.txt", f"{KEY}.error.json", f"{KEY}.wav", f"{INPUT_BUCKET}/{KEY}", f"{OUTPUT_BUCKET}/transcripts/{KEY}",
        f".scribe/raw/{receipt.removeprefix('.scribe/done/')}.txt", "../up.wav", "a/../../.scribe/open/x.wav",
    ]  # fmt: skip
    for key in keys:
        neighbour.cos.put(INPUT_BUCKET, key, CONTENT_B)
    flow.settle()
    flow.sweep("audit")
    flow.settle()
    flow.sweep()
    assert {key: flow.output(key) for key in before} == before
    assert flow.transcript(KEY)["text"] == words_of_a
    for attempt in (
        lambda: neighbour.submit(build_public_request(KEY, CONTENT_A)),
        lambda: neighbour.find_job(KEY),
        lambda: neighbour.cos.get(OUTPUT_BUCKET, f"transcripts/{KEY}.txt"),
        lambda: neighbour.cos.list_objects(OUTPUT_BUCKET),
        lambda: neighbour.cos.put(OUTPUT_BUCKET, f"transcripts/{KEY}.txt", b"forged"),
    ):
        with pytest.raises(RequestRejected, match="AccessDenied"):
            attempt()


def test_region_of_a_planted_receipt_reaches_no_other_host(eager_flow: Flow) -> None:
    """Someone who may write below STATE_PREFIX plants receipts: open ones with and without a job."""
    flow = eager_flow
    for job_id in ("", "s" + "0" * 32):
        body = CONTENT_A + job_id.encode()
        receipt = flow.put_dead_attempt(f"planted-{len(job_id)}.wav", body, lease_s=-1)
        planted = receipt._replace(region=ELSEWHERE, job_id=job_id).to_json()
        flow.pipeline.clients.cos.put(OUTPUT_BUCKET, f".scribe/open/{receipt.id}", planted)
    flow.upload(KEY, CONTENT_A)
    flow.settle()
    since = flow.last_number()
    flow.sweep("audit")
    flow.sweep()
    assert flow.transcript(KEY)["text"]
    check_hosts(flow)
    logged = "\n".join("\n".join(call["log"]) for call in flow.invocations("sweep", since))
    assert "receipt_unreadable" in logged


def test_region_of_an_event_reaches_no_other_host(own_flow: Flow) -> None:
    flow = own_flow
    event = flow.build_event(KEY)
    (record,) = event["Records"]
    record["cos"]["cosBucket"] |= {"cosRegion": ELSEWHERE, "s3Region": ELSEWHERE}
    forms = [json.loads(json.dumps(record)) for _ in range(3)]
    forms[1]["cos"]["cosObject"]["url"] = f"http://{INPUT_BUCKET}.cos.{ELSEWHERE}.myqcloud.com/{THEIR_KEY}"
    del forms[2]["cos"]["cosObject"]["url"]
    flow.invoke("upload", {"Records": forms})
    flow.settle()
    check_hosts(flow)


def check_hosts(flow: Flow) -> None:
    """Check that the functions talked to COS and CI in their own region only."""
    hosts = list_hosts(flow)
    assert hosts
    buckets = (INPUT_BUCKET, OUTPUT_BUCKET)
    assert hosts <= {f"{b}.{service}.{REGION}.myqcloud.com" for b in buckets for service in ("cos", "ci")}


def cancel_job(flow: Flow, job_id: str) -> None:
    """Cancel a job as the operator: a key that may cancel one job of the bucket may cancel every job."""
    host = f"{INPUT_BUCKET}.ci.{REGION}.myqcloud.com"
    flow.pipeline.clients.cos.client.send(
        Request("PUT", host, f"/jobs/{job_id}", resource=job_id, parameters=(("cancel", ""),))
    )
