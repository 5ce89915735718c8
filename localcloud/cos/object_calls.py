"""The calls on one object: write, copy, read, look, delete, tag."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote_to_bytes

from starlette.responses import Response

from localcloud.cos import answers
from localcloud.cos.bucket_calls import delete_one, xml_body
from localcloud.cos.buckets import Bucket
from localcloud.cos.conditions import check_copy, is_unchanged, wanted_range
from localcloud.cos.errors import CosProblem, invalid, no_such_key
from localcloud.cos.metadata import OVERRIDES, check_key, kept_headers, tagging, tags_of_body, tags_of_header
from localcloud.cos.objects import StoredObject
from localcloud.cos.service import Cos
from localcloud.http.hosts import ServiceName, parse_host
from localcloud.http.request import Request
from localcloud.http.response import FileRangeResponse, xml_response
from localcloud.xml import node

_COPY_SOURCE = re.compile(r"(?P<host>[^/?]+)/(?P<key>[^?]+)(?:\?(?P<query>.*))?", re.DOTALL)


def is_create_only(asked: Request) -> bool:
    """x-cos-forbid-overwrite: true."""
    return asked.header("x-cos-forbid-overwrite").lower() == "true"


async def put_object(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """PUT Object."""
    check_key(asked.key)
    if not asked.header("content-length") and "chunked" not in asked.header("transfer-encoding").lower():
        raise CosProblem(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    headers = kept_headers(asked.header_map)
    tags = tags_of_header(asked.header("x-cos-tagging"))
    received = await cos.receive(asked.stream(), asked.header("content-md5"))
    stored = await cos.keep(
        bucket,
        asked.key,
        received,
        headers,
        event="Put",
        request_id=asked.request_id,
        tags=tags,
        create_only=is_create_only(asked),
    )
    return Response(headers={"etag": f'"{stored.etag}"', **answers.version_headers(bucket, stored)})


def _copy_source(cos: Cos, header: str) -> StoredObject:
    """`<bucket host>/<percent-encoded key>[?versionId=...]`."""
    match = _COPY_SOURCE.fullmatch(header)
    place = parse_host(match.group("host")) if match else None
    if match is None or place is None or place.service is not ServiceName.COS_BUCKET:
        raise invalid("x-cos-copy-source is <bucket>-<appid>.cos.<region>.myqcloud.com/<key>.")
    try:
        key = unquote_to_bytes(match.group("key")).decode()
    except UnicodeDecodeError as error:
        raise invalid("The key of x-cos-copy-source is not UTF-8.") from error
    source_bucket = cos.buckets.named(place.bucket, place.region)
    version_id = parse_qs(match.group("query") or "").get("versionId", [""])[0]
    return _found(cos, source_bucket, key, version_id)


async def copy_object(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """PUT Object - Copy."""
    check_key(asked.key)
    await asked.body(0)
    source = _copy_source(cos, asked.header("x-cos-copy-source"))
    check_copy(asked.header_map, source)
    replaces = asked.header("x-cos-metadata-directive").lower() in ("replaced", "replace")
    stored = await cos.keep(
        bucket,
        asked.key,
        await cos.copy_bytes(source),
        kept_headers(asked.header_map) if replaces else source.headers,
        event="Copy",
        request_id=asked.request_id,
        tags=source.tags,
        create_only=is_create_only(asked),
    )
    return xml_response(
        node(
            "CopyObjectResult",
            node("ETag", f'"{stored.etag}"'),
            node("LastModified", answers.iso_time(stored.modified_s)),
        ),
        headers=answers.version_headers(bucket, stored),
    )


def _found(cos: Cos, bucket: Bucket, key: str, version_id: str) -> StoredObject:
    """The version asked for. Raises NoSuchKey, NoSuchVersion, MethodNotAllowed for a delete marker's id."""
    check_key(key)
    found = cos.objects.get(bucket.name, key, version_id)
    if found is None:
        raise (
            CosProblem(404, "NoSuchVersion", "The specified version does not exist.")
            if version_id
            else no_such_key()
        )
    if found.marker:
        raise (
            CosProblem(405, "MethodNotAllowed", "That version is a delete marker.")
            if version_id
            else no_such_key()
        )
    return found


def _asked_for(cos: Cos, asked: Request, bucket: Bucket) -> StoredObject:
    return _found(cos, bucket, asked.key, asked.parameters.get("versionId", ""))


def _overrides(asked: Request) -> dict[str, str]:
    given = {OVERRIDES[name]: value for name, value in asked.query if name in OVERRIDES}
    if not all(value.isprintable() for value in given.values()):
        raise invalid("A response-* parameter holds printable characters only.")
    return {name: answers.on_the_wire(value) for name, value in given.items()}


async def get_object(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """GET Object and HEAD Object: conditions, one range, response-* overrides."""
    found = _asked_for(cos, asked, bucket)
    headers = answers.object_headers(bucket, found)
    if is_unchanged(asked.header_map, found):
        return Response(
            status_code=304, headers={"etag": headers["etag"], "last-modified": headers["last-modified"]}
        )
    headers |= _overrides(asked)
    status, start, length = 200, 0, found.size
    wanted = wanted_range(asked.header("range"), found.size) if asked.header("range") else None
    if wanted is not None:
        status, start, length = 206, wanted[0], wanted[1] - wanted[0] + 1
        headers["content-range"] = f"bytes {wanted[0]}-{wanted[1]}/{found.size}"
    if asked.method == "HEAD":
        return Response(None, status, {**headers, "content-length": str(length)})
    return FileRangeResponse(cos.files.open(found.file, found.size), start, length, status, headers)


async def delete_object(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """DELETE Object: 204 whether it was there or not."""
    check_key(asked.key)
    return Response(None, 204, delete_one(cos, bucket, asked.key, asked.parameters.get("versionId", "")))


async def put_tagging(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """PUT Object tagging: 204."""
    tags = tags_of_body(await xml_body(asked, "Tagging"))
    cos.objects.set_tags(_asked_for(cos, asked, bucket), tags)
    return Response(status_code=204)


async def get_tagging(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """GET Object tagging."""
    return xml_response(tagging(_asked_for(cos, asked, bucket).tags))


async def delete_tagging(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """DELETE Object tagging: 204."""
    cos.objects.set_tags(_asked_for(cos, asked, bucket), ())
    return Response(status_code=204)
