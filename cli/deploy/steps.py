"""One step of a deployment: what it changes, as a person reads it, and the act itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from cli.deploy.hands import Hands
from cli.errors import OperatorError

Mark = Literal["+", "~", "-"]  # create, change, delete

_SECRET = frozenset({"CALLBACK_TOKEN"})


@dataclass(frozen=True, slots=True)
class Change:
    """One field, from one value to another. "" means that there is none."""

    field: str
    before: str
    after: str


class LeftAsItIs(OperatorError):
    """A step could not be carried out, and the others can go on without it. The message says who can do it."""


class Step(Protocol):
    """A value that says what it will do and can do it. Doing it twice does no harm."""

    @property
    def mark(self) -> Mark:
        """Whether it creates, changes or deletes."""

    @property
    def title(self) -> str:
        """What it is about: kind and name."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """What will be different, without any secret."""

    def carry_out(self, hands: Hands) -> None:
        """Does it. Raises OperatorError (LeftAsItIs among them), CloudError."""


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """The fields that differ. The value of a secret one is never told: only that it is set, or another one."""
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        _change(name, before.get(name, ""), after.get(name, ""))
        for name in names
        if before.get(name, "") != after.get(name, "")
    )


def _change(name: str, before: str, after: str) -> Change:
    if name not in _SECRET:
        return Change(name, before, after)
    if not after:
        return Change(name, "set", "")
    return Change(name, "set" if before else "", "another value" if before else "set")
