"""The calls on a bucket: make, look, list, version, delete many."""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from urllib.parse import parse_qs, unquote_to_bytes

from starlette.responses import Response

from localcloud.answers import FileAnswer, xml_answer
from localcloud.asked import Asked
from localcloud.cos import models, serializers
from localcloud.cos.backend import (
    CosBackend,
    check_copy_preconditions,
    check_md5,
    is_not_modified,
    parse_range,
)
from localcloud.cos.exceptions import CosError, invalid_argument, no_such_key, not_implemented
from localcloud.cos.models import MAX_PARTS, Bucket, MultipartUpload, StoredObject, multipart_etag
from localcloud.cos.storage import (
    MAX_KEY_BYTES,
    RESPONSE_OVERRIDES,
    check_key,
    parse_int,
    parse_tagging_body,
    parse_tagging_header,
    stored_headers,
    tagging,
)
from localcloud.hosts import Service, place_of
from localcloud.xml import Node, XmlError, node, parse

MAX_XML_BODY_BYTES = 2 * 1024 * 1024  # bytes of an XML body; a multi-delete of 1000 long keys fits
_MAX_DELETES = 1000


async def read_xml_body(asked: Asked, name: str) -> Node:
    """The body's root, which must have that name. Raises MalformedXML, EntityTooLarge, InvalidDigest."""
    body = await asked.body(MAX_XML_BODY_BYTES)
    if body is None:
        raise CosError(400, "EntityTooLarge", f"An XML body has at most {MAX_XML_BODY_BYTES} bytes.")
    if asked.header("content-md5"):
        check_md5(asked.header("content-md5"), _md5(body))
    try:
        root = parse(body)
    except XmlError as error:
        raise CosError(400, "MalformedXML", f"The XML you provided was not well-formed: {error}") from error
    if root.name != name:
        raise CosError(400, "MalformedXML", f"The body's root is {name}.")
    return root


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body).digest()


async def list_buckets(cos: CosBackend, asked: Asked) -> Response:
    """GET Service, over all regions or, on a region's host, its own."""
    return xml_answer(serializers.bucket_list(cos.buckets.all(asked.place.region), cos.appid))


async def create_bucket(cos: CosBackend, asked: Asked) -> Response:
    """PUT Bucket; a body with a configuration is read and ignored."""
    await asked.body(MAX_XML_BODY_BYTES)
    cos.buckets.create(asked.place.bucket, asked.place.region)
    return Response()


async def head_bucket(_cos: CosBackend, _asked: Asked, bucket: Bucket) -> Response:
    """HEAD Bucket."""
    return Response(headers={"x-cos-bucket-region": bucket.region}, media_type="application/xml")


async def delete_bucket(cos: CosBackend, _asked: Asked, bucket: Bucket) -> Response:
    """DELETE Bucket, when nothing is left in it."""
    if not cos.objects.is_empty(bucket.name) or cos.uploads.all(bucket.name):
        raise CosError(409, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
    cos.buckets.delete(bucket)
    return Response(status_code=204)


async def get_location(_cos: CosBackend, _asked: Asked, bucket: Bucket) -> Response:
    """GET Bucket location."""
    return xml_answer(node("LocationConstraint", bucket.region))


async def get_versioning(_cos: CosBackend, _asked: Asked, bucket: Bucket) -> Response:
    """GET Bucket versioning: an empty node when it was never switched on."""
    return xml_answer(
        node("VersioningConfiguration", node("Status", bucket.versioning) if bucket.versioning else None)
    )


async def put_versioning(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """PUT Bucket versioning."""
    status = (await read_xml_body(asked, "VersioningConfiguration")).value("Status")
    if status not in ("Enabled", "Suspended"):
        raise invalid_argument("Status is Enabled or Suspended.")
    cos.buckets.set_versioning(bucket, status)
    return Response()


def _parse_page_size(asked: Asked, name: str) -> int:
    """COS GET Bucket: default and maximum 1000."""
    return min(parse_int(asked.parameters.get(name) or "1000", name, 0, 10**9), 1000)


def _parse_encoding(asked: Asked) -> str:
    encoding = asked.parameters.get("encoding-type", "")
    if encoding not in ("", "url"):
        raise invalid_argument("encoding-type is url.")
    return encoding


async def list_objects(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """GET Bucket (List Objects), version 1."""
    prefix, delimiter, marker = (asked.parameters.get(name, "") for name in ("prefix", "delimiter", "marker"))
    most, encoding = _parse_page_size(asked, "max-keys"), _parse_encoding(asked)
    found = models.list_page(
        cos.objects, bucket.name, prefix=prefix, delimiter=delimiter, marker=marker, most=most
    )
    return xml_answer(
        serializers.object_list(
            bucket, found, prefix=prefix, delimiter=delimiter, marker=marker, most=most, encoding=encoding
        )
    )


async def list_versions(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """GET Bucket Object versions, without a delimiter."""
    prefix, key_marker, version_marker = (
        asked.parameters.get(name, "") for name in ("prefix", "key-marker", "version-id-marker")
    )
    most, encoding = _parse_page_size(asked, "max-keys"), _parse_encoding(asked)
    items = cos.objects.versions(
        bucket.name,
        max(prefix.encode(), key_marker.encode()),
        stop=models.prefix_upper_bound(prefix.encode()),
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
    return xml_answer(
        serializers.version_list(
            bucket, shown, prefix=prefix, most=most, encoding=encoding, next_item=following
        )
    )


async def list_uploads(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """List Multipart Uploads."""
    prefix = asked.parameters.get("prefix", "")
    uploads = cos.uploads.all(bucket.name, prefix)
    return xml_answer(
        serializers.upload_list(bucket, uploads, prefix=prefix, encoding=_parse_encoding(asked))
    )


async def delete_objects(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """DELETE Multiple Objects; a key that is not there counts as deleted."""
    root = await read_xml_body(asked, "Delete")
    wanted = [(named.find("Key"), named.value("VersionId")) for named in root.find_all("Object")]
    if not 1 <= len(wanted) <= _MAX_DELETES:
        raise CosError(400, "MalformedXML", f"A multi-delete names 1 to {_MAX_DELETES} objects.")
    done = []
    for key_node, version_id in wanted:
        key = key_node.text if key_node else ""
        if not key or len(key.encode()) > MAX_KEY_BYTES:
            done.append(
                node("Error", node("Key", key), node("Code", "InvalidURI"), node("Message", "No such key."))
            )
            continue
        delete_version(cos, bucket, key, version_id)
        if root.value("Quiet") != "true":
            done.append(
                node("Deleted", node("Key", key), node("VersionId", version_id) if version_id else None)
            )
    return xml_answer(node("DeleteResult", *done))


def delete_version(cos: CosBackend, bucket: Bucket, key: str, version_id: str) -> dict[str, str]:
    """Delete an object or one version of it; the headers that tell what that did."""
    if not version_id:
        marker = cos.objects.delete(bucket, key)
        return {"x-cos-delete-marker": "true", "x-cos-version-id": marker.version_id} if marker else {}
    found = cos.objects.get(bucket.name, key, version_id)
    if found is None:
        return {}
    cos.objects.remove_version(found)
    return {"x-cos-version-id": version_id, **({"x-cos-delete-marker": "true"} if found.marker else {})}


_COPY_SOURCE = re.compile(r"(?P<host>[^/?]+)/(?P<key>[^?]+)(?:\?(?P<query>.*))?", re.DOTALL)


def is_create_only(asked: Asked) -> bool:
    """x-cos-forbid-overwrite: true."""
    return asked.header("x-cos-forbid-overwrite").lower() == "true"


async def put_object(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """PUT Object."""
    check_key(asked.key)
    if not asked.header("content-length") and "chunked" not in asked.header("transfer-encoding").lower():
        raise CosError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    headers = stored_headers(asked.header_map)
    tags = parse_tagging_header(asked.header("x-cos-tagging"))
    received = await cos.receive_body(asked.chunks(), asked.header("content-md5"))
    stored = await cos.put_object(
        bucket,
        asked.key,
        received,
        headers,
        event="Put",
        request_id=asked.request_id,
        tags=tags,
        create_only=is_create_only(asked),
    )
    return Response(headers={"etag": f'"{stored.etag}"', **serializers.version_headers(bucket, stored)})


def _find_copy_source(cos: CosBackend, header: str) -> StoredObject:
    """`<bucket host>/<percent-encoded key>[?versionId=...]`."""
    match = _COPY_SOURCE.fullmatch(header)
    place = place_of(match.group("host")) if match else None
    if match is None or place is None or place.service is not Service.COS_BUCKET:
        raise invalid_argument("x-cos-copy-source is <bucket>-<appid>.cos.<region>.myqcloud.com/<key>.")
    try:
        key = unquote_to_bytes(match.group("key")).decode()
    except UnicodeDecodeError as error:
        raise invalid_argument("The key of x-cos-copy-source is not UTF-8.") from error
    source_bucket = cos.buckets.require(place.bucket, place.region)
    version_id = parse_qs(match.group("query") or "").get("versionId", [""])[0]
    return _require_object(cos, source_bucket, key, version_id)


async def copy_object(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """PUT Object - Copy."""
    check_key(asked.key)
    await asked.body(0)
    source = _find_copy_source(cos, asked.header("x-cos-copy-source"))
    check_copy_preconditions(asked.header_map, source)
    replaces = asked.header("x-cos-metadata-directive").lower() in ("replaced", "replace")
    stored = await cos.put_object(
        bucket,
        asked.key,
        await cos.copy_object_body(source),
        stored_headers(asked.header_map) if replaces else source.headers,
        event="Copy",
        request_id=asked.request_id,
        tags=source.tags,
        create_only=is_create_only(asked),
    )
    return xml_answer(
        node(
            "CopyObjectResult",
            node("ETag", f'"{stored.etag}"'),
            node("LastModified", serializers.format_iso_time(stored.modified_s)),
        ),
        headers=serializers.version_headers(bucket, stored),
    )


def _require_object(cos: CosBackend, bucket: Bucket, key: str, version_id: str) -> StoredObject:
    """The version asked for. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed for a delete marker's id."""
    check_key(key)
    found = cos.objects.get(bucket.name, key, version_id)
    if found is None:
        raise (
            CosError(404, "NoSuchVersion", "The specified version does not exist.")
            if version_id
            else no_such_key()
        )
    if found.marker:
        raise (
            CosError(405, "MethodNotAllowed", "That version is a delete marker.")
            if version_id
            else no_such_key()
        )
    return found


def _requested_object(cos: CosBackend, asked: Asked, bucket: Bucket) -> StoredObject:
    return _require_object(cos, bucket, asked.key, asked.parameters.get("versionId", ""))


def _override_headers(asked: Asked) -> dict[str, str]:
    given = {RESPONSE_OVERRIDES[name]: value for name, value in asked.query if name in RESPONSE_OVERRIDES}
    if not all(value.isprintable() for value in given.values()):
        raise invalid_argument("A response-* parameter holds printable characters only.")
    return {name: serializers.encode_header_value(value) for name, value in given.items()}


async def get_object(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """GET Object and HEAD Object: conditions, one range, response-* overrides."""
    found = _requested_object(cos, asked, bucket)
    headers = serializers.object_headers(bucket, found)
    if is_not_modified(asked.header_map, found):
        return Response(
            status_code=304, headers={"etag": headers["etag"], "last-modified": headers["last-modified"]}
        )
    headers |= _override_headers(asked)
    status, start, length = 200, 0, found.size
    wanted = parse_range(asked.header("range"), found.size) if asked.header("range") else None
    if wanted is not None:
        status, start, length = 206, wanted[0], wanted[1] - wanted[0] + 1
        headers["content-range"] = f"bytes {wanted[0]}-{wanted[1]}/{found.size}"
    if asked.method == "HEAD":
        return Response(None, status, {**headers, "content-length": str(length)})
    return FileAnswer(cos.files.open(found.file, found.size), start, length, status, headers)


async def delete_object(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """DELETE Object: 204 whether it was there or not."""
    check_key(asked.key)
    return Response(None, 204, delete_version(cos, bucket, asked.key, asked.parameters.get("versionId", "")))


async def put_tagging(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """PUT Object tagging: 204."""
    tags = parse_tagging_body(await read_xml_body(asked, "Tagging"))
    cos.objects.set_tags(_requested_object(cos, asked, bucket), tags)
    return Response(status_code=204)


async def get_tagging(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """GET Object tagging."""
    return xml_answer(tagging(_requested_object(cos, asked, bucket).tags))


async def delete_tagging(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """DELETE Object tagging: 204."""
    cos.objects.set_tags(_requested_object(cos, asked, bucket), ())
    return Response(status_code=204)


def _requested_upload(cos: CosBackend, asked: Asked, bucket: Bucket) -> MultipartUpload:
    return cos.uploads.get(bucket.name, asked.key, asked.parameters["uploadId"])


async def initiate_upload(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """Initiate Multipart Upload."""
    check_key(asked.key)
    await asked.body(0)
    upload = cos.uploads.create(bucket.name, asked.key, stored_headers(asked.header_map))
    return xml_answer(
        node(
            "InitiateMultipartUploadResult",
            node("Bucket", bucket.name),
            node("Key", asked.key),
            node("UploadId", upload.upload_id),
        )
    )


async def upload_part(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """Upload Part; its bytes take the place of an earlier part of that number."""
    if asked.header("x-cos-copy-source"):
        raise not_implemented("Upload Part - Copy")
    part_number = parse_int(asked.parameters.get("partNumber", ""), "partNumber", 1, MAX_PARTS)
    upload = _requested_upload(cos, asked, bucket)
    received = await cos.receive_body(asked.chunks(), asked.header("content-md5"))
    try:
        _requested_upload(cos, asked, bucket)  # it may have ended while the bytes came in
        cos.uploads.save_part(upload, part_number, received.path, received.etag, received.size)
    finally:
        received.path.unlink(missing_ok=True)
    return Response(headers={"etag": f'"{received.etag}"'})


async def list_parts(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """List Parts."""
    upload = _requested_upload(cos, asked, bucket)
    marker = parse_int(asked.parameters.get("part-number-marker") or "0", "part-number-marker", 0, MAX_PARTS)
    most = parse_int(asked.parameters.get("max-parts") or "1000", "max-parts", 0, 1000)
    encoding = asked.parameters.get("encoding-type", "")
    return xml_answer(
        serializers.part_list(
            upload, cos.uploads.list_parts(upload), marker=marker, most=most, encoding=encoding
        )
    )


async def complete_upload(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """Complete Multipart Upload: the named parts become one object."""
    upload = _requested_upload(cos, asked, bucket)
    root = await read_xml_body(asked, "CompleteMultipartUpload")
    named = [
        (parse_int(part.value("PartNumber"), "PartNumber", 1, MAX_PARTS), part.value("ETag"))
        for part in root.find_all("Part")
    ]
    parts = cos.uploads.validate_parts(upload, named)
    received = await cos.join_parts(
        [cos.uploads.part_path(upload, part.number) for part in parts], multipart_etag(parts)
    )
    stored = await cos.put_object(
        bucket,
        asked.key,
        received,
        upload.headers,
        event="CompleteMultipartUpload",
        request_id=asked.request_id,
        create_only=is_create_only(asked),
    )
    cos.uploads.delete(upload)
    return xml_answer(
        node(
            "CompleteMultipartUploadResult",
            node("Location", f"http://{asked.host_name}{asked.raw_path}"),
            node("Bucket", bucket.name),
            node("Key", asked.key),
            node("ETag", f'"{stored.etag}"'),
        ),
        headers=serializers.version_headers(bucket, stored),
    )


async def abort_upload(cos: CosBackend, asked: Asked, bucket: Bucket) -> Response:
    """Abort Multipart Upload: 204, and its parts are gone."""
    cos.uploads.delete(_requested_upload(cos, asked, bucket))
    return Response(status_code=204)
