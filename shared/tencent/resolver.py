"""Finds the addresses of a host within a time limit, and remembers which of them did not respond.

The operating system's resolver has no time limit that a caller can set: it may take longer than a function may run.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Protocol

MAX_LOOKUP_AGE_S = 30.0  # of a name that was resolved after the caller had stopped waiting


class AddressResolver(Protocol):
    """Finds the addresses of a host that may be connected to."""

    def resolve(self, host: str, port: int, timeout_s: float) -> list[str]:
        """Return addresses, the best first. Raises OSError or UnicodeError, and TimeoutError after `timeout_s`."""

    def note_failure(self, address: str) -> None:
        """Remember that there was no connection to this address, or no response."""

    def note_success(self, address: str) -> None:
        """Remember that there is a connection to this address."""


class Resolver:
    """Resolves names in threads of its own. It belongs to the process, whose threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lookups: dict[tuple[str, int], _Lookup] = {}  # running, or not yet used
        self._failed: set[str] = set()

    def resolve(self, host: str, port: int, timeout_s: float) -> list[str]:
        """Return the host's addresses; those that failed before come last.

        Raises OSError or UnicodeError, and TimeoutError after `timeout_s` seconds. The lookup continues, and the next
        call for the host uses its result.
        """
        lookup = self._start(host, port)
        lookup.join(timeout_s)
        if lookup.is_alive():
            raise TimeoutError("timed out: the name was not resolved")
        with self._lock:
            self._lookups.pop((host, port), None)
        if lookup.error:
            raise lookup.error
        return sorted(lookup.addresses, key=self._failed.__contains__)

    def _start(self, host: str, port: int) -> _Lookup:
        with self._lock:
            lookup = self._lookups.get((host, port))
            if lookup and lookup.is_usable():
                return lookup
            lookup = _Lookup(host, port)
            try:
                lookup.start()
            except RuntimeError:
                raise OSError("no thread could be started to resolve the name") from None
            self._lookups[host, port] = lookup
            return lookup

    def note_failure(self, address: str) -> None:
        """Remember that there was no connection to this address, or no response."""
        self._failed.add(address)

    def note_success(self, address: str) -> None:
        """Remember that there is a connection to this address."""
        self._failed.discard(address)


class _Lookup(threading.Thread):
    """Resolves one name. A daemon, so that a process can end although a resolver does not."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(name="scribe-resolver", daemon=True)
        self._endpoint = (host, port)
        self._ended_s = 0.0
        self.addresses: list[str] = []
        self.error: OSError | UnicodeError | None = None

    def run(self) -> None:
        """Resolve the name, and keep the addresses or the error."""
        try:
            results = socket.getaddrinfo(*self._endpoint, type=socket.SOCK_STREAM)
            self.addresses = list(dict.fromkeys(str(address[0]) for *_, address in results))
        except (OSError, UnicodeError) as error:
            self.error = error
        self._ended_s = time.monotonic()

    def is_usable(self) -> bool:
        """Check whether the result is still to come, or good and new."""
        return self.is_alive() or (not self.error and time.monotonic() - self._ended_s < MAX_LOOKUP_AGE_S)
