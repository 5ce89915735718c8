"""CAM policy documents, built from the permissions: for the roles of the functions, and for the deploying key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cli.errors import OperatorError
from cli.language import _
from cli.manifest.models import FunctionSpec, Manifest
from cli.policy.diff import Permission
from cli.policy.operator import OPERATOR, operator_permissions
from cli.policy.permissions import (
    ResourceScope,
    deployer_permissions,
    grants_for,
    role_admin_permissions,
    scope_for_function,
)

# Characters of a custom policy (1031/67856, of policies in CAM's syntax). The API answers a longer one with
# InvalidParameter.PolicyDocumentLengthOverLimit.
MAX_DOCUMENT_LENGTH = 6144

# Who may assume the role of a function: SCF (document 583/31444).
TRUST: dict[str, Any] = {
    "version": "2.0",
    "statement": [
        {"action": "name/sts:AssumeRole", "effect": "allow", "principal": {"service": ["scf.qcloud.com"]}}
    ],
}


class PolicyTooLong(OperatorError):
    """CAM would reject the document."""


def function_policy(function: str, scope: ResourceScope) -> dict[str, Any]:
    """The least policy of `upload`, `callback` or `sweep`. Raises PolicyTooLong."""
    permissions = [
        Permission(grant.action, resource)
        for grant in grants_for(function, scope)
        for resource in grant.resources(scope)
    ]
    return _build_document(function, permissions)


def role_policies(manifest: Manifest, owner_uin: str) -> dict[str, dict[str, Any]]:
    """What each role of a manifest must allow, by the role's name. Functions with the same role share a document.

    Raises PolicyTooLong.
    """
    documents: dict[str, dict[str, Any]] = {}
    for key, function in manifest.functions.items():
        document = function_policy(key, scope_for_function(manifest, key, owner_uin))
        shared = documents.setdefault(function.role, {**document, "statement": []})
        shared["statement"] = [*shared["statement"], *document["statement"]]
    return documents


def deployer_policy(scope: ResourceScope, functions: Iterable[FunctionSpec]) -> dict[str, Any]:
    """The policy of the key that runs `scribe deploy`, `doctor` and `remove`; it cannot create roles.

    Raises PolicyTooLong.
    """
    return _build_document("deployer", deployer_permissions(scope, functions))


def operator_policy(scope: ResourceScope) -> dict[str, Any]:
    """The policy of the key that runs the commands of every day. Raises PolicyTooLong."""
    return _build_document(OPERATOR, operator_permissions(scope))


def role_admin_policy() -> dict[str, Any]:
    """The policy that `scribe policy --create-role` needs in addition. It amounts to full control of the account."""
    return _build_document("roles", role_admin_permissions())


def serialize_document(document: Mapping[str, Any]) -> str:
    """The document as it is sent: compact, without escapes."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _build_document(name: str, permissions: Iterable[Permission]) -> dict[str, Any]:
    """Merge the permissions: resources with the same actions share a statement."""
    actions: dict[str, set[str]] = {}
    for permission in permissions:
        actions.setdefault(permission.resource, set()).add(permission.action)
    resources: dict[tuple[str, ...], list[str]] = {}
    for resource, allowed in sorted(actions.items()):
        resources.setdefault(tuple(sorted(allowed)), []).append(resource)
    document = {
        "version": "2.0",
        "statement": [
            {"effect": "allow", "action": list(shared), "resource": listed}
            for shared, listed in sorted(resources.items())
        ],
    }
    if (length := len(serialize_document(document))) > MAX_DOCUMENT_LENGTH:
        raise PolicyTooLong(
            _(
                "the policy for {name} has {length} characters, and CAM accepts {limit}: one deployment cannot have "
                "this many INPUT_BUCKETS. Set OUTPUT_BUCKET if it is empty, or deploy twice, each time with some of "
                "the buckets and another SCRIBE_STAGE",
                name=name,
                length=f"{length:,}",
                limit=f"{MAX_DOCUMENT_LENGTH:,}",
            )
        )
    return document
