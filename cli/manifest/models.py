"""What should run in the cloud, as values. Made from serverless.yml; compared with what is there by `cli.deploy`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CALLBACK = "callback"  # the key of the function that has the address


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One function. `key` is its name in serverless.yml (`upload`), `name` its full name in the cloud."""

    key: str
    name: str
    handler: str
    runtime: str
    namespace: str
    role: str
    memory_mib: int
    timeout_s: int
    init_timeout_s: int
    public_network: bool
    variables: Mapping[str, str] = field(repr=False)  # holds the callback token
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """One trigger, in the API's own terms. `function` is the function's key; `type` cos, timer or http.

    `description` is the API's TriggerDesc: compact JSON for cos and http, the bare cron expression for a timer.
    `argument` is a timer's CustomArgument.
    """

    function: str
    type: str
    name: str
    description: str
    qualifier: str
    is_open: bool
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole of serverless.yml, checked, with every variable filled in."""

    app: str
    stage: str
    name: str
    region: str
    functions: Mapping[str, FunctionSpec]
    triggers: tuple[TriggerSpec, ...]

    def triggers_of(self, function: str) -> tuple[TriggerSpec, ...]:
        """The triggers of one function, by its key."""
        return tuple(trigger for trigger in self.triggers if trigger.function == function)


def create_function_payload(wanted: FunctionSpec) -> dict[str, Any]:
    """CreateFunction without `Code` and `Description`, which belong to the package."""
    return {
        **update_configuration_payload(wanted),
        "Type": "Event",
        "Handler": wanted.handler,
        "Runtime": wanted.runtime,
        "Tags": [{"Key": key, "Value": value} for key, value in wanted.tags.items()],
    }


def update_configuration_payload(wanted: FunctionSpec) -> dict[str, Any]:
    """UpdateFunctionConfiguration without `Description`. The variables replace every one that is there."""
    return {
        "FunctionName": wanted.name,
        "Namespace": wanted.namespace,
        "Role": wanted.role,
        "MemorySize": wanted.memory_mib,
        "Timeout": wanted.timeout_s,
        "InitTimeout": wanted.init_timeout_s,
        "PublicNetConfig": {
            "PublicNetStatus": "ENABLE" if wanted.public_network else "DISABLE",
            "EipConfig": {"EipStatus": "DISABLE"},
        },
        "Environment": {
            "Variables": [{"Key": name, "Value": value} for name, value in wanted.variables.items()]
        },
    }


def create_trigger_payload(name: str, namespace: str, trigger: TriggerSpec) -> dict[str, Any]:
    """CreateTrigger; `name` is the function's full name."""
    payload = {
        "FunctionName": name,
        "Namespace": namespace,
        "Type": trigger.type,
        "TriggerName": trigger.name,
        "TriggerDesc": trigger.description,
        "Qualifier": trigger.qualifier,
        "Enable": "OPEN" if trigger.is_open else "CLOSE",
    }
    if trigger.argument:
        payload["CustomArgument"] = trigger.argument
    return payload
