"""HTTP transport of the functions: httpx over httpcore, with one deadline for a whole request.

httpx's own timeouts are for one socket operation, so a response that drips byte by byte would outlast the function.
Connections are kept between requests and invocations; those that died while the function was frozen are not used.
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
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.cookiejar import CookieJar
from typing import Any, cast

import httpcore
import httpx

TOTAL_TIMEOUT = "total_timeout"  # request extension: seconds until the end of the response's body
MAX_IDLE_S = 5.0  # longer than any pause within an invocation
MAX_RESPONSE_BYTES = 64 * 1024 * 1024  # five hours of speech are 13 MB, and a function's memory is small

_INVALID_REQUEST = "the method, target or headers hold what HTTP cannot carry"
_INVALID_ORIGIN = "the address is not that of an HTTP server"
_STATUSES_WITHOUT_BODY = (204, 304)
_FIRST_ERROR_STATUS = 300
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_HTTPCORE_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
)

# SCF sets the root logger to DEBUG; these loggers would write every address and every header, tokens included.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


def create_http_client(transport: httpx.BaseTransport) -> httpx.Client:
    """Create a client that uses no proxies of the environment and keeps no cookies."""
    return httpx.Client(transport=transport, cookies=_NoCookies(), trust_env=False)


class _NoCookies(CookieJar):
    def extract_cookies(self, response: object, request: object) -> None:
        """Ignore the cookies of a response."""


@functools.cache
def get_process_client() -> httpx.Client:
    """Return the client of this process."""
    return create_http_client(Transport())


@functools.cache
def get_tls_context() -> ssl.SSLContext:
    """Return a context with the authorities that ship with the function: SCF's Python may have none."""
    return httpx.create_ssl_context(trust_env=False)


def build_request(
    method: str,
    origin: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    connect_timeout_s: float,
    read_timeout_s: float,
    total_timeout_s: float,
) -> httpx.Request:
    """Build a request with exactly these headers and this target, in which httpx would resolve `.` and `..`.

    `origin` is like `https://host`, `target` is percent-encoded. Raises httpx.LocalProtocolError or
    httpx.UnsupportedProtocol.
    """
    try:
        return httpx.Request(
            method,
            _parse_origin(origin),
            headers=[(name.encode(), value.encode()) for name, value in headers.items()],
            stream=httpx.ByteStream(body),  # `content=` would add headers
            extensions={
                "target": target.encode("ascii"),
                "timeout": {"connect": connect_timeout_s, "read": read_timeout_s, "write": read_timeout_s},
                TOTAL_TIMEOUT: total_timeout_s,
            },
        )
    except UnicodeError:
        raise httpx.LocalProtocolError(_INVALID_REQUEST) from None


@functools.lru_cache
def _parse_origin(origin: str) -> httpx.URL:
    try:
        url = httpx.URL(origin)
    except httpx.InvalidURL:
        raise httpx.UnsupportedProtocol(_INVALID_ORIGIN) from None
    if url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > 65535:  # noqa: PLR2004 - TCP's last port
        raise httpx.UnsupportedProtocol(_INVALID_ORIGIN)
    return url


def iterate_body(response: httpx.Response) -> Iterator[bytes]:
    """Return the body as it was sent: httpx's own iterators would decode a Content-Encoding."""
    return iter(cast("httpx.SyncByteStream", response.stream))


class Transport(httpx.BaseTransport):
    """Sends requests of `build_request` over kept connections. Threads may share it.

    Raises httpx.ConnectError if nothing was sent, httpx.LocalProtocolError if HTTP cannot carry the request, and
    another httpx.TransportError if the outcome is unknown. No message quotes a request or a response.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._backend = _Backend(now)
        self._pools: dict[str, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Its deadline also applies while the body of the response is read."""
        url, extensions = request.url, request.extensions
        try:
            response = self._get_pool(url.scheme).handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=extensions["target"]
                    ),
                    headers=request.headers.raw,
                    content=cast("Iterable[bytes]", request.stream),
                    extensions={"timeout": _build_limits(extensions["timeout"], extensions[TOTAL_TIMEOUT])},
                )
            )
        except _HTTPCORE_ERRORS as error:
            raise _to_httpx_error(error) from None
        try:
            _prepare_body(request.method, response)
        except httpx.TransportError:
            response.close()
            raise
        # httpx parses Location even if it follows no redirect, and rejects the response if it is no address.
        headers = [(name, value) for name, value in response.headers if name.lower() != b"location"]
        return httpx.Response(response.status, headers=headers, stream=_ResponseBody(response))

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
                    # CLOUD_ENDPOINT is plain HTTP and must not pay for a TLS context.
                    ssl_context=get_tls_context() if scheme == "https" else None,
                    max_connections=None,
                    network_backend=self._backend,
                )
            return self._pools[scheme]


class _Limit(float):
    """Seconds that one socket operation may take, and the moment when the whole request must be over.

    httpcore passes the values of the `timeout` extension to the network stream as they are.
    """

    ends_s: float

    def get_remaining_s(self) -> float:
        """Return the seconds from now. Raises TimeoutError when there are none."""
        seconds = min(self, self.ends_s - time.monotonic())
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds


def _build_limits(timeouts: Mapping[str, float], total_s: float) -> dict[str, _Limit]:
    now_s = time.monotonic()
    limits = {name: _Limit(seconds) for name, seconds in timeouts.items()}
    for limit in limits.values():
        limit.ends_s = now_s + total_s
    # One limit for name resolution, TCP and TLS together.
    limits["connect"].ends_s = now_s + min(total_s, limits["connect"])
    return limits


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
        reason: Exception = OSError("the host has no address")
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
                reason = error
            else:
                return _Stream(connection, self._now)
        raise httpcore.ConnectError(_describe(reason))


class _Stream(httpcore.NetworkStream):
    """A socket, plain or TLS, that keeps the deadline and hands out no byte after the end of a response."""

    def __init__(self, connection: socket.socket, now: Callable[[], float]) -> None:
        self._socket = connection
        self._now = now
        self._last_used_s = now()
        self._received = b""
        self.content_left = 0  # bytes of a body with Content-Length that were not read yet
        self.write_error = ""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what was received, up to where the response may end."""
        while not (length := self._get_readable_length(max_bytes)):
            try:
                self._socket.settimeout(cast("_Limit", timeout).get_remaining_s())
                received = self._socket.recv(max_bytes)
            except OSError as error:
                raise httpcore.ReadError(_describe(error)) from None
            if not received:
                raise httpcore.ReadError("ConnectionResetError: closed before the end of the response")
            self._received += received
        piece, self._received = self._received[:length], self._received[length:]
        self._last_used_s = self._now()
        return piece

    def _get_readable_length(self, max_bytes: int) -> int:
        """Return how many bytes may be read: h11 would take those after the end of a response for the next response.

        A response ends with the last byte that its Content-Length counts, or else with an empty line.
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
        """Send all bytes. After a WriteError httpcore reads the response, which may tell the reason."""
        view = memoryview(buffer)
        try:
            while view:
                self._socket.settimeout(cast("_Limit", timeout).get_remaining_s())
                view = view[self._socket.send(view) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(_describe(error)) from None
        except OSError as error:
            self.write_error = _describe(error)
            raise httpcore.WriteError(self.write_error) from None

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
        """Close the connection."""
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        """Tell whether an idle connection is readable: httpcore closes it then, so this includes an expired one."""
        if info != "is_readable":
            return None
        idle_s = self._now() - self._last_used_s  # wall clock, because it runs on in a frozen function
        if self._received or not 0 <= idle_s <= MAX_IDLE_S:  # negative: the clock was set back
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


def _prepare_body(method: str, response: httpcore.Response) -> None:
    """Check that the request was sent whole, unless it failed, and that the response says how long it is."""
    stream: _Stream = response.extensions["network_stream"]
    if stream.write_error and response.status < _FIRST_ERROR_STATUS:
        raise httpx.WriteError(stream.write_error)
    if method == "HEAD" or response.status in _STATUSES_WITHOUT_BODY:
        return
    headers = {name.lower(): value for name, value in response.headers}
    if b"transfer-encoding" in headers:
        return
    if b"content-length" not in headers:
        # It ends where the connection ends, so a response that was cut short would look complete.
        raise httpx.ReadError(f"status {response.status}: the response does not say how long it is")
    stream.content_left = int(headers[b"content-length"])


def _to_httpx_error(error: Exception) -> httpx.TransportError:
    if isinstance(error, httpcore.ConnectError):
        return httpx.ConnectError(str(error))
    if isinstance(error, httpcore.LocalProtocolError):
        return httpx.LocalProtocolError(_INVALID_REQUEST)  # h11's texts quote what is wrong
    if isinstance(error, httpcore.ProtocolError):
        return httpx.RemoteProtocolError("the response is not HTTP")
    return httpx.ReadError(str(error))


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
