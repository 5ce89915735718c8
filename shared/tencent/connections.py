"""Connections to COS and CI that outlive an invocation: HTTP/1.1 as h11 reads and writes it, over a socket or TLS.

What a whole library for HTTP would add, connections that are kept and a dead one told from a live one, is this page
and `sockets.py`; what it would cost is a third of each cold start (docs/benchmarks.md, bare httpx).
"""

from __future__ import annotations

import functools
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import h11

from shared.tencent.sockets import has_ended, opened, seconds_left

IDLE_SECONDS = 5.0  # longer than any pause within an invocation; a frozen function's clock goes on
_WITHOUT_BODY = (204, 304)
_REFUSALS = 300  # and above
_PIECE_BYTES = 65536
_MOST_BYTES = (
    64 * 1024 * 1024
)  # of an answer: five hours of speech are 13 MB, and a function's memory is small


class CannotBeSent(Exception):
    """It is no request that HTTP could carry, so nothing was done; the message says which part is at fault."""


class NotSent(Exception):
    """There was no connection, so nothing was done; the message says why."""


class NoAnswer(Exception):
    """It was sent at least in part, and what was done is unknown; the message says why."""


class Outgoing(NamedTuple):
    """A request as it is sent: `origin` such as `https://host`, `target` percent-encoded, Host among the headers."""

    method: str
    origin: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connect_s: float  # how long to wait for the connection
    silence_s: float  # how long nothing may come or go afterwards
    whole_s: float  # when all must be over, from the start


class Answer(NamedTuple):
    """An answer, read to its end. Header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Connection(NamedTuple):
    """A socket, and how far the talk over it has come."""

    origin: str
    socket: socket.socket
    talk: h11.Connection


class _Idle(NamedTuple):
    connection: _Connection
    since_s: float


class Connections:
    """Makes a connection where none is at hand, and keeps it for the next request. Threads may share it."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._idle: list[_Idle] = []
        self._lock = threading.Lock()

    def exchange(self, request: Outgoing) -> Answer:
        """What the other side answers, whatever its status. Raises CannotBeSent, NotSent or NoAnswer."""
        ends = time.monotonic() + request.whole_s
        said = _as_events(request)
        connection = self._take(request.origin) or _connected(request, ends)
        try:
            answer = _exchanged(connection, said, request, ends)
        except (OSError, h11.ProtocolError) as error:
            connection.socket.close()
            raise NoAnswer(_reason(error)) from None
        except BaseException:
            connection.socket.close()
            raise
        if _can_go_on(connection.talk):
            with self._lock:
                self._idle.append(_Idle(connection, self._now()))
        else:
            connection.socket.close()
        return answer

    def close(self) -> None:
        """Closes those that wait for a next request."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.connection.socket.close()

    def _take(self, origin: str) -> _Connection | None:
        """One to this origin that still lives, if any. Closes those that do not, whosever they are."""
        found = None
        with self._lock:
            idle, self._idle = self._idle, []
            for one in idle:
                # A clock that was set back says nothing of how long it has waited.
                if not 0 <= self._now() - one.since_s <= IDLE_SECONDS or has_ended(one.connection.socket):
                    one.connection.socket.close()
                elif found is None and one.connection.origin == origin:
                    found = one.connection
                else:
                    self._idle.append(one)
        return found


@functools.cache
def process_connections() -> Connections:
    """Those of this process."""
    return Connections()


def _as_events(request: Outgoing) -> list[h11.Event]:
    try:
        headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
        head = h11.Request(method=request.method, target=request.target, headers=headers)
    except (h11.LocalProtocolError, UnicodeError):
        # Its own words would quote what is wrong, and that may be a signature or a token.
        raise CannotBeSent("its method, target or headers hold what HTTP cannot carry") from None
    return [head, *([h11.Data(data=request.body)] if request.body else []), h11.EndOfMessage()]


def _connected(request: Outgoing, ends: float) -> _Connection:
    try:
        plain_or_tls = opened(request.origin, min(ends, time.monotonic() + request.connect_s))
    except OSError as error:
        raise NotSent(_reason(error)) from None
    except ValueError:
        raise CannotBeSent("its origin is no address") from None
    return _Connection(request.origin, plain_or_tls, h11.Connection(h11.CLIENT))


def _exchanged(connection: _Connection, said: Iterable[h11.Event], request: Outgoing, ends: float) -> Answer:
    talk = connection.talk
    cut = None
    try:
        for piece in _pieces(
            [part for event in said for part in talk.send_with_data_passthrough(event) or ()]
        ):
            connection.socket.settimeout(min(request.silence_s, seconds_left(ends)))
            connection.socket.sendall(piece)
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
        # A refusal can come before the whole body was taken: then the answer says more than the broken pipe.
        cut = error
    parts: list[bytes] = []
    answer, size = None, 0
    while not isinstance(heard := _heard(connection, request.silence_s, ends), h11.EndOfMessage):
        if isinstance(heard, h11.Response):
            answer = Answer(
                heard.status_code, {_text(name): _text(value) for name, value in heard.headers}, b""
            )
            _check_that_it_has_an_end(answer, request.method)
        elif isinstance(heard, h11.Data):
            parts.append(heard.data)
            size += len(heard.data)
            if size > _MOST_BYTES:
                raise OSError(f"the answer is longer than {_MOST_BYTES:,} bytes")
    assert answer
    if cut and answer.status < _REFUSALS:
        raise cut  # nobody can have stored what did not arrive
    return answer._replace(body=b"".join(parts))


def _pieces(parts: list[bytes]) -> Iterator[memoryview]:
    """What is sent at once: a small request whole, a long body in pieces, so that each has its own time limit."""
    if sum(map(len, parts)) <= _PIECE_BYTES:
        parts = [b"".join(parts)]
    for part in parts:
        view = memoryview(part)
        for place in range(0, len(part), _PIECE_BYTES):
            yield view[place : place + _PIECE_BYTES]


def _heard(connection: _Connection, silence_s: float, ends: float) -> h11.Event:
    """The next part of the answer, as soon as enough has come."""
    talk = connection.talk
    while (event := talk.next_event()) is h11.NEED_DATA:
        connection.socket.settimeout(min(silence_s, seconds_left(ends)))
        piece = connection.socket.recv(_PIECE_BYTES)
        if not piece:
            raise ConnectionResetError("it was closed before the answer had come to its end")
        talk.receive_data(piece)
    if not isinstance(event, h11.InformationalResponse | h11.Response | h11.Data | h11.EndOfMessage):
        raise ConnectionResetError("it was closed where an answer was to come")
    return event


def _check_that_it_has_an_end(answer: Answer, method: str) -> None:
    """Where only the connection's end is the answer's, one that was cut short would be taken for whole."""
    has_no_body = method == "HEAD" or answer.status in _WITHOUT_BODY
    if not has_no_body and not answer.headers.keys() & {"content-length", "transfer-encoding"}:
        raise OSError(f"status {answer.status}, without a word of how long the answer is")


def _can_go_on(talk: h11.Connection) -> bool:
    """Makes it ready for the next request, unless this was the last or more has come than was asked for."""
    surplus, has_ended = talk.trailing_data
    if talk.our_state is not h11.DONE or talk.their_state is not h11.DONE or surplus or has_ended:
        return False
    talk.start_next_cycle()
    return True


def _text(raw: bytes) -> str:
    """A header's name or value: UTF-8, as somebody's metadata may be, or else byte by byte."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _reason(error: Exception) -> str:
    if isinstance(error, h11.ProtocolError):
        return "the answer is not HTTP"  # its own words quote the answer, which may be somebody's transcript
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
