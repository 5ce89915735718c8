"""What a COS request needs.

Actions and the resource `qcs::cos:<region>:uid/<appid>:<bucket>/<key>`: "Working with COS API authorization policies",
436/30580, which names HeadObject for HEAD Object and writes `<bucket>/*` as the resource of every call on a bucket. The
path that a call on a bucket stands for is unconfirmed; here it is empty, so `<bucket>/*` covers it and
`<bucket>/folder/*` does not.
"""

from __future__ import annotations

from urllib.parse import unquote

from localcloud.access.documents import Need
from localcloud.asked import Asked
from localcloud.hosts import Service, place_of

# (method, sub-resource) -> action. What is not listed is no call of this cloud: only a grant of everything covers it.
_BUCKET = {
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
_OBJECT = {
    ("HEAD", ""): "HeadObject",
    ("GET", ""): "GetObject",
    ("PUT", ""): "PutObject",
    ("DELETE", ""): "DeleteObject",
    ("PUT", "tagging"): "PutObjectTagging",
    ("GET", "tagging"): "GetObjectTagging",
    ("DELETE", "tagging"): "DeleteObjectTagging",
    ("POST", "uploads"): "InitiateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("GET", "uploadId"): "ListParts",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}


def needs_of_cos(asked: Asked, appid: str) -> tuple[Need, ...]:
    """What it needs, the request itself first; a copy needs to read its source as well."""
    if asked.place.service is Service.COS:
        return (Need("cos:GetService"),)
    calls = _OBJECT if asked.key else _BUCKET
    parts = {name for _, name in calls}
    sub_resource = next((name for name in asked.parameters if name in parts), "")
    name = calls.get((asked.method, sub_resource), "*")
    need = Need(f"cos:{name}", _resource(asked.place.region, appid, asked.place.bucket, asked.key))
    source = asked.header("x-cos-copy-source")
    return (need, _source(source, appid)) if source and asked.method == "PUT" and asked.key else (need,)


def _resource(region: str, appid: str, bucket: str, key: str) -> str:
    return f"qcs::cos:{region}:uid/{appid}:{bucket}/{key}"


def _source(header: str, appid: str) -> Need:
    host, _, path = header.partition("?")[0].partition("/")
    place = place_of(host)
    return Need("cos:GetObject", _resource(place.region, appid, place.bucket, unquote(path)))
