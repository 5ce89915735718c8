"""HTTP transport of the functions: httpx over httpcore, with one deadline for a whole request.

httpx's own timeouts apply to one socket operation, so a response that arrives byte by byte has no time limit, and names
are resolved without one.
Connections are kept between requests and invocations; those that died while the function was frozen are not used.
"""

from __future__ import annotations

import functools
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar
from typing import Any, cast

import httpcore
import httpx

from shared.tencent.resolver import AddressResolver, Resolver

TOTAL_TIMEOUT = "total_timeout"  # request extension: seconds until the end of the response's body
MAX_IDLE_S = 5.0  # longer than any pause within an invocation
MAX_RESPONSE_BYTES = 64 * 1024 * 1024  # five hours of speech are 13 MB, and a function's memory is small

INVALID_RESPONSE = "the response was cut short or is not HTTP"
INVALID_REQUEST = "the method, target or headers hold what HTTP cannot carry"
INVALID_ORIGIN = "the address is not that of an HTTP server"
_STATUSES_WITHOUT_BODY = (204, 304)
_FIRST_ERROR_STATUS = 300
_PIECE_BYTES = 65536
_TIMER_RESOLUTION_S = 0.001  # of a socket's timeout
# RFC 9110, section 5: what a header's name and value may hold. h11 quotes a value that it refuses.
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(rb"(?:[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?")
_HEAD_END = b"\r\n\r\n"
_INTERIM_RESPONSE = b"HTTP/1.1 1"  # 100 to 199: another response follows

# SCF sets the root logger to DEBUG; these loggers would write every address and every header, tokens included.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class TotalTimeout(httpx.ReadTimeout):
    """The request used up its whole time; another try would take as long."""


def create_http_client(transport: httpx.BaseTransport) -> httpx.Client:
    """Create a client that uses no proxies and no credentials of the environment."""
    return httpx.Client(transport=transport, cookies=_NoCookies(), trust_env=False)


class _NoCookies(CookieJar):
    def extract_cookies(self, response: object, request: object) -> None:
        """Skip the search for cookies, which takes time on each response: COS and CI send none."""


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
    with suppress(UnicodeError):  # it holds a header as a whole
        return httpx.Request(
            method,
            _parse_origin(origin),
            headers=[
                (_encode_header_name(name), _encode_header_value(value)) for name, value in headers.items()
            ],
            stream=httpx.ByteStream(body),  # `content=` would add headers
            extensions={
                "target": target.encode("ascii"),
                "timeout": {"connect": connect_timeout_s, "read": read_timeout_s, "write": read_timeout_s},
                TOTAL_TIMEOUT: total_timeout_s,
            },
        )
    raise httpx.LocalProtocolError(INVALID_REQUEST)


@functools.lru_cache
def _encode_header_name(name: str) -> bytes:
    encoded = name.encode()
    if not _HEADER_NAME.fullmatch(encoded):
        raise httpx.LocalProtocolError(INVALID_REQUEST)
    return encoded


def _encode_header_value(value: str) -> bytes:
    encoded = value.encode()
    # The first check is the faster one, and enough for most values.
    is_plain = value.isascii() and value.isprintable() and value.strip() == value
    if not is_plain and not _HEADER_VALUE.fullmatch(encoded):
        raise httpx.LocalProtocolError(INVALID_REQUEST)
    return encoded


@functools.lru_cache
def _parse_origin(origin: str) -> httpx.URL:
    try:
        url = httpx.URL(origin)
    except httpx.InvalidURL:
        raise httpx.UnsupportedProtocol(INVALID_ORIGIN) from None
    if url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > 65535:  # noqa: PLR2004 - TCP's last port
        raise httpx.UnsupportedProtocol(INVALID_ORIGIN)
    return url


def iterate_body(response: httpx.Response) -> Iterator[bytes]:
    """Return the body as it was sent: httpx's own iterators would decode a Content-Encoding."""
    return iter(cast("httpx.SyncByteStream", response.stream))


class Transport(httpx.BaseTransport):
    """Sends requests of `build_request` over kept connections. Threads may share it.

    Raises httpx.ConnectError if nothing was sent, httpx.LocalProtocolError if HTTP cannot carry the request, and
    another httpx.TransportError if the outcome is unknown: TotalTimeout if there was no more time. No message quotes a
    request or a response.

    `resolver` decides which addresses of a host it may connect to. A response must say how long its body is, unless
    `needs_length` is False: then one that was cut short looks complete.
    """

    def __init__(
        self,
        now: Callable[[], float] = time.time,
        *,
        resolver: AddressResolver | None = None,
        needs_length: bool = True,
    ) -> None:
        self._backend = _Backend(now, resolver or Resolver())
        self._needs_length = needs_length
        self._pools: dict[str, httpcore.ConnectionPool] = {}
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Its deadline also applies while the body of the response is read."""
        url, extensions = request.url, request.extensions
        pool = self._get_pool(url.scheme)  # before the clock starts: it may create a TLS context
        deadline_s = time.monotonic() + extensions[TOTAL_TIMEOUT]
        core_request = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=extensions["target"]
            ),
            headers=request.headers.raw,
            content=cast("Iterable[bytes]", request.stream),
            extensions={"timeout": _build_limits(extensions["timeout"], deadline_s)},
        )
        with _mapped_errors(deadline_s):
            response = pool.handle_request(core_request)
        try:
            _check_response(request.method, response, needs_length=self._needs_length)
        except httpx.TransportError:
            response.close()
            raise
        # httpx parses Location even if it follows no redirect, and rejects the response if it is no address.
        headers = [(name, value) for name, value in response.headers if name.lower() != b"location"]
        return httpx.Response(response.status, headers=headers, stream=_ResponseBody(response, deadline_s))

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
    """Seconds that one socket operation may take, and the deadline of the whole request.

    httpcore passes the values of the `timeout` extension to the network backend as they are.
    """

    deadline_s: float

    def get_remaining_s(self) -> float:
        """Return the seconds for the next operation. Raises httpcore.TimeoutException if none are left."""
        seconds = min(self, self.deadline_s - time.monotonic())
        if seconds <= 0:
            raise httpcore.TimeoutException("timed out")
        return seconds

    def get_connect_s(self) -> float:
        """Return the seconds for connecting. Raises httpcore.ConnectTimeout: nothing was sent."""
        try:
            return self.get_remaining_s()
        except httpcore.TimeoutException:
            raise httpcore.ConnectTimeout("timed out") from None


def _build_limits(timeouts: Mapping[str, float], deadline_s: float) -> dict[str, _Limit]:
    limits = {name: _Limit(seconds) for name, seconds in timeouts.items()}
    for limit in limits.values():
        limit.deadline_s = deadline_s
    # One limit for name resolution, TCP and TLS together.
    limits["connect"].deadline_s = min(deadline_s, time.monotonic() + limits["connect"])
    return limits


class _Backend(httpcore.NetworkBackend):
    """httpcore's own sockets, whose every operation ends at the request's deadline."""

    def __init__(self, now: Callable[[], float], resolver: AddressResolver) -> None:
        self._now = now
        self._backend = httpcore.SyncBackend()
        self._resolver = resolver

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        """Open a connection. Raises httpcore.ConnectError or ConnectTimeout.

        The addresses share one limit, and each has an equal part of what is left: one that does not respond leaves time
        for the next.
        """
        limit = cast("_Limit", timeout)
        addresses = self._resolve(host, port, limit)
        reason: Exception = httpcore.ConnectError("the host has no address")
        for number, address in enumerate(addresses):
            timeout_s = limit.get_connect_s() / (len(addresses) - number)
            try:
                stream = self._backend.connect_tcp(address, port, timeout_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                self._resolver.note_failure(address)
                reason = error
            else:
                self._resolver.note_success(address)
                note_failure = functools.partial(self._resolver.note_failure, address)
                return _Stream(stream, self._now, note_failure).check_connected(limit)
        raise reason

    def _resolve(self, host: str, port: int, limit: _Limit) -> list[str]:
        try:
            return self._resolver.resolve(host, port, limit.get_connect_s())
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from None
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(_describe(error)) from None


class _Stream(httpcore.NetworkStream):
    """A connection, plain or TLS, that keeps the deadline and notices when it is too old to be used again.

    `note_failure` is called when the other side does not respond.
    """

    def __init__(
        self, stream: httpcore.NetworkStream, now: Callable[[], float], note_failure: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._now = now
        self._note_failure = note_failure
        self._last_used_s = now()
        self._head: bytes | None = b""  # of the current response; None after its end
        self._body_bytes = 0  # received after the head
        self.expected_body_bytes: int | None = None  # None: unknown, because the body is chunked
        self.has_write_error = False

    def check_connected(self, limit: _Limit) -> _Stream:
        """Return the stream if it was opened in time. Raises httpcore.ConnectTimeout: nothing was sent."""
        try:
            limit.get_connect_s()
        except httpcore.ConnectTimeout:
            self.close()
            raise
        return self

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what was received, b"" at the end of the connection."""
        try:
            received = self._stream.read(max_bytes, cast("_Limit", timeout).get_remaining_s())
        except httpcore.TimeoutException:
            self._note_failure()
            raise
        self._last_used_s = self._now()
        self._count_body(received)
        return received

    def _count_body(self, received: bytes) -> None:
        if self._head is None:
            self._body_bytes += len(received)
            return
        head, head_end, body = (self._head + received).partition(_HEAD_END)
        while head_end and head.startswith(_INTERIM_RESPONSE):
            head, head_end, body = body.partition(_HEAD_END)
        self._head, self._body_bytes = (None if head_end else head), len(body)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all bytes, in pieces that have a time limit each.

        After a WriteError, httpcore reads the response, which may tell the reason.
        """
        self._head, self._body_bytes = b"", 0
        try:
            for start in range(0, len(buffer), _PIECE_BYTES):
                piece = buffer[start : start + _PIECE_BYTES]
                self._stream.write(piece, cast("_Limit", timeout).get_remaining_s())
        except httpcore.WriteError:
            self.has_write_error = True
            raise

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the same connection under TLS. Raises httpcore.ConnectError or ConnectTimeout."""
        limit = cast("_Limit", timeout)
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, limit.get_connect_s())
        except (httpcore.ConnectError, httpcore.ConnectTimeout):
            self._note_failure()
            raise
        return _Stream(stream, self._now, self._note_failure).check_connected(limit)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """Report a connection that must not be used again as readable: httpcore closes an idle one that is readable."""
        if info == "is_readable" and (self._is_expired() or self._has_surplus_bytes()):
            return True
        return self._stream.get_extra_info(info)

    def _is_expired(self) -> bool:
        """Compare wall-clock times, because the wall clock runs on in a frozen function; it may be set back."""
        return not 0 <= self._now() - self._last_used_s <= MAX_IDLE_S

    def _has_surplus_bytes(self) -> bool:
        """Check for bytes after the end of the response, which httpcore would take for the next response."""
        if self._head is not None:
            return True
        return self.expected_body_bytes is not None and self._body_bytes != self.expected_body_bytes


class _ResponseBody(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response, deadline_s: float) -> None:
        self._response = response
        self._deadline_s = deadline_s

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        with _mapped_errors(self._deadline_s):
            for chunk in self._response.iter_stream():
                size += len(chunk)
                if size > MAX_RESPONSE_BYTES:
                    raise httpx.ReadError(f"the response is longer than {MAX_RESPONSE_BYTES:,} bytes")
                yield chunk

    def close(self) -> None:
        self._response.close()


def _check_response(method: str, response: httpcore.Response, *, needs_length: bool) -> None:
    """Check that the request was sent whole, unless it failed, and that the response says how long it is."""
    stream: _Stream = response.extensions["network_stream"]
    if stream.has_write_error and response.status < _FIRST_ERROR_STATUS:
        raise httpx.WriteError("the connection broke before the request was sent completely")
    headers = {name.lower(): value for name, value in response.headers}
    if method == "HEAD" or response.status in _STATUSES_WITHOUT_BODY:
        stream.expected_body_bytes = 0
    elif b"transfer-encoding" in headers:
        stream.expected_body_bytes = None
    elif b"content-length" in headers:
        stream.expected_body_bytes = int(headers[b"content-length"])
    elif needs_length:
        # It ends where the connection ends, so a response that was cut short would look complete.
        raise httpx.ReadError(f"status {response.status}: the response does not say how long it is")


@contextmanager
def _mapped_errors(deadline_s: float) -> Iterator[None]:
    """Map httpcore's errors to those of httpx, without texts that may quote a request or a response."""
    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        raise httpx.ConnectError(_describe(error)) from None
    except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol):
        raise httpx.LocalProtocolError(INVALID_REQUEST) from None
    except httpcore.ProtocolError:
        raise httpx.RemoteProtocolError(INVALID_RESPONSE) from None
    except (httpcore.NetworkError, httpcore.TimeoutException) as error:
        if time.monotonic() >= deadline_s - _TIMER_RESOLUTION_S:
            raise TotalTimeout("timed out: the response was too slow") from None
        raise httpx.ReadError(_describe(error)) from None


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
