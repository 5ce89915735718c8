from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import Busy, NotFound, Refused
from shared.recordings.failure import Failure, error_object, job_failed, job_lost, refused, unfit
from shared.recordings.receipt import Receipt
from shared.recordings.recording import Recording
from shared.tencent.speech_values import Job

RECORDING = Recording("media-1250000000", "calls/会议 a.mp3", "9a0364b9e99bb480dd25e1f0284c8555", 482113)
RECEIPT = Receipt(
    id=RECORDING.id,
    bucket=RECORDING.bucket,
    region="ap-chengdu",
    key=RECORDING.key,
    etag=RECORDING.etag,
    size=RECORDING.size,
    engine="16k_zh",
    channels=1,
    nonce="private-nonce",
    attempt=2,
    created_s=1_794_300_000.0,
    lease_until_s=1_794_300_120.0,
    job_id="s01",
)


def refusal(code: str, status: int = 400) -> Refused:
    return Refused(
        about="media-1250000000/a.mp3", status=status, code=code, message=f"says {code}", request_id="rq1"
    )


# The codes that a submit can meet (CI error codes 460/42867), and what the operator must be pointed to.
POINTERS = {
    "ResourceNotFound": "upload",
    "ResourceAccessDenied": "ci_qcsrole",
    "CIRoleNotExist": "ci_qcsrole",
    "AccessDenied": "ci:createasrjobs",
    "QueueNotFound": "queue_id",
    "InvalidArgument": "engine",
    "AsrBucketUnBinded": "switch it on",
    "MediaBucketUnBinded": "switch it on",
}


@pytest.mark.parametrize("code", POINTERS)
def test_a_known_refusal_says_what_to_do_about_it(code: str) -> None:
    told = refused(refusal(code))
    assert POINTERS[code] in f"{told.what} {told.next_step}".lower()
    assert told.what.endswith(".")
    assert told.next_step.endswith(".")
    assert (told.code, told.message, told.request_id) == (code, f"says {code}", "rq1")


def test_only_a_recording_that_was_gone_is_worth_sending_again_unchanged() -> None:
    assert [code for code in POINTERS if refused(refusal(code)).trying_again_helps] == ["ResourceNotFound"]


@pytest.mark.parametrize("code", ["NewCode2027", "", "1015"])
def test_an_unknown_refusal_is_told_as_it_came(code: str) -> None:
    told = refused(refusal(code, 403))
    assert (told.code, told.message) == (code, f"says {code}")
    assert "refused" in told.what
    assert not told.trying_again_helps


def test_a_queue_that_is_not_found_is_told_like_any_refusal() -> None:
    told = refused(NotFound(about="x", status=404, code="QueueNotFound"))
    assert "QUEUE_ID" in told.what


def test_a_failed_job_keeps_both_texts_word_for_word() -> None:
    told = job_failed(Job("s01", "Failed", "FailedOperation.ErrorDownFile", "无法下载"))
    assert (told.code, told.message) == ("FailedOperation.ErrorDownFile", "无法下载")
    assert not told.trying_again_helps
    assert "512 MB" in told.next_step


def test_a_cancelled_job_is_told_apart_and_can_be_tried_again() -> None:
    told = job_failed(Job("s01", "Cancel", "Success", ""))
    assert "cancelled" in told.what
    assert told.trying_again_helps


def test_a_lost_job_is_named_and_the_second_bill_is_mentioned() -> None:
    told = job_lost("s01")
    assert "s01" in told.what
    assert "billed a second time" in told.next_step
    assert told.trying_again_helps


def test_an_unfit_recording_has_no_code_of_the_cloud() -> None:
    told = unfit("It is empty.", "Send it again.")
    assert told == Failure("It is empty.", "Send it again.")
    assert (told.code, told.message, told.request_id) == ("", "", "")


def test_the_error_object_tells_all_that_the_uploader_needs() -> None:
    body = error_object(RECEIPT, refused(refusal("QueueNotFound")))
    assert json.loads(body) == {
        "schema": "urn:scribe:error",
        "version": 1,
        "recording": {
            "bucket": "media-1250000000",
            "region": "ap-chengdu",
            "key": "calls/会议 a.mp3",
            "etag": "9a0364b9e99bb480dd25e1f0284c8555",
            "size": 482113,
        },
        "what": "The queue in QUEUE_ID does not exist in this bucket.",
        "next_step": "Correct or remove the setting QUEUE_ID, then upload the recording again.",
        "trying_again_helps": False,
        "code": "QueueNotFound",
        "message": "says QueueNotFound",
        "request_id": "rq1",
        "job_id": "s01",
        "attempts": 2,
    }
    assert "会议" in body.decode()
    assert body.endswith(b"}\n")


def test_the_same_failure_is_the_same_bytes_whenever_it_is_written() -> None:
    later = replace(RECEIPT, nonce="another", lease_until_s=9e9, finished_s=9e9, outcome="failed")
    failure = job_lost("s01")
    assert error_object(RECEIPT, failure) == error_object(later, failure)


def test_the_receipts_inner_marks_stay_out_of_it() -> None:
    assert b"private-nonce" not in error_object(RECEIPT, job_lost("s01"))


@given(key=st.text(max_size=60), message=st.text(max_size=200))
@example(key="a\ud800b", message="\udfff")
@settings(max_examples=100, deadline=None)
def test_any_key_and_any_message_make_readable_json(key: str, message: str) -> None:
    body = error_object(replace(RECEIPT, key=key), Failure("w.", "n.", message=message))
    told = json.loads(body.decode("utf-8"))
    assert told["recording"]["key"] == key.encode("utf-8", "replace").decode()
    assert told["message"] == message.encode("utf-8", "replace").decode()


def test_an_error_that_passes_by_itself_is_no_refusal() -> None:
    assert not isinstance(Busy(about="x", status=429), Refused)
