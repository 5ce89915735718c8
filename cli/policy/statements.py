"""What a policy document says, line by line, and whether documents grant something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_PARTS_OF_A_RESOURCE = 6


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One action on one resource; both may hold `*`."""

    action: str
    resource: str

    def __str__(self) -> str:
        """As an operator reads it."""
        return f"{self.action} on {self.resource}"


def permissions_of(document: Mapping[str, Any]) -> frozenset[Permission]:
    """Everything that a document allows, without a condition."""
    return frozenset(
        Permission(action, resource)
        for effect, conditional, actions, resources in _statements(document)
        if effect == "allow" and not conditional
        for action in actions
        for resource in resources
    )


def denials_of(document: Mapping[str, Any]) -> frozenset[Permission]:
    """Everything that a document denies, be it only on some condition."""
    return frozenset(
        Permission(action, resource)
        for effect, _, actions, resources in _statements(document)
        if effect == "deny"
        for action in actions
        for resource in resources
    )


def not_granted(wanted: Mapping[str, Any], documents: Iterable[Mapping[str, Any]]) -> list[Permission]:
    """What `wanted` allows and the documents together do not surely: conditions count as no, a denial wins."""
    documents = tuple(documents)
    allowed = frozenset[Permission]().union(*map(permissions_of, documents))
    denied = frozenset[Permission]().union(*map(denials_of, documents))
    return sorted(
        permission
        for permission in permissions_of(wanted)
        if not any(covers(one, permission) for one in allowed)
        or any(_meets(one, permission) for one in denied)
    )


def covers(wide: Permission, narrow: Permission) -> bool:
    """Whether everything that `narrow` names is named by `wide` too."""
    return _fits(wide.action, narrow.action) and _resource_covers(wide.resource, narrow.resource)


def _meets(one: Permission, other: Permission) -> bool:
    """Whether they speak of something in common: part by part, one of the two is the wider."""
    ones, others = (_parts(permission.resource) or ["*"] for permission in (one, other))
    pairs = [(one.action, other.action)]
    if len(ones) == len(others):
        pairs += zip(ones, others, strict=True)
    return all(not a or not b or _fits(a, b) or _fits(b, a) for a, b in pairs)


def _resource_covers(wide: str, narrow: str) -> bool:
    """CAM document 598/10606: six parts; an empty region is every region, an empty account the policy's own."""
    if wide == "*":
        return True
    wides, narrows = _parts(wide), _parts(narrow)
    if wides is None or narrows is None:
        return False
    *wides, wide_what = wides
    *narrows, narrow_what = narrows
    return _fits(wide_what, narrow_what) and all(
        not a or _fits(a, b) for a, b in zip(wides, narrows, strict=True)
    )


def _parts(resource: str) -> list[str] | None:
    parts = resource.split(":", _PARTS_OF_A_RESOURCE - 1)
    return parts if len(parts) == _PARTS_OF_A_RESOURCE and parts[0] == "qcs" else None


def _fits(pattern: str, text: str) -> bool:
    """A `*` in the text is matched by a `*` in the pattern only, so a pattern can be compared with a pattern."""
    return bool(_compiled(pattern).fullmatch(text))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _statements(
    document: Mapping[str, Any],
) -> Iterator[tuple[str, bool, tuple[str, ...], tuple[str, ...]]]:
    """Effect, whether conditional, actions without `name/`, resources. Preset policies write names in capitals."""
    for raw in _listed(_lowered(document).get("statement")):
        if isinstance(raw, Mapping):
            statement = _lowered(raw)
            actions = tuple(str(one).removeprefix("name/") for one in _listed(statement.get("action")))
            resources = tuple(map(str, _listed(statement.get("resource"))))
            yield (
                str(statement.get("effect")).lower(),
                bool(statement.get("condition")),
                actions,
                resources,
            )


def _lowered(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in mapping.items()}


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
