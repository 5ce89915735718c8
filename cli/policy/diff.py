"""Permissions of policy documents: which are allowed, which are denied, which are missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cli.language import _

_RESOURCE_PARTS = 6


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """An action on a resource; both may contain `*`."""

    action: str
    resource: str

    def __str__(self) -> str:
        """Format it for messages."""
        return _("{action} on {resource}", action=self.action, resource=self.resource)


def allowed_permissions(document: Mapping[str, Any]) -> frozenset[Permission]:
    """Everything that a document allows without a condition."""
    return frozenset(
        Permission(action, resource)
        for effect, conditional, actions, resources in _parse_statements(document)
        if effect == "allow" and not conditional
        for action in actions
        for resource in resources
    )


def denied_permissions(document: Mapping[str, Any]) -> frozenset[Permission]:
    """Everything that a document denies, with or without a condition."""
    return frozenset(
        Permission(action, resource)
        for effect, _, actions, resources in _parse_statements(document)
        if effect == "deny"
        for action in actions
        for resource in resources
    )


def missing_permissions(
    required: Mapping[str, Any], documents: Iterable[Mapping[str, Any]]
) -> list[Permission]:
    """What `required` allows and the documents together do not: conditional grants do not count, a denial wins."""
    documents = tuple(documents)
    allowed = frozenset[Permission]().union(*map(allowed_permissions, documents))
    denied = frozenset[Permission]().union(*map(denied_permissions, documents))
    return sorted(
        permission
        for permission in allowed_permissions(required)
        if not any(covers(grant, permission) for grant in allowed)
        or any(_intersects(denial, permission) for denial in denied)
    )


def covers(wide: Permission, narrow: Permission) -> bool:
    """Whether `wide` includes everything that `narrow` does."""
    return _pattern_covers(wide.action, narrow.action) and _resource_covers(wide.resource, narrow.resource)


def _intersects(permission: Permission, other: Permission) -> bool:
    """Whether they have something in common: in every part, one of the two includes the other."""
    parts, other_parts = (_split_resource(each.resource) or ["*"] for each in (permission, other))
    pairs = [(permission.action, other.action)]
    if len(parts) == len(other_parts):
        pairs += zip(parts, other_parts, strict=True)
    return all(not a or not b or _pattern_covers(a, b) or _pattern_covers(b, a) for a, b in pairs)


def _resource_covers(wide: str, narrow: str) -> bool:
    """CAM document 598/10606: six parts; an empty region is every region, an empty account the policy's own."""
    if wide == "*":
        return True
    wide_parts, narrow_parts = _split_resource(wide), _split_resource(narrow)
    if wide_parts is None or narrow_parts is None:
        return False
    *wide_prefix, wide_name = wide_parts
    *narrow_prefix, narrow_name = narrow_parts
    return _pattern_covers(wide_name, narrow_name) and all(
        not a or _pattern_covers(a, b) for a, b in zip(wide_prefix, narrow_prefix, strict=True)
    )


def _split_resource(resource: str) -> list[str] | None:
    parts = resource.split(":", _RESOURCE_PARTS - 1)
    return parts if len(parts) == _RESOURCE_PARTS and parts[0] == "qcs" else None


def _pattern_covers(pattern: str, text: str) -> bool:
    """Whether a pattern matches a text or another pattern: a `*` in the text is matched only by a `*`."""
    return bool(_compile(pattern).fullmatch(text))


@lru_cache(maxsize=4096)
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _parse_statements(
    document: Mapping[str, Any],
) -> Iterator[tuple[str, bool, tuple[str, ...], tuple[str, ...]]]:
    """Effect, whether conditional, actions without `name/`, resources. Preset policies have capitalized names."""
    for raw in _as_list(_lower_keys(document).get("statement")):
        if isinstance(raw, Mapping):
            statement = _lower_keys(raw)
            actions = tuple(str(action).removeprefix("name/") for action in _as_list(statement.get("action")))
            resources = tuple(map(str, _as_list(statement.get("resource"))))
            yield (
                str(statement.get("effect")).lower(),
                bool(statement.get("condition")),
                actions,
                resources,
            )


def _lower_keys(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in mapping.items()}


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
