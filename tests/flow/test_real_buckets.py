"""Buckets and accounts as they are: versioning, archives, encrypted objects, refusals, files that are no recordings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from shared.tencent.client import Request
from tests.helpers.flow import CONTENT_A, CONTENT_B, Flow, StartFlow, wait_for_next_second
from tests.helpers.loopback import open_client
from tests.helpers.pipeline import running_pipeline

pytestmark = pytest.mark.process

BUCKET_KINDS = {
    "never versioned": (),
    "versioned": ("--versioned", OUTPUT_BUCKET),
    "suspended": ("--suspended", OUTPUT_BUCKET, "--suspended-version-id", "absent"),
}
SSE_C_HEADERS = {
    "x-cos-server-side-encryption-customer-algorithm": "AES256",
    "x-cos-server-side-encryption-customer-key": "MDEyMzQ1Njc4OUFCQ0RFRjAxMjM0NTY3ODlBQkNERUY=",
    "x-cos-server-side-encryption-customer-key-MD5": "U5L61r7jcwdNvT7frmUG8g==",
}


def put(flow: Flow, key: str, body: bytes, headers: Mapping[str, str], parameter: str = "") -> None:
    """Write an object with headers that Scribe itself never sends."""
    flow.pipeline.clients.cos.client.send(
        Request(
            "POST" if parameter else "PUT",
            f"{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com",
            f"/{key}",
            resource=key,
            parameters=((parameter, ""),) if parameter else (),
            headers=headers,
            body=body,
        )
    )


@pytest.mark.parametrize("kind", BUCKET_KINDS)
def test_redelivered_events_submit_one_job_on_any_bucket(start_flow: StartFlow, kind: str) -> None:
    flow = start_flow(*BUCKET_KINDS[kind])
    flow.update_queue(state="Paused")
    flow.upload("again.wav", CONTENT_A)
    flow.settle()
    for _ in range(2):
        assert flow.invoke("upload", flow.build_event("again.wav"))["outcome"] == "ok"
    flow.update_queue(state="Active")
    flow.settle()
    flow.invoke("upload", flow.build_event("again.wav"))
    flow.settle()
    assert len(flow.jobs()) == 1
    assert flow.transcript("again.wav")["text"]
    assert flow.receipts("open") == flow.receipts("claim") == []


@pytest.mark.parametrize("kind", BUCKET_KINDS)
def test_events_at_once_submit_one_job_on_any_bucket(start_flow: StartFlow, kind: str) -> None:
    flow = start_flow(*BUCKET_KINDS[kind])
    with ThreadPoolExecutor(4) as threads:
        threads.submit(flow.upload, "once.wav", CONTENT_A)
        deliveries = [threads.submit(flow.invoke, "upload", flow.build_event("once.wav")) for _ in range(3)]
        assert {delivery.result()["outcome"] for delivery in deliveries} <= {"ok", "error"}
    flow.settle()
    flow.invoke("upload", flow.build_event("once.wav"))
    flow.settle()
    assert len(flow.jobs()) == 1
    assert flow.transcript("once.wav")["text"]


def test_files_that_are_no_recordings_cost_nothing(start_flow: StartFlow) -> None:
    flow = start_flow(SWEEP_AFTER="0")
    keys = [".DS_Store", "notes.pdf", "photo.JPG", "a.json", "upload.wav.part", "讲稿.docx", "folder/"]
    for key in keys:
        flow.upload(key, CONTENT_A)
    put(flow, "no extension", CONTENT_A, {"Content-Type": "application/octet-stream"})
    flow.upload("SPEECH.WAV", CONTENT_A)
    flow.settle()
    flow.sweep("audit")
    flow.settle()
    assert [job["object"] for job in flow.jobs()] == ["SPEECH.WAV"]
    assert all(key.startswith("transcripts/SPEECH.WAV.") for key in flow.outputs("transcripts/"))


def test_touched_recording_keeps_its_transcripts_and_is_not_paid_again(start_flow: StartFlow) -> None:
    flow = start_flow(SWEEP_AFTER="0")
    flow.upload("old.wav", CONTENT_A)
    flow.settle()
    written = {key: flow.output(key) for key in flow.outputs("transcripts/")}
    for _ in range(2):
        wait_for_next_second()
        source = f"{INPUT_BUCKET}.cos.ap-guangzhou.myqcloud.com/old.wav"
        directive = {
            "x-cos-metadata-directive": "Replaced",
            "x-cos-meta-note": "new",
            "Content-Type": "audio/wav",
        }
        put(flow, "old.wav", b"", {"x-cos-copy-source": source, **directive})
        flow.settle()
        flow.sweep("audit")
        flow.settle()
    assert {key: flow.output(key) for key in flow.outputs("transcripts/")} == written
    assert len(flow.jobs()) == 1


@pytest.mark.parametrize("reading", ["documented", "swapped", "media"])
def test_jobs_are_read_under_every_reading_of_the_permissions(start_flow: StartFlow, reading: str) -> None:
    """Tencent's pages disagree on which action reading a job and listing jobs needs."""
    flow = start_flow("--ci-permissions", reading, SWEEP_AFTER="0")
    flow.upload("notified.wav", CONTENT_A)
    flow.settle()
    assert flow.transcript("notified.wav")["text"]
    flow.update_queue(notify="Off")
    flow.upload("lost.wav", CONTENT_B)
    flow.settle()
    flow.put_dead_attempt("dead.wav", CONTENT_A, lease_s=-60)
    flow.sweep()
    flow.settle()
    assert flow.transcript("lost.wav")["text"]


def test_touched_recording_whose_event_was_lost_is_left_alone_by_the_audit(start_flow: StartFlow) -> None:
    flow = start_flow(SWEEP_AFTER="0")
    flow.upload("old.wav", CONTENT_A)
    flow.settle()
    flow.admin("PUT", "faults", {"seed": 1, "rates": {"lost_event": 1.0}})
    wait_for_next_second()
    flow.upload("old.wav", CONTENT_A)
    flow.settle()
    assert flow.sweep("audit")["result"]["audited"] == {"already_done": 1}
    assert len(flow.jobs()) == 1


@pytest.mark.parametrize("storage_class", ["ARCHIVE", "DEEP_ARCHIVE"])
def test_archived_recording_is_submitted_after_its_restore(start_flow: StartFlow, storage_class: str) -> None:
    flow = start_flow("--restore-delay-ms", "0", SWEEP_AFTER="0")
    put(flow, "archived.wav", CONTENT_A, {"x-cos-storage-class": storage_class})
    flow.settle()
    flow.sweep("audit")
    assert flow.jobs() == []
    assert flow.error("archived.wav")["retried_automatically"] is True
    put(flow, "archived.wav", b"<RestoreRequest><Days>1</Days></RestoreRequest>", {}, "restore")
    flow.settle()
    flow.sweep("audit")  # if the event of the restore is lost, the audit finds it
    flow.settle()
    assert len(flow.jobs()) == 1
    assert flow.transcript("archived.wav")["text"]
    assert not flow.has("transcripts/archived.wav.error.json")
    assert flow.receipts("waiting") == []


def test_recording_that_can_never_be_read_is_reported_once(start_flow: StartFlow) -> None:
    # The audit looks again at a recording whose receipt was closed in the second of its upload: not in this test.
    flow = start_flow("--job-delay-ms", "1100", SWEEP_AFTER="0")
    put(flow, "secret.wav", CONTENT_A, SSE_C_HEADERS)
    flow.upload("neighbour.wav", CONTENT_B)
    flow.upload("denied.wav", CONTENT_A)
    flow.settle()
    flow.admin("PUT", "objects", {"bucket": INPUT_BUCKET, "key": "denied.wav", "denied": True})
    wait_for_next_second()
    jobs = len(flow.jobs())
    for _ in range(2):
        assert flow.invoke("upload", flow.build_event("secret.wav"))["outcome"] == "ok"
    errors = flow.sweep("audit")["result"]["audit_errors"]
    assert (errors, len(flow.jobs())) == (0, jobs)
    assert flow.error("secret.wav")["kind"] == "recording"
    assert flow.transcript("denied.wav")["text"]  # it was transcribed before


@pytest.mark.parametrize("body", ["xml", "html", "empty"])
@pytest.mark.parametrize(
    ("status", "code"), [(451, "UnavailableForLegalReasons"), (403, "UnauthorizedOperation"), (402, "")]
)
def test_refusal_of_the_account_recovers_without_another_upload(
    start_flow: StartFlow, status: int, code: str, body: str
) -> None:
    flow = start_flow(SWEEP_AFTER="0")
    refusal = {
        "status": status,
        "code": code,
        "message": "the account is in arrears",
        "operation": "submit",
        "body": body,
    }
    flow.admin("PUT", "refuse", refusal)
    for number in range(3):
        flow.upload(f"kept-{number}.wav", CONTENT_A + bytes([number]))
    flow.settle()
    flow.sweep()
    assert flow.jobs() == []
    assert flow.error("kept-0.wav")["retried_automatically"] is True
    flow.admin("DELETE", "refuse")
    flow.sweep()
    flow.settle()
    assert len(flow.jobs()) == 3
    for number in range(3):
        assert flow.transcript(f"kept-{number}.wav")["text"]
        assert not flow.has(f"transcripts/kept-{number}.wav.error.json")


def test_job_that_failed_for_want_of_money_is_submitted_again(start_flow: StartFlow) -> None:
    flow = start_flow(SWEEP_AFTER="0")
    flow.admin("PUT", "fail_jobs", {})
    flow.upload("poor.wav", CONTENT_A)
    flow.settle()
    assert flow.error("poor.wav")["kind"] == "account"
    flow.admin("DELETE", "fail_jobs")
    flow.sweep()
    flow.settle()
    assert flow.transcript("poor.wav")["text"]
    assert not flow.has("transcripts/poor.wav.error.json")


def test_outputs_of_earlier_settings_are_never_recordings(tmp_path: Path) -> None:
    """First with transcripts in the recordings' own bucket, then with all prefixes changed and everything accepted."""
    settings = {"OUTPUT_BUCKET": "", "INPUT_EXTENSIONS": "*", "SWEEP_AFTER": "0"}
    with running_flow(tmp_path, settings) as flow:
        flow.upload("talk.wav", CONTENT_A)
        flow.upload("bad.wav", b"NOT AUDIO")
        flow.settle()
    moved = {"OUTPUT_BUCKET": OUTPUT_BUCKET, "OUTPUT_PREFIX": "texts/", "STATE_PREFIX": ".state/"}
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    moved |= {"SINCE": later.isoformat()}  # the recordings themselves are left alone
    with running_flow(tmp_path, settings | moved) as flow:
        keys = [item.key for item in flow.pipeline.clients.cos.iter_objects(INPUT_BUCKET)]
        outputs = [key for key in keys if key not in {"talk.wav", "bad.wav"}]
        assert len(outputs) >= 4 + 1 + 2 + 1  # transcripts, error object, receipts, raw result
        wait_for_next_second()
        for key in outputs:
            flow.invoke("upload", flow.build_event(key))
        flow.sweep("audit")
        flow.settle()
        # An event of a recording may be delivered again after the restart; an output is never submitted.
        assert {job["object"] for job in flow.jobs()} == {"talk.wav", "bad.wav"}


@contextmanager
def running_flow(data: Path, settings: Mapping[str, str]) -> Iterator[Flow]:
    with (
        running_pipeline(data / "cloud", ["--speech", "scripted"], settings) as pipeline,
        open_client(base_url=pipeline.emulator.endpoint, timeout=60) as client,
    ):
        yield Flow(pipeline, client)
