"""COS rules of functions: which keys they take, and where two of them meet."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cli.cloud.control import Control, ControlError
from cli.cloud.functions import Functions
from cli.cloud.triggers import FoundTrigger

CREATED = "cos:ObjectCreated:"


@dataclass(frozen=True, slots=True)
class Rule:
    """One COS trigger, seen as what it takes: objects of `host` whose keys have this prefix and this suffix."""

    owner: str
    host: str
    event: str
    prefix: str
    suffix: str
    is_open: bool

    def takes(self, host: str, key: str) -> bool:
        """Whether a new object wakes the owner."""
        return (
            self.is_open
            and self.host == host
            and self.event.startswith(CREATED)
            and key.startswith(self.prefix)
            and key.endswith(self.suffix)
        )

    def overlaps(self, other: Rule) -> bool:
        """Whether one object could fit both, which SCF does not allow (SCF document 583/9707). Closed ones count."""
        return (
            self.host == other.host
            and _same_event(self.event, other.event)
            and (self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix))
            and (self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix))
        )


def rule_of(owner: str, name: str, description: str, *, is_open: bool) -> Rule:
    """The rule of a COS trigger; its name is the bucket's host, its description the API's JSON."""
    told = json.loads(description)
    chosen = told.get("filter") or {}
    return Rule(
        owner=owner,
        host=name,
        event=str(told.get("event") or ""),
        prefix=str(chosen.get("Prefix") or ""),
        suffix=str(chosen.get("Suffix") or ""),
        is_open=is_open,
    )


def rules_among(owner: str, triggers: Collection[FoundTrigger]) -> list[Rule]:
    """The rules among a function's triggers."""
    return [
        rule_of(owner, found.name, found.description, is_open=found.is_open)
        for found in triggers
        if found.type == "cos" and found.description.startswith("{")
    ]


def rules_of_others(control: Control, own: Collection[tuple[str, str]]) -> tuple[Rule, ...]:
    """The rules of every function in the region but these (name, namespace). Raises ControlError."""
    return tuple(
        rule for owner, triggers in _triggers_of_others(control, own) for rule in rules_among(owner, triggers)
    )


def addresses_of_others(control: Control, own: Collection[tuple[str, str]]) -> dict[str, str]:
    """The owner by public URL, of every function in the region but these (name, namespace). Raises ControlError."""
    return {
        one.url.rstrip("/"): owner
        for owner, triggers in _triggers_of_others(control, own)
        for one in triggers
        if one.type == "http" and one.url
    }


def _triggers_of_others(
    control: Control, own: Collection[tuple[str, str]]
) -> Iterator[tuple[str, tuple[FoundTrigger, ...]]]:
    asked = Functions(control)
    for namespace in asked.namespaces():
        for name in asked.names(namespace):
            if (name, namespace) not in own:
                owner = name if namespace == "default" else f"{namespace}/{name}"
                yield owner, _triggers(asked, name, namespace)


def _triggers(asked: Functions, name: str, namespace: str) -> tuple[FoundTrigger, ...]:
    """A function's triggers; none of one that was deleted since it was listed."""
    try:
        return asked.triggers(name, namespace)
    except ControlError as error:
        if not error.code.startswith("ResourceNotFound."):
            raise
        return ()


def _same_event(one: str, other: str) -> bool:
    if one.endswith("*") or other.endswith("*"):
        return one.rpartition(":")[0] == other.rpartition(":")[0]
    return one == other
