"""Maps a COS request to its call by method, level (service, bucket, object) and sub-resource."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.responses import Response

from localcloud.cos import responses
from localcloud.cos.backend import CosBackend
from localcloud.cos.exceptions import CosError, not_implemented
from localcloud.cos.models import Bucket
from localcloud.http.hosts import ServiceName
from localcloud.http.request import Request

_Handler = Callable[[CosBackend, Request, Bucket], Awaitable[Response]]

# (method, sub-resource); a sub-resource is a query parameter that selects another call.
_BUCKET_ROUTES: dict[tuple[str, str], _Handler] = {
    ("HEAD", ""): responses.head_bucket,
    ("DELETE", ""): responses.delete_bucket,
    ("GET", ""): responses.list_objects,
    ("GET", "location"): responses.get_location,
    ("GET", "versioning"): responses.get_versioning,
    ("PUT", "versioning"): responses.put_versioning,
    ("GET", "versions"): responses.list_versions,
    ("GET", "uploads"): responses.list_uploads,
    ("POST", ""): responses.post_object,
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
    ("POST", "restore"): responses.restore_object,
    ("POST", "uploads"): responses.initiate_upload,
    ("PUT", "uploadId"): responses.upload_part,
    ("GET", "uploadId"): responses.list_parts,
    ("POST", "uploadId"): responses.complete_upload,
    ("DELETE", "uploadId"): responses.abort_upload,
}
# The real service has these: a clear 501 is better than the response of another call.
_UNSUPPORTED = frozenset(
    {
        "accelerate",
        "acl",
        "append",
        "cors",
        "domain",
        "encryption",
        "intelligenttiering",
        "inventory",
        "lifecycle",
        "logging",
        "notification",
        "object-lock",
        "origin",
        "policy",
        "referer",
        "replication",
        "select",
        "symlink",
        "website",
    }
)


def _find_sub_resource(request: Request, routes: dict[tuple[str, str], _Handler]) -> str:
    known = {name for _, name in routes if name}
    for name in request.parameters:
        if name in _UNSUPPORTED:
            raise not_implemented(f"the sub-resource {name}")
        if name in known:
            return name
    return "copy" if request.header("x-cos-copy-source") and ("PUT", "copy") in routes else ""


async def dispatch(cos: CosBackend, request: Request) -> Response:
    """Handle one authenticated request. Raises CosError."""
    if request.target.service is ServiceName.COS:
        if request.method != "GET" or request.path != "/":
            raise _method_not_allowed()
        return await responses.list_buckets(cos, request)
    routes = _OBJECT_ROUTES if request.key else _BUCKET_ROUTES
    sub_resource = _find_sub_resource(request, routes)
    if (request.method, sub_resource) == ("PUT", "") and not request.key:
        return await responses.create_bucket(cos, request)
    bucket = cos.buckets.require(request.target.bucket, request.target.region)
    handler = routes.get((request.method, sub_resource))
    if handler is None:
        raise _method_not_allowed()
    return await handler(cos, request, bucket)


def _method_not_allowed() -> CosError:
    return CosError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
