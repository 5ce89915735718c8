from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.errors import (
    AlreadyExists,
    CloudError,
    DeadlineExceeded,
    NotFound,
    OutcomeUnknown,
    QueueFull,
    RequestRejected,
    Throttled,
)
from shared.recordings.submit import MIN_LEASE_FRACTION
from shared.tencent.client import UNREADABLE_RESPONSE, Request, RetryPolicy, TencentClient
from shared.tencent.transport import TOTAL_TIMEOUT
from shared.tencent.xml import XmlError, parse_stream
from tests.helpers.fake_server import FakeServer, MakeClient

GET = Request("GET", "media-1250000000.cos.ap-chengdu.myqcloud.com", "/in/a.mp3", "media-1250000000/in/a.mp3")
SUBMIT = Request(
    "POST",
    "media-1250000000.ci.ap-chengdu.myqcloud.com",
    "/asr_jobs",
    "in/a.mp3",
    body=b"<x/>",
    retry=RetryPolicy.NON_IDEMPOTENT,
)


def error_body(code: str, *, resource: bool = True) -> bytes:
    node = "<Resource>r</Resource>" if resource else ""
    return f"<Error><Code>{code}</Code><Message>m</Message>{node}<RequestId>rq1</RequestId></Error>".encode()


def test_ci_request_signs_token_under_both_names(make_client: MakeClient, server: FakeServer) -> None:
    make_client(token="tok").send(SUBMIT)
    headers = server.last_request.headers
    assert headers["x-cos-security-token"] == headers["x-ci-security-token"] == "tok"
    assert (
        "q-header-list=content-length;host;x-ci-security-token;x-cos-security-token&"
        in headers["authorization"]
    )


def test_cos_request_sends_its_own_token_header(make_client: MakeClient, server: FakeServer) -> None:
    make_client(token="tok").send(GET)
    assert server.last_request.headers["x-cos-security-token"] == "tok"
    assert "x-ci-security-token" not in server.last_request.headers


def test_signature_is_valid_before_now(client: TencentClient, server: FakeServer) -> None:
    client.send(GET)
    assert "q-sign-time=1699999700;1700000900&" in server.last_request.headers["authorization"]


def test_endpoint_receives_the_real_host(make_client: MakeClient, server: FakeServer) -> None:
    make_client(endpoint="http://127.0.0.1:9").send(GET)
    assert str(server.last_request.url) == "http://127.0.0.1:9"
    assert server.last_target == "/in/a.mp3"
    assert server.last_request.headers["host"] == GET.host


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("a b+c", "/a%20b%2Bc"),
        ("a%2Fb", "/a%252Fb"),
        ("../x", "/..%2Fx"),
        ("/lead", "//lead"),
        ("a/./b", "/a/.%2Fb"),
        ("会", "/%E4%BC%9A"),
        ("a\nb&<>'\"", "/a%0Ab%26%3C%3E%27%22"),
    ],
)
def test_unusual_keys_are_encoded_once(
    client: TencentClient, server: FakeServer, key: str, target: str
) -> None:
    client.send(Request("GET", GET.host, "/" + key, key))
    assert server.last_target == target


@pytest.mark.parametrize(
    ("status", "code", "kind", "helps"),
    [
        (403, "AccessDenied", RequestRejected, False),
        (401, "InvalidAuthorization", RequestRejected, False),
        (400, "ResourceNotFound", RequestRejected, False),
        (404, "NoSuchKey", NotFound, False),
        (409, "FileAlreadyExists", AlreadyExists, False),
        (301, "PermanentRedirect", RequestRejected, False),
        (429, "", Throttled, True),
        (503, "SlowDown", Throttled, True),
        (400, "SlowDown", Throttled, True),
        (403, "AsrQueueFull", QueueFull, True),
        (500, "InternalError", OutcomeUnknown, True),
        (502, "", OutcomeUnknown, True),
    ],
)
def test_error_response_has_its_class(
    client: TencentClient, server: FakeServer, status: int, code: str, kind: type[CloudError], helps: bool
) -> None:
    server.replies = [httpx.Response(status, content=error_body(code))]
    with pytest.raises(CloudError) as caught:
        client.send(GET)
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.message, error.request_id) == (status, code, "m", "rq1")
    assert error.resource == GET.resource
    assert error.retryable is helps


def test_ci_error_without_resource_has_its_code(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(400, content=error_body("AsrBucketUnBinded", resource=False))]
    with pytest.raises(RequestRejected) as caught:
        client.send(SUBMIT)
    assert caught.value.code == "AsrBucketUnBinded"


def test_error_without_body_has_request_id_from_header(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(404, headers={"x-cos-request-id": "hdr"})]
    with pytest.raises(NotFound) as caught:
        client.send(GET)
    assert caught.value.request_id == "hdr"


def test_throttled_read_is_retried_with_backoff(client: TencentClient, server: FakeServer) -> None:
    slow_down = httpx.Response(503, content=error_body("SlowDown"))
    server.replies = [slow_down, slow_down, httpx.Response(200)]
    assert client.send(GET).status == 200
    assert len(server.requests) == 3
    assert server.pauses == sorted(server.pauses)
    assert 0.2 < server.pauses[0] < server.pauses[1] < 2


def test_submit_is_never_retried(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.ReadTimeout("slow")]
    with pytest.raises(OutcomeUnknown):
        client.send(SUBMIT)
    assert len(server.requests) == 1


def test_failed_connection_is_throttled_not_unknown(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.ConnectError("refused")]
    with pytest.raises(Throttled) as caught:
        client.send(SUBMIT)
    assert caught.value.code == "NoConnection"


def test_rejected_request_is_not_retried(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(403, content=error_body("AccessDenied"))]
    with pytest.raises(RequestRejected):
        client.send(GET)
    assert len(server.requests) == 1


def test_no_request_starts_near_the_deadline(client: TencentClient, server: FakeServer) -> None:
    server.remaining_s = 0.4
    with pytest.raises(DeadlineExceeded):
        client.send(GET)
    assert not server.requests


def test_request_timeout_is_the_remaining_time(client: TencentClient, server: FakeServer) -> None:
    server.remaining_s = 2.5
    client.send(GET)
    assert server.last_request.extensions[TOTAL_TIMEOUT] == 2.5


def test_submit_ends_before_the_lease_expires(client: TencentClient, server: FakeServer) -> None:
    server.remaining_s = 600.0
    client.send(SUBMIT)
    assert server.last_request.extensions[TOTAL_TIMEOUT] < MIN_LEASE_FRACTION * 120.0


def test_invalid_request_is_rejected_at_once(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.LocalProtocolError("its headers hold what HTTP cannot carry")]
    with pytest.raises(RequestRejected, match="CannotBeSent"):
        client.send(GET)
    assert len(server.requests) == 1


def test_gateway_timeout_is_retried(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(408), httpx.Response(200)]
    client.send(GET)
    assert len(server.requests) == 2


def test_long_error_body_is_not_read_to_its_end(client: TencentClient, server: FakeServer) -> None:
    pieces_read = []

    def send_pieces() -> Iterator[bytes]:
        yield error_body("AccessDenied").ljust(60_000)
        for number in range(100):
            pieces_read.append(number)
            yield b" " * 10_000

    class LongBody(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            return send_pieces()

    server.replies = [httpx.Response(403, stream=LongBody())]
    with pytest.raises(RequestRejected) as caught:
        client.send(GET)
    assert (caught.value.code, len(pieces_read)) == ("AccessDenied", 1)


def test_entity_bomb_in_error_body_is_not_expanded(client: TencentClient, server: FakeServer) -> None:
    bomb = b'<!DOCTYPE b [<!ENTITY a "aaaa">]><Error><Code>&a;&a;</Code></Error>'
    server.replies = [httpx.Response(400, content=bomb)]
    with pytest.raises(RequestRejected) as caught:
        client.send(GET)
    assert caught.value.code == ""


class CutOff(httpx.SyncByteStream):
    """A body that breaks off."""

    is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield b"<Response>"
        raise httpx.ReadError("closed")

    def close(self) -> None:
        self.is_closed = True


def parse_xml(pieces: Iterator[bytes]) -> Any:
    return parse_stream(pieces, {})


def test_streamed_response_is_parsed_from_the_start_again(client: TencentClient, server: FakeServer) -> None:
    server.replies = [
        httpx.Response(200, stream=CutOff()),
        httpx.Response(200, text="<Response>ok</Response>"),
    ]
    assert client.stream(GET, parse_xml) == {"Response": "ok"}


def test_streamed_response_that_breaks_off_is_unknown(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(200, stream=CutOff())]
    with pytest.raises(OutcomeUnknown) as caught:
        client.stream(GET, parse_xml)
    assert (caught.value.code, len(server.requests)) == ("NoAnswer", 3)


def test_unreadable_response_is_unknown_and_not_retried(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(200, text="<Response>", headers={"x-ci-request-id": "rq2"})]
    with pytest.raises(OutcomeUnknown) as caught:
        client.stream(GET, parse_xml)
    assert (caught.value.code, caught.value.status, caught.value.request_id) == (
        UNREADABLE_RESPONSE,
        200,
        "rq2",
    )
    assert len(server.requests) == 1


def test_response_is_closed_if_its_parser_fails(client: TencentClient, server: FakeServer) -> None:
    body = CutOff()
    server.replies = [httpx.Response(200, stream=body)]

    def fail(_: Iterator[bytes]) -> None:
        raise XmlError("no")

    with pytest.raises(OutcomeUnknown):
        client.stream(GET, fail)
    assert body.is_closed


def test_redirect_is_rejected_and_not_followed(client: TencentClient, server: FakeServer) -> None:
    server.replies = [
        httpx.Response(302, headers={"Location": "http://127.0.0.1:9/x"}, content=error_body("Moved")),
        httpx.Response(200),
    ]
    with pytest.raises(RequestRejected):
        client.send(GET)
    assert len(server.requests) == 1


def test_error_of_a_streamed_request_is_mapped(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.Response(404, content=error_body("NoSuchKey"))]
    with pytest.raises(NotFound) as caught:
        client.stream(GET, parse_xml)
    assert caught.value.message == "m"


def test_response_that_is_not_http_is_not_quoted(client: TencentClient, server: FakeServer) -> None:
    server.replies = [httpx.RemoteProtocolError("illegal header line: b'we agreed on Monday'")]
    with pytest.raises(OutcomeUnknown, match="not HTTP") as caught:
        client.send(GET)
    assert "Monday" not in str(caught.value)
