"""Steps on the functions: made, given other code or another configuration, and what becomes of events that fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from cli.cloud.functions import FoundFunction, Retries
from cli.deploy.hands import Hands
from cli.deploy.steps import Change, Mark, differences
from cli.manifest.models import FunctionSpec, create_function_payload, update_configuration_payload


@dataclass(frozen=True, slots=True)
class Code:
    """What is uploaded, and the label by which the deployed function tells which package it runs.

    `zipped` gives the zip's bytes; it is called for an upload only, because bytecode takes seconds to compile.
    """

    label: str
    zipped: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class CreateFunction:
    """A function that is not there. One whose creation failed is removed first: SCF would refuse its name."""

    wanted: FunctionSpec
    code: Code
    failed_before: FoundFunction | None = None
    mark: Mark = field(default="+", init=False)

    @property
    def title(self) -> str:
        """The function."""
        return f"function {self.wanted.name}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every field of it; before them, why it is made once more."""
        fields = differences({}, {"package": self.code.label, **shown(self.wanted)})
        if not self.failed_before:
            return fields
        failed = f"{self.failed_before.status} ({self.failed_before.status_reason})"
        return (Change("status", failed, "Active"), *fields)

    def carry_out(self, hands: Hands) -> None:
        """CreateFunction, then wait for Active."""
        if self.failed_before:
            hands.functions.delete(self.wanted.name, self.wanted.namespace)
        payload = {**create_function_payload(self.wanted), "Description": self.code.label}
        hands.functions.create(payload, self.code.zipped())
        hands.functions.wait_active(self.wanted.name, self.wanted.namespace)


@dataclass(frozen=True, slots=True)
class UpdateCode:
    """Another package, or another handler. The label follows with the configuration, once the code is there."""

    wanted: FunctionSpec
    found: FoundFunction
    code: Code
    mark: Mark = field(default="~", init=False)

    @property
    def title(self) -> str:
        """The function's code."""
        return f"code of {self.wanted.name}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """The package, the handler; or that the last update of the same package failed."""
        failed = self.found.status if self.found.status.endswith("Failed") else "Active"
        return differences(
            {"package": self.found.description, "handler": self.found.handler, "status": failed},
            {"package": self.code.label, "handler": self.wanted.handler, "status": "Active"},
        )

    def carry_out(self, hands: Hands) -> None:
        """UpdateFunctionCode, then wait for Active."""
        name, namespace = self.wanted.name, self.wanted.namespace
        hands.functions.update_code(name, namespace, self.wanted.handler, self.code.zipped())
        hands.functions.wait_active(name, namespace)


@dataclass(frozen=True, slots=True)
class UpdateConfiguration:
    """Another configuration, or the label of another package."""

    wanted: FunctionSpec
    found: FoundFunction
    label: str
    mark: Mark = field(default="~", init=False)

    @property
    def title(self) -> str:
        """The function."""
        return f"function {self.wanted.name}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """The fields that differ. The handler goes with the code.

        Of a variable that serverless.yml does not know, only that it is set: somebody's password perhaps.
        """
        wanted = {name: value for name, value in shown(self.wanted).items() if name != "handler"}
        variables = {
            name: value if name in self.wanted.variables else "set"
            for name, value in self.found.variables.items()
        }
        there = shown(replace(self.found, variables=variables))
        found = {name: value for name, value in there.items() if name != "handler"}
        return differences(
            {"description": self.found.description, **found}, {"description": self.label, **wanted}
        )

    def carry_out(self, hands: Hands) -> None:
        """UpdateFunctionConfiguration, then wait for Active."""
        payload: dict[str, Any] = {**update_configuration_payload(self.wanted), "Description": self.label}
        hands.functions.update_configuration(payload)
        hands.functions.wait_active(self.wanted.name, self.wanted.namespace)


@dataclass(frozen=True, slots=True)
class SetRetries:
    """How often, and for how long, SCF tries again with an event that the function could not take."""

    wanted: FunctionSpec
    retries: Retries
    found: Retries | None
    mark: Mark = field(default="~", init=False)

    @property
    def title(self) -> str:
        """The function's asynchronous events."""
        return f"failed events of {self.wanted.name}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """Attempts and seconds."""
        return differences(_shown_retries(self.found), _shown_retries(self.retries))

    def carry_out(self, hands: Hands) -> None:
        """UpdateFunctionEventInvokeConfig."""
        hands.functions.set_retries(self.wanted.name, self.wanted.namespace, self.retries)


@dataclass(frozen=True, slots=True)
class DeleteFunction:
    """A function that is no longer wanted, and its address with it."""

    found: FoundFunction
    changes: tuple[Change, ...] = ()
    mark: Mark = field(default="-", init=False)

    @property
    def title(self) -> str:
        """The function."""
        return f"function {self.found.name}"

    def carry_out(self, hands: Hands) -> None:
        """DeleteFunction, then wait until it is gone."""
        hands.functions.delete(self.found.name, self.found.namespace)


def shown(function: FunctionSpec | FoundFunction) -> dict[str, str]:
    """A function's configuration as texts, in the order in which a person reads it. Holds the callback token."""
    return {
        "handler": function.handler,
        "role": function.role,
        "memory": f"{function.memory_mib} MiB",
        "timeout": f"{function.timeout_s} s",
        "start-up timeout": f"{function.init_timeout_s} s",
        "public network": "on" if function.public_network else "off",
        **function.variables,
    }


def _shown_retries(retries: Retries | None) -> dict[str, str]:
    if not retries:
        return {}
    return {"further attempts": str(retries.attempts), "given up after": f"{retries.lifetime_s} s"}
