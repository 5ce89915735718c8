"""The keys this cloud knows: the operator's permanent one, and temporary ones with a token and an end."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from localcloud.access.documents import Document

_MOST_TEMPORARY_KEYS = 50_000


@dataclass(frozen=True, slots=True)
class Key:
    """A secret pair. A temporary one has a token, the second it ends, and names the invocation it was made for.

    What it may do is what its policies say together; None stands for everything. `role` is whose policies these are.
    """

    secret_id: str
    secret_key: str
    token: str = ""
    expires_s: float | None = None
    function: str = ""
    request_id: str = ""
    role: str = ""
    policies: tuple[Document, ...] | None = field(default=None, repr=False)


class Keys:
    """Looks keys up by their id. Temporary ones live in memory: a restart ends them, as it ends the functions."""

    def __init__(
        self,
        permanent: Key,
        clock: Callable[[], float] = time.time,
        assigned: Mapping[str, tuple[Document, ...]] | None = None,
    ) -> None:
        """`assigned` are policies by function: keys that are issued to it without others carry these."""
        self.permanent = permanent
        self._assigned = assigned or {}
        self._clock = clock
        self._temporary: OrderedDict[str, Key] = OrderedDict()

    def issue(
        self,
        function: str = "",
        request_id: str = "",
        lifetime_s: float = 7200.0,
        *,
        role: str = "",
        policies: tuple[Document, ...] | None = None,
    ) -> Key:
        """A new temporary key; the oldest is forgotten beyond 50 000.

        It may do what these policies say, else those assigned to its function, else everything.
        """
        key = Key(
            secret_id="AKID" + secrets.token_hex(24),
            secret_key=secrets.token_hex(16),
            # Real tokens are long base64 text; `+`, `/` and `=` in it catch clients that do not encode them.
            token=secrets.token_urlsafe(60) + "+/=",
            expires_s=self._clock() + lifetime_s,
            function=function,
            request_id=request_id,
            role=role,
            policies=self._assigned.get(function) if policies is None else policies,
        )
        self._temporary[key.secret_id] = key
        if len(self._temporary) > _MOST_TEMPORARY_KEYS:
            self._temporary.popitem(last=False)
        return key

    def find(self, secret_id: str) -> Key | None:
        """The key of that id, also when it has ended."""
        return self.permanent if secret_id == self.permanent.secret_id else self._temporary.get(secret_id)
