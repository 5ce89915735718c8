"""What was asked of the cloud: one row a request, attributed to the key that signed it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Row:
    """One request and its answer; time in Unix seconds.

    `code` is the error code, empty when all went well. `action` and `resource` are what CAM calls it, such as
    `cos:PutObject` and `qcs::cos:...`; empty for function URLs. `fault` is what struck it by the plan of faults; a
    request that was left without an answer has status 0.
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
        """Its fields by name. There are many rows: dataclasses.asdict would copy each value deeply."""
        return {name: getattr(self, name) for name in self.__slots__}


class Traffic:
    """The last 100 000 requests, in memory."""

    def __init__(self, most_rows: int = _MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._rows: deque[Row] = deque()
        self._of_invocation: dict[str, list[Row]] = {}
        self._count = 0

    def next_number(self) -> int:
        """The number of the request that is being answered: they count from 1."""
        self._count += 1
        return self._count

    def add(self, row: Row) -> None:
        """Keep a row; the oldest goes when there are too many."""
        self._rows.append(row)
        if row.request_id:
            self._of_invocation.setdefault(row.request_id, []).append(row)
        if len(self._rows) > self._most_rows:
            self._forget(self._rows.popleft())

    def _forget(self, row: Row) -> None:
        of_same = self._of_invocation.get(row.request_id)
        if of_same is not None:
            of_same.remove(row)
            if not of_same:
                del self._of_invocation[row.request_id]

    def since(self, number: int) -> list[Row]:
        """The rows after that number, in the order in which they were answered."""
        return [row for row in self._rows if row.number > number]

    def requests_of(self, request_id: str) -> list[str]:
        """What one invocation asked for: `METHOD host path -> status` lines."""
        return [
            f"{row.method} {row.host} {row.path}{'?' + row.query if row.query else ''} -> {row.status}"
            + (f" {row.code}" if row.code else "")
            for row in self._of_invocation.get(request_id, [])
        ]
