"""Which COS call a request is: its method, its level (service, bucket, object) and its sub-resource."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from localcloud.cos import bucket_calls, object_calls, upload_calls
from localcloud.cos.buckets import Bucket
from localcloud.cos.errors import CosProblem, not_implemented
from localcloud.cos.service import Cos
from localcloud.http.hosts import ServiceName
from localcloud.http.request import Request

_Call = Callable[[Cos, Request, Bucket], Awaitable[Response]]

# (method, sub-resource); the sub-resource is a parameter that makes it another call.
_BUCKET_CALLS: dict[tuple[str, str], _Call] = {
    ("HEAD", ""): bucket_calls.head_bucket,
    ("DELETE", ""): bucket_calls.delete_bucket,
    ("GET", ""): bucket_calls.list_objects,
    ("GET", "location"): bucket_calls.get_location,
    ("GET", "versioning"): bucket_calls.get_versioning,
    ("PUT", "versioning"): bucket_calls.put_versioning,
    ("GET", "versions"): bucket_calls.list_versions,
    ("GET", "uploads"): bucket_calls.list_uploads,
    ("POST", "delete"): bucket_calls.delete_many,
}
_OBJECT_CALLS: dict[tuple[str, str], _Call] = {
    ("PUT", ""): object_calls.put_object,
    ("PUT", "copy"): object_calls.copy_object,
    ("GET", ""): object_calls.get_object,
    ("HEAD", ""): object_calls.get_object,
    ("DELETE", ""): object_calls.delete_object,
    ("PUT", "tagging"): object_calls.put_tagging,
    ("GET", "tagging"): object_calls.get_tagging,
    ("DELETE", "tagging"): object_calls.delete_tagging,
    ("POST", "uploads"): upload_calls.start_upload,
    ("PUT", "uploadId"): upload_calls.put_part,
    ("GET", "uploadId"): upload_calls.list_parts,
    ("POST", "uploadId"): upload_calls.complete_upload,
    ("DELETE", "uploadId"): upload_calls.abort_upload,
}
# Offered by the real service, not here: better a clear 501 than the answer to another call.
_ELSEWHERE = {
    *(
        "accelerate",
        "acl",
        "append",
        "cors",
        "domain",
        "encryption",
        "intelligenttiering",
        "inventory",
        "lifecycle",
    ),
    *(
        "logging",
        "notification",
        "object-lock",
        "origin",
        "policy",
        "referer",
        "replication",
        "restore",
        "select",
    ),
    *("symlink", "website"),
}


def _sub_resource(asked: Request, calls: dict[tuple[str, str], _Call]) -> str:
    known = {name for _, name in calls if name}
    for name in asked.parameters:
        if name in _ELSEWHERE:
            raise not_implemented(f"the sub-resource {name}")
        if name in known:
            return name
    return "copy" if asked.header("x-cos-copy-source") and ("PUT", "copy") in calls else ""


async def answer(cos: Cos, asked: Request) -> Response:
    """Carry out one authenticated request. Raises CosProblem."""
    if asked.target.service is ServiceName.COS:
        if asked.method != "GET" or asked.path != "/":
            raise _not_allowed()
        return await bucket_calls.list_buckets(cos, asked)
    calls = _OBJECT_CALLS if asked.key else _BUCKET_CALLS
    name = _sub_resource(asked, calls)
    if (asked.method, name) == ("PUT", "") and not asked.key:
        return await bucket_calls.put_bucket(cos, asked)
    bucket = cos.buckets.named(asked.target.bucket, asked.target.region)
    call = calls.get((asked.method, name))
    if call is None:
        raise _not_allowed()
    return await call(cos, asked, bucket)


def _not_allowed() -> CosProblem:
    return CosProblem(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
