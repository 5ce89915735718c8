"""What is wanted, in the words of the SCF API (version 2018-04-16): the members of its requests."""

from __future__ import annotations

from typing import Any

from cli.description.wanted import WantedFunction, WantedTrigger


def create_function(wanted: WantedFunction) -> dict[str, Any]:
    """CreateFunction without `Code` and `Description`, which belong to the package."""
    return {
        **update_configuration(wanted),
        "Type": "Event",
        "Handler": wanted.handler,
        "Runtime": wanted.runtime,
        "Tags": [{"Key": key, "Value": value} for key, value in wanted.tags.items()],
    }


def update_configuration(wanted: WantedFunction) -> dict[str, Any]:
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


def create_trigger(name: str, namespace: str, trigger: WantedTrigger) -> dict[str, Any]:
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
