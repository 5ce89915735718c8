"""The transport against real sockets; the test is the server."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import httpcore
import httpx
import pytest

from shared.tencent import transport
from shared.tencent.client import HttpResponse, read_head
from shared.tencent.transport import (
    MAX_IDLE_S,
    Transport,
    build_request,
    create_http_client,
    get_process_client,
    get_tls_context,
    iterate_body,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEADERS_END = b"\r\n\r\n"
PATIENCE_S = 20
# What TencentClient maps to OutcomeUnknown and to RequestRejected.
UNKNOWN = (httpx.TimeoutException, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
REFUSED = (httpx.LocalProtocolError, httpx.UnsupportedProtocol)


def send(client: httpx.Client, request: httpx.Request) -> HttpResponse:
    """Send as TencentClient does."""
    response = client.send(request, stream=True)
    try:
        return read_head(response)._replace(body=b"".join(iterate_body(response)))
    finally:
        response.close()


def build_get(origin: str, *, connect_timeout_s: float = 5.0) -> httpx.Request:
    return build_request(
        "GET",
        origin,
        "/",
        {"Host": "h"},
        b"",
        connect_timeout_s=connect_timeout_s,
        read_timeout_s=5.0,
        total_timeout_s=5.0,
    )


@dataclass
class Service:
    """The server, which responds when the test says so. `send` sends from a thread, as a function would."""

    listener: socket.socket
    threads: ThreadPoolExecutor
    seconds: float = 1_700_000_000.0
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = create_http_client(Transport(now=lambda: self.seconds))
        self.listener.settimeout(PATIENCE_S)

    def send(
        self,
        method: str = "GET",
        body: bytes = b"",
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = PATIENCE_S,
        total_timeout_s: float = PATIENCE_S,
        scheme: str = "http",
        target: str = "/a%20b",
        headers: Mapping[str, str] | None = None,
    ) -> Future[HttpResponse]:
        length = {"Content-Length": str(len(body))} if body else {}
        origin = f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"
        client = self.client
        return self.threads.submit(
            lambda: send(
                client,
                build_request(
                    method,
                    origin,
                    target,
                    {"Host": "h", **length, **(headers or {})},
                    body,
                    connect_timeout_s=connect_timeout_s,
                    read_timeout_s=read_timeout_s,
                    total_timeout_s=total_timeout_s,
                ),
            )
        )

    def accept(self) -> socket.socket:
        connection, _ = self.listener.accept()
        connection.settimeout(PATIENCE_S)
        return connection


@pytest.fixture
def service() -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(4) as threads:
        service = Service(listener, threads)
        yield service
        service.client.close()


def receive_head(connection: socket.socket) -> bytes:
    """Return what was received, up to the end of the headers at least."""
    received = b""
    while HEADERS_END not in received:
        received += connection.recv(65536)
    return received


def result(future: Future[HttpResponse]) -> HttpResponse:
    return future.result(timeout=PATIENCE_S)


def test_exactly_the_given_headers_and_target_are_sent(service: Service) -> None:
    future = service.send("PUT", b"body")
    with service.accept() as connection:
        received = b""
        while not received.endswith(b"body"):
            received += connection.recv(65536)
        connection.sendall(OK)
        assert result(future) == HttpResponse(200, {"content-length": "2"}, b"ok")
    assert received == b"PUT /a%20b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"


def test_target_with_dot_segments_is_sent_unchanged(service: Service) -> None:
    future = service.send(target="/a/../.%2Fb/./c?x=../y")
    with service.accept() as connection:
        assert receive_head(connection).startswith(b"GET /a/../.%2Fb/./c?x=../y HTTP/1.1\r\n")
        connection.sendall(OK)
        result(future)


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/elsewhere", "/elsewhere", "http://[", "http://h:x"])
def test_no_redirect_is_followed_and_no_cookie_sent(service: Service, location: str) -> None:
    headers = f"Location: {location}\r\nSet-Cookie: a=b\r\nContent-Length: 2"
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(f"HTTP/1.1 302 Found\r\n{headers}\r\n\r\nno".encode())
        response = result(future)
        assert (response.status, response.body) == (302, b"no")
        future = service.send()
        assert receive_head(connection) == b"GET /a%20b HTTP/1.1\r\nHost: h\r\n\r\n"
        connection.sendall(OK)
        result(future)


def test_content_encoding_is_not_decoded(service: Service) -> None:
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(OK.replace(b"\r\n", b"\r\nContent-Encoding: gzip\r\n", 1))
        assert result(future).body == b"ok"


def test_proxies_of_the_environment_are_not_used(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    service.client = create_http_client(Transport())
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(OK)
        assert result(future).body == b"ok"


def test_no_header_is_logged_at_debug_level(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """SCF sets the root logger to DEBUG."""
    caplog.set_level(logging.DEBUG)
    future = service.send(headers={"Authorization": "secret"})
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(OK)
        result(future)
    assert caplog.records == []


def test_connection_is_reused(service: Service) -> None:
    future = service.send()
    with service.accept() as connection:
        for _ in range(3):
            receive_head(connection)
            connection.sendall(OK)
            assert result(future).body == b"ok"
            future = service.send()
        receive_head(connection)
        connection.sendall(OK)
        result(future)


def test_connection_closed_by_the_server_is_not_reused(service: Service) -> None:
    for _ in range(2):
        future = service.send("POST", b"a job that is submitted once")
        with service.accept() as connection:
            receive_head(connection)
            connection.sendall(OK)
            result(future)


def test_idle_connection_is_closed_and_not_reused(service: Service) -> None:
    future = service.send()
    with service.accept() as old:
        receive_head(old)
        old.sendall(OK)
        result(future)
        service.seconds += MAX_IDLE_S + 1
        future = service.send()
        with service.accept() as new:
            receive_head(new)
            new.sendall(OK)
            result(future)
        assert old.recv(1) == b""


def test_connection_close_is_respected(service: Service) -> None:
    with ExitStack() as stack:
        for last in (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold",
            OK,
        ):
            future = service.send()
            connection = stack.enter_context(service.accept())
            receive_head(connection)
            connection.sendall(last)
            assert result(future).body == last.partition(HEADERS_END)[2]


def test_parallel_requests_use_separate_connections(service: Service) -> None:
    futures = [service.send() for _ in range(3)]
    accepted = [service.accept() for _ in futures]
    for connection in accepted:
        receive_head(connection)
        connection.sendall(OK)
    assert [result(future).body for future in futures] == [b"ok"] * 3
    for connection in accepted:
        connection.close()


@pytest.mark.parametrize(
    ("method", "response", "body"),
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
def test_every_kind_of_response_is_read_to_its_end(
    service: Service, method: str, response: bytes, body: bytes
) -> None:
    future = service.send(method)
    with service.accept() as connection:
        for _ in range(2):
            receive_head(connection)
            connection.sendall(response)
            assert result(future).body == body
            future = service.send(method)
        receive_head(connection)
        connection.sendall(response)
        result(future)


@pytest.mark.parametrize(
    ("raw", "value"), [("会议".encode(), "会议"), (b"caf\xe9", "café"), (b"\xc3\x85 \xe2\x80\xa6", "Å …")]
)
def test_header_of_any_bytes_is_kept(service: Service, raw: bytes, value: str) -> None:
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Cos-Meta-A: " + raw + b"\r\nContent-Length: 0\r\n\r\n")
        assert result(future).headers["x-cos-meta-a"] == value


@pytest.mark.parametrize(
    "content_type",
    ["multipart/x; boundary*=idna''x", "multipart/x; boundary*0=a; boundary*0=b; boundary*=c", "\t; ="],
)
def test_any_content_type_is_accepted(service: Service, content_type: str) -> None:
    """The user who uploads chooses it."""
    future = service.send("HEAD")
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: 7\r\n\r\n".encode()
        )
        assert result(future).headers == {"content-type": content_type.strip(), "content-length": "7"}


REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


def test_connection_with_bytes_after_the_response_is_not_reused(service: Service) -> None:
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(OK)
        assert result(future).body == b"ok"
        connection.sendall(REFUSAL)
        future = service.send()
        with service.accept() as another:
            receive_head(another)
            another.sendall(OK)
            assert result(future).status == 200


@pytest.mark.parametrize(
    ("method", "parts"),
    [
        ("GET", [OK + REFUSAL]),
        ("GET", [OK + REFUSAL[:30]]),
        ("GET", [OK, REFUSAL]),
        ("GET", [OK[:-1], OK[-1:] + REFUSAL]),
        ("GET", [OK.replace(b"\r", b"") + REFUSAL]),
        ("HEAD", [OK[:-2] + REFUSAL]),
        ("HEAD", [OK[:-3], OK[-3:-2] + REFUSAL]),
        ("HEAD", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\n<Error/>"]),
        ("DELETE", [b"HTTP/1.1 204 No Content\r\n\r\n" + REFUSAL]),
        ("DELETE", [(b"HTTP/1.1 204 No Content\r\n\r\n" + REFUSAL).replace(b"\r", b"")]),
    ],
)
def test_surplus_bytes_are_not_the_next_response(service: Service, method: str, parts: list[bytes]) -> None:
    future = service.send(method)
    with service.accept() as connection:
        receive_head(connection)
        for part in parts:
            connection.sendall(part)
            time.sleep(0.02)
        assert result(future).status in {200, 204, 404}
        future = service.send()
        with service.accept() as another:
            receive_head(another)
            another.sendall(OK)
            assert result(future).body == b"ok"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"HTTP/1.1 20",
        b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "9a0',
        b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: "9a0364"\r\n',
        b"220 mail\r\n",
        b'HTTP/1.1 200 OK\r\nETag "9a0364"\r\nContent-Length: 0\r\n\r\n',
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_truncated_headers_leave_the_outcome_unknown(service: Service, response: bytes, method: str) -> None:
    future = service.send(method)
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(response)
    with pytest.raises(UNKNOWN, match=r"\w+: .+|not HTTP"):
        result(future)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhow much is to come?",
        b"HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\n<Error><Code>FileAlr",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
    ],
)
def test_truncated_body_leaves_the_outcome_unknown(service: Service, response: bytes) -> None:
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(response)
    with pytest.raises(UNKNOWN, match=r"\w+: .+|not HTTP"):
        result(future)


def test_response_without_a_length_is_refused_at_once(service: Service) -> None:
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhow much is to come?")
        with pytest.raises(httpx.ReadError, match="does not say how long"):
            future.result(timeout=2)


def test_late_response_leaves_the_outcome_unknown(service: Service) -> None:
    future = service.send(read_timeout_s=0.05)
    with service.accept() as connection:
        receive_head(connection)
        with pytest.raises(UNKNOWN, match="timed out"):
            result(future)


def test_early_error_response_is_read(service: Service) -> None:
    future = service.send("PUT", b"x" * 20_000_000)
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
    response = result(future)
    assert (response.status, response.body) == (403, b"no")


def test_early_success_response_is_not_a_success(service: Service) -> None:
    future = service.send("PUT", b"x" * 20_000_000)
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(OK)
    with pytest.raises(UNKNOWN, match=r"before the request was sent|\w+: .+|not HTTP"):
        result(future)


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["body", "headers", "interim responses", "chunks"],
)
def test_dripping_response_ends_at_the_total_timeout(service: Service, start: bytes, drop: bytes) -> None:
    future = service.send("POST", b"a job", total_timeout_s=0.3)
    with service.accept() as connection, suppress(BrokenPipeError, ConnectionResetError):
        receive_head(connection)
        connection.sendall(start)
        for _ in range(400):  # two seconds
            connection.sendall(drop)
            if wait([future], timeout=0.005).done:
                break
    with pytest.raises(UNKNOWN, match="timed out"):
        future.result(timeout=0)


def test_unread_request_body_ends_at_the_total_timeout(service: Service) -> None:
    future = service.send("PUT", b"x" * 20_000_000, total_timeout_s=0.3)
    with service.accept(), pytest.raises(UNKNOWN, match="timed out"):
        result(future)


@pytest.mark.parametrize(
    ("connect_timeout_s", "total_timeout_s"), [(0.1, PATIENCE_S), (5.0, 0.1)], ids=["connect", "total"]
)
def test_connection_after_the_deadline_sends_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch, connect_timeout_s: float, total_timeout_s: float
) -> None:
    """Another attempt may start after the deadline: a submit that resolved its address late would be a second one."""
    resolve = socket.getaddrinfo

    def late(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.15)
        return resolve(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", late)
    future = service.send(
        "POST", b"a job", connect_timeout_s=connect_timeout_s, total_timeout_s=total_timeout_s
    )
    with pytest.raises(httpx.ConnectError, match="timed out"):
        result(future)


def test_endless_response_does_not_fill_the_memory(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_RESPONSE_BYTES", 100_000)
    future = service.send()
    with service.accept() as connection, suppress(BrokenPipeError, ConnectionResetError):
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not future.done():
            connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
    with pytest.raises(UNKNOWN, match="longer than 100,000 bytes"):
        result(future)


@pytest.mark.parametrize(
    "headers", [{"Authorization": "secret\n"}, {"bad name": "x"}, {"X-Meta": "secret \ud800"}]
)
def test_invalid_header_is_refused_and_not_quoted(service: Service, headers: dict[str, str]) -> None:
    future = service.send(headers=headers)
    with pytest.raises(REFUSED) as caught:
        result(future)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/secret key"), ("GET", "/secret\n"), ("GET secret", "/")]
)
def test_invalid_request_line_is_refused_and_not_quoted(service: Service, method: str, target: str) -> None:
    future = service.send(method, target=target)
    with pytest.raises(REFUSED) as caught:
        result(future)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("origin", ["https://[::1", "http://h:99999", "ftp://h", ""])
def test_invalid_address_is_refused(service: Service, origin: str) -> None:
    with pytest.raises(REFUSED):
        send(service.client, build_get(origin))


def test_invalid_response_is_not_quoted(service: Service) -> None:
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nwe agreed on Monday\r\n")
    with pytest.raises(UNKNOWN) as caught:
        result(future)
    assert "Monday" not in str(caught.value)


def test_connection_is_not_reused_after_the_clock_was_set_back(service: Service) -> None:
    with ExitStack() as stack:
        for _ in range(2):
            future = service.send()
            connection = stack.enter_context(service.accept())
            receive_head(connection)
            connection.sendall(OK)
            result(future)
            service.seconds -= 1000.0


def test_failed_connection_sends_nothing(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for origin, reason in (
        (f"http://127.0.0.1:{port}", "refused"),
        (f"http://{'a' * 64}.example:{port}", "Unicode"),
    ):
        with pytest.raises(httpx.ConnectError, match=reason):
            send(service.client, build_get(origin))


def test_all_addresses_of_a_host_share_one_limit(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{number}", 9)) for number in range(2, 8)
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: resolved)
    limits: list[float] = []

    class SlowBackend(httpcore.SyncBackend):
        def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: Any) -> NoReturn:
            limits.append(timeout or 0.0)
            time.sleep(0.04)
            raise httpcore.ConnectTimeout("timed out")

    monkeypatch.setattr(httpcore, "SyncBackend", SlowBackend)
    client = create_http_client(Transport())
    with pytest.raises(httpx.ConnectError, match="timed out"):
        send(client, build_get("http://h.example", connect_timeout_s=0.1))
    assert len(limits) < len(resolved)
    assert limits == sorted(limits, reverse=True)


def test_connection_that_opens_after_its_limit_sends_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function was frozen while it connected: its submit would be a second one beside that of the next attempt."""

    frozen_s = 0.0

    class FrozenBackend(httpcore.SyncBackend):
        def connect_tcp(self, *arguments: Any, **options: Any) -> httpcore.NetworkStream:
            nonlocal frozen_s
            stream = super().connect_tcp(*arguments, **options)
            frozen_s = 10.0
            return stream

    monkeypatch.setattr(httpcore, "SyncBackend", FrozenBackend)
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + frozen_s)
    monkeypatch.setattr(transport, "time", clock)
    service.client = create_http_client(Transport())
    future = service.send("POST", b"a job")
    with service.accept() as connection:
        with pytest.raises(httpx.ConnectError, match="timed out"):
            result(future)
        assert connection.recv(1) == b""


def test_second_address_of_a_host_is_tried(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 9)) for host in ("127.0.0.9", "127.0.0.1")]
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *a, **k: resolved if host == "127.0.0.1" and "type" in k else resolve(host, *a, **k),
    )
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(OK)
        assert result(future).body == b"ok"


def test_no_time_left_before_connecting_sends_nothing(service: Service) -> None:
    future = service.send("POST", b"a job", total_timeout_s=0.0)
    with pytest.raises(httpx.ConnectError, match="timed out"):
        result(future)


def test_server_without_tls_receives_nothing(service: Service) -> None:
    future = service.send(scheme="https")
    with service.accept() as connection:
        connection.sendall(b"220 mail\r\n")
    with pytest.raises(httpx.ConnectError, match="SSL"):
        result(future)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a self-signed certificate for 127.0.0.1, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes the certificate, is not installed")
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    both = tmp_path / "both.pem"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "certificate.pem")]
    subprocess.run(["openssl", *options.split(), *files], check=True, capture_output=True)
    both.write_bytes((tmp_path / "key.pem").read_bytes() + (tmp_path / "certificate.pem").read_bytes())
    return both


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the functions trust the certificate."""
    context = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(transport, "get_tls_context", lambda: context)


@pytest.mark.process
def test_untrusted_server_receives_nothing(service: Service, tls: ssl.SSLContext) -> None:
    future = service.send(scheme="https")
    with service.accept() as plain, pytest.raises(ssl.SSLError):
        tls.wrap_socket(plain, server_side=True)
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        result(future)


def test_tls_handshake_ends_at_the_total_timeout(service: Service) -> None:
    future = service.send(scheme="https", total_timeout_s=0.3)
    with service.accept(), pytest.raises(httpx.ConnectError, match="timed out"):
        future.result(timeout=2)


def test_plain_http_makes_no_tls_context(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "get_tls_context", lambda: pytest.fail("a TLS context takes 30 ms"))
    monkeypatch.setattr(ssl, "SSLContext", None)
    future = service.send()
    with service.accept() as connection:
        receive_head(connection)
        connection.sendall(OK)
        result(future)


@pytest.mark.usefixtures("trusting")
@pytest.mark.process
def test_tls_connection_is_reused(service: Service, tls: ssl.SSLContext) -> None:
    future = service.send(scheme="https")
    with service.accept() as plain, tls.wrap_socket(plain, server_side=True) as connection:
        for _ in range(2):
            receive_head(connection)
            connection.sendall(OK)
            assert result(future).body == b"ok"
            future = service.send(scheme="https")
        receive_head(connection)
        connection.sendall(OK)
        result(future)


@pytest.mark.usefixtures("trusting")
@pytest.mark.process
def test_early_error_response_is_read_over_tls(service: Service, tls: ssl.SSLContext) -> None:
    future = service.send("PUT", b"x" * 20_000_000, scheme="https")
    with service.accept() as plain, tls.wrap_socket(plain, server_side=True) as connection:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
        connection.shutdown(socket.SHUT_WR)
    assert result(future).status == 403


def test_process_has_one_client_and_one_tls_context() -> None:
    assert get_process_client() is get_process_client()
    assert get_tls_context() is get_tls_context()


def test_tls_trusts_the_shipped_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")  # a Python whose platform has none
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    make: Callable[[], ssl.SSLContext] = get_tls_context.__wrapped__
    context = make()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert len(context.get_ca_certs()) > 50
