"""The access log: one entry for each request, with the credential that signed it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class AccessLogEntry:
    """One request and its response; `time_s` is Unix time.

    `code` is the error code, empty after success. `action` and `resource` are CAM's names, such as `cos:PutObject` and
    `qcs::cos:...`; empty for function URLs. `fault` is the fault that was injected; the status of a request without a
    response is 0.
    """

    number: int
    time_s: float
    method: str
    host: str
    path: str
    query: str
    status: int
    code: str
    secret_id: str
    function: str
    request_id: str
    body_bytes: int
    fault: str = ""
    action: str = ""
    resource: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the fields by name. dataclasses.asdict would deep-copy each value, which is slow for many entries."""
        return {name: getattr(self, name) for name in self.__slots__}


class AccessLog:
    """The last 100,000 requests, in memory."""

    def __init__(self, max_entries: int = _MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        self._entries: deque[AccessLogEntry] = deque()
        self._by_invocation: dict[str, list[AccessLogEntry]] = {}
        self._count = 0

    def next_number(self) -> int:
        """Return the number of the next request, counted from 1."""
        self._count += 1
        return self._count

    def add(self, entry: AccessLogEntry) -> None:
        """Add an entry; the oldest one is dropped above the maximum."""
        self._entries.append(entry)
        if entry.request_id:
            self._by_invocation.setdefault(entry.request_id, []).append(entry)
        if len(self._entries) > self._max_entries:
            self._drop(self._entries.popleft())

    def _drop(self, entry: AccessLogEntry) -> None:
        entries = self._by_invocation.get(entry.request_id)
        if entries is not None:
            entries.remove(entry)
            if not entries:
                del self._by_invocation[entry.request_id]

    def since(self, number: int) -> list[AccessLogEntry]:
        """Return the entries after that number, in the order of their responses."""
        return [entry for entry in self._entries if entry.number > number]

    def requests_for(self, invocation_id: str) -> list[str]:
        """Return the requests of one invocation as lines `METHOD host path -> status`."""
        return [
            f"{entry.method} {entry.host} {entry.path}{'?' + entry.query if entry.query else ''} -> {entry.status}"
            + (f" {entry.code}" if entry.code else "")
            for entry in self._by_invocation.get(invocation_id, [])
        ]
