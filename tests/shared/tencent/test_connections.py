"""Connections against sockets that the test holds in its own hands."""

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

import pytest

from shared.tencent import connections, sockets
from shared.tencent.connections import (
    IDLE_SECONDS,
    Answer,
    CannotBeSent,
    Connections,
    NoAnswer,
    NotSent,
    Outgoing,
    process_connections,
)
from shared.tencent.sockets import trusted

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEADERS_END = b"\r\n\r\n"
PATIENCE_SECONDS = 20


@dataclass
class Service:
    """The other side: answers when the test says so. `ask` sends from a thread, as a function would."""

    listener: socket.socket
    threads: ThreadPoolExecutor
    seconds: float = 1_700_000_000.0
    connections: Connections = field(init=False)

    def __post_init__(self) -> None:
        self.connections = Connections(now=lambda: self.seconds)
        self.listener.settimeout(PATIENCE_SECONDS)

    def ask(
        self,
        method: str = "GET",
        body: bytes = b"",
        silence_s: float = PATIENCE_SECONDS,
        whole_s: float = PATIENCE_SECONDS,
        scheme: str = "http",
        **headers: str,
    ) -> Future[Answer]:
        length = {"Content-Length": str(len(body))} if body else {}
        origin = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"
        told = {"Host": "h", **length, **headers}
        request = Outgoing(method, origin, "/a%20b", told, body, 5.0, silence_s, whole_s)
        return self.threads.submit(self.connections.exchange, request)

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE_SECONDS)
        return connection


@pytest.fixture
def service() -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(4) as threads:
        service = Service(listener, threads)
        yield service
        service.connections.close()


def head_of(connection: socket.socket) -> bytes:
    """What came, up to the end of the headers at least."""
    received = b""
    while HEADERS_END not in received:
        received += connection.recv(65536)
    return received


def told(future: Future[Answer]) -> Answer:
    return future.result(timeout=PATIENCE_SECONDS)


def test_what_is_sent_is_the_request_and_nothing_that_was_not_signed(service: Service) -> None:
    asked = service.ask("PUT", b"body")
    with service.accept() as connection:
        received = b""
        while not received.endswith(b"body"):
            received += connection.recv(65536)
        connection.sendall(OK)
        assert told(asked) == Answer(200, {"content-length": "2"}, b"ok")
    assert received == b"PUT /a%20b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"


def test_the_next_request_goes_over_the_same_connection(service: Service) -> None:
    asked = service.ask()
    with service.accept() as connection:
        for _ in range(3):
            head_of(connection)
            connection.sendall(OK)
            assert told(asked).body == b"ok"
            asked = service.ask()
        head_of(connection)
        connection.sendall(OK)
        told(asked)


def test_one_that_was_closed_while_the_function_stood_frozen_is_not_used_again(service: Service) -> None:
    for _ in range(2):
        asked = service.ask("POST", b"a job that is submitted once")
        with service.accept() as connection:
            head_of(connection)
            connection.sendall(OK)
            told(asked)


def test_one_that_was_idle_for_long_is_not_used_again_and_closed(service: Service) -> None:
    asked = service.ask()
    with service.accept() as old:
        head_of(old)
        old.sendall(OK)
        told(asked)
        service.seconds += IDLE_SECONDS + 1
        asked = service.ask()
        with service.accept() as new:
            head_of(new)
            new.sendall(OK)
            told(asked)
        assert old.recv(1) == b""


def test_an_answer_that_was_the_last_is_followed_by_a_new_connection(service: Service) -> None:
    for last in (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold",
    ):
        asked = service.ask()
        with service.accept() as connection:
            head_of(connection)
            connection.sendall(last)
        assert told(asked).body == last.partition(HEADERS_END)[2]


def test_requests_at_the_same_time_have_a_connection_each(service: Service) -> None:
    asked = [service.ask() for _ in range(3)]
    accepted = [service.accept() for _ in asked]
    for connection in accepted:
        head_of(connection)
        connection.sendall(OK)
    assert [told(one).body for one in asked] == [b"ok"] * 3
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
    asked = service.ask(method)
    with service.accept() as connection:
        for _ in range(2):
            head_of(connection)
            connection.sendall(answer)
            assert told(asked).body == body
            asked = service.ask(method)
        head_of(connection)
        connection.sendall(answer)
        told(asked)


@pytest.mark.parametrize(
    ("raw", "value"), [("会议".encode(), "会议"), (b"caf\xe9", "café"), (b"\xc3\x85 \xe2\x80\xa6", "Å …")]
)
def test_metadata_that_is_not_ascii_is_read(service: Service, raw: bytes, value: str) -> None:
    asked = service.ask()
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Cos-Meta-A: " + raw + b"\r\nContent-Length: 0\r\n\r\n")
        assert told(asked).headers["x-cos-meta-a"] == value


@pytest.mark.parametrize(
    "content_type",
    ["multipart/x; boundary*=idna''x", "multipart/x; boundary*0=a; boundary*0=b; boundary*=c", "\t; ="],
)
def test_a_recording_may_be_of_any_content_type(service: Service, content_type: str) -> None:
    """Whoever uploads chooses it."""
    asked = service.ask("HEAD")
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: 7\r\n\r\n".encode()
        )
        assert told(asked).headers == {"content-type": content_type.strip(), "content-length": "7"}


def test_what_comes_after_an_answer_is_not_taken_for_the_next(service: Service) -> None:
    asked = service.ask()
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(OK + b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        assert told(asked).status == 200
        asked = service.ask()
        with service.accept() as another:
            head_of(another)
            another.sendall(OK)
            assert told(asked).status == 200


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
    asked = service.ask(method)
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(answer)
    with pytest.raises(NoAnswer, match=r"\w+: .+|not HTTP"):
        told(asked)


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
    asked = service.ask()
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(answer)
    with pytest.raises(NoAnswer, match=r"\w+: .+|not HTTP"):
        told(asked)


def test_an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown(service: Service) -> None:
    asked = service.ask(silence_s=0.05)
    with service.accept() as connection:
        head_of(connection)
        with pytest.raises(NoAnswer, match="timed out"):
            told(asked)


def test_a_refusal_that_comes_before_the_whole_body_was_taken_is_heard(service: Service) -> None:
    asked = service.ask("PUT", b"x" * 20_000_000)
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
    answer = told(asked)
    assert (answer.status, answer.body) == (403, b"no")


def test_a_success_that_comes_before_the_whole_body_was_taken_is_none(service: Service) -> None:
    asked = service.ask("PUT", b"x" * 20_000_000)
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(OK)
    with pytest.raises(NoAnswer, match=r"\w+: .+|not HTTP"):
        told(asked)


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
    asked = service.ask("POST", b"a job", whole_s=0.3)
    with service.accept() as connection, suppress(BrokenPipeError, ConnectionResetError):
        head_of(connection)
        connection.sendall(start)
        for _ in range(400):  # two seconds
            connection.sendall(drop)
            if wait([asked], timeout=0.005).done:
                break
    with pytest.raises(NoAnswer, match="timed out"):
        asked.result(timeout=0)


def test_a_body_that_nobody_takes_is_not_sent_for_longer_than_the_whole_time(service: Service) -> None:
    asked = service.ask("PUT", b"x" * 20_000_000, whole_s=0.3)
    with service.accept(), pytest.raises(NoAnswer, match="timed out"):
        told(asked)


def test_a_connection_that_came_too_late_sends_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a submit to be over must not be overtaken by one that found its address late."""
    find = socket.getaddrinfo

    def late(*asked: Any, **how: Any) -> Any:
        time.sleep(0.15)
        return find(*asked, **how)

    monkeypatch.setattr(socket, "getaddrinfo", late)
    asked = service.ask("POST", b"a job", whole_s=0.1)
    with pytest.raises(NotSent, match="timed out"):
        told(asked)


def test_an_answer_that_never_ends_does_not_fill_the_memory(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_MOST_BYTES", 100_000)
    asked = service.ask()
    with service.accept() as connection, suppress(BrokenPipeError, ConnectionResetError):
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not asked.done():
            connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
    with pytest.raises(NoAnswer, match="longer than 100,000 bytes"):
        told(asked)


@pytest.mark.parametrize(
    "headers", [{"Authorization": "secret\n"}, {"bad name": "x"}, {"X-Meta": "secret \ud800"}]
)
def test_what_http_cannot_carry_is_refused_without_a_word_of_it(
    service: Service, headers: dict[str, str]
) -> None:
    asked = service.ask(**headers)
    with pytest.raises(CannotBeSent) as refused:
        told(asked)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("origin", ["https://[::1", "http://h:99999", "ftp://h", ""])
def test_what_is_no_address_is_refused(service: Service, origin: str) -> None:
    with pytest.raises(CannotBeSent):
        service.connections.exchange(Outgoing("GET", origin, "/", {"Host": "h"}, b"", 5.0, 5.0, 5.0))


def test_an_answer_that_is_not_http_is_not_quoted(service: Service) -> None:
    asked = service.ask()
    with service.accept() as connection:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nwe agreed on Monday\r\n")
    with pytest.raises(NoAnswer) as unknown:
        told(asked)
    assert "Monday" not in str(unknown.value)


def test_one_that_waited_while_the_clock_was_set_back_is_not_used_again(service: Service) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            asked = service.ask()
            connection = stack.enter_context(service.accept())
            head_of(connection)
            connection.sendall(OK)
            told(asked)
            service.seconds -= 1000.0


def test_where_nobody_listens_nothing_was_sent(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for origin, why in (
        (f"http://127.0.0.1:{port}", "ConnectionRefusedError: "),
        (f"http://{'a' * 64}.example:{port}", "Unicode"),
    ):
        with pytest.raises(NotSent, match=why):
            service.connections.exchange(Outgoing("GET", origin, "/", {"Host": "h"}, b"", 5.0, 5.0, 5.0))


def test_where_no_tls_is_spoken_nothing_was_sent(service: Service) -> None:
    asked = service.ask(scheme="https")
    with service.accept() as connection:
        connection.sendall(b"220 mail\r\n")
    with pytest.raises(NotSent, match="SSL"):
        told(asked)


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
    monkeypatch.setattr(sockets, "trusted", lambda: theirs)


def test_who_is_not_trusted_is_told_nothing(service: Service, tls: ssl.SSLContext) -> None:
    asked = service.ask(scheme="https")
    with service.accept() as plain, pytest.raises(ssl.SSLError):
        tls.wrap_socket(plain, server_side=True)
    with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"):
        told(asked)


@pytest.mark.usefixtures("trusting")
def test_over_tls_too_a_connection_is_kept(service: Service, tls: ssl.SSLContext) -> None:
    asked = service.ask(scheme="https")
    with service.accept() as plain, tls.wrap_socket(plain, server_side=True) as connection:
        for _ in range(2):
            head_of(connection)
            connection.sendall(OK)
            assert told(asked).body == b"ok"
            asked = service.ask(scheme="https")
        head_of(connection)
        connection.sendall(OK)
        told(asked)


@pytest.mark.usefixtures("trusting")
def test_over_tls_too_an_early_refusal_is_heard(service: Service, tls: ssl.SSLContext) -> None:
    asked = service.ask("PUT", b"x" * 20_000_000, scheme="https")
    with service.accept() as plain, tls.wrap_socket(plain, server_side=True) as connection:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
        connection.shutdown(socket.SHUT_WR)
    assert told(asked).status == 403


def test_the_process_has_its_connections_once() -> None:
    assert process_connections() is process_connections()
    assert trusted() is trusted()


def test_tls_is_checked_against_the_authorities_that_are_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")  # a Python whose platform has none
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    make: Callable[[], ssl.SSLContext] = trusted.__wrapped__
    context = make()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) > 50
