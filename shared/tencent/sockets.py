"""Sockets, plain or under TLS, that are open by a given moment of the monotonic clock or not at all."""

from __future__ import annotations

import functools
import select
import socket
import ssl
import time
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}


def opened(origin: str, until: float) -> socket.socket:
    """A socket to an origin such as `https://host`. Raises ValueError for what is no address, else OSError."""
    to = urlsplit(origin)
    if to.scheme not in _PORTS:
        raise ValueError("neither http nor https")
    host = to.hostname or ""
    one = _connected(host, to.port or _PORTS[to.scheme], until)
    try:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if to.scheme == "https":
            one.settimeout(seconds_left(until))
            return trusted().wrap_socket(one, server_hostname=host)
    except BaseException:
        one.close()
        raise
    return one


def _connected(host: str, port: int, until: float) -> socket.socket:
    """To the first of the host's addresses that takes it."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{type(error).__name__}: {error}") from None  # a name that cannot be one
    problem = OSError("it has no address")
    for family, kind, protocol, _, address in addresses:
        one = socket.socket(family, kind, protocol)
        try:
            one.settimeout(seconds_left(until))
            one.connect(address)
        except OSError as error:
            one.close()
            problem = error
        else:
            return one
    raise problem


@functools.cache
def trusted() -> ssl.SSLContext:
    """Trusts the authorities that are shipped with the function: SCF's own Python may know none."""
    import certifi  # noqa: PLC0415 - CLOUD_ENDPOINT never speaks TLS

    return ssl.create_default_context(cafile=certifi.where())


def seconds_left(until: float) -> float:
    """Seconds from now. Raises TimeoutError when there are none."""
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


def has_ended(idle: socket.socket) -> bool:
    """Whether the other side has closed it, or sent what nobody asked for."""
    poll = select.poll()
    poll.register(idle, select.POLLIN)
    return bool(poll.poll(0))
