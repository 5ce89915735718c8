"""What the sweep and the audit repair, and what logs never contain."""

from __future__ import annotations

import json
import time

import pytest

from cli.local.emulator import CALLBACK_TOKEN, OUTPUT_BUCKET, SETTINGS
from shared.logger import Logger
from shared.recordings.context import build_context
from shared.recordings.models import Status
from shared.recordings.resume import resume_attempt
from shared.settings import load_settings
from tests.helpers.flow import Flow, wait_for_next_second

pytestmark = pytest.mark.process


def test_sweep_completes_job_after_lost_notification(eager_flow: Flow) -> None:
    eager_flow.update_queue(notify="Off")
    for number in range(3):
        eager_flow.upload(f"lost-{number}.wav", b"speech " * 300)
    eager_flow.settle()
    assert not eager_flow.outputs("transcripts/")
    invocation = eager_flow.sweep()
    assert invocation["result"]["reconciled"] == {"transcribed": 3}
    assert eager_flow.receipts("open") == []
    for number in range(3):
        assert eager_flow.transcript(f"lost-{number}.wav")["sentences"]


def test_sweep_skips_young_work(own_flow: Flow) -> None:
    own_flow.update_queue(notify="Off")
    own_flow.upload("young.wav", b"speech " * 300)
    own_flow.settle()
    assert own_flow.sweep()["result"]["reconciled"] == {}
    assert len(own_flow.receipts("open")) == 1


def test_job_of_dead_attempt_is_found_and_not_paid_again(eager_flow: Flow) -> None:
    body = b"speech " * 300
    eager_flow.upload("dead-after.wav", body)
    eager_flow.settle()
    receipt = eager_flow.put_dead_attempt("dead-after.wav", body, lease_s=-1)
    eager_flow.sweep()
    eager_flow.sweep()
    assert len(eager_flow.jobs()) == 1
    assert eager_flow.receipts("open") == []
    assert (
        json.loads(eager_flow.output(f".scribe/done/{receipt.id}"))["job_id"]
        == eager_flow.jobs()[0]["job_id"]
    )


def test_sweep_resumes_dead_attempt_without_job(eager_flow: Flow) -> None:
    body = b"speech " * 300
    receipt = eager_flow.put_dead_attempt("dead-before.wav", body, lease_s=-1)
    eager_flow.upload("dead-before.wav", body)
    eager_flow.settle()
    assert eager_flow.jobs() == []
    eager_flow.sweep()
    eager_flow.settle()
    assert len(eager_flow.jobs()) == 1
    assert json.loads(eager_flow.output(f".scribe/done/{receipt.id}"))["attempt"] == 2


def test_stale_claim_with_long_lease_does_not_block_sweep(
    eager_flow: Flow,
) -> None:
    body = b"speech " * 300
    receipt = eager_flow.put_dead_attempt("claimed.wav", body, lease_s=-1)
    claim = receipt._replace(attempt=2, nonce="dead too", lease_expires_s=time.time() + 110)
    eager_flow.pipeline.clients.cos.put(OUTPUT_BUCKET, f".scribe/claim/{receipt.id}.2", claim.to_json())
    eager_flow.upload("claimed.wav", body)
    eager_flow.settle()
    assert eager_flow.sweep()["result"]["reconciled"] == {"submitted": 1}
    eager_flow.settle()
    assert len(eager_flow.jobs()) == 1


def test_paused_sweep_pays_nothing_after_another_finished(eager_flow: Flow) -> None:
    body = b"speech " * 300
    receipt = eager_flow.put_dead_attempt("stale.wav", body, lease_s=-1)
    eager_flow.upload("stale.wav", body)
    eager_flow.settle()
    ctx = build_context(eager_flow.pipeline.clients.cos.client, load_settings(SETTINGS), Logger({}))

    def pause() -> str:
        """Let another sweep finish after the receipt was read: its claim is deleted with the receipt."""
        eager_flow.sweep()
        eager_flow.settle()
        return "late"

    ctx.create_secret = pause
    assert resume_attempt(ctx, receipt).status is Status.IN_PROGRESS
    eager_flow.settle()
    assert len(eager_flow.jobs()) == 1
    assert eager_flow.receipts("open") == eager_flow.outputs(".scribe/claim/") == []


def test_sweep_waits_for_live_attempt_and_resumes_dead_one(eager_flow: Flow) -> None:
    body = b"speech " * 300
    eager_flow.put_dead_attempt("slow.wav", body, lease_s=600)
    eager_flow.upload("slow.wav", body)
    eager_flow.settle()
    assert eager_flow.jobs() == []
    assert eager_flow.sweep()["result"]["reconciled"] == {"submitted": 1}
    eager_flow.settle()
    assert eager_flow.transcript("slow.wav")["sentences"]
    assert len(eager_flow.jobs()) == 1


def test_audit_finds_recording_without_event(eager_flow: Flow) -> None:
    eager_flow.upload("seen.wav", b"speech " * 300)
    eager_flow.settle()
    receipt = eager_flow.receipts("done")[0]
    eager_flow.pipeline.clients.cos.delete(OUTPUT_BUCKET, receipt)
    invocation = eager_flow.sweep("audit")
    assert invocation["result"]["audited"] == {"submitted": 1}
    eager_flow.settle()
    assert eager_flow.receipts("done") == [receipt]


def test_audit_of_known_recordings_reads_only_listings(eager_flow: Flow) -> None:
    eager_flow.update_queue(state="Paused")
    for number in range(6):
        eager_flow.upload(f"dir{number % 2}/known-{number}-会.wav", b"speech " * 300)
    eager_flow.settle()
    wait_for_next_second()  # what is closed in the very second in which it was written is looked at more closely
    eager_flow.update_queue(state="Active")
    eager_flow.settle()
    invocation = eager_flow.sweep("audit")
    assert invocation["result"]["audited"] == {}
    # The sweep's two, the audit's cursor, then recordings and open, done and waiting receipts side by side.
    assert len(invocation["requests"]) == 7


def test_unknown_timer_message_raises_readable_error(flow: Flow) -> None:
    invocation = flow.invoke("sweep", {"Type": "Timer", "Message": "dance"})
    assert invocation["outcome"] == "error"
    assert "reconcile" in invocation["error"]


def test_log_lines_contain_no_secret_and_no_transcript(own_flow: Flow) -> None:
    own_flow.upload("secret.wav", b"speech " * 900)
    own_flow.upload("broken.wav", b"NOT AUDIO")
    own_flow.settle()
    own_flow.notify(b"not xml")
    own_flow.notify(b"<x/>", path="/not-the-token-at-all")
    own_flow.sweep("audit")
    logged = "\n".join(line for call in own_flow.admin("GET", "invocations?since=0") for line in call["log"])
    assert logged
    sentences = own_flow.transcript("secret.wav")["sentences"]
    secrets = [
        CALLBACK_TOKEN,
        own_flow.pipeline.emulator.secret_key,
        own_flow.pipeline.emulator.secret_id,
        "q-sign-algorithm",
        "q-signature",
        "security-token",
        "not-the-token-at-all",
        *(sentence["text"] for sentence in sentences),
    ]
    assert len(secrets) > 7
    assert [secret for secret in secrets if secret in logged] == []
    for call in own_flow.admin("GET", "invocations?since=0"):
        for line in call["log"]:
            json.loads(line)


def test_invalid_receipt_does_not_stop_the_sweep(eager_flow: Flow) -> None:
    """Its date is beyond every calendar; the one after it in the listing must still be repaired."""
    odd = eager_flow.put_dead_attempt("a-odd.wav", b"x", lease_s=-1)
    broken = odd._replace(created_s=1e15).to_json()
    eager_flow.pipeline.clients.cos.put(OUTPUT_BUCKET, f".scribe/open/{odd.id}", broken)
    eager_flow.update_queue(notify="Off")
    eager_flow.upload("b-lost.wav", b"speech " * 300)
    eager_flow.settle()
    invocation = eager_flow.sweep()
    assert invocation["result"] == {"reconciled": {"transcribed": 1}, "errors": 1}
