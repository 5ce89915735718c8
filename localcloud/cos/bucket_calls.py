"""The calls on a bucket: make, look, list, version, delete many."""

from __future__ import annotations

import hashlib
from itertools import islice

from starlette.responses import Response

from localcloud.cos import answers, listing
from localcloud.cos.buckets import Bucket
from localcloud.cos.errors import CosProblem, invalid
from localcloud.cos.metadata import LONGEST_KEY, number
from localcloud.cos.service import Cos, check_md5
from localcloud.http.request import Request
from localcloud.http.response import xml_response
from localcloud.xml import MalformedXml, Node, node, read

MOST_BODY = 2 * 1024 * 1024  # bytes of an XML body; a multi-delete of 1000 long keys fits
_MOST_DELETES = 1000


async def xml_body(asked: Request, name: str) -> Node:
    """The body's root, which must have that name. Raises MalformedXML, EntityTooLarge, InvalidDigest."""
    body = await asked.body(MOST_BODY)
    if body is None:
        raise CosProblem(400, "EntityTooLarge", f"An XML body has at most {MOST_BODY} bytes.")
    if asked.header("content-md5"):
        check_md5(asked.header("content-md5"), _md5(body))
    try:
        root = read(body)
    except MalformedXml as error:
        raise CosProblem(400, "MalformedXML", f"The XML you provided was not well-formed: {error}") from error
    if root.name != name:
        raise CosProblem(400, "MalformedXML", f"The body's root is {name}.")
    return root


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body).digest()


async def list_buckets(cos: Cos, asked: Request) -> Response:
    """GET Service, over all regions or, on a region's host, its own."""
    return xml_response(answers.bucket_list(cos.buckets.all(asked.target.region), cos.appid))


async def put_bucket(cos: Cos, asked: Request) -> Response:
    """PUT Bucket; a body with a configuration is read and ignored."""
    await asked.body(MOST_BODY)
    cos.buckets.create(asked.target.bucket, asked.target.region)
    return Response()


async def head_bucket(_cos: Cos, _asked: Request, bucket: Bucket) -> Response:
    """HEAD Bucket."""
    return Response(headers={"x-cos-bucket-region": bucket.region}, media_type="application/xml")


async def delete_bucket(cos: Cos, _asked: Request, bucket: Bucket) -> Response:
    """DELETE Bucket, when nothing is left in it."""
    if not cos.objects.is_empty(bucket.name) or cos.uploads.all(bucket.name):
        raise CosProblem(409, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
    cos.buckets.delete(bucket)
    return Response(status_code=204)


async def get_location(_cos: Cos, _asked: Request, bucket: Bucket) -> Response:
    """GET Bucket location."""
    return xml_response(node("LocationConstraint", bucket.region))


async def get_versioning(_cos: Cos, _asked: Request, bucket: Bucket) -> Response:
    """GET Bucket versioning: an empty node when it was never switched on."""
    return xml_response(
        node("VersioningConfiguration", node("Status", bucket.versioning) if bucket.versioning else None)
    )


async def put_versioning(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """PUT Bucket versioning."""
    status = (await xml_body(asked, "VersioningConfiguration")).value("Status")
    if status not in ("Enabled", "Suspended"):
        raise invalid("Status is Enabled or Suspended.")
    cos.buckets.set_versioning(bucket, status)
    return Response()


def _page_size(asked: Request, name: str) -> int:
    """COS GET Bucket: default and maximum 1000."""
    return min(number(asked.parameters.get(name) or "1000", name, 0, 10**9), 1000)


def _encoding(asked: Request) -> str:
    encoding = asked.parameters.get("encoding-type", "")
    if encoding not in ("", "url"):
        raise invalid("encoding-type is url.")
    return encoding


async def list_objects(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """GET Bucket (List Objects), version 1."""
    prefix, delimiter, marker = (asked.parameters.get(name, "") for name in ("prefix", "delimiter", "marker"))
    most, encoding = _page_size(asked, "max-keys"), _encoding(asked)
    found = listing.page(
        cos.objects, bucket.name, prefix=prefix, delimiter=delimiter, marker=marker, most=most
    )
    return xml_response(
        answers.object_list(
            bucket, found, prefix=prefix, delimiter=delimiter, marker=marker, most=most, encoding=encoding
        )
    )


async def list_versions(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """GET Bucket Object versions, without a delimiter."""
    prefix, key_marker, version_marker = (
        asked.parameters.get(name, "") for name in ("prefix", "key-marker", "version-id-marker")
    )
    most, encoding = _page_size(asked, "max-keys"), _encoding(asked)
    items = cos.objects.versions(
        bucket.name, max(prefix.encode(), key_marker.encode()), stop=listing.after(prefix.encode())
    )
    passed = not key_marker
    rest = []
    for item in items:
        if not passed:
            passed = item.key != key_marker or item.version_id == version_marker
            if item.key == key_marker:
                continue
        rest.append(item)
        if len(rest) > most:
            break
    shown = list(islice(rest, most))
    following = rest[most] if len(rest) > most and most else None
    return xml_response(
        answers.version_list(bucket, shown, prefix=prefix, most=most, encoding=encoding, next_item=following)
    )


async def list_uploads(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """List Multipart Uploads."""
    prefix = asked.parameters.get("prefix", "")
    uploads = cos.uploads.all(bucket.name, prefix)
    return xml_response(answers.upload_list(bucket, uploads, prefix=prefix, encoding=_encoding(asked)))


async def delete_many(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """DELETE Multiple Objects; a key that is not there counts as deleted."""
    root = await xml_body(asked, "Delete")
    wanted = [(named.find("Key"), named.value("VersionId")) for named in root.find_all("Object")]
    if not 1 <= len(wanted) <= _MOST_DELETES:
        raise CosProblem(400, "MalformedXML", f"A multi-delete names 1 to {_MOST_DELETES} objects.")
    done = []
    for key_node, version_id in wanted:
        key = key_node.text if key_node else ""
        if not key or len(key.encode()) > LONGEST_KEY:
            done.append(
                node("Error", node("Key", key), node("Code", "InvalidURI"), node("Message", "No such key."))
            )
            continue
        delete_one(cos, bucket, key, version_id)
        if root.value("Quiet") != "true":
            done.append(
                node("Deleted", node("Key", key), node("VersionId", version_id) if version_id else None)
            )
    return xml_response(node("DeleteResult", *done))


def delete_one(cos: Cos, bucket: Bucket, key: str, version_id: str) -> dict[str, str]:
    """Delete an object or one version of it; the headers that tell what that did."""
    if not version_id:
        marker = cos.objects.delete(bucket, key)
        return {"x-cos-delete-marker": "true", "x-cos-version-id": marker.version_id} if marker else {}
    found = cos.objects.get(bucket.name, key, version_id)
    if found is None:
        return {}
    cos.objects.remove_version(found)
    return {"x-cos-version-id": version_id, **({"x-cos-delete-marker": "true"} if found.marker else {})}
