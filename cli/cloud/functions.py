"""The functions of one region, through SCF's API: what is there, and changing it."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.cloud.control import Control, ControlError
from cli.cloud.triggers import FoundTrigger, found_trigger
from cli.cloud.waiting import Waiting
from cli.errors import OperatorError

PAGE_SIZE = 100
LONGEST_WAIT_S = 180.0  # for a function to become Active; some seconds are usual

_ABSENT = frozenset(
    {"ResourceNotFound.Function", "ResourceNotFound.FunctionName", "ResourceNotFound.Namespace"}
)
# What GetFunction may say of a function that is just being deleted: its versions go first.
_GOING = "ResourceNotFound.Version"
# What SCF says of a role that CAM made a moment ago (SCF error codes).
_ROLE_NOT_YET_SEEN = frozenset(
    {"ResourceNotFound.Role", "ResourceNotFound.RoleCheck", "InvalidParameter.RoleCheck"}
)
# A function that has just told Active may turn Updating a moment later, and refuses changes until that is over: with
# these codes, which say so,
_BUSY = frozenset(
    {
        "FailedOperation.FunctionNameStatusError",
        "FailedOperation.FunctionStatusError",
        "FailedOperation.FunctionVersionStatusNotActive",
        "FailedOperation.OperationConflict",
        "UnauthorizedOperation.FunctionStatus",
    }
)
# or with these, which may as well mean that what was asked for is wrong. Then the message tells, in English or Chinese.
_PERHAPS_BUSY = frozenset(
    {
        "FailedOperation",
        "FailedOperation.CreateTrigger",
        "FailedOperation.DeleteTrigger",
        "FailedOperation.UpdateFunctionCode",
        "FailedOperation.UpdateFunctionConfiguration",
        "FailedOperation.UpdateTrigger",
        "FailedOperation.UpdateTriggerStatus",
    }
)
_BUSY_WORDS = re.compile(
    "(creat|updat|publish|deploy)ing|not active|function stat(e|us)|try again|状态|稍后", re.IGNORECASE
)


class NotActive(OperatorError):
    """A function did not become usable; the message says what state it is in, why, and what to do."""


@dataclass(frozen=True, slots=True)
class FoundFunction:
    """One function as the service tells it. `status` is Active, Creating, CreateFailed, Updating, UpdateFailed, ..."""

    name: str
    namespace: str
    status: str
    status_reason: str
    description: str
    handler: str
    runtime: str
    role: str
    memory_mib: int
    timeout_s: int
    init_timeout_s: int
    public_network: bool
    variables: Mapping[str, str] = field(repr=False)  # holds the callback token
    tags: Mapping[str, str] = field(default_factory=dict)
    type: str = "Event"

    @property
    def is_busy(self) -> bool:
        """Whether it is just being made, changed or deleted."""
        return self.status.endswith("ing")


@dataclass(frozen=True, slots=True)
class Retries:
    """What SCF does with an asynchronous event that failed: further attempts, and seconds until it is dropped."""

    attempts: int
    lifetime_s: int


MOST_RETRIES = Retries(attempts=2, lifetime_s=21_600)  # the most that SCF gives, and its default (583/51666)


@dataclass(frozen=True, slots=True)
class Functions:
    """SCF's functions. Every call raises ControlError. The clock and the sleep can be handed in by tests.

    A change that SCF refuses because the function is busy with the last one, or because it does not see a new role
    yet, is sent again for up to a minute.
    """

    control: Control
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def find(self, name: str, namespace: str) -> FoundFunction | None:
        """A function, or None where there is none of that name."""
        asked = {"FunctionName": name, "Namespace": namespace, "ShowCode": "FALSE"}
        try:
            return _found(self.control.call("scf", "GetFunction", asked))
        except ControlError as error:
            if error.code in _ABSENT:
                return None
            raise

    def names(self, namespace: str) -> tuple[str, ...]:
        """The names of all functions of a namespace."""
        listed = self._pages("ListFunctions", {"Namespace": namespace}, "Functions")
        return tuple(str(one["FunctionName"]) for one in listed)

    def namespaces(self) -> tuple[str, ...]:
        """The namespaces of the region; SCF allows five (SCF document 583/11637)."""
        listed = self._pages("ListNamespaces", {}, "Namespaces")
        return tuple(str(one["Name"]) for one in listed)

    def triggers(self, name: str, namespace: str) -> tuple[FoundTrigger, ...]:
        """What wakes a function."""
        asked = {"FunctionName": name, "Namespace": namespace}
        return tuple(found_trigger(one) for one in self._pages("ListTriggers", asked, "Triggers"))

    def create(self, payload: Mapping[str, Any], zip_bytes: bytes) -> None:
        """CreateFunction; `payload` is everything but the code. Returns before the function is Active."""
        code = {"ZipFile": base64.b64encode(zip_bytes).decode("ascii")}
        self._change("CreateFunction", {**payload, "Code": code})

    def update_code(self, name: str, namespace: str, handler: str, zip_bytes: bytes) -> None:
        """UpdateFunctionCode, which also sets the handler. Returns before the function is Active."""
        given = {
            "FunctionName": name,
            "Namespace": namespace,
            "Handler": handler,
            "Code": {"ZipFile": base64.b64encode(zip_bytes).decode("ascii")},
        }
        self._change("UpdateFunctionCode", given)

    def update_configuration(self, payload: Mapping[str, Any]) -> None:
        """UpdateFunctionConfiguration. Returns before the function is Active."""
        self._change("UpdateFunctionConfiguration", payload)

    def delete(self, name: str, namespace: str) -> None:
        """DeleteFunction, with its triggers; waits until it is gone. One that is not there is no error."""
        try:
            self._change("DeleteFunction", {"FunctionName": name, "Namespace": namespace})
        except ControlError as error:
            if error.code not in _ABSENT:
                raise
        # SCF says for a moment longer that it is there.
        for _ in self._looks():
            try:
                if not self.find(name, namespace):
                    return
            except ControlError as error:
                if error.code != _GOING:
                    raise
        raise NotActive(
            f"{name} is still there {LONGEST_WAIT_S:.0f} s after it was deleted; run the command again"
        )

    def settled(self, name: str, namespace: str) -> FoundFunction | None:
        """A function that is not just being made, changed or deleted; None where there is none of that name.

        Raises NotActive when that takes too long.
        """
        found = self.find_settled(name, namespace, LONGEST_WAIT_S)
        if not found or not found.is_busy:
            return found
        raise NotActive(
            f"{name} is still being made or changed after {LONGEST_WAIT_S:.0f} s; look at it in the SCF console, "
            "then run the command again"
        )

    def find_settled(self, name: str, namespace: str, longest_s: float) -> FoundFunction | None:
        """As `find`, once it is no longer being made, changed or deleted, or as it is when the time is up."""
        found = None
        for _ in self._waiting.looks(longest_s):
            found = self.find(name, namespace)
            if not found or not found.is_busy:
                break
        return found

    def wait_active(self, name: str, namespace: str) -> FoundFunction:
        """Looks until the function is Active. Raises NotActive when it failed, or is not Active in time."""
        found = self.settled(name, namespace)
        if found and found.status == "Active":
            return found
        if not found:
            raise NotActive(f"{name} is not there, though SCF took the request; run the command again")
        raise NotActive(f"{name} is {found.status}: {found.status_reason or 'SCF gives no reason'}")

    def create_trigger(self, payload: Mapping[str, Any]) -> None:
        """CreateTrigger."""
        self._change("CreateTrigger", payload)

    def update_trigger(self, payload: Mapping[str, Any], trigger_name: str) -> None:
        """UpdateTrigger, for http: the address stays. `payload` as for CreateTrigger, the name as found."""
        self._change("UpdateTrigger", {**payload, "TriggerName": trigger_name})

    def delete_trigger(self, name: str, namespace: str, trigger: FoundTrigger) -> None:
        """DeleteTrigger."""
        self._change("DeleteTrigger", _naming(name, namespace, trigger))

    def open_trigger(self, name: str, namespace: str, trigger: FoundTrigger) -> None:
        """Opens a closed trigger: UpdateTriggerStatus, or for http UpdateTrigger, which the former does not take."""
        given = {
            **_naming(name, namespace, trigger),
            "TriggerDesc": trigger.sent_description,
            "Enable": "OPEN",
        }
        if trigger.type == "http":
            self._change("UpdateTrigger", {**given, "TriggerDesc": trigger.description})
        else:
            self._change("UpdateTriggerStatus", given)

    def retries(self, name: str, namespace: str) -> Retries:
        """What happens with events that failed."""
        asked = {"FunctionName": name, "Namespace": namespace}
        told = self.control.call("scf", "GetFunctionEventInvokeConfig", asked).get("AsyncTriggerConfig") or {}
        attempts = next((one.get("RetryNum") for one in told.get("RetryConfig") or ()), None)
        return Retries(int(attempts or 0), int(told.get("MsgTTL") or 0))

    def set_retries(self, name: str, namespace: str, retries: Retries) -> None:
        """Says what happens with events that failed: 0 to 2 attempts, 60 to 21,600 seconds (SCF document 583/51666)."""
        wanted = {"RetryConfig": [{"RetryNum": retries.attempts}], "MsgTTL": retries.lifetime_s}
        given = {"FunctionName": name, "Namespace": namespace, "AsyncTriggerConfig": wanted}
        self._change("UpdateFunctionEventInvokeConfig", given)

    @property
    def _waiting(self) -> Waiting:
        return Waiting(self.now, self.sleep)

    def _looks(self) -> Iterator[None]:
        return self._waiting.looks(LONGEST_WAIT_S)

    def _change(self, action: str, given: Mapping[str, Any]) -> None:
        name, namespace = str(given["FunctionName"]), str(given.get("Namespace") or "default")
        self._waiting.until_taken(
            lambda: self.control.call("scf", action, given),
            lambda refusal: refusal.code in _ROLE_NOT_YET_SEEN or self._is_busy(refusal, name, namespace),
        )

    def _is_busy(self, refusal: ControlError, name: str, namespace: str) -> bool:
        """Whether the function is only busy with another change: it says so itself, or the refusal does."""
        if refusal.code not in _BUSY | _PERHAPS_BUSY:
            return False
        try:
            found = self.find(name, namespace)
        except ControlError:
            return False
        if not found or found.status.endswith("Failed"):
            return False
        is_told = refusal.code in _BUSY or bool(_BUSY_WORDS.search(refusal.message))
        return is_told or found.is_busy

    def _pages(self, action: str, asked: Mapping[str, Any], member: str) -> Iterator[Mapping[str, Any]]:
        offset = 0
        while True:
            answer = self.control.call("scf", action, {**asked, "Offset": offset, "Limit": PAGE_SIZE})
            page = answer.get(member) or []
            yield from page
            offset += len(page)
            if not page or offset >= int(answer.get("TotalCount") or 0):
                return


def _naming(name: str, namespace: str, trigger: FoundTrigger) -> dict[str, Any]:
    naming = {
        "FunctionName": name,
        "Namespace": namespace,
        "TriggerName": trigger.name,
        "Type": trigger.type,
        "Qualifier": trigger.qualifier,
    }
    # One bucket may have several rules: the description says which (DeleteTrigger, UpdateTriggerStatus).
    return {**naming, "TriggerDesc": trigger.sent_description} if trigger.type == "cos" else naming


def _found(told: Mapping[str, Any]) -> FoundFunction:
    reasons = [_reason(one) for one in told.get("StatusReasons") or ()] or [str(told.get("StatusDesc") or "")]
    return FoundFunction(
        name=str(told["FunctionName"]),
        namespace=str(told.get("Namespace") or "default"),
        status=str(told.get("Status") or ""),
        status_reason="; ".join(filter(None, reasons)),
        description=str(told.get("Description") or ""),
        handler=str(told.get("Handler") or ""),
        runtime=str(told.get("Runtime") or ""),
        role=str(told.get("Role") or ""),
        memory_mib=int(told.get("MemorySize") or 0),
        timeout_s=int(told.get("Timeout") or 0),
        init_timeout_s=int(told.get("InitTimeout") or 0),
        public_network=(told.get("PublicNetConfig") or {}).get("PublicNetStatus") == "ENABLE",
        variables=_pairs((told.get("Environment") or {}).get("Variables")),
        tags=_pairs(told.get("Tags")),
        type=str(told.get("Type") or "Event"),
    )


def _reason(told: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (str(told.get("ErrorCode") or ""), str(told.get("ErrorMessage") or ""))))


def _pairs(told: Any) -> dict[str, str]:
    return {str(one.get("Key")): str(one.get("Value") or "") for one in told or ()}
