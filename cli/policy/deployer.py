"""What `scribe deploy`, `doctor` and `remove` ask of the account, as narrow as each API lets it be granted.

CAM refuses an action that is granted by operation only as soon as the policy names a resource (598/70005): where the
published level is that, or where pages disagree, the resource is `*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cli.description.wanted import WantedFunction
from cli.policy.place import Place
from cli.policy.statements import Permission

# SCF documents 583/38177 and 583/18014: granted for each function. There, UpdateFunction stands for both updates.
_ON_A_FUNCTION = (
    "scf:CreateFunction",
    "scf:DeleteFunction",
    "scf:GetFunction",
    "scf:UpdateFunctionCode",
    "scf:UpdateFunctionConfiguration",
)
# CAM document 598/70005: CreateTrigger by operation; its sisters, and retries, are taken to be alike. sts and cam:
# 598/57054, all by operation. ci: 1045/49896.
_ON_EVERYTHING = (
    "scf:ListFunctions",
    "scf:ListNamespaces",
    "scf:ListTriggers",
    "scf:CreateTrigger",
    "scf:UpdateTrigger",
    "scf:UpdateTriggerStatus",
    "scf:DeleteTrigger",
    "scf:GetFunctionEventInvokeConfig",
    "scf:UpdateFunctionEventInvokeConfig",
    "sts:GetCallerIdentity",
    "cam:GetUserAppId",
    "cam:GetRole",
    "cam:ListAttachedRolePolicies",
    "cam:GetPolicy",
    "ci:DescribeAsrBuckets",
    "ci:DescribeAiProcessBucket",
)
_ON_SPEECH = ("ci:CreateAsrBucket", "ci:DescribeAsrQueues", "ci:UpdateAsrQueue")
# COS document 436/30580. PutBucket is for --make-buckets, the listing for doctor's count of what the audit would bill.
_ON_A_BUCKET = ("cos:HeadBucket", "cos:GetBucketVersioning", "cos:PutBucket", "cos:GetBucket")
_TO_MAKE_ROLES = (
    "cam:CreateRole",
    "cam:DeleteRole",
    "cam:UpdateAssumeRolePolicy",
    "cam:ListPolicies",
    "cam:CreatePolicy",
    "cam:UpdatePolicy",
    "cam:DeletePolicy",
    "cam:AttachRolePolicy",
    "cam:DetachRolePolicy",
    "cam:GetRole",
    "cam:ListAttachedRolePolicies",
    "cam:GetPolicy",
)


def deployer_permissions(place: Place, functions: Iterable[WantedFunction]) -> Iterator[Permission]:
    """Everything but making roles; it may hand the functions' roles, and no other, to SCF (cam:PassRole)."""
    for function in functions:
        yield from _on(_ON_A_FUNCTION, place.function(function.name, function.namespace))
        yield Permission("cam:PassRole", place.role(function.role))
    yield from _on(_ON_EVERYTHING, "*")
    for resource in place.speech():
        yield from _on(_ON_SPEECH, resource)
    for resource in place.buckets():
        yield from _on(_ON_A_BUCKET, resource)


def role_maker_permissions() -> Iterator[Permission]:
    """Making roles. CAM grants none of this for one role only: who may attach policies may do anything."""
    yield from _on(_TO_MAKE_ROLES, "*")


def _on(actions: Iterable[str], resource: str) -> Iterator[Permission]:
    for action in actions:
        yield Permission(action, resource)
