"""What should run in the cloud, as values. Made from serverless.yml; compared with what is there by `cli.deploy`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

CALLBACK = "callback"  # the key of the function that has the address


@dataclass(frozen=True, slots=True)
class WantedFunction:
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
class WantedTrigger:
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
class Wanted:
    """The whole of serverless.yml, checked, with every variable filled in."""

    app: str
    stage: str
    name: str
    region: str
    functions: Mapping[str, WantedFunction]
    triggers: tuple[WantedTrigger, ...]

    def triggers_of(self, function: str) -> tuple[WantedTrigger, ...]:
        """The triggers of one function, by its key."""
        return tuple(trigger for trigger in self.triggers if trigger.function == function)
