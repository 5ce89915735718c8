"""One call of API 3.0, and the error that ends one: what the services of the control plane see of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from localcloud.keys import Key


class Refusal(Exception):
    """The call is refused, with a code of the real service such as `ResourceNotFound.Function`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Call:
    """One verified call. `service` is scf, cam or sts; `given` the JSON body; `caller` whose key signed it."""

    service: str
    action: str
    region: str
    given: Mapping[str, Any]
    caller: Key


class ControlService(Protocol):
    """One service of the control plane."""

    async def answer(self, call: Call) -> Mapping[str, Any]:
        """The members of `Response`, without RequestId. Raises Refusal."""
