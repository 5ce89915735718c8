"""What `scribe deploy`, `doctor` and `remove` ask of the account, as narrow as each API lets it be granted.

CAM refuses an action that is granted by operation only as soon as the policy names a resource (598/70005): where the
published level is that, or where pages disagree, the resource is `*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cli.manifest.models import FunctionSpec
from cli.policy.place import Place
from cli.policy.statements import Permission

# SCF documents 583/38177 and 583/18014 say that some of these are granted for one function; but what SCF asks for when
# it refuses is `namespace/<name>` without a function, its region in short (sh), or `function/*` (1040/39383).
# CAM document 598/70005: CreateTrigger by operation. sts and cam: 598/57054, all by operation. ci: 1045/49896. Only the
# whole account's list tells a bucket's region (cos:GetService, 436/30580).
_ON_EVERYTHING = (
    "scf:CreateFunction",
    "scf:DeleteFunction",
    "scf:GetFunction",
    "scf:UpdateFunctionCode",
    "scf:UpdateFunctionConfiguration",
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
    "cos:GetService",
)
# No document says what CreateFunction with tags needs of the tag service; the preset policy QcloudSCFFullAccess grants
# all of it (583/31444). These make a tag and put it on a resource: nothing that reads tags or takes them away.
_TO_TAG = ("tag:CreateTag", "tag:AddResourceTag", "tag:AttachResourcesTag")
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


def deployer_permissions(place: Place, functions: Iterable[FunctionSpec]) -> Iterator[Permission]:
    """Everything but making roles; it may hand the functions' roles, and no other, to SCF (cam:PassRole)."""
    for function in functions:
        yield Permission("cam:PassRole", place.role(function.role))
    yield from _on((*_ON_EVERYTHING, *_TO_TAG), "*")
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
