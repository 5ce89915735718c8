"""Which COS call a request is: its method, its level (service, bucket, object) and its sub-resource."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from localcloud.asked import Asked
from localcloud.cos import responses
from localcloud.cos.backend import CosBackend
from localcloud.cos.exceptions import CosError, not_implemented
from localcloud.cos.models import Bucket
from localcloud.hosts import Service

_Handler = Callable[[CosBackend, Asked, Bucket], Awaitable[Response]]

# (method, sub-resource); the sub-resource is a parameter that makes it another call.
_BUCKET_ROUTES: dict[tuple[str, str], _Handler] = {
    ("HEAD", ""): responses.head_bucket,
    ("DELETE", ""): responses.delete_bucket,
    ("GET", ""): responses.list_objects,
    ("GET", "location"): responses.get_location,
    ("GET", "versioning"): responses.get_versioning,
    ("PUT", "versioning"): responses.put_versioning,
    ("GET", "versions"): responses.list_versions,
    ("GET", "uploads"): responses.list_uploads,
    ("POST", "delete"): responses.delete_objects,
}
_OBJECT_ROUTES: dict[tuple[str, str], _Handler] = {
    ("PUT", ""): responses.put_object,
    ("PUT", "copy"): responses.copy_object,
    ("GET", ""): responses.get_object,
    ("HEAD", ""): responses.get_object,
    ("DELETE", ""): responses.delete_object,
    ("PUT", "tagging"): responses.put_tagging,
    ("GET", "tagging"): responses.get_tagging,
    ("DELETE", "tagging"): responses.delete_tagging,
    ("POST", "uploads"): responses.initiate_upload,
    ("PUT", "uploadId"): responses.upload_part,
    ("GET", "uploadId"): responses.list_parts,
    ("POST", "uploadId"): responses.complete_upload,
    ("DELETE", "uploadId"): responses.abort_upload,
}
# Offered by the real service, not here: better a clear 501 than the answer to another call.
_UNSUPPORTED = {
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


def _sub_resource(asked: Asked, calls: dict[tuple[str, str], _Handler]) -> str:
    known = {name for _, name in calls if name}
    for name in asked.parameters:
        if name in _UNSUPPORTED:
            raise not_implemented(f"the sub-resource {name}")
        if name in known:
            return name
    return "copy" if asked.header("x-cos-copy-source") and ("PUT", "copy") in calls else ""


async def dispatch(cos: CosBackend, asked: Asked) -> Response:
    """Carry out one authenticated request. Raises CosError."""
    if asked.place.service is Service.COS:
        if asked.method != "GET" or asked.path != "/":
            raise _method_not_allowed()
        return await responses.list_buckets(cos, asked)
    calls = _OBJECT_ROUTES if asked.key else _BUCKET_ROUTES
    name = _sub_resource(asked, calls)
    if (asked.method, name) == ("PUT", "") and not asked.key:
        return await responses.create_bucket(cos, asked)
    bucket = cos.buckets.require(asked.place.bucket, asked.place.region)
    call = calls.get((asked.method, name))
    if call is None:
        raise _method_not_allowed()
    return await call(cos, asked, bucket)


def _method_not_allowed() -> CosError:
    return CosError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
