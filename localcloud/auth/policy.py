"""CAM policy documents: strict parsing and evaluation, and the policy file of the command line.

Source: "Element reference", 598/10603, and "Evaluation logic", 598/10605: nothing is allowed unless a statement allows
it, and a statement that denies wins over all that allow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_ACTION = re.compile(r"(?:name/)?(?P<product>[a-z0-9]+|\*):(?P<name>[A-Za-z0-9*]+)")
_RESOURCE_PARTS = 6  # qcs, project, product, region, account, path
_OPTIONAL_PARTS = (1, 3, 4)
_STATEMENT_MEMBERS = {"effect", "action", "resource"}


class PolicyError(ValueError):
    """CAM does not accept the document.

    `part` is effect, action, resource, condition, statement, version or document.
    """

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True, slots=True)
class RequiredPermission:
    """An action on a resource that a request needs: `cos:PutObject` on `qcs::cos:<region>:uid/<appid>:<bucket>/<key>`.

    An action at the level of the API has the resource `*`, which only a statement for `*` covers.
    """

    action: str
    resource: str = "*"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; its actions are stored without `name/`."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def covers(self, permission: RequiredPermission) -> bool:
        """Whether the statement is about that action on that resource."""
        return any(_matches(action, permission.action) for action in self.actions) and any(
            _resource_matches(resource, permission.resource) for resource in self.resources
        )


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """The statements of one policy."""

    statements: tuple[Statement, ...]


def is_allowed(documents: Iterable[PolicyDocument], permission: RequiredPermission) -> bool:
    """Evaluate policies together: at least one statement allows the permission and no statement denies it."""
    covering = [
        statement
        for document in documents
        for statement in document.statements
        if statement.covers(permission)
    ]
    return bool(covering) and all(statement.allows for statement in covering)


@lru_cache(maxsize=4096)
def _compile_pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


def _matches(pattern: str, text: str) -> bool:
    # Most patterns have no wildcard: compare them as plain text.
    return pattern == text if "*" not in pattern else _compile_pattern(pattern).fullmatch(text) is not None


def _resource_matches(pattern: str, resource: str) -> bool:
    """Compare part by part; the last part may contain colons."""
    if pattern == "*" or resource == "*":
        return pattern == "*"
    pattern_parts, resource_parts = (text.split(":", _RESOURCE_PARTS - 1) for text in (pattern, resource))
    return all(
        # An empty region matches every region, an empty account is the policy's own: 598/10606.
        (not part and index in _OPTIONAL_PARTS) or _matches(part, resource_parts[index])
        for index, part in enumerate(pattern_parts)
    )


def parse_policy(raw: object) -> PolicyDocument:
    """Parse a policy from JSON text or from JSON values. Raises PolicyError."""
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except ValueError as error:
            raise PolicyError("document", f"The document is not JSON: {error}.") from error
    if not isinstance(raw, Mapping):
        raise PolicyError("document", "The document is not a JSON object.")
    if raw.get("version") != "2.0":
        raise PolicyError("version", "version must be 2.0.")
    if set(raw) - {"version", "statement"}:
        raise PolicyError("document", "A document has only version and statement.")
    statements = raw.get("statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise PolicyError("statement", "statement must be a list with at least one statement.")
    return PolicyDocument(tuple(_parse_statement(statement) for statement in statements))


def _parse_statement(raw: object) -> Statement:
    if not isinstance(raw, Mapping) or not set(raw) >= _STATEMENT_MEMBERS:
        raise PolicyError("statement", "A statement needs effect, action and resource.")
    if "condition" in raw:
        # The real service evaluates conditions; to ignore them would grant more than the document does.
        raise PolicyError("condition", "This stand-in cannot evaluate conditions.")
    unknown = set(raw) - _STATEMENT_MEMBERS
    if unknown:
        raise PolicyError("statement", f"A statement cannot have {', '.join(sorted(unknown))}.")
    if raw["effect"] not in ("allow", "deny"):
        raise PolicyError("effect", "effect must be allow or deny.")
    actions, resources = (_parse_strings(raw[name], name) for name in ("action", "resource"))
    for action in actions:
        if action != "*" and not _ACTION.fullmatch(action):
            raise PolicyError("action", f"{action} is not an action such as name/cos:GetObject.")
    for resource in resources:
        if resource != "*" and not (
            resource.startswith("qcs:") and resource.count(":") >= _RESOURCE_PARTS - 1
        ):
            raise PolicyError(
                "resource", f"{resource} is not a resource: use * or qcs::product:region:account:path."
            )
    return Statement(
        raw["effect"] == "allow", tuple(action.removeprefix("name/") for action in actions), resources
    )


def _parse_strings(raw: Any, name: str) -> tuple[str, ...]:
    strings = (raw,) if isinstance(raw, str) else raw
    if (
        not isinstance(strings, (list, tuple))
        or not strings
        or not all(isinstance(item, str) for item in strings)
    ):
        raise PolicyError(name, f"{name} must be a string, or a list of at least one string.")
    return tuple(strings)


class PolicyFileError(Exception):
    """The file of --policies cannot be used; the message says why."""


def load_policy_file(file: Path) -> Mapping[str, tuple[PolicyDocument, ...]]:
    """Read a JSON object, function -> policy document. Raises PolicyFileError."""
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PolicyFileError(f"{file} cannot be read: {error}") from error
    if not isinstance(raw, dict):
        raise PolicyFileError(f"{file} must hold a JSON object: function -> policy document")
    try:
        return {function: (parse_policy(document),) for function, document in raw.items()}
    except PolicyError as error:
        raise PolicyFileError(f"{file} holds a document that CAM does not accept: {error}") from error
