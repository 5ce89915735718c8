from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import RequestRejected
from shared.recordings import failures
from shared.recordings.failures import (
    JOB_FAILURES,
    NO_RESULT_IN_TIME,
    REJECTIONS,
    Failure,
    FailureKind,
    FailureReason,
    failure_from_job,
    failure_from_rejection,
    invalid_options,
    render_error_object,
)
from shared.recordings.receipt import Recording
from shared.tencent.speech_models import Job
from tests.helpers.receipts import build_receipt

RECORDING = Recording("media-1250000000", "calls/会议 a.mp3", "9a0364b9e99bb480dd25e1f0284c8555", 482113)
RECEIPT = build_receipt(RECORDING, nonce="private-nonce", attempt=2, job_id="s01")


def rejection(code: str, status: int = 400) -> RequestRejected:
    return RequestRejected(
        resource="media-1250000000/a.mp3", status=status, code=code, message=f"says {code}", request_id="rq1"
    )


# The codes that a submit can meet (CI error codes 460/42867), and the word that the explanation must contain.
EXPECTED_WORDS = {
    "ResourceNotFound": "upload",
    "ResourceAccessDenied": "ci_qcsrole",
    "CIRoleNotExist": "ci_qcsrole",
    "AccessDenied": "ci:createasrjobs",
    "QueueNotFound": "queue_id",
    "InvalidArgument": "engine",
    "AsrBucketUnBinded": "switch it on",
    "MediaBucketUnBinded": "switch it on",
}


@pytest.mark.parametrize("code", EXPECTED_WORDS)
def test_known_rejection_says_what_to_do(code: str) -> None:
    failure = failure_from_rejection(rejection(code))
    assert EXPECTED_WORDS[code] in f"{failure.reason.message} {failure.reason.next_step}".lower()
    assert (failure.code, failure.cloud_message, failure.request_id) == (code, f"says {code}", "rq1")


ALL_REASONS = [
    *REJECTIONS.values(),
    *JOB_FAILURES.values(),
    *(value for value in vars(failures).values() if isinstance(value, FailureReason)),
    invalid_options("x", "x"),
]


@pytest.mark.parametrize("reason", ALL_REASONS, ids=range(len(ALL_REASONS)))
def test_reason_has_whole_sentences_in_both_languages(reason: FailureReason) -> None:
    assert reason.message.endswith(".")
    assert reason.next_step.endswith(".")
    assert reason.message_zh.endswith("。")
    assert reason.next_step_zh.endswith("。")
    assert any("\u4e00" <= character <= "\u9fff" for character in reason.message_zh)


@pytest.mark.parametrize("reason", ALL_REASONS, ids=range(len(ALL_REASONS)))
def test_automatic_retry_is_announced(reason: FailureReason) -> None:
    if reason.retried_automatically:
        assert reason.retryable
        assert "automatically" in reason.next_step


def test_failures_that_the_operator_can_fix_are_retried_automatically() -> None:
    retried = [
        code
        for code in EXPECTED_WORDS
        if failure_from_rejection(rejection(code)).reason.retried_automatically
    ]
    assert set(EXPECTED_WORDS) - set(retried) == {"ResourceNotFound", "InvalidArgument"}


@pytest.mark.parametrize("status", [307, 400, 404, 405, 409, 413, 416, 421, 422, 425])
@pytest.mark.parametrize("code", ["NewCode2027", "1015", ""])
def test_unknown_rejection_waits_and_keeps_code_and_message(status: int, code: str) -> None:
    failure = failure_from_rejection(rejection(code, status))
    assert (failure.code, failure.cloud_message) == (code, f"says {code}")
    assert "refused" in failure.reason.message
    assert failure.reason.retried_automatically


@pytest.mark.parametrize("status", [401, 402, 403, 451])
@pytest.mark.parametrize("code", ["NewCode2027", "UnauthorizedOperation", ""])
def test_refusal_of_the_account_or_role_is_retried_whatever_its_code(status: int, code: str) -> None:
    failure = failure_from_rejection(rejection(code, status))
    assert failure.reason.retried_automatically
    assert failure.reason.kind.value in {"settings", "account"}
    assert (failure.code, failure.cloud_message) == (code, f"says {code}")


@pytest.mark.parametrize("status", [300, 307, 400, 404, 405, 409, 421, 425])
def test_response_without_a_code_is_retried(status: int) -> None:
    assert failure_from_rejection(rejection("", status)).reason.retried_automatically


def test_failed_job_keeps_code_and_message() -> None:
    failure = failure_from_job(Job("s01", "Failed", "FailedOperation.Unlisted", "无法识别"))
    assert (failure.code, failure.cloud_message) == ("FailedOperation.Unlisted", "无法识别")
    assert not failure.reason.retryable
    assert "512 MB" in failure.reason.next_step


def test_job_without_balance_names_the_account() -> None:
    assert (
        failure_from_job(Job("s01", "Failed", "FailedOperation.UserHasNoAmount")).reason.kind
        is FailureKind.ACCOUNT
    )


def test_internal_error_is_attributed_to_the_service() -> None:
    assert failure_from_job(Job("s01", "Failed", "InternalError.Unknown")).reason.kind is FailureKind.SERVICE


@pytest.mark.parametrize("code", ["LocalCloud.EnglishOnly", "LocalCloud.NewIn2027"])
def test_limit_of_the_local_cloud_is_not_attributed_to_tencent(code: str) -> None:
    failure = failure_from_job(Job("s01", "Failed", code, "start it with --speech whisper"))
    assert (failure.code, failure.cloud_message) == (code, "start it with --speech whisper")
    reason = failure.reason
    assert reason.kind is FailureKind.SETTINGS
    assert reason.retryable
    assert not reason.retried_automatically
    assert "limit of the local cloud on this machine, not of Tencent Cloud" in reason.next_step
    assert "upload the recording again" in reason.next_step
    assert "与腾讯云无关" in reason.next_step_zh
    assert "重新上传" in reason.next_step_zh
    assert "support" not in reason.next_step
    assert "腾讯云支持" not in reason.next_step_zh


@pytest.mark.parametrize("code", ["LocalCloud", "FailedOperation.LocalCloud.X", "localcloud.EnglishOnly"])
def test_only_the_prefix_means_the_local_cloud(code: str) -> None:
    assert failure_from_job(Job("s01", "Failed", code)).reason is failures.OTHER_JOB_FAILURE


def test_cancelled_job_is_retryable() -> None:
    reason = failure_from_job(Job("s01", "Cancel", "Success", "")).reason
    assert "cancelled" in reason.message
    assert reason.retryable


def test_error_object_contains_everything_the_uploader_needs() -> None:
    body = render_error_object(RECEIPT, failure_from_rejection(rejection("QueueNotFound")))
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
        "message": "The queue in QUEUE_ID does not exist in this bucket.",
        "message_zh": "QUEUE_ID 指定的队列在该存储桶中不存在。",
        "next_step": "Correct or remove the setting QUEUE_ID; the recording is then submitted automatically, "
        "within an hour: no one has to upload it again.",
        "next_step_zh": "请更正或删除 QUEUE_ID 设置；修复后一小时内会自动提交，无需重新上传。",
        "retryable": True,
        "retried_automatically": True,
        "code": "QueueNotFound",
        "cloud_message": "says QueueNotFound",
        "request_id": "rq1",
        "job_id": "s01",
        "attempts": 2,
    }
    assert "会议" in body.decode()
    assert body.endswith(b"}\n")


def test_same_failure_gives_the_same_bytes() -> None:
    later = RECEIPT._replace(nonce="another", lease_expires_s=9e9, finished_s=9e9, outcome="failed")
    assert render_error_object(RECEIPT, Failure(NO_RESULT_IN_TIME)) == render_error_object(
        later, Failure(NO_RESULT_IN_TIME)
    )


def test_error_object_does_not_contain_the_nonce() -> None:
    assert b"private-nonce" not in render_error_object(RECEIPT, Failure(NO_RESULT_IN_TIME))


@given(key=st.text(max_size=60), message=st.text(max_size=200))
@example(key="a\ud800b", message="\udfff")
@settings(max_examples=100, deadline=None)
def test_any_key_and_message_give_valid_json(key: str, message: str) -> None:
    body = render_error_object(RECEIPT._replace(key=key), Failure(NO_RESULT_IN_TIME, cloud_message=message))
    document = json.loads(body.decode("utf-8"))
    assert document["recording"]["key"] == key.encode("utf-8", "replace").decode()
    assert document["cloud_message"] == message.encode("utf-8", "replace").decode()
