"""Authorization: the permissions that a request needs, and the check against the policies of its credential."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from localcloud.api3.models import ApiRequest
from localcloud.auth.credentials import OWNER_UIN
from localcloud.auth.policy import RequiredPermission, is_allowed
from localcloud.http.hosts import ServiceName, parse_host
from localcloud.http.request import Request

CI_SERVICE_ROLE = "CI_QCSRole"


def find_denied_permission(
    request: Request, required: Sequence[RequiredPermission]
) -> RequiredPermission | None:
    """Return the first permission that the credential's policies do not grant; without policies all are granted.

    Sets `request.action` and `request.resource` to the first permission, for the access log.
    """
    request.action, request.resource = required[0].action, required[0].resource
    policies = request.signer.policies if request.signer else ()
    if policies is None:
        return None
    return next((permission for permission in required if not is_allowed(policies, permission)), None)


# COS: actions and the resource `qcs::cos:<region>:uid/<appid>:<bucket>/<key>`, "Working with COS API authorization
# policies", 436/30580, which names HeadObject for HEAD Object and writes `<bucket>/*` as the resource of every call on
# a bucket. The path of a call on a bucket is unconfirmed; here it is empty, so `<bucket>/*` covers it and
# `<bucket>/folder/*` does not.

# (method, sub-resource) -> action. Only a policy for every action covers a call that is not in these tables.
_COS_BUCKET_ACTIONS = {
    ("HEAD", ""): "HeadBucket",
    ("PUT", ""): "PutBucket",
    ("DELETE", ""): "DeleteBucket",
    ("GET", ""): "GetBucket",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "versioning"): "GetBucketVersioning",
    ("PUT", "versioning"): "PutBucketVersioning",
    ("GET", "versions"): "GetBucketObjectVersions",
    ("GET", "uploads"): "ListMultipartUploads",
    ("POST", "delete"): "DeleteMultipleObjects",
}
_COS_OBJECT_ACTIONS = {
    ("HEAD", ""): "HeadObject",
    ("GET", ""): "GetObject",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("PUT", "tagging"): "PutObjectTagging",
    ("GET", "tagging"): "GetObjectTagging",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("POST", "restore"): "PostObjectRestore",
    ("POST", "uploads"): "InitiateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("GET", "uploadId"): "ListParts",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}


def required_cos_permissions(request: Request, appid: str) -> tuple[RequiredPermission, ...]:
    """Return the permissions of a COS request, its own action first; a copy also needs to read its source."""
    if request.target.service is ServiceName.COS:
        return (RequiredPermission("cos:GetService"),)
    if request.form is not None:
        key = request.form.key
        resource = _cos_resource(request.target.region, appid, request.target.bucket, key)
        return (RequiredPermission("cos:PostObject", resource),)
    actions = _COS_OBJECT_ACTIONS if request.key else _COS_BUCKET_ACTIONS
    sub_resources = {name for _, name in actions}
    sub_resource = next((name for name in request.parameters if name in sub_resources), "")
    action = actions.get((request.method, sub_resource), "*")
    resource = _cos_resource(request.target.region, appid, request.target.bucket, request.key)
    permission = RequiredPermission(f"cos:{action}", resource)
    copy_source = request.header("x-cos-copy-source")
    if copy_source and request.method == "PUT" and request.key:
        return (permission, _copy_source_permission(copy_source, appid))
    return (permission,)


def _cos_resource(region: str, appid: str, bucket: str, key: str) -> str:
    return f"qcs::cos:{region}:uid/{appid}:{bucket}/{key}"


def _copy_source_permission(header: str, appid: str) -> RequiredPermission:
    host, _, path = header.partition("?")[0].partition("/")
    source = parse_host(host)
    resource = _cos_resource(source.region, appid, source.bucket, unquote(path))
    return RequiredPermission("cos:GetObject", resource)


# CI: actions and levels, "Authorization granularity" 1045/49896; the resource of a policy is
# `qcs::ci:<region>:uid/<appid>:bucket/<bucket>/*`. Calls about all buckets are authorized at the level of the API.

_CI_ACCOUNT_ACTIONS = {"/asrbucket": "DescribeAsrBuckets", "/ai_bucket": "DescribeAiProcessBucket"}
# (method, first part of the path, whether more parts follow) -> action
_CI_BUCKET_ACTIONS = {
    ("GET", "", False): "DescribeCIBuckets",
    ("PUT", "", False): "CreateCIBucket",
    ("POST", "asrbucket", False): "CreateAsrBucket",
    ("DELETE", "asrbucket", False): "DeleteAsrBucket",
    ("GET", "asrqueue", False): "DescribeAsrQueues",
    ("PUT", "asrqueue", True): "UpdateAsrQueue",
    ("GET", "queue", False): "DescribeMediaQueues",
    ("PUT", "queue", True): "UpdateMediaQueue",
    ("POST", "asr_jobs", False): "CreateAsrJobs",
    ("POST", "jobs", False): "CreateAsrJobs",
    ("GET", "jobs", False): "DescribeMediaJobs",
    ("GET", "jobs", True): "DescribeMediaJob",
    ("PUT", "jobs", True): "CancelMediaJob",
    ("POST", "template", False): "CreateMediaTemplate",
    ("PUT", "template", True): "UpdateMediaTemplate",
    ("GET", "template", False): "DescribeMediaTemplates",
    ("DELETE", "template", True): "DeleteMediaTemplate",
    # Unconfirmed: no document names the actions of hot-word tables. These are the calls of cos-go-sdk-v5.
    ("POST", "asrhotvocabtable", False): "CreateAsrVocabularyTable",
    ("PUT", "asrhotvocabtable", False): "UpdateAsrVocabularyTable",
    ("GET", "asrhotvocabtable", False): "DescribeAsrVocabularyTables",
    ("GET", "asrhotvocabtable", True): "DescribeAsrVocabularyTable",
    ("DELETE", "asrhotvocabtable", True): "DeleteAsrVocabularyTable",
}


# The documents disagree on the queries of speech jobs: the Chinese page of "Authorization granularity" exchanges the
# two actions of the English one, and 436/120621 (2025-12-30) names DescribeMediaJob for one job. Today's page of
# /asr_jobs (436/47596) names none, so which one the service asks for is unconfirmed.
CI_PERMISSION_READINGS = ("documented", "swapped", "media")
_JOB_QUERY_ACTIONS = {
    "documented": {False: "DescribeAsrJobs", True: "DescribeAsrJob"},
    "swapped": {False: "DescribeAsrJob", True: "DescribeAsrJobs"},
    "media": {False: "DescribeMediaJobs", True: "DescribeMediaJob"},
}


def required_ci_permissions(
    request: Request, appid: str, reading: str = "documented"
) -> tuple[RequiredPermission, ...]:
    """Return the permissions of a CI request, its own action first; a submit also passes CI's role to CI (D-SUBMIT).

    `reading` is one of CI_PERMISSION_READINGS: the actions of GET /asr_jobs.
    """
    if request.target.service is ServiceName.CI:
        account_action = _CI_ACCOUNT_ACTIONS.get(request.path) if request.method == "GET" else None
        return (RequiredPermission(f"ci:{account_action or '*'}"),)
    _, first, *rest = request.path.split("/", 2)
    # The actions of the other calls (PUT /?unbind) are unconfirmed: only a policy for every action covers them.
    action = _CI_BUCKET_ACTIONS.get((request.method, first, bool(rest and rest[0])), "*")
    if "unbind" in request.parameters:
        action = "*"
    if (request.method, first) == ("GET", "asr_jobs"):
        action = _JOB_QUERY_ACTIONS[reading][bool(rest and rest[0])]
    resource = f"qcs::ci:{request.target.region}:uid/{appid}:bucket/{request.target.bucket}/"
    permission = RequiredPermission(f"ci:{action}", resource)
    if action == "CreateAsrJobs":
        return (permission, pass_role_permission(CI_SERVICE_ROLE))
    return (permission,)


# API 3.0. SCF: resources are `qcs::scf:<region>:uin/<uin>:namespace/<namespace>/function/<name>` (583/47934). CAM
# 598/70005 authorizes only some of its calls for a single function; the others, and all of CAM (598/57054) and STS, are
# authorized at the level of the API.

_SCF_FUNCTION_ACTIONS = frozenset(
    {
        "CreateFunction",
        "DeleteFunction",
        "GetFunction",
        "Invoke",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
    }
)


def required_api_permissions(request: ApiRequest) -> tuple[RequiredPermission, ...]:
    """Return the permissions of an API 3.0 request, its own action first; setting a function's role also passes it.

    CreateFunction is checked against the namespace: published error messages of it name the namespace.
    """
    action, params = f"{request.service}:{request.action}", request.params
    if request.service != "scf" or request.action not in _SCF_FUNCTION_ACTIONS:
        return (RequiredPermission(action),)
    path = f"namespace/{params.get('Namespace', 'default')}"
    if request.action != "CreateFunction":
        path += f"/function/{params.get('FunctionName', '')}"
    permission = RequiredPermission(action, f"qcs::scf:{request.region}:uin/{OWNER_UIN}:{path}")
    role = params.get("Role")
    return (permission, pass_role_permission(str(role))) if role else (permission,)


def pass_role_permission(role_name: str) -> RequiredPermission:
    """Return the permission to pass a role to a service (cam:PassRole)."""
    return RequiredPermission("cam:PassRole", format_role_resource(role_name))


def format_role_resource(role_name: str) -> str:
    """Format the six-part resource of a role."""
    return f"qcs::cam::uin/{OWNER_UIN}:roleName/{role_name}"
