"""Steps on the triggers. A function's address lives as long as its http trigger, so that one is never made anew."""

from __future__ import annotations

from dataclasses import dataclass, field

from cli.cloud.triggers import FoundTrigger
from cli.deploy.hands import Hands
from cli.deploy.steps import Change, Mark, differences
from cli.manifest.models import FunctionSpec, TriggerSpec, create_trigger_payload


@dataclass(frozen=True, slots=True)
class CreateTrigger:
    """A trigger that is not there."""

    function: FunctionSpec
    trigger: TriggerSpec
    mark: Mark = field(default="+", init=False)

    @property
    def title(self) -> str:
        """The trigger and its function."""
        return title_of(self.trigger.type, self.trigger.name, self.function.name)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What wakes the function."""
        return differences({}, _shown(self.trigger))

    def carry_out(self, hands: Hands) -> None:
        """CreateTrigger."""
        hands.functions.create_trigger(
            create_trigger_payload(self.function.name, self.function.namespace, self.trigger)
        )


@dataclass(frozen=True, slots=True)
class ReplaceTrigger:
    """A changed one: the API cannot change a COS trigger, so it is deleted and made anew (UpdateTrigger's document)."""

    function: FunctionSpec
    found: FoundTrigger
    trigger: TriggerSpec
    mark: Mark = field(default="~", init=False)

    @property
    def title(self) -> str:
        """The trigger and its function."""
        return title_of(self.trigger.type, self.trigger.name, self.function.name)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What differs."""
        return differences(_shown(self.found), _shown(self.trigger))

    def carry_out(self, hands: Hands) -> None:
        """DeleteTrigger and CreateTrigger; an http trigger is updated in place."""
        name, namespace = self.function.name, self.function.namespace
        payload = create_trigger_payload(name, namespace, self.trigger)
        if self.trigger.type == "http":
            hands.functions.update_trigger(payload, self.found.name)
        else:
            hands.functions.delete_trigger(name, namespace, self.found)
            hands.functions.create_trigger(payload)


@dataclass(frozen=True, slots=True)
class OpenTrigger:
    """One that is as it should be, but closed."""

    function: FunctionSpec
    found: FoundTrigger
    mark: Mark = field(default="~", init=False)

    @property
    def title(self) -> str:
        """The trigger and its function."""
        return title_of(self.found.type, self.found.name, self.function.name)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Closed until now."""
        return (Change("state", "closed", "open"),)

    def carry_out(self, hands: Hands) -> None:
        """UpdateTriggerStatus."""
        hands.functions.open_trigger(self.function.name, self.function.namespace, self.found)


@dataclass(frozen=True, slots=True)
class DeleteTrigger:
    """One that is no longer wanted."""

    function: str
    namespace: str
    found: FoundTrigger
    mark: Mark = field(default="-", init=False)

    @property
    def title(self) -> str:
        """The trigger and its function; an address is named, because nobody gets it back."""
        address = f", its address {self.found.url} for good" if self.found.url else ""
        return title_of(self.found.type, self.found.name, self.function) + address

    @property
    def changes(self) -> tuple[Change, ...]:
        """What woke the function until now."""
        return (Change("when", self.found.description, ""),)

    def carry_out(self, hands: Hands) -> None:
        """DeleteTrigger."""
        hands.functions.delete_trigger(self.function, self.namespace, self.found)


def title_of(kind: str, name: str, function: str) -> str:
    """A trigger by what a person calls it. The service names http triggers itself."""
    return f"address of {function}" if kind == "http" else f"{kind} trigger {name} of {function}"


def _shown(trigger: TriggerSpec | FoundTrigger) -> dict[str, str]:
    return {
        "when": trigger.description,
        "argument": trigger.argument,
        "qualifier": trigger.qualifier,
        "state": "open" if trigger.is_open else "closed",
    }
