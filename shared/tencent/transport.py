"""HTTP transport of the functions: httpx over httpcore, with one deadline for a whole request.

httpx's own timeouts are for one socket operation: an answer that drips byte by byte would outlast the function.
Connections are kept between requests and between invocations; a frozen function must not use those that died.
"""

from __future__ import annotations

import functools
import logging
import re
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import httpcore
import httpx

MAX_IDLE_S = 5.0  # longer than any pause within an invocation; wall clock, because it goes on in a frozen function
MAX_RESPONSE_BYTES = 64 * 1024 * 1024  # five hours of speech are 13 MB, and a function's memory is small
TOTAL_TIMEOUT = "total_timeout"  # request extension: seconds from the start until the body of the response has ended

_PLAIN_HTTP, _TLS = "http", "https"
_WITHOUT_BODY = (204, 304)
_FIRST_REFUSAL = 300
# httpx parses the first even where it follows no redirect, and would send the second back with later requests.
_DROPPED_HEADERS = (b"location", b"set-cookie")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_HTTPCORE_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)

# SCF sets the root logger to DEBUG, where these two write every address and every header, tokens included.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Transport(httpx.BaseTransport):
    """Sends requests over kept connections. Threads may share it.

    Raises httpx.ConnectError when nothing was sent, httpx.LocalProtocolError or httpx.UnsupportedProtocol for what HTTP
    cannot carry, and another httpx.TransportError when the outcome is unknown. No message quotes a request or response.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._backend = _Backend(now)
        self._pools: dict[str, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; its deadline also holds while the body of the response is read."""
        started_s = time.monotonic()
        extensions = request.extensions
        ends_s = started_s + extensions.get(TOTAL_TIMEOUT, float("inf"))
        limits = {name: _Limit(seconds, ends_s) for name, seconds in extensions["timeout"].items()}
        limits["connect"].ends_s = min(ends_s, started_s + limits["connect"])
        url = request.url
        target = extensions.get("target", url.raw_path)
        try:
            response = self._get_pool(url.scheme).handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=target),
                    headers=request.headers.raw,
                    content=cast("Iterable[bytes]", request.stream),
                    extensions={"timeout": limits},
                )
            )
        except _HTTPCORE_ERRORS as error:
            raise _to_httpx_error(error) from None
        headers = [(name, value) for name, value in response.headers if name.lower() not in _DROPPED_HEADERS]
        result = httpx.Response(response.status, headers=headers, stream=_ResponseBody(response))
        try:
            _prepare_body(request, result, response.extensions["network_stream"])
        except httpx.TransportError:
            response.close()
            raise
        return result

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()

    def _get_pool(self, scheme: str) -> httpcore.ConnectionPool:
        with self._lock:
            if scheme not in self._pools:
                self._pools[scheme] = httpcore.ConnectionPool(
                    ssl_context=get_tls_context() if scheme == _TLS else None,
                    max_connections=None,
                    network_backend=self._backend,
                )
            return self._pools[scheme]


@functools.cache
def process_client() -> httpx.Client:
    """Return the client of this process; proxies of the environment are not used."""
    return httpx.Client(transport=Transport(), trust_env=False)


@functools.cache
def get_tls_context() -> ssl.SSLContext:
    """Return the context that trusts the authorities that ship with the function: SCF's own Python may know none."""
    return httpx.create_ssl_context(trust_env=False)


class _Limit(float):
    """Seconds that one socket operation may take, and the moment when the whole request must be over.

    httpcore passes the values of the `timeout` extension to the network stream as they are.
    """

    ends_s: float

    def __new__(cls, seconds: float, ends_s: float) -> _Limit:
        limit = super().__new__(cls, seconds)
        limit.ends_s = ends_s
        return limit

    def get_remaining_s(self) -> float:
        """Return the seconds from now. Raises TimeoutError when there are none."""
        seconds = min(self, self.ends_s - time.monotonic())
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds


class _Backend(httpcore.NetworkBackend):
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's interface
        socket_options: Any = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect to the first address of the host that accepts."""
        limit = cast("_Limit", timeout)
        problem: Exception = OSError("the host has no address")
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(_describe(error)) from None
        for family, kind, protocol, _, address in addresses:
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(limit.get_remaining_s())
                connection.connect(address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                connection.close()
                problem = error
            else:
                return _Stream(connection, self._now)
        raise httpcore.ConnectError(_describe(problem))


class _Stream(httpcore.NetworkStream):
    """A socket, plain or TLS, that respects the deadline and does not let httpcore read past the end of a response."""

    def __init__(self, connection: socket.socket, now: Callable[[], float]) -> None:
        self._socket = connection
        self._now = now
        self._last_used_s = now()
        self._received = b""
        self.content_left = 0  # bytes of the body, where Content-Length says how many
        self.is_write_broken = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what was received, up to where the response may end."""
        while not (length := self._get_readable_length(max_bytes)):
            try:
                self._socket.settimeout(cast("_Limit", timeout).get_remaining_s())
                received = self._socket.recv(max_bytes)
            except OSError as error:
                raise httpcore.ReadError(_describe(error)) from None
            if not received:
                raise httpcore.ReadError("ConnectionResetError: closed before the response had ended")
            self._received += received
        piece, self._received = self._received[:length], self._received[length:]
        self._last_used_s = self._now()
        return piece

    def _get_readable_length(self, max_bytes: int) -> int:
        """Return how much may be read: h11 would take bytes after the end of a response for the next response.

        A response ends after the bytes of its Content-Length, or else with an empty line.
        """
        if self.content_left:
            length = min(len(self._received), self.content_left)
            self.content_left -= length
            return length
        if empty_line := _EMPTY_LINE.search(b"\n" + self._received):
            return empty_line.end() - 1
        whole_lines = self._received.rfind(b"\n") + 1
        return whole_lines or (len(self._received) if len(self._received) >= max_bytes else 0)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all bytes. A broken connection may still hold a response that says why."""
        view = memoryview(buffer)
        try:
            while view:
                self._socket.settimeout(cast("_Limit", timeout).get_remaining_s())
                view = view[self._socket.send(view) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(_describe(error)) from None
        except OSError as error:
            self.is_write_broken = True
            raise httpcore.WriteError(_describe(error)) from None

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the same connection under TLS."""
        try:
            self._socket.settimeout(cast("_Limit", timeout).get_remaining_s())
            return _Stream(ssl_context.wrap_socket(self._socket, server_hostname=server_hostname), self._now)
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore.ConnectError(_describe(error)) from None

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        """Return whether an idle connection can be read: httpcore closes one that can, so an old one is said to be."""
        if info != "is_readable":
            return None
        # A clock that was set back does not tell how long the connection was idle.
        if self._received or not 0 <= self._now() - self._last_used_s <= MAX_IDLE_S:
            return True
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))


class _ResponseBody(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        try:
            for chunk in self._response.iter_stream():
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    raise httpx.ReadError(f"the response is longer than {MAX_RESPONSE_BYTES:,} bytes")
                yield chunk
        except _HTTPCORE_ERRORS as error:
            raise _to_httpx_error(error) from None

    def close(self) -> None:
        self._response.close()


def _prepare_body(request: httpx.Request, response: httpx.Response, stream: _Stream) -> None:
    """Check that the end of the body can be known, and that the request was sent whole. Raises httpx.TransportError."""
    if stream.is_write_broken and response.status_code < _FIRST_REFUSAL:
        raise httpx.WriteError("the response came before the request was sent whole")
    if request.method == "HEAD" or response.status_code in _WITHOUT_BODY:
        return
    if "transfer-encoding" in response.headers:
        return
    if "content-length" not in response.headers:
        # Its end would be that of the connection, so one that was cut short would be taken for whole.
        raise httpx.ReadError(f"status {response.status_code}: the response does not say how long it is")
    stream.content_left = int(response.headers["content-length"])


def _to_httpx_error(error: Exception) -> httpx.TransportError:
    if isinstance(error, httpcore.ConnectError):
        return httpx.ConnectError(str(error))
    if isinstance(error, httpcore.LocalProtocolError):
        return httpx.LocalProtocolError("the method, target or headers hold what HTTP cannot carry")
    if isinstance(error, httpcore.UnsupportedProtocol):
        return httpx.UnsupportedProtocol("the address is neither http nor https")
    if isinstance(error, httpcore.ProtocolError):
        return httpx.RemoteProtocolError("the response is not HTTP")  # h11's text quotes the response
    return httpx.ReadError(str(error))


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
