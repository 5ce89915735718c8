"""Names, addresses and slow responses against real sockets: nothing takes longer than its limit, and a request through
the client is repeated only where that can help.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import httpx
import pytest

from shared.errors import OutcomeUnknown, Throttled
from shared.tencent import client as client_module
from shared.tencent.auth import Credentials
from shared.tencent.client import (
    MAX_RESPONSE_S,
    NON_IDEMPOTENT_TIMEOUT_S,
    Request,
    RetryPolicy,
    TencentClient,
)
from shared.tencent.clock import ServerClock
from shared.tencent.resolver import Resolver
from shared.tencent.speech import RESULT_TIMEOUT_S, SpeechClient
from shared.tencent.speech_models import JobFilter
from shared.tencent.transport import TOTAL_TIMEOUT, TotalTimeout, Transport, create_http_client
from tests.helpers.fake_server import FakeServer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
PATIENCE_S = 20.0
DEAD, LIVING, OTHER = "127.0.0.2", "127.0.0.1", "127.0.0.3"
BUCKET = "media-1250000000"
GET = Request("GET", f"{BUCKET}.cos.ap-chengdu.myqcloud.com", "/k", f"{BUCKET}/k")
SUBMIT = GET._replace(method="POST", retry=RetryPolicy.NON_IDEMPOTENT)
ENDPOINT_NAME = "cloud.example"


class Server:
    """Accepts connections on one address. `reply` writes what the other side receives after its request."""

    def __init__(self, listener: socket.socket, reply: Callable[[socket.socket], object]) -> None:
        self.accepted = 0
        self._listener = listener
        self._reply = reply
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def _run(self) -> None:
        with suppress(OSError), ExitStack() as connections:
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                connections.enter_context(closing(connection))
                with suppress(OSError):
                    while b"\r\n\r\n" not in connection.recv(65536):
                        pass
                    self._reply(connection)


@pytest.fixture
def start_server() -> Iterator[Callable[[Callable[[socket.socket], object]], Server]]:
    with ExitStack() as stack:

        def start(reply: Callable[[socket.socket], object]) -> Server:
            listener = socket.create_server((LIVING, 0))
            server = Server(listener, reply)
            stack.callback(server.thread.join, PATIENCE_S)
            stack.callback(listener.close)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return server

        yield start


@pytest.fixture
def swallow() -> Iterator[Callable[[str, int], None]]:
    """Let an address swallow connections: nothing accepts them, and the queue of the listener is full."""
    with ExitStack() as stack:

        def listen(address: str, port: int) -> None:
            listener = stack.enter_context(socket.socket())
            try:
                listener.bind((address, port))
            except OSError:
                pytest.skip("this system has one loopback address")
            listener.listen(0)
            for _ in range(3):
                queued = stack.enter_context(socket.socket())
                queued.setblocking(False)
                queued.connect_ex((address, port))

        yield listen


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of ENDPOINT_NAME, as a test sets them."""
    resolve = socket.getaddrinfo
    names: list[str] = []

    def getaddrinfo(host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if host != ENDPOINT_NAME:
            return resolve(host, port, *arguments, **options)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in names
            for _ in range(2)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


@pytest.fixture
def make_tencent_client() -> Iterator[Callable[..., TencentClient]]:
    with ExitStack() as stack:

        def make(port: int, remaining_s: Callable[[], float] = lambda: 60.0) -> TencentClient:
            http_client = create_http_client(Transport())
            stack.callback(http_client.close)
            return TencentClient(
                Credentials("AKIDEXAMPLE", "example-key"),
                f"http://{ENDPOINT_NAME}:{port}",
                remaining_s,
                http_client=lambda: http_client,
                clock=ServerClock(),
                sleep=lambda _: None,
            )

        yield make


def reply_ok(connection: socket.socket) -> None:
    connection.sendall(OK)


def measure(call: Callable[[], object]) -> float:
    start_s = time.monotonic()
    call()
    return time.monotonic() - start_s


def test_dead_address_leaves_time_for_the_living_one(
    start_server: Callable[..., Server],
    swallow: Callable[[str, int], None],
    addresses: list[str],
    make_tencent_client: Callable[..., TencentClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_S", 1.0)
    server = start_server(reply_ok)
    swallow(DEAD, server.port)
    addresses += [DEAD, LIVING]
    client = make_tencent_client(server.port)
    response = client.send(SUBMIT)  # sent once: there is no second try
    assert (response.body, server.accepted) == (b"ok", 1)


def test_address_that_did_not_respond_is_tried_last(
    start_server: Callable[..., Server],
    swallow: Callable[[str, int], None],
    addresses: list[str],
    make_tencent_client: Callable[..., TencentClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_S", 1.0)
    server = start_server(
        lambda connection: connection.sendall(OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
    )
    swallow(DEAD, server.port)
    addresses += [DEAD, LIVING]
    client = make_tencent_client(server.port)
    assert measure(lambda: client.send(GET)) >= 0.5
    assert measure(lambda: client.send(GET)) < 0.4
    assert server.accepted == 2


def test_dead_addresses_together_take_no_longer_than_one(
    start_server: Callable[..., Server],
    swallow: Callable[[str, int], None],
    addresses: list[str],
    make_tencent_client: Callable[..., TencentClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_S", 0.4)
    port = start_server(reply_ok).port
    swallow(DEAD, port)
    swallow(OTHER, port)
    addresses += [DEAD, OTHER]

    def send() -> None:
        with pytest.raises(Throttled, match="NoConnection"):
            make_tencent_client(port).send(SUBMIT)

    assert measure(send) < 2.0


class SlowResolver:
    """The operating system's resolver, which answers when the test lets it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.released = threading.Event()
        self.ended = threading.Event()
        self.calls = 0
        self._resolve = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if host != ENDPOINT_NAME:
            return self._resolve(host, port, *arguments, **options)
        self.calls += 1
        self.released.wait(PATIENCE_S)
        try:
            return self._resolve(LIVING, port, *arguments, **options)
        finally:
            self.ended.set()


@pytest.fixture
def slow_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowResolver]:
    resolver = SlowResolver(monkeypatch)
    yield resolver
    resolver.released.set()


def test_slow_resolver_takes_no_longer_than_the_limit(
    slow_resolver: SlowResolver,
    make_tencent_client: Callable[..., TencentClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_S", 0.2)

    def send() -> None:
        with pytest.raises(Throttled, match="not resolved"):
            make_tencent_client(9).send(SUBMIT)

    assert measure(send) < 2.0


def test_function_ends_in_time_although_the_resolver_is_slow(
    slow_resolver: SlowResolver, make_tencent_client: Callable[..., TencentClient]
) -> None:
    deadline_s = time.monotonic() + 1.5

    def send() -> None:
        with pytest.raises(Throttled, match="not resolved"):
            make_tencent_client(9, lambda: deadline_s - time.monotonic()).send(GET)

    assert measure(send) < 3.0


def test_next_try_uses_the_lookup_that_is_running(
    slow_resolver: SlowResolver,
    start_server: Callable[..., Server],
    make_tencent_client: Callable[..., TencentClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_S", 0.2)
    client = make_tencent_client(start_server(reply_ok).port)
    client.sleep = lambda _: slow_resolver.released.set()
    assert client.send(GET).body == b"ok"
    assert slow_resolver.calls == 1


def test_result_that_came_too_late_is_used_once(slow_resolver: SlowResolver) -> None:
    resolver = Resolver()
    with pytest.raises(TimeoutError):
        resolver.resolve(ENDPOINT_NAME, 9, 0.01)
    slow_resolver.released.set()
    assert slow_resolver.ended.wait(PATIENCE_S)
    for calls in (1, 2):
        assert resolver.resolve(ENDPOINT_NAME, 9, PATIENCE_S) == [LIVING]
        assert slow_resolver.calls == calls


def test_late_failure_of_a_lookup_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    released, calls = threading.Event(), []

    def getaddrinfo(*_: Any, **__: Any) -> Any:
        calls.append(threading.current_thread())
        if len(calls) == 1:
            released.wait(PATIENCE_S)
            raise socket.gaierror(-3, "try again")
        return [(2, 1, 6, "", (LIVING, 9))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = Resolver()
    with pytest.raises(TimeoutError):
        resolver.resolve(ENDPOINT_NAME, 9, 0.01)
    released.set()
    calls[0].join(PATIENCE_S)
    assert resolver.resolve(ENDPOINT_NAME, 9, PATIENCE_S) == [LIVING]


def test_lookup_that_failed_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    replies: list[Any] = [socket.gaierror(-3, "try again"), [(2, 1, 6, "", (LIVING, 9))]]

    def getaddrinfo(*_: Any, **__: Any) -> Any:
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolver = Resolver()
    with pytest.raises(socket.gaierror):
        resolver.resolve(ENDPOINT_NAME, 9, PATIENCE_S)
    assert resolver.resolve(ENDPOINT_NAME, 9, PATIENCE_S) == [LIVING]


def test_missing_thread_is_a_failed_connection(
    make_tencent_client: Callable[..., TencentClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(Throttled, match="no thread"):
        make_tencent_client(9).send(SUBMIT)


def drip(connection: socket.socket) -> None:
    """Send a byte every few milliseconds, as long as the other side takes them."""
    connection.sendall(HEAD)
    for _ in range(900):
        connection.sendall(b"x")
        time.sleep(0.005)


@pytest.mark.parametrize("reply", [drip, lambda _: None], ids=["drips", "is silent"])
def test_response_that_takes_too_long_ends_and_is_not_repeated(
    start_server: Callable[..., Server],
    addresses: list[str],
    make_tencent_client: Callable[..., TencentClient],
    reply: Callable[[socket.socket], object],
) -> None:
    server = start_server(reply)
    addresses.append(LIVING)

    def send() -> None:
        with pytest.raises(OutcomeUnknown, match="too slow") as caught:
            make_tencent_client(server.port).send(GET._replace(timeout_s=0.3))
        assert caught.value.code == "NoAnswer"

    assert measure(send) < 2.0
    assert server.accepted == 1


def test_response_that_breaks_off_is_repeated(
    start_server: Callable[..., Server],
    addresses: list[str],
    make_tencent_client: Callable[..., TencentClient],
) -> None:
    replies = [HEAD, OK]

    def reply(connection: socket.socket) -> None:
        connection.sendall(replies.pop(0))
        connection.shutdown(socket.SHUT_WR)

    server = start_server(reply)
    addresses.append(LIVING)
    assert make_tencent_client(server.port).send(GET).body == b"ok"
    assert server.accepted == 2


def test_address_without_a_response_is_tried_last(
    start_server: Callable[..., Server],
    addresses: list[str],
    make_tencent_client: Callable[..., TencentClient],
) -> None:
    server = start_server(reply_ok)
    try:
        silent = socket.create_server((DEAD, server.port))
    except OSError:
        pytest.skip("this system has one loopback address")
    with silent:
        addresses += [DEAD, LIVING]
        client = make_tencent_client(server.port)
        with pytest.raises(OutcomeUnknown):
            client.send(GET._replace(timeout_s=0.2))
        assert client.send(GET).body == b"ok"
        assert server.accepted == 1


def test_too_slow_request_is_sent_once(client: TencentClient, server: FakeServer) -> None:
    server.replies = [TotalTimeout("timed out: the response was too slow")]
    with pytest.raises(OutcomeUnknown, match="too slow") as caught:
        client.send(GET)
    assert (caught.value.code, len(server.requests)) == ("NoAnswer", 1)


@pytest.mark.parametrize(("remaining_s", "is_short"), [(600.0, False), (5.0, True)])
def test_every_try_has_a_time_limit(
    client: TencentClient, server: FakeServer, remaining_s: float, is_short: bool
) -> None:
    server.remaining_s = remaining_s
    server.replies = [httpx.Response(200, text="<Response/>")]
    speech = SpeechClient(client, "ap-chengdu")
    client.send(GET)
    client.send(SUBMIT)
    speech.list_jobs(BUCKET, JobFilter())
    speech.list_queues(BUCKET)
    speech.get_jobs(BUCKET, ["s1"])
    limits = [request.extensions[TOTAL_TIMEOUT] for request in server.requests]
    usual = [MAX_RESPONSE_S, NON_IDEMPOTENT_TIMEOUT_S, MAX_RESPONSE_S, MAX_RESPONSE_S, RESULT_TIMEOUT_S]
    assert limits == ([5.0] * 5 if is_short else usual)
