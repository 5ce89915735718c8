"""CAM policy documents, made from the table: what a function's role may do, and who may use the role."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cli.errors import OperatorError
from cli.policy.deployer import deployer_permissions, role_maker_permissions
from cli.policy.place import Place, place_of
from cli.policy.statements import Permission
from cli.policy.table import FUNCTIONS, resources_of, rows_of

__all__ = [
    "FUNCTIONS",
    "TRUST",
    "Place",
    "PolicyTooLong",
    "deployer_policy",
    "document_text",
    "place_of",
    "policy_of",
    "role_maker_policy",
]

# Characters of a custom policy (1031/67856, of policies in CAM's syntax). The API answers a longer one with
# InvalidParameter.PolicyDocumentLengthOverLimit.
LONGEST_DOCUMENT = 6144

# Who may act in a function's role: SCF (document 583/31444).
TRUST: dict[str, Any] = {
    "version": "2.0",
    "statement": [
        {"action": "name/sts:AssumeRole", "effect": "allow", "principal": {"service": ["scf.qcloud.com"]}}
    ],
}


class PolicyTooLong(OperatorError):
    """The account would not take the document."""


def policy_of(function: str, place: Place) -> dict[str, Any]:
    """The least policy of `upload`, `callback` or `sweep`. Raises PolicyTooLong."""
    permissions = [
        Permission(row.action, resource)
        for row in rows_of(function, place)
        for resource in resources_of(row, place)
    ]
    return _document(function, permissions)


def deployer_policy(place: Place, functions: Iterable[Any]) -> dict[str, Any]:
    """For the person or the pipeline that runs `scribe deploy`, `doctor` and `remove`; it cannot make roles.

    `functions` are cli.manifest.models.WantedFunction. Raises PolicyTooLong.
    """
    return _document("deployer", deployer_permissions(place, functions))


def role_maker_policy() -> dict[str, Any]:
    """For whoever runs `scribe policy --create-role`, in addition. It is as good as owning the account."""
    return _document("roles", role_maker_permissions())


def document_text(document: Mapping[str, Any]) -> str:
    """A document as it is sent: short, and with names as they are."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _document(whose: str, permissions: Iterable[Permission]) -> dict[str, Any]:
    """Merges: resources with the same actions share a statement."""
    actions: dict[str, set[str]] = {}
    for permission in permissions:
        actions.setdefault(permission.resource, set()).add(permission.action)
    resources: dict[tuple[str, ...], list[str]] = {}
    for resource, allowed in sorted(actions.items()):
        resources.setdefault(tuple(sorted(allowed)), []).append(resource)
    document = {
        "version": "2.0",
        "statement": [
            {"effect": "allow", "action": list(allowed), "resource": on}
            for allowed, on in sorted(resources.items())
        ],
    }
    if (length := len(document_text(document))) > LONGEST_DOCUMENT:
        raise PolicyTooLong(
            f"the policy for {whose} has {length:,} characters, and CAM takes {LONGEST_DOCUMENT:,}: there are too many "
            "INPUT_BUCKETS for one deployment. Set OUTPUT_BUCKET if it is empty, or deploy twice, each with some of "
            "the buckets and a SCRIBE_STAGE of its own"
        )
    return document
