"""One attempt against real sockets: a target that hangs, drips, redirects or answers too much holds up nothing."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import httpx
import pytest

from shared.notices.connection import (
    MAX_RESPONSE_BYTES,
    create_notice_client,
    get_notice_client,
    post,
)
from shared.notices.models import NoticeRequest, OutcomeKind, TargetKind
from shared.notices.sender import create_sender, send_notices
from tests.helpers.notices import (
    NOW_S,
    OK,
    FixedResolver,
    Receiver,
    build_notice,
    build_target,
    run_receiver,
)

Reply = Callable[[socket.socket], object]
TIMEOUT_S = 0.5


def reply_with(response: bytes) -> Reply:
    return lambda connection: connection.sendall(response)


def drip_head(connection: socket.socket) -> None:
    drip(connection, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 1000)


def drip_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    drip(connection, b"a" * 1000)


def drip(connection: socket.socket, content: bytes) -> None:
    for byte in content:
        connection.sendall(bytes((byte,)))
        time.sleep(0.02)


def hang(connection: socket.socket) -> None:
    connection.recv(1)  # until the other side closes


def send(
    receiver: Receiver, kind: TargetKind = TargetKind.WEBHOOK, timeout_s: float = TIMEOUT_S
) -> tuple[str, str]:
    target = build_target(kind, url=f"http://127.0.0.1:{receiver.port}/hook?a=b")
    client = create_notice_client(allows_loopback=True)
    outcome = send_notices(client, target, [build_notice()], NOW_S, timeout_s=timeout_s)
    return outcome.kind.value, outcome.reason


@pytest.mark.parametrize("reply", [hang, drip_head], ids=["hangs", "drips"])
def test_attempt_ends_at_its_time_limit(reply: Reply) -> None:
    with run_receiver(reply) as receiver:
        start_s = time.monotonic()
        assert send(receiver)[0] == "failed"
        assert time.monotonic() - start_s < TIMEOUT_S + 1


def test_robot_that_drips_its_answer_ends_at_the_time_limit() -> None:
    with run_receiver(drip_body) as receiver:
        start_s = time.monotonic()
        kind, reason = send(receiver, TargetKind.WECOM)
        assert kind == "failed"
        assert "too slow" in reason
        assert time.monotonic() - start_s < TIMEOUT_S + 1


def test_body_of_a_webhook_response_is_not_waited_for() -> None:
    with run_receiver(drip_body) as receiver:
        start_s = time.monotonic()
        assert send(receiver, timeout_s=10.0)[0] == "delivered"
        assert time.monotonic() - start_s < 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(status: int) -> None:
    with run_receiver(reply_with(OK)) as other:
        location = f"Location: http://127.0.0.1:{other.port}/\r\n"
        response = f"HTTP/1.1 {status} Moved\r\n{location}Content-Length: 0\r\n\r\n".encode()
        with run_receiver(reply_with(response)) as receiver:
            kind, reason = send(receiver)
            assert kind == "failed"
            assert "redirect" in reason
            assert len(receiver.requests) == 1
        assert other.accepted == 0


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",  # Python's own http.server
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=["1.0", "close", "204", "chunked"],
)
def test_receiver_that_does_not_say_how_long_its_answer_is_counts(response: bytes) -> None:
    with run_receiver(reply_with(response)) as receiver:
        assert send(receiver)[0] == "delivered"


@pytest.mark.parametrize("response", [b"", b"hello\r\n\r\n", b"HTTP/1.1 200"], ids=["none", "text", "half"])
def test_answer_that_is_not_http_is_a_failure(response: bytes) -> None:
    with run_receiver(reply_with(response)) as receiver:
        assert send(receiver)[0] == "failed"


def test_long_answer_is_read_to_the_limit_only() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"a" * 20_000
    with run_receiver(reply_with(endless)) as receiver:
        client = create_notice_client(allows_loopback=True)
        request = NoticeRequest(f"http://127.0.0.1:{receiver.port}", {}, b"{}")
        response = post(client, request, timeout_s=5.0)
        assert response.body == b"a" * MAX_RESPONSE_BYTES


def test_request_is_sent_as_it_was_built() -> None:
    with run_receiver(reply_with(OK)) as receiver:
        send(receiver)
        (request,) = receiver.requests
        assert request.line == "POST /hook?a=b HTTP/1.1"
        assert request.headers["connection"] == "close"
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers


def test_refused_connection_is_a_failure_with_a_reason() -> None:
    with run_receiver(reply_with(OK)) as receiver:
        port = receiver.port
    client = create_notice_client(allows_loopback=True)
    target = build_target(url=f"http://127.0.0.1:{port}/very-secret-path")
    outcome = send_notices(client, target, [build_notice()], NOW_S)
    assert outcome.kind is OutcomeKind.FAILED
    assert "refused" in outcome.reason
    assert "very-secret-path" not in outcome.reason


def test_address_that_http_cannot_carry_is_a_failure() -> None:
    client = create_notice_client(resolver=FixedResolver(["8.8.8.8"]))
    target = build_target(url="https://hooks.example.com:99999/")
    assert send_notices(client, target, [build_notice()], NOW_S).kind is OutcomeKind.FAILED


def test_created_sender_allows_loopback_only_if_asked() -> None:
    with run_receiver(reply_with(OK)) as receiver:
        target = build_target(url=f"http://127.0.0.1:{receiver.port}/")
        kinds = [
            create_sender(allows_loopback=allows)(target, [build_notice()], NOW_S, TIMEOUT_S).kind
            for allows in (True, False)
        ]
        assert kinds == [OutcomeKind.DELIVERED, OutcomeKind.FAILED]
        assert receiver.accepted == 1


def test_process_has_one_client_for_each_rule() -> None:
    assert get_notice_client() is get_notice_client()
    assert get_notice_client() is not get_notice_client(allows_loopback=True)
    assert isinstance(get_notice_client(), httpx.Client)
