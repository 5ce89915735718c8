"""The step that gives a function its role: what it may do, from the same table as `scribe policy`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cli.cloud.control import ControlError
from cli.deploy.hands import Hands
from cli.deploy.steps import Change, LeftAsItIs, Mark, Step
from cli.errors import OperatorError
from cli.policy.documents import LONGEST_DOCUMENT, document_text
from cli.policy.roles import FoundRole
from cli.policy.statements import Permission, not_granted, permissions_of

_WHO = "have somebody who may manage CAM run `scribe policy --create-role` with the same settings, then run this again"


@dataclass(frozen=True, slots=True)
class EnsureRole:
    """A role that is not there, or whose permissions are not those that its function needs."""

    name: str
    document: Mapping[str, Any]
    found: FoundRole | None

    @property
    def mark(self) -> Mark:
        """A role that is there is mended."""
        return "~" if self.found else "+"

    @property
    def title(self) -> str:
        """The role."""
        return f"role {self.name}"

    @property
    def changes(self) -> tuple[Change, ...]:
        """What it may do that it could not, and what it may no longer do."""
        if not self.found:
            count = len(permissions_of(self.document))
            return (Change("may", "", f"{count} things, see `scribe policy`"),)
        trust = () if self.found.trusts_scf else (Change("trusts", "", "scf.qcloud.com"),)
        return (
            *trust,
            *(Change("may", "", str(one)) for one in not_granted(self.document, self.found.documents)),
            *(Change("may", str(one), "") for one in excess(self.found, self.document)),
        )

    def carry_out(self, hands: Hands) -> None:
        """Makes or mends role and policy. A key that may not do that is enough where the role is there."""
        try:
            hands.roles.ensure(self.name, self.document)
        except ControlError as error:
            if not error.is_denied:
                raise
            if not self.found or not self.found.trusts_scf:
                raise OperatorError(
                    f"role {self.name} is missing and this key may not make it ({error.code}): {_WHO}"
                ) from None
            raise LeftAsItIs(
                f"this key may not change role {self.name}, which stays as it is: {_WHO}"
            ) from None


@dataclass(frozen=True, slots=True)
class RemoveRole:
    """A role that `scribe` made, with its policy."""

    name: str
    changes: tuple[Change, ...] = ()
    mark: Mark = field(default="-", init=False)

    @property
    def title(self) -> str:
        """The role."""
        return f"role {self.name} and its policy"

    def carry_out(self, hands: Hands) -> None:
        """Detaches and deletes. For a key that may not, the role stays: it costs nothing and opens nothing alone."""
        try:
            hands.roles.remove(self.name)
        except ControlError as error:
            if not error.is_denied:
                raise
            raise LeftAsItIs(
                f"this key may not delete role {self.name}, which stays: have somebody who may manage CAM delete it "
                "and the policy of the same name"
            ) from None


def ensured(name: str, document: Mapping[str, Any], found: FoundRole | None) -> tuple[list[Step], list[Step]]:
    """The steps before the functions change, and those after: a role only gains first, and loses when all else is done.

    A function that still runs with its former settings keeps what it needs in between. Where both together are longer
    than CAM takes (`is_too_long_together`) it is one step, before.
    """
    if not found or not excess(found, document) or is_too_long_together(found, document):
        step = EnsureRole(name, document, found)
        return ([step] if step.changes else []), []
    both = _together(found, document)
    widening = EnsureRole(name, both, found)
    return ([widening] if widening.changes else []), [EnsureRole(name, document, _after(found, both))]


def is_too_long_together(found: FoundRole, document: Mapping[str, Any]) -> bool:
    """Whether CAM would refuse a policy that grants what the role may now and what it is to."""
    return bool(excess(found, document)) and len(document_text(_together(found, document))) > LONGEST_DOCUMENT


def excess(found: FoundRole, document: Mapping[str, Any]) -> list[Permission]:
    """What the policy that bears the role's name grants beyond the document. Other policies are somebody's choice."""
    granted = {
        permission
        for name, attached in zip(found.policies, found.documents, strict=True)
        if name == found.name
        for permission in permissions_of(attached)
    }
    return sorted(granted - permissions_of(document))


def _together(found: FoundRole, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document and, below it, what the role's own policy grants beyond it."""
    return {**document, "statement": [*document["statement"], *_statements(excess(found, document))]}


def _statements(permissions: list[Permission]) -> Iterator[dict[str, Any]]:
    """One statement for all actions that share their resources."""
    resources: dict[str, list[str]] = {}
    for one in permissions:
        resources.setdefault(one.action, []).append(one.resource)
    actions: dict[tuple[str, ...], list[str]] = {}
    for action, on in resources.items():
        actions.setdefault(tuple(on), []).append(action)
    for shared, allowed in actions.items():
        yield {"effect": "allow", "action": allowed, "resource": list(shared)}


def _after(found: FoundRole, own: Mapping[str, Any]) -> FoundRole:
    """The role when its own policy says this."""
    pairs = zip(found.policies, found.documents, strict=True)
    documents = tuple(own if name == found.name else attached for name, attached in pairs)
    return replace(found, documents=documents, trusts_scf=True)
