"""The step that gives a function its role: what it may do, from the same table as `scribe policy`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.cloud.control import ControlError
from cli.deploy.hands import Hands
from cli.deploy.steps import Change, LeftAsItIs, Mark
from cli.errors import OperatorError
from cli.policy.roles import FoundRole
from cli.policy.statements import not_granted, permissions_of

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
            *(Change("may", one, "") for one in excess(self.found, self.document)),
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


def excess(found: FoundRole, document: Mapping[str, Any]) -> list[str]:
    """What the policy that bears the role's name grants beyond the document. Other policies are somebody's choice."""
    granted = [
        permission
        for name, attached in zip(found.policies, found.documents, strict=True)
        if name == found.name
        for permission in permissions_of(attached)
    ]
    wanted = permissions_of(document)
    return sorted(str(permission) for permission in granted if permission not in wanted)
