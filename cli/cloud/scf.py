"""Client of SCF: the functions of one region, their triggers, and the rules of COS triggers."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.cloud.client import ApiClient, ApiError, Poller
from cli.errors import OperatorError
from cli.language import _
from cli.manifest.models import TriggerSpec, parse_event
from cli.redaction import SECRETS

PAGE_SIZE = 100
STABLE_TIMEOUT_S = 180.0  # until a function is Active or deleted; some seconds are usual
DEFAULT_NAMESPACE = "default"  # exists in every region

_NOT_FOUND = frozenset(
    {"ResourceNotFound.Function", "ResourceNotFound.FunctionName", "ResourceNotFound.Namespace"}
)
# GetFunction may return this for a function that is being deleted: its versions are deleted first.
_VERSION_DELETED = "ResourceNotFound.Version"
# SCF's codes for a role that CAM created a moment ago (SCF error codes).
_ROLE_NOT_VISIBLE = frozenset(
    {"ResourceNotFound.Role", "ResourceNotFound.RoleCheck", "InvalidParameter.RoleCheck"}
)
# A function that was Active a moment ago may become Updating, and rejects changes until that is over: with these codes,
# which say so,
_BUSY = frozenset(
    {
        "FailedOperation.FunctionNameStatusError",
        "FailedOperation.FunctionStatusError",
        "FailedOperation.FunctionVersionStatusNotActive",
        "FailedOperation.OperationConflict",
        "UnauthorizedOperation.FunctionStatus",
    }
)
# or with these, which may also mean that the request is wrong. Then the message tells which, in English or Chinese.
_MAYBE_BUSY = frozenset(
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
    "(creat|updat|publish|deploy)ing|not active|function stat(e|us)|try again|状态|稍后",  # not translated
    re.IGNORECASE,
)
# Suffix of the members that the service adds to the NetConfig of an http trigger: ExtranetUrl and more (583/100227),
# among them some that no document names, such as ExtranetHTTPUrl and WsIntranetUrl.
_URL_SUFFIX = "url"
_OBJECT_CREATED = "cos:ObjectCreated:"


class FunctionNotActive(OperatorError):
    """A function did not become usable; the message gives its state, the reason and what to do."""


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """A function as GetFunction returns it. `status` is Active, Creating, CreateFailed, Updating, UpdateFailed, ..."""

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
        """Whether it is being created, changed or deleted."""
        return self.status.endswith("ing")

    @property
    def creation_failed(self) -> bool:
        """Whether it has to be created again; SCF may not return its triggers and settings."""
        return self.status == "CreateFailed"


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """Retries of an asynchronous event that failed: their number, and the seconds until the event is dropped."""

    attempts: int
    lifetime_s: int


MAX_RETRY_CONFIG = RetryConfig(attempts=2, lifetime_s=21_600)  # SCF's maximum, and its default (583/51666)


@dataclass(frozen=True, slots=True)
class TriggerInfo:
    """A trigger. `description` is the cron expression of a timer, else compact JSON with sorted keys.

    `url` is the public address of an http trigger, or "". `raw_description` is the service's own text, which a change
    or deletion of a COS trigger has to repeat.
    """

    type: str
    name: str
    description: str
    qualifier: str
    is_open: bool
    argument: str = ""
    url: str = ""
    raw_description: str = field(default="", repr=False, compare=False)

    @property
    def event(self) -> str:
        """The event of a cos trigger, e.g. `cos:ObjectCreated:*`; "" for others."""
        return parse_event(self.type, self.description)

    def matches(self, spec: TriggerSpec) -> bool:
        """Whether it does what the spec says, apart from being open.

        Only the members of the spec are compared: the service adds its own (addresses, defaults).
        """
        if (self.type, self.qualifier) != (spec.type, spec.qualifier):
            return False
        if self.type == "timer":
            timer = (self.name, " ".join(self.description.split()), self.argument)
            return timer == (spec.name, " ".join(spec.description.split()), spec.argument)
        # The service names http triggers itself (SCF document 583/100227).
        return (self.type == "http" or self.name == spec.name) and _contains(
            _parse_object(self.description), _parse_object(spec.description)
        )


@dataclass(frozen=True, slots=True)
class CosTriggerRule:
    """The objects that a COS trigger covers: those of `host` whose keys have this prefix and this suffix.

    `owner` names the function.
    """

    owner: str
    host: str
    event: str
    prefix: str
    suffix: str
    is_open: bool

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return self.host.partition(".")[0]

    @property
    def pattern(self) -> str:
        """The covered keys for messages, e.g. `calls/*.mp3`."""
        return f"{self.prefix}*{self.suffix}"

    def matches(self, host: str, key: str) -> bool:
        """Whether a new object invokes the function."""
        return (
            self.is_open
            and self.host == host
            and self.event.startswith(_OBJECT_CREATED)
            and key.startswith(self.prefix)
            and key.endswith(self.suffix)
        )

    def overlaps(self, other: CosTriggerRule) -> bool:
        """Whether an object could match both, which SCF does not allow (SCF document 583/9707), open or closed."""
        return (
            self.host == other.host
            and _events_overlap(self.event, other.event)
            and (self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix))
            and (self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix))
        )


@dataclass(frozen=True, slots=True)
class ScfClient:
    """Functions and triggers of the client's region. Every method raises ApiError.

    A change that SCF rejects because the function is busy with the previous one, or because a new role is not visible
    yet, is sent again for up to a minute.
    """

    api: ApiClient
    poller: Poller = field(default_factory=Poller)

    def get_function(self, name: str, namespace: str) -> FunctionInfo | None:
        """A function, or None if it does not exist."""
        params = {"FunctionName": name, "Namespace": namespace, "ShowCode": "FALSE"}
        try:
            return _parse_function(self.api.call("scf", "GetFunction", params))
        except ApiError as error:
            if error.code in _NOT_FOUND:
                return None
            raise

    def list_functions(self, namespace: str) -> tuple[str, ...]:
        """The names of all functions of a namespace."""
        items = self._list_pages("ListFunctions", {"Namespace": namespace}, "Functions")
        return tuple(str(item["FunctionName"]) for item in items)

    def list_namespaces(self) -> tuple[str, ...]:
        """The namespaces of the region; SCF allows five (SCF document 583/11637)."""
        return tuple(str(item["Name"]) for item in self._list_pages("ListNamespaces", {}, "Namespaces"))

    def list_triggers(self, name: str, namespace: str) -> tuple[TriggerInfo, ...]:
        """The triggers of a function."""
        params = {"FunctionName": name, "Namespace": namespace}
        return tuple(parse_trigger(item) for item in self._list_pages("ListTriggers", params, "Triggers"))

    def list_triggers_of_others(self, own: Collection[tuple[str, str]]) -> dict[str, tuple[TriggerInfo, ...]]:
        """The triggers of every function of the region, except these (name, namespace), by the function's name.

        The name is `namespace/name` outside the default namespace.
        """
        triggers = {}
        for namespace in self.list_namespaces():
            for name in self.list_functions(namespace):
                if (name, namespace) in own:
                    continue
                try:
                    listed = self.list_triggers(name, namespace)
                except ApiError as error:
                    # Deleted since it was listed.
                    if not error.code.startswith("ResourceNotFound."):
                        raise
                    continue
                triggers[name if namespace == DEFAULT_NAMESPACE else f"{namespace}/{name}"] = listed
        return triggers

    def create_function(self, payload: Mapping[str, Any], zip_bytes: bytes) -> None:
        """CreateFunction; `payload` is everything but the code. Returns before the function is Active."""
        code = {"ZipFile": base64.b64encode(zip_bytes).decode("ascii")}
        self._change("CreateFunction", {**payload, "Code": code})

    def update_code(self, name: str, namespace: str, handler: str, zip_bytes: bytes) -> None:
        """UpdateFunctionCode, which also sets the handler. Returns before the function is Active."""
        params = {
            "FunctionName": name,
            "Namespace": namespace,
            "Handler": handler,
            "Code": {"ZipFile": base64.b64encode(zip_bytes).decode("ascii")},
        }
        self._change("UpdateFunctionCode", params)

    def update_configuration(self, payload: Mapping[str, Any]) -> None:
        """UpdateFunctionConfiguration. Returns before the function is Active."""
        self._change("UpdateFunctionConfiguration", payload)

    def delete_function(self, name: str, namespace: str) -> None:
        """DeleteFunction, with its triggers; waits until it is gone. A missing function is not an error."""
        try:
            self._change("DeleteFunction", {"FunctionName": name, "Namespace": namespace})
        except ApiError as error:
            if error.code not in _NOT_FOUND:
                raise
        # SCF still returns it for a moment.
        if not self.poller.poll(lambda: self._is_deleted(name, namespace), bool, STABLE_TIMEOUT_S):
            raise FunctionNotActive(
                _(
                    "function {name} still exists {seconds} s after it was deleted; run the command again",
                    name=name,
                    seconds=f"{STABLE_TIMEOUT_S:.0f}",
                )
            )

    def get_when_stable(self, name: str, namespace: str, timeout_s: float) -> FunctionInfo | None:
        """The function once it is not being created, changed or deleted, or as it is when the time is up."""
        return self.poller.poll(
            lambda: self.get_function(name, namespace),
            lambda function: not function or not function.is_busy,
            timeout_s,
        )

    def wait_until_stable(self, name: str, namespace: str) -> FunctionInfo | None:
        """The function once it is not being created, changed or deleted; None if it does not exist.

        Raises FunctionNotActive when that takes too long.
        """
        function = self.get_when_stable(name, namespace, STABLE_TIMEOUT_S)
        if function and function.is_busy:
            raise FunctionNotActive(
                _(
                    "function {name} is still {status} after {seconds} s; check it in the SCF console, then run the "
                    "command again",
                    name=name,
                    status=function.status,
                    seconds=f"{STABLE_TIMEOUT_S:.0f}",
                )
            )
        return function

    def wait_until_active(self, name: str, namespace: str) -> FunctionInfo:
        """Wait until the function is Active. Raises FunctionNotActive when it failed, or is not Active in time."""
        function = self.wait_until_stable(name, namespace)
        if not function:
            raise FunctionNotActive(
                _(
                    "function {name} does not exist, although SCF accepted the request; run the command again",
                    name=name,
                )
            )
        if function.status != "Active":
            raise FunctionNotActive(
                _(
                    "function {name} is {status}: {reason}",
                    name=name,
                    status=function.status,
                    reason=function.status_reason or _("SCF gives no reason"),
                )
            )
        return function

    def create_trigger(self, payload: Mapping[str, Any]) -> None:
        """CreateTrigger."""
        self._change("CreateTrigger", payload)

    def update_trigger(self, payload: Mapping[str, Any], trigger_name: str) -> None:
        """UpdateTrigger, for http: the address stays. `payload` as for CreateTrigger, with the existing name."""
        self._change("UpdateTrigger", {**payload, "TriggerName": trigger_name})

    def delete_trigger(self, name: str, namespace: str, trigger: TriggerInfo) -> None:
        """DeleteTrigger."""
        self._change("DeleteTrigger", _identify_trigger(name, namespace, trigger))

    def enable_trigger(self, name: str, namespace: str, trigger: TriggerInfo) -> None:
        """Open a closed trigger: UpdateTriggerStatus, or for http UpdateTrigger, which the former does not take."""
        params = {
            **_identify_trigger(name, namespace, trigger),
            "TriggerDesc": trigger.raw_description,
            "Enable": "OPEN",
        }
        if trigger.type == "http":
            self._change("UpdateTrigger", {**params, "TriggerDesc": trigger.description})
        else:
            self._change("UpdateTriggerStatus", params)

    def get_retry_config(self, name: str, namespace: str) -> RetryConfig:
        """The retries of events that failed."""
        params = {"FunctionName": name, "Namespace": namespace}
        response = self.api.call("scf", "GetFunctionEventInvokeConfig", params)
        config = response.get("AsyncTriggerConfig") or {}
        attempts = next((item.get("RetryNum") for item in config.get("RetryConfig") or ()), None)
        return RetryConfig(int(attempts or 0), int(config.get("MsgTTL") or 0))

    def set_retry_config(self, name: str, namespace: str, retries: RetryConfig) -> None:
        """Set the retries of events that failed: 0 to 2 attempts, 60 to 21,600 seconds (SCF document 583/51666)."""
        config = {"RetryConfig": [{"RetryNum": retries.attempts}], "MsgTTL": retries.lifetime_s}
        params = {"FunctionName": name, "Namespace": namespace, "AsyncTriggerConfig": config}
        self._change("UpdateFunctionEventInvokeConfig", params)

    def _is_deleted(self, name: str, namespace: str) -> bool:
        try:
            return not self.get_function(name, namespace)
        except ApiError as error:
            if error.code != _VERSION_DELETED:
                raise
            return False

    def _change(self, action: str, params: Mapping[str, Any]) -> None:
        name, namespace = str(params["FunctionName"]), str(params.get("Namespace") or DEFAULT_NAMESPACE)
        self.poller.retry_while(
            lambda: self.api.call("scf", action, params),
            lambda error: error.code in _ROLE_NOT_VISIBLE or self._is_busy(error, name, namespace),
        )

    def _is_busy(self, error: ApiError, name: str, namespace: str) -> bool:
        """Whether the function is only busy with another change, by its status or by the error."""
        if error.code not in _BUSY | _MAYBE_BUSY:
            return False
        try:
            function = self.get_function(name, namespace)
        except ApiError:
            return False
        if not function or function.status.endswith("Failed"):
            return False
        return function.is_busy or error.code in _BUSY or bool(_BUSY_WORDS.search(error.message))

    def _list_pages(self, action: str, params: Mapping[str, Any], member: str) -> Iterator[Mapping[str, Any]]:
        offset = 0
        while True:
            response = self.api.call("scf", action, {**params, "Offset": offset, "Limit": PAGE_SIZE})
            page = response.get(member) or []
            yield from page
            offset += len(page)
            if not page or offset >= int(response.get("TotalCount") or 0):
                return


def parse_trigger(info: Mapping[str, Any]) -> TriggerInfo:
    """Parse a `TriggerInfo` of ListTriggers or GetFunction."""
    kind = str(info.get("Type") or "")
    raw = str(info.get("TriggerDesc") or "")
    members = _parse_object(raw)
    network = members.get("NetConfig")
    return TriggerInfo(
        type=kind,
        name=str(info.get("TriggerName") or ""),
        description=_normalize_description(kind, raw, members),
        qualifier=str(info.get("Qualifier") or ""),
        # The API returns 1 or 0, and takes OPEN or CLOSE.
        is_open=info.get("Enable") in {1, "1", "OPEN"},
        argument=str(info.get("CustomArgument") or ""),
        url=str(network.get("ExtranetUrl") or "") if isinstance(network, dict) else "",
        raw_description=raw,
    )


def find_public_url(triggers: Collection[TriggerInfo], qualifier: str = "") -> str:
    """The public URL of a function, of one version or alias or of any; "" if there is none."""
    urls = (
        trigger.url
        for trigger in triggers
        if trigger.type == "http" and trigger.url and qualifier in {"", trigger.qualifier}
    )
    return next(urls, "").rstrip("/")


def parse_rule(owner: str, name: str, description: str, *, is_open: bool) -> CosTriggerRule:
    """Parse a COS trigger; its name is the host of the bucket, its description the API's JSON."""
    members = json.loads(description)
    key_filter = members.get("filter") or {}
    return CosTriggerRule(
        owner=owner,
        host=name,
        event=str(members.get("event") or ""),
        prefix=str(key_filter.get("Prefix") or ""),
        suffix=str(key_filter.get("Suffix") or ""),
        is_open=is_open,
    )


def cos_rules(owner: str, triggers: Collection[TriggerInfo]) -> list[CosTriggerRule]:
    """The rules of the COS triggers among these."""
    return [
        parse_rule(owner, trigger.name, trigger.description, is_open=trigger.is_open)
        for trigger in triggers
        if trigger.type == "cos" and trigger.description.startswith("{")
    ]


def _identify_trigger(name: str, namespace: str, trigger: TriggerInfo) -> dict[str, Any]:
    params = {
        "FunctionName": name,
        "Namespace": namespace,
        "TriggerName": trigger.name,
        "Type": trigger.type,
        "Qualifier": trigger.qualifier,
    }
    # A bucket may have several rules: the description identifies one (DeleteTrigger, UpdateTriggerStatus).
    return {**params, "TriggerDesc": trigger.raw_description} if trigger.type == "cos" else params


def _parse_function(info: Mapping[str, Any]) -> FunctionInfo:
    reasons = [_format_reason(item) for item in info.get("StatusReasons") or ()]
    return FunctionInfo(
        name=str(info["FunctionName"]),
        namespace=str(info.get("Namespace") or DEFAULT_NAMESPACE),
        status=str(info.get("Status") or ""),
        status_reason="; ".join(filter(None, reasons or [str(info.get("StatusDesc") or "")])),
        description=str(info.get("Description") or ""),
        handler=str(info.get("Handler") or ""),
        runtime=str(info.get("Runtime") or ""),
        role=str(info.get("Role") or ""),
        memory_mib=int(info.get("MemorySize") or 0),
        timeout_s=int(info.get("Timeout") or 0),
        init_timeout_s=int(info.get("InitTimeout") or 0),
        public_network=(info.get("PublicNetConfig") or {}).get("PublicNetStatus") == "ENABLE",
        variables=_parse_variables(info),
        tags=_parse_pairs(info.get("Tags")),
        type=str(info.get("Type") or "Event"),
    )


def _format_reason(reason: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (str(reason.get("ErrorCode") or ""), str(reason.get("ErrorMessage") or ""))))


def _parse_variables(info: Mapping[str, Any]) -> dict[str, str]:
    """The environment of a function. Its secrets are hidden from now on."""
    variables = _parse_pairs((info.get("Environment") or {}).get("Variables"))
    SECRETS.add_variables(variables)
    return variables


def _parse_pairs(pairs: Any) -> dict[str, str]:
    return {str(pair.get("Key")): str(pair.get("Value") or "") for pair in pairs or ()}


def _normalize_description(kind: str, raw: str, members: Mapping[str, Any]) -> str:
    if kind == "timer":
        # Sent as a bare expression, returned as {"cron": "..."}.
        return str(members.get("cron") or raw)
    if not members:
        return raw
    kept = {
        name: value for name, value in members.items() if name != "bucketUrl"
    }  # repeats the trigger's name
    if isinstance(kept.get("NetConfig"), dict):
        kept["NetConfig"] = {
            name: value for name, value in kept["NetConfig"].items() if not name.lower().endswith(_URL_SUFFIX)
        }
    return json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _parse_object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _contains(actual: Any, expected: Any) -> bool:
    """Whether every expected member is there. An empty text equals a missing one: prefix and suffix of COS."""
    if isinstance(expected, dict):
        members = actual if isinstance(actual, dict) else {}
        return all(_contains(members.get(name), value) for name, value in expected.items())
    return bool(actual == expected) or (expected == "" and actual is None)


def _events_overlap(event: str, other: str) -> bool:
    if event.endswith("*") or other.endswith("*"):
        return event.rpartition(":")[0] == other.rpartition(":")[0]
    return event == other
