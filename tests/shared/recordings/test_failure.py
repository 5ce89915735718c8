from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import RequestRejected
from shared.recordings import failure_texts
from shared.recordings.failure import Failure, error_object, job_failed, refused
from shared.recordings.failure_texts import (
    GAVE_UP,
    JOB_FAILURES,
    REFUSALS,
    Explanation,
    Kind,
    wrong_metadata,
)
from shared.recordings.receipt import Receipt
from shared.recordings.recording import Recording
from shared.tencent.speech_models import Job

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


def refusal(code: str, status: int = 400) -> RequestRejected:
    return RequestRejected(
        resource="media-1250000000/a.mp3", status=status, code=code, message=f"says {code}", request_id="rq1"
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
    assert POINTERS[code] in f"{told.explanation.what} {told.explanation.next_step}".lower()
    assert (told.code, told.message, told.request_id) == (code, f"says {code}", "rq1")


EVERY_EXPLANATION = [
    *REFUSALS.values(),
    *JOB_FAILURES.values(),
    *(value for value in vars(failure_texts).values() if isinstance(value, Explanation)),
    wrong_metadata("x"),
]


@pytest.mark.parametrize("told", EVERY_EXPLANATION, ids=range(len(EVERY_EXPLANATION)))
def test_every_explanation_is_whole_sentences_in_both_languages(told: Explanation) -> None:
    assert told.what.endswith(".")
    assert told.next_step.endswith(".")
    assert told.what_zh.endswith("。")
    assert told.next_step_zh.endswith("。")
    assert any("\u4e00" <= character <= "\u9fff" for character in told.what_zh)


@pytest.mark.parametrize("told", EVERY_EXPLANATION, ids=range(len(EVERY_EXPLANATION)))
def test_who_is_told_to_upload_unchanged_is_told_that_it_helps(told: Explanation) -> None:
    if told.waits:
        assert told.trying_again_helps
        assert "by itself" in told.next_step


def test_what_the_operator_can_mend_is_kept_and_tried_again() -> None:
    waiting = [code for code in POINTERS if refused(refusal(code)).explanation.waits]
    assert set(POINTERS) - set(waiting) == {"ResourceNotFound", "InvalidArgument"}


@pytest.mark.parametrize("code", ["NewCode2027", "", "1015"])
def test_an_unknown_refusal_is_told_as_it_came(code: str) -> None:
    told = refused(refusal(code, 403))
    assert (told.code, told.message) == (code, f"says {code}")
    assert "refused" in told.explanation.what
    assert not told.explanation.trying_again_helps


def test_a_failed_job_keeps_both_texts_word_for_word() -> None:
    told = job_failed(Job("s01", "Failed", "FailedOperation.Unheard", "无法识别"))
    assert (told.code, told.message) == ("FailedOperation.Unheard", "无法识别")
    assert not told.explanation.trying_again_helps
    assert "512 MB" in told.explanation.next_step


def test_a_job_that_failed_for_want_of_money_names_the_account() -> None:
    assert (
        job_failed(Job("s01", "Failed", "FailedOperation.UserHasNoAmount")).explanation.kind is Kind.ACCOUNT
    )


def test_an_inner_error_of_the_service_is_not_blamed_on_the_recording() -> None:
    assert job_failed(Job("s01", "Failed", "InternalError.Unknown")).explanation.kind is Kind.SERVICE


def test_a_cancelled_job_is_told_apart_and_can_be_tried_again() -> None:
    told = job_failed(Job("s01", "Cancel", "Success", "")).explanation
    assert "cancelled" in told.what
    assert told.trying_again_helps


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
        "kind": "settings",
        "what": "The queue in QUEUE_ID does not exist in this bucket.",
        "what_zh": "QUEUE_ID 指定的队列在该存储桶中不存在。",
        "next_step": "Correct or remove the setting QUEUE_ID; the recording is then submitted by itself, "
        "within a few minutes.",
        "next_step_zh": "请更正或删除 QUEUE_ID 设置；修复后几分钟内会自动提交，无需重新上传。",
        "trying_again_helps": True,
        "tried_again_by_itself": True,
        "code": "QueueNotFound",
        "message": "says QueueNotFound",
        "request_id": "rq1",
        "job_id": "s01",
        "attempts": 2,
    }
    assert "会议" in body.decode()
    assert body.endswith(b"}\n")


def test_the_same_failure_is_the_same_bytes_whenever_it_is_written() -> None:
    later = RECEIPT._replace(nonce="another", lease_until_s=9e9, finished_s=9e9, outcome="failed")
    assert error_object(RECEIPT, Failure(GAVE_UP)) == error_object(later, Failure(GAVE_UP))


def test_the_receipts_inner_marks_stay_out_of_it() -> None:
    assert b"private-nonce" not in error_object(RECEIPT, Failure(GAVE_UP))


@given(key=st.text(max_size=60), message=st.text(max_size=200))
@example(key="a\ud800b", message="\udfff")
@settings(max_examples=100, deadline=None)
def test_any_key_and_any_message_make_readable_json(key: str, message: str) -> None:
    body = error_object(RECEIPT._replace(key=key), Failure(GAVE_UP, message=message))
    told = json.loads(body.decode("utf-8"))
    assert told["recording"]["key"] == key.encode("utf-8", "replace").decode()
    assert told["message"] == message.encode("utf-8", "replace").decode()
