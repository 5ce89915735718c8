"""Every recording ends with a transcript or an error object, whatever happens to the submit or to its content."""

from __future__ import annotations

import hashlib
import json
import threading

import pytest

from cli.local.emulator import INPUT_BUCKET
from shared.tencent.client import Request
from tests.helpers.flow import (
    CONTENT_A,
    CONTENT_B,
    Flow,
    StartFlow,
    render_notification,
    wait_for_next_second,
)
from tests.helpers.pipeline import enable_speech

pytestmark = pytest.mark.process

ETAG_A = hashlib.md5(CONTENT_A, usedforsecurity=False).hexdigest()


def test_restored_content_gets_its_transcript_without_a_second_job(eager_flow: Flow) -> None:
    eager_flow.upload("back.wav", CONTENT_A)
    eager_flow.settle()
    first = eager_flow.output("transcripts/back.wav.json")
    eager_flow.upload("back.wav", CONTENT_B)
    eager_flow.settle()
    assert eager_flow.output("transcripts/back.wav.json") != first
    wait_for_next_second()
    eager_flow.upload("back.wav", CONTENT_A)
    eager_flow.settle()
    eager_flow.sweep()
    assert eager_flow.output("transcripts/back.wav.json") == first
    assert len(eager_flow.jobs()) == 2
    assert eager_flow.receipts("open") == []


def test_changing_content_is_not_lost_while_jobs_wait(eager_flow: Flow) -> None:
    eager_flow.update_queue(state="Paused")
    for body in (CONTENT_A, CONTENT_B):
        eager_flow.upload("flip.wav", body)
        eager_flow.settle()
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    eager_flow.sweep()
    wait_for_next_second()
    eager_flow.upload("flip.wav", CONTENT_A)
    eager_flow.settle()
    eager_flow.sweep()
    head = eager_flow.pipeline.clients.cos.head(INPUT_BUCKET, "flip.wav")
    assert eager_flow.transcript("flip.wav")["recording"]["etag"] == head.etag
    assert eager_flow.receipts("open") == []
    # While the queue was paused A's first job waited, and then read B: its words must not be used for A.
    assert len(eager_flow.jobs()) == 3
    eager_flow.upload("plain.wav", CONTENT_A)
    eager_flow.settle()
    assert eager_flow.transcript("flip.wav")["text"] == eager_flow.transcript("plain.wav")["text"]


def run_superseded_job(flow: Flow, key: str) -> str:
    """Run A's job after B has replaced A: the job reads B. Return its id; the queue is paused again."""
    flow.update_queue(state="Paused")
    for body in (CONTENT_A, CONTENT_B):
        flow.upload(key, body)
        flow.settle()
    flow.update_queue(state="Active")
    flow.settle()
    flow.update_queue(state="Paused")
    wait_for_next_second()
    job: str = flow.jobs()[0]["job_id"]
    return job


def test_superseded_job_does_not_transcribe_restored_content(eager_flow: Flow) -> None:
    older_job = run_superseded_job(eager_flow, "flip.wav")
    eager_flow.upload("flip.wav", CONTENT_A)
    eager_flow.settle()
    eager_flow.notify(render_notification(older_job))
    assert len(eager_flow.receipts("open")) == 1
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    assert eager_flow.transcript("flip.wav")["job_id"] != older_job
    assert eager_flow.transcript("flip.wav")["text"] == eager_flow.transcribe_text(CONTENT_A)
    assert eager_flow.receipts("open") == []


def test_superseded_job_does_not_replace_error_of_restored_content(
    eager_flow: Flow,
) -> None:
    older_job = run_superseded_job(eager_flow, "flip.wav")
    eager_flow.admin("PUT", "faults", {"seed": 1, "rates": {"job_failed": 1.0}})
    eager_flow.upload("flip.wav", CONTENT_A)
    eager_flow.settle()
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    for _ in range(2):
        assert eager_flow.error("flip.wav")["recording"]["etag"] == ETAG_A
        assert not eager_flow.has("transcripts/flip.wav.json")  # the words of the content before
        eager_flow.notify(render_notification(older_job))


def test_empty_upload_replaces_the_words_of_earlier_content(eager_flow: Flow) -> None:
    eager_flow.upload("replaced.wav", CONTENT_A)
    eager_flow.settle()
    assert eager_flow.has("transcripts/replaced.wav.txt")
    eager_flow.upload("replaced.wav", b"")
    eager_flow.settle()
    assert eager_flow.outputs("transcripts/replaced.wav.") == ["transcripts/replaced.wav.error.json"]


def test_sweep_replaces_the_error_object_of_earlier_content(eager_flow: Flow) -> None:
    eager_flow.upload("replaced.wav", b"")
    eager_flow.settle()
    eager_flow.update_queue(notify="Off")
    eager_flow.upload("replaced.wav", CONTENT_A)
    eager_flow.settle()
    eager_flow.sweep()
    assert eager_flow.has("transcripts/replaced.wav.txt")
    assert not eager_flow.has("transcripts/replaced.wav.error.json")


def test_superseded_job_is_not_mistaken_for_lost_submit(eager_flow: Flow) -> None:
    older_job = run_superseded_job(eager_flow, "flip.wav")
    kill_after_job = {"function": "upload", "request": 7, "when": "after", "times": 1}
    eager_flow.admin("PUT", "faults", {"seed": 1, "kill": kill_after_job})
    eager_flow.upload("flip.wav", CONTENT_A)
    eager_flow.settle()
    eager_flow.sweep()
    receipt = json.loads(eager_flow.output(eager_flow.receipts("open")[0]))
    assert (receipt["job_id"], receipt["superseded_job_ids"]) == (
        eager_flow.jobs()[-1]["job_id"],
        [older_job],
    )
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    assert eager_flow.transcript("flip.wav")["text"] == eager_flow.transcribe_text(CONTENT_A)
    assert len(eager_flow.jobs()) == 4  # one of them of the plain recording
    assert eager_flow.receipts("open") == []


def test_superseded_job_is_not_used_when_notified_again(eager_flow: Flow) -> None:
    eager_flow.update_queue(state="Paused")
    for body in (CONTENT_A, CONTENT_B):
        eager_flow.upload("flip.wav", body)
        eager_flow.settle()
    wait_for_next_second()
    eager_flow.upload("flip.wav", CONTENT_A)
    eager_flow.settle()
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    superseded_job = eager_flow.jobs()[0]["job_id"]
    eager_flow.notify(render_notification(superseded_job))
    assert len(eager_flow.receipts("open")) == 1
    eager_flow.sweep()
    eager_flow.settle()
    assert eager_flow.transcript("flip.wav")["job_id"] == eager_flow.jobs()[-1]["job_id"] != superseded_job


def test_failed_job_of_other_content_does_not_fail_restored_content(
    eager_flow: Flow,
) -> None:
    eager_flow.update_queue(state="Paused")
    for body in (CONTENT_A, b"NOT AUDIO"):
        eager_flow.upload("flip.wav", body)
        eager_flow.settle()
    wait_for_next_second()
    eager_flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_notification": 1.0}})
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    eager_flow.upload("flip.wav", CONTENT_A)
    eager_flow.settle()
    eager_flow.admin("PUT", "faults", {"seed": 1, "rates": {}})
    for _ in range(2):
        eager_flow.sweep()
        eager_flow.settle()
    assert not eager_flow.has("transcripts/flip.wav.error.json")
    assert eager_flow.transcript("flip.wav")["text"] == eager_flow.transcribe_text(CONTENT_A)
    assert eager_flow.receipts("open") == []


def test_recording_is_submitted_after_the_operator_fixed_the_cause(eager_flow: Flow) -> None:
    emulator = eager_flow.pipeline.emulator
    speech = eager_flow.pipeline.clients.speech
    close_asr(eager_flow)
    eager_flow.upload("early.wav", CONTENT_A)
    eager_flow.settle()
    error = eager_flow.error("early.wav")
    assert error["kind"] == "settings"
    assert error["retried_automatically"] is True
    assert "Switch it on" in error["next_step"]
    assert len(eager_flow.receipts("open")) == 1
    enable_speech(eager_flow.pipeline.clients, INPUT_BUCKET, f"{emulator.callback_url}/demo4f7c2a9e1b6d8053")
    assert speech.list_queues(INPUT_BUCKET).queues
    assert eager_flow.sweep()["result"]["reconciled"] == {"submitted": 1}
    eager_flow.settle()
    assert eager_flow.transcript("early.wav")["sentences"]
    assert not eager_flow.has("transcripts/early.wav.error.json")
    assert eager_flow.receipts("open") == []
    assert not eager_flow.outputs(".scribe/claim/")


def close_asr(flow: Flow) -> None:
    """Send DELETE /asrbucket: nothing in the product does this."""
    client = flow.pipeline.clients.speech.client
    client.send(
        Request("DELETE", f"{INPUT_BUCKET}.ci.ap-guangzhou.myqcloud.com", "/asrbucket", resource=INPUT_BUCKET)
    )


def test_sweep_submits_deferred_recordings_when_the_queue_has_room(
    start_flow: StartFlow,
) -> None:
    flow = start_flow("--max-size", "2", SWEEP_AFTER="0")
    flow.update_queue(state="Paused")
    for number in range(5):
        flow.upload(f"burst-{number}.wav", CONTENT_A + bytes([number]))
    flow.settle()
    assert len(flow.jobs()) == 2
    assert all(invocation["outcome"] == "ok" for invocation in flow.invocations("upload"))
    flow.update_queue(state="Active")
    flow.settle()
    rounds = 0
    while flow.receipts("open"):
        rounds += 1
        assert rounds < 6
        flow.sweep()
        flow.settle()
    assert rounds > 1
    assert len(flow.jobs()) == 5
    for number in range(5):
        assert flow.transcript(f"burst-{number}.wav")["sentences"]


def test_max_in_flight_limits_what_the_sweep_submits(start_flow: StartFlow) -> None:
    flow = start_flow("--max-size", "1", SWEEP_AFTER="0", MAX_IN_FLIGHT="1")
    flow.update_queue(state="Paused")
    for number in range(3):
        flow.upload(f"slow-{number}.wav", CONTENT_A + bytes([number]))
    flow.settle()
    invocation = flow.sweep()
    assert invocation["result"]["reconciled"]["deferred"] >= 1
    assert len(flow.jobs()) == 1


def test_expired_recording_gets_error_and_late_result_replaces_it(start_flow: StartFlow) -> None:
    flow = start_flow(SWEEP_AFTER="0", GIVE_UP_AFTER="1")
    flow.update_queue(state="Paused")
    flow.upload("stuck.wav", CONTENT_A)
    flow.settle()
    wait_for_next_second()
    wait_for_next_second()
    flow.sweep()
    assert "GIVE_UP_AFTER" in flow.error("stuck.wav")["message"]
    assert flow.receipts("open") == []
    flow.update_queue(state="Active")
    flow.settle()
    assert flow.transcript("stuck.wav")["sentences"]
    assert not flow.has("transcripts/stuck.wav.error.json")
    assert len(flow.jobs()) == 1


def test_concurrent_sweeps_pay_once(eager_flow: Flow) -> None:
    close_asr(eager_flow)
    for number in range(4):
        eager_flow.upload(f"pair-{number}.wav", CONTENT_A + bytes([number]))
    eager_flow.settle()
    emulator = eager_flow.pipeline.emulator
    enable_speech(eager_flow.pipeline.clients, INPUT_BUCKET, f"{emulator.callback_url}/demo4f7c2a9e1b6d8053")
    threads = [threading.Thread(target=eager_flow.sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eager_flow.settle()
    eager_flow.sweep()
    assert len(eager_flow.jobs()) == 4
    assert eager_flow.receipts("open") == []


def test_failure_of_old_content_does_not_touch_newer_transcript(eager_flow: Flow) -> None:
    eager_flow.update_queue(state="Paused")
    eager_flow.upload("order.wav", b"NOT AUDIO")
    eager_flow.settle()
    eager_flow.upload("order.wav", CONTENT_A)
    eager_flow.settle()
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    eager_flow.sweep()
    assert eager_flow.transcript("order.wav")["sentences"]
    assert not eager_flow.has("transcripts/order.wav.error.json")


def test_unreadable_receipt_is_logged_and_does_not_stop_the_others(eager_flow: Flow) -> None:
    eager_flow.update_queue(notify="Off")
    eager_flow.upload("fine.wav", CONTENT_A)
    eager_flow.settle()
    cos = eager_flow.pipeline.clients.cos
    cos.put("transcripts-1250000000", f".scribe/open/{INPUT_BUCKET}/a!" + "0" * 32, b"not a receipt")
    invocation = eager_flow.sweep()
    assert invocation["result"] == {"reconciled": {"transcribed": 1}, "errors": 1}


def test_audit_finds_failed_recording_uploaded_again_without_event(eager_flow: Flow) -> None:
    eager_flow.upload("again.wav", b"NOT AUDIO")
    eager_flow.settle()
    wait_for_next_second()
    eager_flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    eager_flow.upload("again.wav", b"NOT AUDIO")
    eager_flow.settle()
    assert len(eager_flow.jobs()) == 1
    assert eager_flow.sweep("audit")["result"]["audited"] == {"submitted": 1}
    eager_flow.settle()
    assert len(eager_flow.jobs()) == 2
    assert eager_flow.receipts("open") == []


def test_concurrent_deliveries_pay_once_on_versioned_bucket(start_flow: StartFlow) -> None:
    """Create-only has no effect there, so both write; after a pause both read the nonce of the last writer."""
    flow = start_flow("--versioned", "transcripts", SWEEP_AFTER="0")
    key = "versioned.wav"
    flow.pipeline.clients.cos.put("transcripts-1250000000", "warm", b"")
    flow.upload(key, CONTENT_A)
    threads = [threading.Thread(target=flow.invoke, args=("upload", flow.build_event(key))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flow.settle()
    assert len(flow.jobs()) == 1
    assert flow.transcript(key)["sentences"]
