"""The transport against real sockets, whose other end is in the test."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.tencent import transport
from shared.tencent.transport import (
    MAX_IDLE_S,
    Transport,
    build_request,
    get_process_client,
    get_tls_context,
    iterate_body,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEADERS_END = b"\r\n\r\n"
PATIENCE_SECONDS = 20
LIMITS = {"connect_timeout_s": 5.0, "read_timeout_s": 5.0, "total_timeout_s": 5.0}
# What TencentClient maps to OutcomeUnknown and to RequestRejected.
UNKNOWN = (httpx.TimeoutException, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
REFUSED = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)


def send(client: httpx.Client, *request: Any, **limits: float) -> httpx.Response:
    """Send as TencentClient does; the response has its raw body as `content`."""
    response = client.send(build_request(*request, **limits), stream=True)
    try:
        body = b"".join(iterate_body(response))
    finally:
        response.close()
    return httpx.Response(response.status_code, headers=response.headers.raw, content=body)


@dataclass
class Service:
    """The other side, which answers when the test says so. `send` sends from a thread, as a function would."""

    listener: socket.socket
    threads: ThreadPoolExecutor
    seconds: float = 1_700_000_000.0
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(transport=Transport(now=lambda: self.seconds), trust_env=False)
        self.listener.settimeout(PATIENCE_SECONDS)

    def send(
        self,
        method: str = "GET",
        body: bytes = b"",
        read_timeout_s: float = PATIENCE_SECONDS,
        total_timeout_s: float = PATIENCE_SECONDS,
        scheme: str = "http",
        target: str = "/a%20b",
        **headers: str,
    ) -> Future[httpx.Response]:
        length = {"Content-Length": str(len(body))} if body else {}
        origin = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"
        return self.threads.submit(
            send,
            self.client,
            method,
            origin,
            target,
            {"Host": "h", **length, **headers},
            body,
            connect_timeout_s=5.0,
            read_timeout_s=read_timeout_s,
            total_timeout_s=total_timeout_s,
        )

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE_SECONDS)
        return connection


@pytest.fixture
def service() -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(4) as threads:
        service = Service(listener, threads)
        yield service
        service.client.close()


def head_of(connection: socket.socket) -> bytes:
    """What came, up to the end of the headers at least."""
    received = b""
    while HEADERS_END not in received:
        received += connection.recv(65536)
    return received


def result(future: Future[httpx.Response]) -> httpx.Response:
    return future.result(timeout=PATIENCE_SECONDS)


def test_what_is_sent_is_the_request_and_nothing_that_was_not_signed(service: Service) -> None:
    sent = service.send("PUT", b"body")
    with service.accept() as connection:
        received = b""
        while not received.endswith(b"body"):
            received += connection.recv(65536)
        connection.sendall(OK)
        response = result(sent)
        assert (response.status_code, response.headers.raw, response.content) == (
            200,
            [(b"Content-Length", b"2")],
            b"ok",
        )
    assert received == b"PUT /a%20b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"


def test_the_next_request_goes_over_the_same_connection(service: Service) -> None:
    sent = service.send()
    with service.accept() as connection:
        for _ in range(3):
            head_of(connection)
            connection.sendall(OK)
            assert result(sent).content == b"ok"
            sent = service.send()
        head_of(connection)
        connection.sendall(OK)
        result(sent)


def test_one_that_was_closed_while_the_function_stood_frozen_is_not_used_again(service: Service) -> None:
    for _ in range(2):
        sent = service.send("POST", b"a job that is submitted once")
        with service.accept() as connection:
            head_of(connection)
            connection.sendall(OK)
            result(sent)


def test_one_that_was_idle_for_long_is_not_used_again_and_closed(service: Service) -> None:
    sent = service.send()
    with service.accept() as old:
        head_of(old)
        old.sendall(OK)
        result(sent)
        service.seconds += MAX_IDLE_S + 1
        sent = service.send()
        with service.accept() as new:
            head_of(new)
            new.sendall(OK)
            result(sent)
        assert old.recv(1) == b""


def test_an_answer_that_was_the_last_is_followed_by_a_new_connection(service: Service) -> None:
    for last in (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold",
    ):
        sent = service.send()
        with service.accept() as connection:
            head_of(connection)
            connection.sendall(last)
        assert result(sent).content == last.partition(HEADERS_END)[2]


def test_requests_at_the_same_time_have_a_connection_each(service: Service) -> None:
    sent = [service.send() for _ in range(3)]
    accepted = [service.accept() for _ in sent]
    for connection in accepted:
        head_of(connection)
        connection.sendall(OK)
    assert [result(one).content for one in sent] == [b"ok"] * 3
    for connection in accepted:
        connection.close()


@pytest.mark.parametrize(
    ("method", "answer", "body"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b""),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            b"abcde",
        ),
        ("PUT", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        ("POST", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK, b"ok"),
    ],
)
def test_every_kind_of_answer_is_read_to_its_end(
    service: Service, method: str, answer: bytes, body: bytes
) -> None:
    sent = service.send(method)
    with service.accept() as connection:
        for _ in range(2):
            head_of(connection)
            connection.sendall(answer)
            assert result(sent).content == body
            sent = service.send(method)
        head_of(connection)
        connection.sendall(answer)
        result(sent)


@pytest.mark.parametrize(
    ("raw", "value"), [("会议".encode(), "会议"), (b"caf\xe9", "café"), (b"\xc3\x85 \xe2\x80\xa6", "Å …")]
)
def test_metadata_that_is_not_ascii_is_read(service: Service, raw: bytes, value: str) -> None:
    sent = service.send()
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Cos-Meta-A: " + raw + b"\r\nContent-Length: 0\r\n\r\n")
        assert result(sent).headers["x-cos-meta-a"] == value


@pytest.mark.parametrize(
    "content_type",
    ["multipart/x; boundary*=idna''x", "multipart/x; boundary*0=a; boundary*0=b; boundary*=c", "\t; ="],
)
def test_a_recording_may_be_of_any_content_type(service: Service, content_type: str) -> None:
    """Whoever uploads chooses it."""
    sent = service.send("HEAD")
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: 7\r\n\r\n".encode()
        )
        assert result(sent).headers == {"content-type": content_type.strip(), "content-length": "7"}


def test_what_comes_after_an_answer_is_not_taken_for_the_next(service: Service) -> None:
    sent = service.send()
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(OK + b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        assert result(sent).status_code == 200
        sent = service.send()
        with service.accept() as another:
            head_of(another)
            another.sendall(OK)
            assert result(sent).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 20",
        b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "9a0',
        b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "9a0364"\r\n',
        b"220 mail\r\n",
        b'HTTP/1.1 200 OK\r\nETag "9a0364"\r\nContent-Length: 0\r\n\r\n',
    ],
)
def test_headers_that_break_off_leave_the_outcome_unknown(
    service: Service, answer: bytes, method: str
) -> None:
    sent = service.send(method)
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(answer)
    with pytest.raises(UNKNOWN, match=r"\w+: .+|not HTTP"):
        result(sent)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhow much is to come?",
        b"HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n<Error><Code>FileAlr",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    ],
)
def test_a_body_that_breaks_off_leaves_the_outcome_unknown(service: Service, answer: bytes) -> None:
    sent = service.send()
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(answer)
    with pytest.raises(UNKNOWN, match=r"\w+: .+|not HTTP"):
        result(sent)


def test_an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown(service: Service) -> None:
    sent = service.send(read_timeout_s=0.05)
    with service.accept() as connection:
        head_of(connection)
        with pytest.raises(UNKNOWN, match="timed out"):
            result(sent)


def test_a_refusal_that_comes_before_the_whole_body_was_taken_is_heard(service: Service) -> None:
    sent = service.send("PUT", b"x" * 20_000_000)
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
    answer = result(sent)
    assert (answer.status_code, answer.content) == (403, b"no")


def test_a_success_that_comes_before_the_whole_body_was_taken_is_none(service: Service) -> None:
    sent = service.send("PUT", b"x" * 20_000_000)
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(OK)
    with pytest.raises(UNKNOWN, match=r"\w+: .+|not HTTP"):
        result(sent)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["body", "headers", "interim answers", "chunks"],
)
def test_an_answer_in_drops_is_not_waited_for_longer_than_the_whole_time(
    service: Service, start: bytes, drop: bytes
) -> None:
    sent = service.send("POST", b"a job", total_timeout_s=0.3)
    with service.accept() as connection, suppress(BrokenPipeError, ConnectionResetError):
        head_of(connection)
        connection.sendall(start)
        for _ in range(400):  # two seconds
            connection.sendall(drop)
            if wait([sent], timeout=0.005).done:
                break
    with pytest.raises(UNKNOWN, match="timed out"):
        sent.result(timeout=0)


def test_a_body_that_nobody_takes_is_not_sent_for_longer_than_the_whole_time(service: Service) -> None:
    sent = service.send("PUT", b"x" * 20_000_000, total_timeout_s=0.3)
    with service.accept(), pytest.raises(UNKNOWN, match="timed out"):
        result(sent)


def test_a_connection_that_came_too_late_sends_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a submit to be over must not be overtaken by one that found its address late."""
    find = socket.getaddrinfo

    def late(*sent: Any, **how: Any) -> Any:
        time.sleep(0.15)
        return find(*sent, **how)

    monkeypatch.setattr(socket, "getaddrinfo", late)
    sent = service.send("POST", b"a job", total_timeout_s=0.1)
    with pytest.raises(httpx.ConnectError, match="timed out"):
        result(sent)


def test_an_answer_that_never_ends_does_not_fill_the_memory(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "MAX_RESPONSE_BYTES", 100_000)
    sent = service.send()
    with service.accept() as connection, suppress(BrokenPipeError, ConnectionResetError):
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not sent.done():
            connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
    with pytest.raises(UNKNOWN, match="longer than 100,000 bytes"):
        result(sent)


@pytest.mark.parametrize(
    "headers", [{"Authorization": "secret\n"}, {"bad name": "x"}, {"X-Meta": "secret \ud800"}]
)
def test_what_http_cannot_carry_is_refused_without_a_word_of_it(
    service: Service, headers: dict[str, str]
) -> None:
    sent = service.send(**headers)
    with pytest.raises(REFUSED) as refused:
        result(sent)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("origin", ["https://[::1", "http://h:99999", "ftp://h", ""])
def test_what_is_no_address_is_refused(service: Service, origin: str) -> None:
    with pytest.raises(REFUSED):
        send(service.client, "GET", origin, "/", {"Host": "h"}, b"", **LIMITS)


def test_an_answer_that_is_not_http_is_not_quoted(service: Service) -> None:
    sent = service.send()
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nwe agreed on Monday\r\n")
    with pytest.raises(UNKNOWN) as unknown:
        result(sent)
    assert "Monday" not in str(unknown.value)


def test_one_that_waited_while_the_clock_was_set_back_is_not_used_again(service: Service) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            sent = service.send()
            connection = stack.enter_context(service.accept())
            head_of(connection)
            connection.sendall(OK)
            result(sent)
            service.seconds -= 1000.0


def test_where_nobody_listens_nothing_was_sent(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for origin, why in (
        (f"http://127.0.0.1:{port}", "ConnectionRefusedError: "),
        (f"http://{'a' * 64}.example:{port}", "Unicode"),
    ):
        with pytest.raises(httpx.ConnectError, match=why):
            send(service.client, "GET", origin, "/", {"Host": "h"}, b"", **LIMITS)


def test_where_no_tls_is_spoken_nothing_was_sent(service: Service) -> None:
    sent = service.send(scheme="https")
    with service.accept() as connection:
        connection.sendall(b"220 mail\r\n")
    with pytest.raises(httpx.ConnectError, match="SSL"):
        result(sent)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1, signed by itself, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes the certificate, is not installed")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    made = tmp_path / "both.pem"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run(["openssl", *words.split(), *files], check=True, capture_output=True)
    made.write_bytes((tmp_path / "key.pem").read_bytes() + (tmp_path / "certificate.pem").read_bytes())
    return made


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions trust the certificate."""
    theirs = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(transport, "get_tls_context", lambda: theirs)


def test_who_is_not_trusted_is_told_nothing(service: Service, tls: ssl.SSLContext) -> None:
    sent = service.send(scheme="https")
    with service.accept() as plain, pytest.raises(ssl.SSLError):
        tls.wrap_socket(plain, server_side=True)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        result(sent)


@pytest.mark.usefixtures("trusting")
def test_over_tls_too_a_connection_is_kept(service: Service, tls: ssl.SSLContext) -> None:
    sent = service.send(scheme="https")
    with service.accept() as plain, tls.wrap_socket(plain, server_side=True) as connection:
        for _ in range(2):
            head_of(connection)
            connection.sendall(OK)
            assert result(sent).content == b"ok"
            sent = service.send(scheme="https")
        head_of(connection)
        connection.sendall(OK)
        result(sent)


@pytest.mark.usefixtures("trusting")
def test_over_tls_too_an_early_refusal_is_heard(service: Service, tls: ssl.SSLContext) -> None:
    sent = service.send("PUT", b"x" * 20_000_000, scheme="https")
    with service.accept() as plain, tls.wrap_socket(plain, server_side=True) as connection:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
        connection.shutdown(socket.SHUT_WR)
    assert result(sent).status_code == 403


def test_the_process_has_its_connections_once() -> None:
    assert get_process_client() is get_process_client()
    assert get_tls_context() is get_tls_context()


def test_tls_is_checked_against_the_authorities_that_are_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")  # a Python whose platform has none
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    make: Callable[[], ssl.SSLContext] = get_tls_context.__wrapped__
    context = make()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) > 50
