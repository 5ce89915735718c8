"""The calls of COS: on the service and buckets, on objects, and on multipart uploads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, unquote_to_bytes

from starlette.responses import Response

from localcloud.auth.cos_signature import percent_encode
from localcloud.cos import serializers
from localcloud.cos.backend import (
    CosBackend,
    check_copy_preconditions,
    check_md5,
    is_not_modified,
    parse_range,
)
from localcloud.cos.exceptions import CosError, invalid_argument, no_such_key, not_implemented
from localcloud.cos.models import (
    MAX_PARTS,
    Bucket,
    MultipartUpload,
    StoredObject,
    list_page,
    multipart_etag,
    prefix_upper_bound,
)
from localcloud.cos.storage import (
    COPY_SOURCE_KEY_MD5,
    CUSTOMER_KEY_MD5,
    MAX_KEY_BYTES,
    RESPONSE_OVERRIDES,
    check_key,
    parse_int,
    parse_tagging_body,
    parse_tagging_header,
    stored_headers,
)
from localcloud.http.forms import Form, is_form, parse_form
from localcloud.http.hosts import ServiceName, parse_host
from localcloud.http.request import Request
from localcloud.http.response import XML_TYPE, FileRangeResponse, xml_response
from localcloud.xml import Node, XmlError, node, parse

_MAX_XML_BODY_BYTES = 2 * 1024 * 1024  # a multi-delete of 1000 long keys fits
_MAX_FORM_BYTES = 64 * 1024 * 1024
_MAX_DELETES = 1000
_MAX_PAGE_SIZE = 1000
_MAX_RESTORE_DAYS = 365
_RESTORE_TIERS = ("Standard", "Bulk")  # DEEP_ARCHIVE has no Expedited (436/30933)
_COPY_SOURCE = re.compile(r"(?P<host>[^/?]+)/(?P<key>[^?]+)(?:\?(?P<query>.*))?", re.DOTALL)


async def _read_xml_body(request: Request, name: str) -> Node:
    """Read a body whose root has this name. Raises MalformedXML, EntityTooLarge, InvalidDigest."""
    body = await request.body(_MAX_XML_BODY_BYTES)
    if body is None:
        raise CosError(400, "EntityTooLarge", f"An XML body has at most {_MAX_XML_BODY_BYTES} bytes.")
    if request.header("content-md5"):
        check_md5(request.header("content-md5"), hashlib.md5(body).digest())
    try:
        root = parse(body)
    except XmlError as error:
        raise CosError(400, "MalformedXML", f"The XML you provided was not well-formed: {error}") from error
    if root.name != name:
        raise CosError(400, "MalformedXML", f"The body's root is {name}.")
    return root


async def list_buckets(cos: CosBackend, request: Request) -> Response:
    """GET Service: the buckets of all regions, or on a region's host those of the region."""
    return xml_response(serializers.bucket_list(cos.buckets.all(request.target.region), cos.appid))


async def create_bucket(cos: CosBackend, request: Request) -> Response:
    """PUT Bucket; a body with a configuration is read and ignored."""
    await request.body(_MAX_XML_BODY_BYTES)
    cos.buckets.create(request.target.bucket, request.target.region)
    return Response()


async def head_bucket(_cos: CosBackend, _request: Request, bucket: Bucket) -> Response:
    """HEAD Bucket."""
    return Response(headers={"x-cos-bucket-region": bucket.region}, media_type=XML_TYPE)


async def delete_bucket(cos: CosBackend, _request: Request, bucket: Bucket) -> Response:
    """DELETE Bucket; it has to be empty."""
    if not cos.objects.is_empty(bucket.name) or cos.uploads.all(bucket.name):
        raise CosError(409, "BucketNotEmpty", "The bucket you tried to delete is not empty.")
    cos.buckets.delete(bucket)
    return Response(status_code=204)


async def get_location(_cos: CosBackend, _request: Request, bucket: Bucket) -> Response:
    """GET Bucket location."""
    return xml_response(node("LocationConstraint", bucket.region))


async def get_versioning(_cos: CosBackend, _request: Request, bucket: Bucket) -> Response:
    """GET Bucket versioning: an empty element when it was never set."""
    return xml_response(
        node("VersioningConfiguration", node("Status", bucket.versioning) if bucket.versioning else None)
    )


async def put_versioning(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """PUT Bucket versioning."""
    status = (await _read_xml_body(request, "VersioningConfiguration")).value("Status")
    if status not in ("Enabled", "Suspended"):
        raise invalid_argument("Status is Enabled or Suspended.")
    cos.buckets.set_versioning(bucket, status)
    return Response()


def _parse_page_size(request: Request, name: str) -> int:
    """COS GET Bucket: default and maximum 1000."""
    text = request.parameters.get(name) or str(_MAX_PAGE_SIZE)
    return min(parse_int(text, name, 0, 10**9), _MAX_PAGE_SIZE)


def _parse_encoding(request: Request) -> str:
    encoding = request.parameters.get("encoding-type", "")
    if encoding not in ("", "url"):
        raise invalid_argument("encoding-type is url.")
    return encoding


async def list_objects(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """GET Bucket (List Objects), version 1."""
    prefix, delimiter, marker = (
        request.parameters.get(name, "") for name in ("prefix", "delimiter", "marker")
    )
    limit, encoding = _parse_page_size(request, "max-keys"), _parse_encoding(request)
    page = list_page(cos.objects, bucket.name, prefix=prefix, delimiter=delimiter, marker=marker, limit=limit)
    return xml_response(
        serializers.object_list(
            bucket,
            page,
            prefix=prefix,
            delimiter=delimiter,
            marker=marker,
            limit=limit,
            encoding=encoding,
            get_state=cos.states.get_archive_state,
        )
    )


async def list_versions(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """GET Bucket Object versions, without a delimiter."""
    prefix, key_marker, version_marker = (
        request.parameters.get(name, "") for name in ("prefix", "key-marker", "version-id-marker")
    )
    limit, encoding = _parse_page_size(request, "max-keys"), _parse_encoding(request)
    versions = cos.objects.versions(
        bucket.name, max(prefix.encode(), key_marker.encode()), stop=prefix_upper_bound(prefix.encode())
    )
    is_after_marker = not key_marker
    following: list[StoredObject] = []
    for version in versions:
        if not is_after_marker:
            is_after_marker = version.key != key_marker or version.version_id == version_marker
            if version.key == key_marker:
                continue
        following.append(version)
        if len(following) > limit:
            break
    page = following[:limit]
    next_item = following[limit] if len(following) > limit and limit else None
    return xml_response(
        serializers.version_list(
            bucket, page, prefix=prefix, limit=limit, encoding=encoding, next_item=next_item
        )
    )


async def list_uploads(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """List Multipart Uploads."""
    prefix = request.parameters.get("prefix", "")
    uploads = cos.uploads.all(bucket.name, prefix)
    return xml_response(
        serializers.upload_list(bucket, uploads, prefix=prefix, encoding=_parse_encoding(request))
    )


async def delete_objects(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """DELETE Multiple Objects; a key that does not exist counts as deleted."""
    root = await _read_xml_body(request, "Delete")
    requested = [(element.find("Key"), element.value("VersionId")) for element in root.find_all("Object")]
    if not 1 <= len(requested) <= _MAX_DELETES:
        raise CosError(400, "MalformedXML", f"A multi-delete names 1 to {_MAX_DELETES} objects.")
    results = []
    for key_node, version_id in requested:
        key = key_node.text if key_node else ""
        if not key or len(key.encode()) > MAX_KEY_BYTES:
            results.append(
                node("Error", node("Key", key), node("Code", "InvalidURI"), node("Message", "No such key."))
            )
            continue
        _delete(cos, bucket, key, version_id)
        if root.value("Quiet") != "true":
            results.append(
                node("Deleted", node("Key", key), node("VersionId", version_id) if version_id else None)
            )
    return xml_response(node("DeleteResult", *results))


def _version_headers(cos: CosBackend, bucket: Bucket, stored: StoredObject) -> dict[str, str]:
    return {"x-cos-version-id": stored.version_id} if cos.shows_version_id(bucket, stored) else {}


def _delete(cos: CosBackend, bucket: Bucket, key: str, version_id: str) -> dict[str, str]:
    """Delete an object or one version of it; return the headers that describe the result."""
    if not version_id:
        marker = cos.objects.delete(bucket, key)
        return {"x-cos-delete-marker": "true", **_version_headers(cos, bucket, marker)} if marker else {}
    version = cos.objects.get(bucket.name, key, version_id)
    if version is None:
        return {}
    cos.objects.remove_version(version)
    return {"x-cos-version-id": version_id, **({"x-cos-delete-marker": "true"} if version.marker else {})}


def _is_create_only(request: Request) -> bool:
    return request.header("x-cos-forbid-overwrite").lower() == "true"


async def put_object(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """PUT Object."""
    check_key(request.key)
    is_chunked = "chunked" in request.header("transfer-encoding").lower()
    if not request.header("content-length") and not is_chunked:
        raise CosError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    headers = stored_headers(request.header_map)
    tags = parse_tagging_header(request.header("x-cos-tagging"))
    body = await cos.receive_body(request.stream(), request.header("content-md5"))
    stored = await cos.put_object(
        bucket,
        request.key,
        body,
        headers,
        event="Put",
        request_id=request.request_id,
        tags=tags,
        create_only=_is_create_only(request),
    )
    return Response(headers={"etag": f'"{stored.etag}"', **_version_headers(cos, bucket, stored)})


def is_form_upload(request: Request) -> bool:
    """Whether a request is POST Object, whose form is signed instead of the request."""
    is_on_bucket = request.target.service is ServiceName.COS_BUCKET and request.path == "/"
    return request.method == "POST" and is_on_bucket and is_form(request.header("content-type"))


async def read_form(request: Request) -> Form:
    """Read the body of POST Object. Raises MalformedPOSTRequest, EntityTooLarge (the real limit is 5 GB)."""
    body = await request.peek_body(_MAX_FORM_BYTES)
    if not body and request.header("content-length", "0") != "0":
        raise CosError(
            400, "EntityTooLarge", f"This stand-in takes forms of at most {_MAX_FORM_BYTES} bytes."
        )
    try:
        return parse_form(request.header("content-type"), body)
    except ValueError as error:
        raise CosError(400, "MalformedPOSTRequest", f"The body is no form: {error}.") from error


async def post_object(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """POST Object (436/14690): the fields of the form are what the headers of PUT Object are."""
    form = request.form
    if form is None:
        raise CosError(405, "MethodNotAllowed", "A POST on a bucket is a form, or has a sub-resource.")
    check_key(form.key)
    if not form.key:
        raise invalid_argument("The form has no field named key.")
    headers, tags = stored_headers(form.fields), parse_tagging_header(form.fields.get("x-cos-tagging", ""))

    async def chunks() -> AsyncIterator[bytes]:
        yield form.file

    stored = await cos.put_object(
        bucket,
        form.key,
        await cos.receive_body(chunks()),
        headers,
        event="Post",
        request_id=request.request_id,
        tags=tags,
    )
    location = f"http://{request.host_name}/{percent_encode(form.key)}"
    answer = {"etag": f'"{stored.etag}"', "location": location, **_version_headers(cos, bucket, stored)}
    if form.fields.get("success_action_redirect"):
        return Response(None, 303, {**answer, "location": form.fields["success_action_redirect"]})
    status = form.fields.get("success_action_status", "204")
    if status != "201":
        return Response(None, 200 if status == "200" else 204, answer)
    return xml_response(
        node(
            "PostResponse",
            node("Location", location),
            node("Bucket", bucket.name),
            node("Key", form.key),
            node("ETag", f'"{stored.etag}"'),
        ),
        201,
        answer,
    )


def _find_copy_source(cos: CosBackend, header: str) -> StoredObject:
    """Find the object of an x-cos-copy-source header: `<bucket host>/<percent-encoded key>[?versionId=...]`."""
    match = _COPY_SOURCE.fullmatch(header)
    place = parse_host(match.group("host")) if match else None
    if match is None or place is None or place.service is not ServiceName.COS_BUCKET:
        raise invalid_argument("x-cos-copy-source is <bucket>-<appid>.cos.<region>.myqcloud.com/<key>.")
    try:
        key = unquote_to_bytes(match.group("key")).decode()
    except UnicodeDecodeError as error:
        raise invalid_argument("The key of x-cos-copy-source is not UTF-8.") from error
    source_bucket = cos.buckets.require(place.bucket, place.region)
    version_id = parse_qs(match.group("query") or "").get("versionId", [""])[0]
    return _require_object(cos, source_bucket, key, version_id)


async def copy_object(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """PUT Object - Copy; an archived source has to be restored first."""
    check_key(request.key)
    await request.body(0)
    source = _find_copy_source(cos, request.header("x-cos-copy-source"))
    cos.check_readable(source, request.header(COPY_SOURCE_KEY_MD5))
    check_copy_preconditions(request.header_map, source)
    headers = _build_copy_headers(request, source)
    is_onto_itself = (source.bucket, source.key) == (bucket.name, request.key)
    keep_etag = is_onto_itself and CUSTOMER_KEY_MD5 not in source.headers
    stored = await cos.put_object(
        bucket,
        request.key,
        await cos.copy_object_body(source, keep_etag=keep_etag),
        headers,
        event="Copy",
        request_id=request.request_id,
        tags=source.tags,
        create_only=_is_create_only(request),
    )
    return xml_response(
        node(
            "CopyObjectResult",
            node("ETag", f'"{stored.etag}"'),
            node("LastModified", serializers.format_iso_time(stored.modified_s)),
        ),
        headers=_version_headers(cos, bucket, stored),
    )


def _build_copy_headers(request: Request, source: StoredObject) -> dict[str, str]:
    """Build the headers of a copy: the source's, unless the request replaces them.

    The storage class and the encryption are always those of the request, not of the source (436/10881).
    """
    requested = stored_headers(request.header_map)
    if request.header("x-cos-metadata-directive").lower() in ("replaced", "replace"):
        return requested
    kept = {name: value for name, value in source.headers.items() if not _is_own_of_copy(name)}
    return kept | {name: value for name, value in requested.items() if _is_own_of_copy(name)}


def _is_own_of_copy(name: str) -> bool:
    return name.startswith(("x-cos-storage-class", "x-cos-server-side-encryption"))


def _require_object(cos: CosBackend, bucket: Bucket, key: str, version_id: str) -> StoredObject:
    """Get an object or one version. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed for a delete marker's id."""
    check_key(key)
    stored = cos.objects.get(bucket.name, key, version_id)
    if stored is None:
        raise (
            CosError(404, "NoSuchVersion", "The specified version does not exist.")
            if version_id
            else no_such_key()
        )
    if stored.marker:
        raise (
            CosError(405, "MethodNotAllowed", "That version is a delete marker.")
            if version_id
            else no_such_key()
        )
    return stored


def _requested_object(cos: CosBackend, request: Request, bucket: Bucket) -> StoredObject:
    return _require_object(cos, bucket, request.key, request.parameters.get("versionId", ""))


def _override_headers(request: Request) -> dict[str, str]:
    overrides = {
        RESPONSE_OVERRIDES[name]: value for name, value in request.query if name in RESPONSE_OVERRIDES
    }
    if not all(value.isprintable() for value in overrides.values()):
        raise invalid_argument("A response-* parameter holds printable characters only.")
    return {name: serializers.encode_header_value(value) for name, value in overrides.items()}


async def get_object(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """GET Object and HEAD Object: conditions, one range, response-* overrides."""
    stored = _requested_object(cos, request, bucket)
    # HEAD works for an archived object too.
    check = cos.check_metadata_readable if request.method == "HEAD" else cos.check_readable
    check(stored, request.header(CUSTOMER_KEY_MD5))
    headers = serializers.object_headers(stored, cos.states.get_archive_state(stored))
    headers |= _version_headers(cos, bucket, stored)
    if is_not_modified(request.header_map, stored):
        return Response(
            status_code=304, headers={"etag": headers["etag"], "last-modified": headers["last-modified"]}
        )
    headers |= _override_headers(request)
    status, start, length = 200, 0, stored.size
    byte_range = parse_range(request.header("range"), stored.size) if request.header("range") else None
    if byte_range is not None:
        status, start, length = 206, byte_range[0], byte_range[1] - byte_range[0] + 1
        headers["content-range"] = f"bytes {byte_range[0]}-{byte_range[1]}/{stored.size}"
    if request.method == "HEAD":
        return Response(None, status, {**headers, "content-length": str(length)})
    return FileRangeResponse(cos.files.open(stored.file, stored.size), start, length, status, headers)


async def delete_object(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """DELETE Object: 204 whether it existed or not."""
    check_key(request.key)
    return Response(None, 204, _delete(cos, bucket, request.key, request.parameters.get("versionId", "")))


async def restore_object(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """POST Object restore: 202, and 200 when there is a restored copy already (436/12633)."""
    root = await _read_xml_body(request, "RestoreRequest")
    stored = _requested_object(cos, request, bucket)
    # An INTELLIGENT_TIERING object needs no Days in S3; for COS this is unconfirmed.
    days = parse_int(root.value("Days", "1"), "Days", 1, _MAX_RESTORE_DAYS)
    tier = root.value("CASJobParameters/Tier", "Standard")
    tiers = _RESTORE_TIERS if stored.storage_class == "DEEP_ARCHIVE" else ("Expedited", *_RESTORE_TIERS)
    if tier not in tiers:
        raise invalid_argument(f"Tier is one of {', '.join(tiers)} for this object.")
    started = await cos.start_restore(bucket, stored, days, request.request_id)
    return Response(status_code=202 if started else 200)


async def put_tagging(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """PUT Object tagging: 204."""
    tags = parse_tagging_body(await _read_xml_body(request, "Tagging"))
    cos.objects.set_tags(_requested_object(cos, request, bucket), tags)
    return Response(status_code=204)


async def get_tagging(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """GET Object tagging."""
    return xml_response(serializers.tagging(_requested_object(cos, request, bucket).tags))


async def delete_tagging(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """DELETE Object tagging: 204."""
    cos.objects.set_tags(_requested_object(cos, request, bucket), ())
    return Response(status_code=204)


def _requested_upload(cos: CosBackend, request: Request, bucket: Bucket) -> MultipartUpload:
    return cos.uploads.require(bucket.name, request.key, request.parameters["uploadId"])


async def initiate_upload(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """Initiate Multipart Upload."""
    check_key(request.key)
    await request.body(0)
    upload = cos.uploads.create(bucket.name, request.key, stored_headers(request.header_map))
    return xml_response(
        node(
            "InitiateMultipartUploadResult",
            node("Bucket", bucket.name),
            node("Key", request.key),
            node("UploadId", upload.upload_id),
        )
    )


async def upload_part(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """Upload Part; it replaces an earlier part of the same number."""
    if request.header("x-cos-copy-source"):
        raise not_implemented("Upload Part - Copy")
    part_number = parse_int(request.parameters.get("partNumber", ""), "partNumber", 1, MAX_PARTS)
    upload = _requested_upload(cos, request, bucket)
    body = await cos.receive_body(request.stream(), request.header("content-md5"))
    try:
        _requested_upload(cos, request, bucket)  # it may have ended while the body arrived
        cos.uploads.save_part(upload, part_number, body.path, body.etag, body.size)
    finally:
        body.path.unlink(missing_ok=True)
    return Response(headers={"etag": f'"{body.etag}"'})


async def list_parts(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """List Parts."""
    upload = _requested_upload(cos, request, bucket)
    marker_text = request.parameters.get("part-number-marker") or "0"
    marker = parse_int(marker_text, "part-number-marker", 0, MAX_PARTS)
    limit_text = request.parameters.get("max-parts") or str(_MAX_PAGE_SIZE)
    limit = parse_int(limit_text, "max-parts", 0, _MAX_PAGE_SIZE)
    encoding = request.parameters.get("encoding-type", "")
    return xml_response(
        serializers.part_list(
            upload, cos.uploads.list_parts(upload), marker=marker, limit=limit, encoding=encoding
        )
    )


async def complete_upload(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """Complete Multipart Upload: the named parts become one object."""
    upload = _requested_upload(cos, request, bucket)
    root = await _read_xml_body(request, "CompleteMultipartUpload")
    requested = [
        (parse_int(part.value("PartNumber"), "PartNumber", 1, MAX_PARTS), part.value("ETag"))
        for part in root.find_all("Part")
    ]
    parts = cos.uploads.validate_parts(upload, requested)
    paths = [cos.uploads.part_path(upload, part.number) for part in parts]
    stored = await cos.put_object(
        bucket,
        request.key,
        await cos.join_parts(paths, multipart_etag(parts)),
        upload.headers,
        event="CompleteMultipartUpload",
        request_id=request.request_id,
        create_only=_is_create_only(request),
    )
    cos.uploads.delete(upload)
    return xml_response(
        node(
            "CompleteMultipartUploadResult",
            node("Location", f"http://{request.host_name}{request.raw_path}"),
            node("Bucket", bucket.name),
            node("Key", request.key),
            node("ETag", f'"{stored.etag}"'),
        ),
        headers=_version_headers(cos, bucket, stored),
    )


async def abort_upload(cos: CosBackend, request: Request, bucket: Bucket) -> Response:
    """Abort Multipart Upload: 204, and its parts are deleted."""
    cos.uploads.delete(_requested_upload(cos, request, bucket))
    return Response(status_code=204)
