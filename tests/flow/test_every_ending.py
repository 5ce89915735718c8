"""Whatever happens to a submit or to the content, the work comes to an end that can be seen."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from cli.local.emulator import INPUT_BUCKET
from tests.chaos.workload import compute_etag
from tests.flow.test_notifications import xml_of
from tests.helpers.flow import Flow
from tests.helpers.pipeline import enable_speech

pytestmark = pytest.mark.process

A, B = b"speech of the first kind " * 120, b"quite another speech " * 130


def next_second() -> None:
    """COS tells when an object was written in whole seconds: what follows is surely later."""
    began = int(time.time())
    while int(time.time()) == began:
        time.sleep(0.02)


def get_error(flow: Flow, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(flow.output(f"transcripts/{key}.error.json"))
    return found


def test_restored_content_gets_its_transcript_without_a_second_job(eager_flow: Flow) -> None:
    eager_flow.upload("back.wav", A)
    eager_flow.settle()
    first = eager_flow.output("transcripts/back.wav.json")
    eager_flow.upload("back.wav", B)
    eager_flow.settle()
    assert eager_flow.output("transcripts/back.wav.json") != first
    next_second()
    eager_flow.upload("back.wav", A)
    eager_flow.settle()
    eager_flow.sweep()
    assert eager_flow.output("transcripts/back.wav.json") == first
    assert len(eager_flow.jobs()) == 2
    assert eager_flow.receipts("open") == []


def test_changing_content_is_not_lost_while_jobs_wait(eager_flow: Flow) -> None:
    eager_flow.queue(state="Paused")
    for body in (A, B):
        eager_flow.upload("flip.wav", body)
        eager_flow.settle()
    eager_flow.queue(state="Active")
    eager_flow.settle()
    eager_flow.sweep()
    next_second()
    eager_flow.upload("flip.wav", A)
    eager_flow.settle()
    eager_flow.sweep()
    head = eager_flow.pipeline.clients.cos.head(INPUT_BUCKET, "flip.wav")
    assert eager_flow.transcript("flip.wav")["recording"]["etag"] == head.etag
    assert eager_flow.receipts("open") == []
    # While the queue was paused A's first job waited, and then heard B: it must not be taken for A's words.
    assert len(eager_flow.jobs()) == 3
    eager_flow.upload("plain.wav", A)
    eager_flow.settle()
    assert eager_flow.transcript("flip.wav")["text"] == eager_flow.transcript("plain.wav")["text"]


def heard_other_content(flow: Flow, key: str) -> str:
    """A's job waits until B lies in A's place, and hears that. The job's id; the queue is paused again."""
    flow.queue(state="Paused")
    for body in (A, B):
        flow.upload(key, body)
        flow.settle()
    flow.queue(state="Active")
    flow.settle()
    flow.queue(state="Paused")
    next_second()
    job: str = flow.jobs()[0]["job_id"]
    return job


def get_text(flow: Flow, body: bytes) -> str:
    flow.upload("plain.wav", body)
    flow.settle()
    text: str = flow.transcript("plain.wav")["text"]
    return text


def test_superseded_job_does_not_transcribe_restored_content(eager_flow: Flow) -> None:
    older = heard_other_content(eager_flow, "flip.wav")
    eager_flow.upload("flip.wav", A)
    eager_flow.settle()
    eager_flow.notify(xml_of(older))
    assert len(eager_flow.receipts("open")) == 1
    eager_flow.queue(state="Active")
    eager_flow.settle()
    assert eager_flow.transcript("flip.wav")["job_id"] != older
    assert eager_flow.transcript("flip.wav")["text"] == get_text(eager_flow, A)
    assert eager_flow.receipts("open") == []


def test_superseded_job_does_not_replace_error_of_restored_content(
    eager_flow: Flow,
) -> None:
    older = heard_other_content(eager_flow, "flip.wav")
    eager_flow.admin("PUT", "faults", {"seed": 1, "rates": {"job_failed": 1.0}})
    eager_flow.upload("flip.wav", A)
    eager_flow.settle()
    eager_flow.queue(state="Active")
    eager_flow.settle()
    of_b = eager_flow.output("transcripts/flip.wav.json")
    assert get_error(eager_flow, "flip.wav")["recording"]["etag"] == compute_etag(A)
    eager_flow.notify(xml_of(older))
    assert get_error(eager_flow, "flip.wav")["recording"]["etag"] == compute_etag(A)
    assert eager_flow.output("transcripts/flip.wav.json") == of_b


def test_superseded_job_is_not_mistaken_for_lost_submit(eager_flow: Flow) -> None:
    older = heard_other_content(eager_flow, "flip.wav")
    after_the_job = {"function": "upload", "request": 6, "when": "after", "times": 1}
    eager_flow.admin("PUT", "faults", {"seed": 1, "kill": after_the_job})
    eager_flow.upload("flip.wav", A)
    eager_flow.settle()
    eager_flow.sweep()
    noted = json.loads(eager_flow.output(eager_flow.receipts("open")[0]))
    assert (noted["job_id"], noted["superseded_job_ids"]) == (eager_flow.jobs()[-1]["job_id"], [older])
    eager_flow.queue(state="Active")
    eager_flow.settle()
    assert eager_flow.transcript("flip.wav")["text"] == get_text(eager_flow, A)
    assert len(eager_flow.jobs()) == 4  # one of them of the plain recording
    assert eager_flow.receipts("open") == []


def test_superseded_job_is_not_used_when_notified_again(eager_flow: Flow) -> None:
    eager_flow.queue(state="Paused")
    for body in (A, B):
        eager_flow.upload("flip.wav", body)
        eager_flow.settle()
    next_second()
    eager_flow.upload("flip.wav", A)
    eager_flow.settle()
    eager_flow.queue(state="Active")
    eager_flow.settle()
    aside = eager_flow.jobs()[0]["job_id"]
    eager_flow.notify(xml_of(aside))
    assert len(eager_flow.receipts("open")) == 1
    eager_flow.sweep()
    eager_flow.settle()
    assert eager_flow.transcript("flip.wav")["job_id"] == eager_flow.jobs()[-1]["job_id"] != aside


def test_failed_job_of_other_content_does_not_fail_restored_content(
    eager_flow: Flow,
) -> None:
    eager_flow.queue(state="Paused")
    for body in (A, b"NOT AUDIO"):
        eager_flow.upload("flip.wav", body)
        eager_flow.settle()
    next_second()
    eager_flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_notification": 1.0}})
    eager_flow.queue(state="Active")
    eager_flow.settle()
    eager_flow.upload("flip.wav", A)
    eager_flow.settle()
    eager_flow.admin("PUT", "faults", {"seed": 1, "rates": {}})
    for _ in range(2):
        eager_flow.sweep()
        eager_flow.settle()
    assert not eager_flow.has("transcripts/flip.wav.error.json")
    assert eager_flow.transcript("flip.wav")["text"] == get_text(eager_flow, A)
    assert eager_flow.receipts("open") == []


def test_recording_is_submitted_after_the_operator_fixed_the_cause(eager_flow: Flow) -> None:
    emulator = eager_flow.pipeline.emulator
    speech = eager_flow.pipeline.clients.speech
    close_asr(eager_flow)
    eager_flow.upload("early.wav", A)
    eager_flow.settle()
    error = get_error(eager_flow, "early.wav")
    assert error["kind"] == "settings"
    assert error["retried_automatically"] is True
    assert "Switch it on" in error["next_step"]
    assert len(eager_flow.receipts("open")) == 1
    enable_speech(eager_flow.pipeline.clients, INPUT_BUCKET, f"{emulator.callback_url}/local-callback-token")
    assert speech.list_queues(INPUT_BUCKET).queues
    assert eager_flow.sweep()["result"]["reconciled"] == {"submitted": 1}
    eager_flow.settle()
    assert eager_flow.transcript("early.wav")["sentences"]
    assert not eager_flow.has("transcripts/early.wav.error.json")
    assert eager_flow.receipts("open") == []
    assert not eager_flow.outputs(".scribe/claim/")


def close_asr(flow: Flow) -> None:
    """DELETE /asrbucket: nothing in the product does this, so the test asks for it itself."""
    from shared.tencent.client import Request

    wire = flow.pipeline.clients.speech.client
    wire.send(
        Request("DELETE", f"{INPUT_BUCKET}.ci.ap-guangzhou.myqcloud.com", "/asrbucket", resource=INPUT_BUCKET)
    )


def test_sweep_submits_deferred_recordings_when_the_queue_has_room(
    start_flow: Callable[..., Any],
) -> None:
    flow = start_flow("--max-size", "2", SWEEP_AFTER="0")
    flow.queue(state="Paused")
    for number in range(5):
        flow.upload(f"burst-{number}.wav", A + bytes([number]))
    flow.settle()
    assert len(flow.jobs()) == 2
    assert all(one["outcome"] == "ok" for one in flow.invocations("upload"))
    flow.queue(state="Active")
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


def test_max_in_flight_limits_what_the_sweep_submits(start_flow: Callable[..., Flow]) -> None:
    flow = start_flow("--max-size", "1", SWEEP_AFTER="0", MAX_IN_FLIGHT="1")
    flow.queue(state="Paused")
    for number in range(3):
        flow.upload(f"slow-{number}.wav", A + bytes([number]))
    flow.settle()
    done = flow.sweep()
    assert done["result"]["reconciled"]["deferred"] >= 1
    assert len(flow.jobs()) == 1


def test_expired_recording_gets_error_and_late_result_replaces_it(start_flow: Callable[..., Flow]) -> None:
    flow = start_flow(SWEEP_AFTER="0", GIVE_UP_AFTER="1")
    flow.queue(state="Paused")
    flow.upload("stuck.wav", A)
    flow.settle()
    next_second()
    next_second()
    flow.sweep()
    assert "GIVE_UP_AFTER" in get_error(flow, "stuck.wav")["message"]
    assert flow.receipts("open") == []
    flow.queue(state="Active")
    flow.settle()
    assert flow.transcript("stuck.wav")["sentences"]
    assert not flow.has("transcripts/stuck.wav.error.json")
    assert len(flow.jobs()) == 1


def test_concurrent_sweeps_pay_once(eager_flow: Flow) -> None:
    close_asr(eager_flow)
    for number in range(4):
        eager_flow.upload(f"pair-{number}.wav", A + bytes([number]))
    eager_flow.settle()
    emulator = eager_flow.pipeline.emulator
    enable_speech(eager_flow.pipeline.clients, INPUT_BUCKET, f"{emulator.callback_url}/local-callback-token")
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
    eager_flow.queue(state="Paused")
    eager_flow.upload("order.wav", b"NOT AUDIO")
    eager_flow.settle()
    eager_flow.upload("order.wav", A)
    eager_flow.settle()
    eager_flow.queue(state="Active")
    eager_flow.settle()
    eager_flow.sweep()
    assert eager_flow.transcript("order.wav")["sentences"]
    assert not eager_flow.has("transcripts/order.wav.error.json")


def test_unreadable_receipt_is_logged_and_does_not_stop_the_others(eager_flow: Flow) -> None:
    eager_flow.queue(notify="Off")
    eager_flow.upload("fine.wav", A)
    eager_flow.settle()
    cos = eager_flow.pipeline.clients.cos
    cos.put("transcripts-1250000000", f".scribe/open/{INPUT_BUCKET}/a!" + "0" * 32, b"not a receipt")
    done = eager_flow.sweep()
    assert done["result"] == {"reconciled": {"transcribed": 1}, "errors": 1}


def test_audit_finds_failed_recording_uploaded_again_without_event(eager_flow: Flow) -> None:
    eager_flow.upload("again.wav", b"NOT AUDIO")
    eager_flow.settle()
    next_second()
    eager_flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    eager_flow.upload("again.wav", b"NOT AUDIO")
    eager_flow.settle()
    assert len(eager_flow.jobs()) == 1
    assert eager_flow.sweep("audit")["result"]["audited"] == {"submitted": 1}
    eager_flow.settle()
    assert len(eager_flow.jobs()) == 2
    assert eager_flow.receipts("open") == []


def test_concurrent_deliveries_pay_once_on_versioned_bucket(start_flow: Callable[..., Flow]) -> None:
    """Create-only is void there, so both write; after a pause both read the same, the last writer's nonce."""
    flow = start_flow("--versioned", "transcripts", SWEEP_AFTER="0")
    key = "versioned.wav"
    flow.pipeline.clients.cos.put("transcripts-1250000000", "warm", b"")
    flow.upload(key, A)
    threads = [threading.Thread(target=flow.invoke, args=("upload", flow.event_of(key))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    flow.settle()
    assert len(flow.jobs()) == 1
    assert flow.transcript(key)["sentences"]
