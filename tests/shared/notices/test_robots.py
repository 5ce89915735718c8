"""Each robot's form, signature, limits and answers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.notices import dingtalk, feishu, wecom
from shared.notices.connection import create_notice_client
from shared.notices.models import NoticeResponse, Outcome, OutcomeKind, Target, TargetKind
from shared.notices.sender import build_request, read_outcome, send_notices
from tests.helpers.notices import (
    NOW_S,
    ROBOT_SECRET,
    ROBOTS,
    ReceivedRequest,
    build_failed_notice,
    build_notice,
    build_target,
    run_receiver,
)

SUCCESSES = {
    TargetKind.WECOM: {"errcode": 0, "errmsg": "ok"},
    TargetKind.FEISHU: {"code": 0, "msg": "success", "StatusCode": 0, "StatusMessage": "success"},
    TargetKind.DINGTALK: {"errcode": 0, "errmsg": "ok"},
}
MAX_BODY_BYTES = {
    TargetKind.WECOM: 2 * wecom.MAX_CONTENT_BYTES + 200,  # the limit is that of the content
    TargetKind.FEISHU: feishu.MAX_BODY_BYTES,
    TargetKind.DINGTALK: dingtalk.MAX_BODY_BYTES,
}


def answer(document: Any, status: int = 200, retry_after: str = "") -> NoticeResponse:
    return NoticeResponse(status, retry_after, json.dumps(document).encode())


def read(kind: TargetKind, response: NoticeResponse) -> Outcome:
    return read_outcome(build_target(kind), response, NOW_S)


def receive(target: Target) -> tuple[ReceivedRequest, Outcome]:
    """Send a notice to a receiver that answers like the robot, and return what it received."""
    body = json.dumps(SUCCESSES[target.kind]).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with run_receiver(lambda connection: connection.sendall(head + body)) as receiver:
        path = urlsplit(target.url)
        local = build_target(
            target.kind, url=f"http://127.0.0.1:{receiver.port}{path.path}?{path.query}".rstrip("?")
        )
        client = create_notice_client(allows_loopback=True)
        outcome = send_notices(client, local, [build_failed_notice()], time.time())
        return receiver.requests[0], outcome


def test_signatures_equal_the_known_values() -> None:
    assert feishu.sign("demo-secret", "1700000000") == "mYHw2R2SOm8Rw/sne3lQdmz4sOfntKR+1P/8RKKTwmA="
    assert dingtalk.sign("demo-secret", "1700000000000") == "mSUvvxbX7ba307ODWOhHpJmbw3QdiJvvLe0lcElsApI%3D"


def test_wecom_receives_markdown_with_its_key() -> None:
    request, outcome = receive(build_target(TargetKind.WECOM))
    assert outcome.kind is OutcomeKind.DELIVERED
    assert request.line == "POST /cgi-bin/webhook/send?key=11111111-2222-3333 HTTP/1.1"
    document = json.loads(request.body)
    assert document["msgtype"] == "markdown"
    content = document["markdown"]["content"]
    assert content.startswith("**Scribe：转写失败**\n录音：calls/会议.mp3\n")
    assert "处理办法：请检查上传过程并重新上传。" in content


def test_feishu_receives_a_signed_card_with_plain_text() -> None:
    request, outcome = receive(build_target(TargetKind.FEISHU))
    assert outcome.kind is OutcomeKind.DELIVERED
    document = json.loads(request.body)
    # As the document describes it: HMAC-SHA256 with "<timestamp>\n<secret>" as the key, of no content.
    key = f"{document['timestamp']}\n{ROBOT_SECRET}".encode()
    assert base64.b64decode(document["sign"]) == hmac.new(key, digestmod=hashlib.sha256).digest()
    assert abs(int(document["timestamp"]) - time.time()) < 60
    assert document["msg_type"] == "interactive"
    card = document["card"]
    assert card["header"]["title"] == {"tag": "plain_text", "content": "Scribe：转写失败"}
    assert card["header"]["template"] == "red"
    assert card["elements"][0]["text"]["tag"] == "plain_text"
    assert "原因：录音文件为空（0 字节）。" in card["elements"][0]["text"]["content"]


def test_dingtalk_receives_signed_markdown_that_mentions_no_one() -> None:
    request, outcome = receive(build_target(TargetKind.DINGTALK))
    assert outcome.kind is OutcomeKind.DELIVERED
    query = parse_qs(urlsplit(request.line.split()[1]).query)
    assert query["access_token"] == ["7777777788888888"]
    (timestamp,) = query["timestamp"]
    # As the document describes it: HMAC-SHA256 with the secret as the key, of "<timestamp>\n<secret>".
    expected = hmac.new(ROBOT_SECRET.encode(), f"{timestamp}\n{ROBOT_SECRET}".encode(), hashlib.sha256)
    assert base64.b64decode(query["sign"][0]) == expected.digest()
    assert abs(int(timestamp) / 1000 - time.time()) < 60
    document = json.loads(request.body)
    assert document["msgtype"] == "markdown"
    assert document["markdown"]["title"] == "Scribe：转写失败"
    assert document["at"] == {"isAtAll": False}


@pytest.mark.parametrize("kind", [TargetKind.FEISHU, TargetKind.DINGTALK])
def test_robot_without_a_secret_is_not_signed(kind: TargetKind) -> None:
    target = build_target(kind, secrets=())
    request = build_request(target, [build_notice()], NOW_S)
    assert request.url == target.url
    assert b"sign" not in request.body


@pytest.mark.parametrize("kind", ROBOTS)
@pytest.mark.parametrize("name", ['"' * 800, "\\" * 800, "会" * 280, "<" * 800, "\x01" * 800, "😀" * 200])
def test_digest_and_message_fit_whatever_the_names_are(kind: TargetKind, name: str) -> None:
    error = dict.fromkeys(("message_zh", "next_step_zh", "code"), name)
    for count in (1, 500):
        notices = [build_failed_notice(key=name, error=error)] * count
        request = build_request(build_target(kind), notices, NOW_S)
        assert len(request.body) <= MAX_BODY_BYTES[kind]
        document = json.loads(request.body)
        if kind is TargetKind.WECOM:
            content = document["markdown"]["content"]
            assert len(content.encode()) <= 4096
            assert "�" not in content


@pytest.mark.parametrize("kind", ROBOTS)
def test_several_notices_become_one_message(kind: TargetKind) -> None:
    notices = [build_notice(key=f"{number}.mp3") for number in range(30)]
    body = build_request(build_target(kind), notices, NOW_S).body.decode()
    assert "30 条录音" in body
    assert "- 29.mp3" in body


def test_hostile_name_mentions_no_one_in_any_robot() -> None:
    name = "<@all> @所有人 <at id=all></at> [a](https://evil.example/x).mp3"
    for kind in (TargetKind.WECOM, TargetKind.DINGTALK):
        body = build_request(build_target(kind), [build_notice(key=name)], NOW_S).body.decode()
        assert not {"<", "[", "@"} & set(json.loads(body)["markdown"].popitem()[1])
        assert "://evil" not in body
    card = json.loads(build_request(build_target(TargetKind.FEISHU), [build_notice(key=name)], NOW_S).body)
    assert json.dumps(card).count("lark_md") == 0  # plain text has no markup


@pytest.mark.parametrize("kind", ROBOTS)
def test_success_is_read_from_the_body(kind: TargetKind) -> None:
    assert read(kind, answer(SUCCESSES[kind])).kind is OutcomeKind.DELIVERED


def test_old_form_of_feishu_is_a_success_too() -> None:
    assert read(TargetKind.FEISHU, answer({"StatusCode": 0})).kind is OutcomeKind.DELIVERED


@pytest.mark.parametrize(
    ("kind", "document", "status", "pause_s"),
    [
        (TargetKind.WECOM, {"errcode": 45009, "errmsg": "api freq out of limit"}, 200, 60),
        (TargetKind.FEISHU, {"code": 9499, "msg": "too many request"}, 400, 60),
        (TargetKind.FEISHU, {"code": 11232, "msg": "frequency limited"}, 200, 60),
        (TargetKind.DINGTALK, {"errcode": 130101, "errmsg": "send too fast"}, 200, 600),
        (TargetKind.DINGTALK, {"errcode": "410100", "errmsg": "too fast"}, 200, 600),
    ],
)
def test_message_above_the_limit_is_sent_again_later(
    kind: TargetKind, document: dict[str, Any], status: int, pause_s: float
) -> None:
    outcome = read(kind, answer(document, status))
    assert (outcome.kind, outcome.retry_after_s) == (OutcomeKind.RATE_LIMITED, pause_s)


def test_longer_pause_that_a_robot_asks_for_is_kept() -> None:
    response = answer({"errcode": 45009, "errmsg": "slow down"}, retry_after="300")
    assert read(TargetKind.WECOM, response).retry_after_s == 300


@pytest.mark.parametrize(
    ("kind", "document", "hint"),
    [
        (TargetKind.WECOM, {"errcode": 93000, "errmsg": "invalid webhook url"}, "does not exist"),
        (TargetKind.FEISHU, {"code": 19021, "msg": "sign match fail"}, "signature"),
        (TargetKind.FEISHU, {"code": 19024, "msg": "Key Words Not Found"}, "keyword Scribe"),
        (TargetKind.FEISHU, {"code": 9499, "msg": "Bad Request"}, "Bad Request"),
        (TargetKind.DINGTALK, {"errcode": 310000, "errmsg": "sign not match"}, "security page"),
        (TargetKind.DINGTALK, {"errcode": -1, "errmsg": "system busy"}, "system busy"),
    ],
)
def test_refusal_with_status_200_is_a_failure_with_a_hint(
    kind: TargetKind, document: dict[str, Any], hint: str
) -> None:
    outcome = read(kind, answer(document))
    assert outcome.kind is OutcomeKind.FAILED
    assert hint in outcome.reason


@pytest.mark.parametrize("kind", ROBOTS)
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"ok", b"[]", b"{}", b"null", b"[" * 4000, b"\xff"),
        *(
            b'{"errcode": null}',
            b'{"code": false}',
            b'{"errcode": false}',
            b'{"code": [0]}',
            b'{"errcode": ""}',
        ),
    ],
)
def test_answer_of_another_form_is_no_success(kind: TargetKind, body: bytes) -> None:
    assert read(kind, NoticeResponse(200, "", body)).kind is OutcomeKind.FAILED


@pytest.mark.parametrize("kind", ROBOTS)
def test_status_counts_if_it_is_no_success(kind: TargetKind) -> None:
    assert read(kind, NoticeResponse(502)).kind is OutcomeKind.FAILED
    assert read(kind, answer(SUCCESSES[kind], 500)).kind is OutcomeKind.FAILED
    assert read(kind, NoticeResponse(302)).kind is OutcomeKind.FAILED
    assert read(kind, NoticeResponse(410)).kind is OutcomeKind.GONE
    limited = read(kind, NoticeResponse(429, "30"))
    assert (limited.kind, limited.retry_after_s) == (OutcomeKind.RATE_LIMITED, 30)
    unclear = read(kind, NoticeResponse(429))
    pause_s = 600 if kind is TargetKind.DINGTALK else 60
    assert (unclear.kind, unclear.retry_after_s) == (OutcomeKind.RATE_LIMITED, pause_s)


@pytest.mark.parametrize("kind", ROBOTS)
def test_reason_has_no_secret_and_is_one_line(kind: TargetKind) -> None:
    target = build_target(kind)
    echo = (
        f"{target.url}\n{ROBOT_SECRET} key=11111111-2222-3333 44444444-5555-6666 7777777788888888" + "x" * 999
    )
    document = {"errcode": 1, "code": 1, "errmsg": echo, "msg": echo}
    reason = read(kind, answer(document)).reason
    secrets = [
        *target.secrets,
        {"wecom": "1111-2222", "feishu": "4444-5555", "dingtalk": "77778888"}[kind.value],
    ]
    assert all(secret not in reason for secret in secrets)
    assert "\n" not in reason
    assert len(reason) <= 300
