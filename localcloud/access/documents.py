"""CAM policy documents: read strictly, and asked whether they let something be done.

Source: "Element reference", 598/10603, and "Evaluation logic", 598/10605: nothing is allowed unless a statement says
so, and one that denies wins over all that allow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_ACTION = re.compile(r"(?:name/)?(?P<product>[a-z0-9]+|\*):(?P<name>[A-Za-z0-9*]+)")
_PARTS = 6  # of a resource: qcs, project, product, region, account, what
_MAY_BE_EMPTY = (1, 3, 4)
_MEMBERS = {"effect", "action", "resource"}


class DocumentError(ValueError):
    """The document is none that CAM takes. `what` is effect, action, resource, statement, version or document."""

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


@dataclass(frozen=True, slots=True)
class Need:
    """What a request does, in the words of CAM: `cos:PutObject` on `qcs::cos:<region>:uid/<appid>:<bucket>/<key>`.

    An action on the level of the API has the resource `*`, which only a statement for `*` covers.
    """

    action: str
    resource: str = "*"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; the actions are written without `name/`."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def covers(self, need: Need) -> bool:
        """Whether it speaks of that."""
        return any(_fits(each, need.action) for each in self.actions) and any(
            _resource_fits(each, need.resource) for each in self.resources
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A policy: the statements of one document."""

    statements: tuple[Statement, ...]


def allowed(documents: Iterable[Document], need: Need) -> bool:
    """Whether these documents together let it be done."""
    covering = [each for document in documents for each in document.statements if each.covers(need)]
    return bool(covering) and all(each.allows for each in covering)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in text.split("*")), re.DOTALL)


def _fits(pattern: str, text: str) -> bool:
    # Without a wildcard in it a pattern is a plain text; most are.
    return pattern == text if "*" not in pattern else _pattern(pattern).fullmatch(text) is not None


def _resource_fits(pattern: str, resource: str) -> bool:
    """Compare part with part; the last one may hold colons."""
    if pattern == "*" or resource == "*":
        return pattern == "*"
    wanted, given = (text.split(":", _PARTS - 1) for text in (pattern, resource))
    return all(
        # An empty region is every region, an empty account the policy's own: 598/10606.
        (not part and place in _MAY_BE_EMPTY) or _fits(part, given[place])
        for place, part in enumerate(wanted)
    )


def document_of(raw: object) -> Document:
    """Read a document: JSON text, or what it holds. Raises DocumentError."""
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except ValueError as error:
            raise DocumentError("document", f"The document is no JSON: {error}.") from error
    if not isinstance(raw, Mapping):
        raise DocumentError("document", "The document is a JSON object.")
    if raw.get("version") != "2.0":
        raise DocumentError("version", "version is 2.0.")
    if set(raw) - {"version", "statement"}:
        raise DocumentError("document", "A document has version and statement, nothing else.")
    statements = raw.get("statement")
    if isinstance(statements, Mapping):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise DocumentError("statement", "statement is a list with at least one statement.")
    return Document(tuple(_statement(each) for each in statements))


def _statement(raw: object) -> Statement:
    if not isinstance(raw, Mapping) or not set(raw) >= _MEMBERS:
        raise DocumentError("statement", "A statement has effect, action and resource.")
    if "condition" in raw:
        # The real service would look at it; to take it and not to would grant more than the document does.
        raise DocumentError("condition", "This stand-in cannot weigh conditions.")
    if set(raw) - _MEMBERS:
        raise DocumentError("statement", f"A statement has no {', '.join(sorted(set(raw) - _MEMBERS))}.")
    if raw["effect"] not in ("allow", "deny"):
        raise DocumentError("effect", "effect is allow or deny.")
    actions, resources = (_texts(raw[name], name) for name in ("action", "resource"))
    for action in actions:
        if action != "*" and not _ACTION.fullmatch(action):
            raise DocumentError("action", f"{action} is no action, such as name/cos:GetObject.")
    for resource in resources:
        if resource != "*" and not (resource.startswith("qcs:") and resource.count(":") >= _PARTS - 1):
            raise DocumentError(
                "resource", f"{resource} is no resource: * or qcs::product:region:account:what."
            )
    return Statement(
        raw["effect"] == "allow", tuple(each.removeprefix("name/") for each in actions), resources
    )


def _texts(raw: Any, name: str) -> tuple[str, ...]:
    texts = (raw,) if isinstance(raw, str) else raw
    if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(each, str) for each in texts):
        raise DocumentError(name, f"{name} is a text, or a list of at least one.")
    return tuple(texts)
