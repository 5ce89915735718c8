"""Webhooks as the official library of Standard Webhooks verifies them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from shared.notices.connection import create_notice_client
from shared.notices.models import (
    ERROR_MEMBERS,
    MAX_ERROR_TEXT_LENGTH,
    NoticeResponse,
    NoticeType,
    OutcomeKind,
)
from shared.notices.outcomes import MAX_RETRY_AFTER_S, parse_retry_after
from shared.notices.sender import send_notices
from shared.notices.webhook import (
    MAX_BODY_BYTES,
    build_body,
    build_request,
    parse_secret,
    read_outcome,
)
from tests.helpers.notices import (
    NOW_S,
    OK,
    OTHER_SECRET,
    SECRET,
    build_failed_notice,
    build_notice,
    build_target,
    run_receiver,
)


def test_official_library_accepts_what_is_received() -> None:
    with run_receiver(lambda connection: connection.sendall(OK)) as receiver:
        target = build_target(url=f"http://127.0.0.1:{receiver.port}/")
        client = create_notice_client(allows_loopback=True)
        assert send_notices(client, target, [build_notice()], time.time()).kind is OutcomeKind.DELIVERED
        (request,) = receiver.requests
        document = Webhook(SECRET).verify(request.body, request.headers)
        assert document["type"] == "transcript.done"
        assert document["timestamp"] == "2027-01-15T08:00:00.000Z"
        assert document["data"]["recording"]["key"] == "calls/会议.mp3"
        with pytest.raises(WebhookVerificationError):
            Webhook(OTHER_SECRET).verify(request.body, request.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(request.body + b" ", request.headers)


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
def test_each_secret_verifies_while_they_are_rotated(secret: str) -> None:
    request = build_request(build_target(secrets=(SECRET, OTHER_SECRET)), build_notice(), time.time())
    assert request.headers["webhook-signature"].count("v1,") == 2
    assert Webhook(secret).verify(request.body, dict(request.headers))


def test_retry_differs_in_its_timestamp_and_signature_only() -> None:
    first, second = (build_request(build_target(), build_notice(), NOW_S + delay_s) for delay_s in (0, 3600))
    assert first.body == second.body
    changed = {name for name in first.headers if first.headers[name] != second.headers[name]}
    assert changed == {"webhook-timestamp", "webhook-signature"}
    assert first.headers["webhook-timestamp"] == str(int(NOW_S))


def test_done_notice_says_what_was_written_and_how_long_it_is() -> None:
    data = json.loads(build_body(build_notice()))["data"]
    assert data == {
        "recording": {
            "bucket": "media-1250000000",
            "region": "ap-chengdu",
            "key": "calls/会议.mp3",
            "etag": "9a0364b9e99bb480dd25e1f0284c8555",
            "size": 482113,
        },
        "job_id": "s1",
        "output_bucket": "media-1250000000",
        "keys": ["transcripts/calls/会议.mp3.json", "transcripts/calls/会议.mp3.txt"],
        "duration_ms": 3_723_400,
        "words": 12_345,
        "speakers": 2,
    }


def test_failed_notice_has_the_members_of_the_error_object() -> None:
    document = json.loads(build_body(build_failed_notice()))
    assert document["type"] == "transcript.failed"
    assert document["data"]["error"]["next_step_zh"] == "请检查上传过程并重新上传。"
    assert "words" not in document["data"]


def test_test_notice_is_a_webhook_too() -> None:
    document = json.loads(build_body(build_notice(type=NoticeType.TEST)))
    assert document["type"] == "notice.test"


@given(st.text(min_size=1, max_size=850), st.text(max_size=500), st.integers(0, 9))
def test_body_is_small_and_is_json_for_any_name(key: str, text: str, formats: int) -> None:
    keys = tuple(f"transcripts/{key}.{number}" for number in range(formats))
    notice = build_failed_notice(key=key, output_keys=keys, error={"message": text, "cloud_message": text})
    body = build_body(notice)
    data = json.loads(body)["data"]
    assert len(body) <= MAX_BODY_BYTES
    assert len(data["keys"]) + data.get("keys_left_out", 0) == formats


def test_body_that_would_be_too_long_says_how_many_keys_it_leaves_out() -> None:
    key = "\x01" * 850  # six bytes each in JSON
    notice = build_notice(key=key, output_keys=tuple(f"{key}.{number}" for number in range(9)))
    data = json.loads(build_body(notice))["data"]
    assert 0 < data["keys_left_out"] < 9


@pytest.mark.parametrize("text", ["\x01" * MAX_ERROR_TEXT_LENGTH, "失" * MAX_ERROR_TEXT_LENGTH])
def test_body_with_the_longest_error_is_cut(text: str) -> None:
    key = "\x01" * 850
    error = {**dict.fromkeys(ERROR_MEMBERS, text), "attempts": 3, "retryable": False}
    notice = build_failed_notice(key=key, output_keys=(key,), error=error)
    body = build_body(notice)
    assert len(body) <= MAX_BODY_BYTES
    data = json.loads(body)["data"]
    assert data["recording"]["key"] == key
    assert data["error"].keys() == error.keys()
    assert (data["error"]["attempts"], data["error"]["retryable"]) == (3, False)
    assert all(text.startswith(data["error"][name]) for name in ("message", "next_step"))
    assert len(data["error"]["message"]) >= MAX_ERROR_TEXT_LENGTH / 4


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, OutcomeKind.DELIVERED) for status in (200, 201, 202, 204, 299)),
        *((status, OutcomeKind.FAILED) for status in (301, 307, 400, 401, 403, 404, 422, 500, 503)),
        (410, OutcomeKind.GONE),
        (429, OutcomeKind.RATE_LIMITED),
    ],
)
def test_status_decides(status: int, kind: OutcomeKind) -> None:
    assert read_outcome(build_target(), NoticeResponse(status), NOW_S).kind is kind


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retry_after_is_kept(status: int) -> None:
    outcome = read_outcome(build_target(), NoticeResponse(status, "120"), NOW_S)
    assert (outcome.kind, outcome.retry_after_s) == (OutcomeKind.RATE_LIMITED, 120.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("99999999999", MAX_RETRY_AFTER_S),
        ("-5", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("²", 0.0),
        ("nan", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert parse_retry_after(text, NOW_S) == seconds


@pytest.mark.parametrize("size", [24, 32, 64])
def test_secret_of_the_documented_size_is_accepted(size: int) -> None:
    secret = bytes(range(size))
    encoded = base64.b64encode(secret).decode()
    assert parse_secret(f"whsec_{encoded}") == secret
    assert parse_secret(f"whsec_{encoded.rstrip('=')}") == secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        base64.b64encode(bytes(32)).decode(),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_not base64 but long enough to be one",
        "whsec_" + "é" * 40,
    ],
)
def test_other_secret_is_refused(text: str) -> None:
    assert parse_secret(text) is None


def test_nothing_of_a_response_is_quoted() -> None:
    response: Any = NoticeResponse(500, "", b"very secret")
    assert "secret" not in read_outcome(build_target(), response, NOW_S).reason


def test_notice_that_cannot_be_built_has_failed_and_raises_nothing() -> None:
    client = create_notice_client()
    outcome = send_notices(client, build_target(), [build_notice(time_s=1e300)], NOW_S)
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.reason in {
        "the message cannot be built: " + name for name in ("OverflowError", "ValueError")
    }
