"""The calls of a multipart upload: begin, part, list, complete, abort."""

from __future__ import annotations

from starlette.responses import Response

from localcloud.cos import answers
from localcloud.cos.bucket_calls import xml_body
from localcloud.cos.buckets import Bucket
from localcloud.cos.errors import not_implemented
from localcloud.cos.metadata import check_key, kept_headers, number
from localcloud.cos.object_calls import is_create_only
from localcloud.cos.service import Cos
from localcloud.cos.uploads import MOST_PARTS, Upload, joint_etag
from localcloud.http.request import Request
from localcloud.http.response import xml_response
from localcloud.xml import node


def _upload(cos: Cos, asked: Request, bucket: Bucket) -> Upload:
    return cos.uploads.get(bucket.name, asked.key, asked.parameters["uploadId"])


async def start_upload(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """Initiate Multipart Upload."""
    check_key(asked.key)
    await asked.body(0)
    upload = cos.uploads.start(bucket.name, asked.key, kept_headers(asked.header_map))
    return xml_response(
        node(
            "InitiateMultipartUploadResult",
            node("Bucket", bucket.name),
            node("Key", asked.key),
            node("UploadId", upload.upload_id),
        )
    )


async def put_part(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """Upload Part; its bytes take the place of an earlier part of that number."""
    if asked.header("x-cos-copy-source"):
        raise not_implemented("Upload Part - Copy")
    part_number = number(asked.parameters.get("partNumber", ""), "partNumber", 1, MOST_PARTS)
    upload = _upload(cos, asked, bucket)
    received = await cos.receive(asked.stream(), asked.header("content-md5"))
    try:
        _upload(cos, asked, bucket)  # it may have ended while the bytes came in
        cos.uploads.keep_part(upload, part_number, received.path, received.etag, received.size)
    finally:
        received.path.unlink(missing_ok=True)
    return Response(headers={"etag": f'"{received.etag}"'})


async def list_parts(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """List Parts."""
    upload = _upload(cos, asked, bucket)
    marker = number(asked.parameters.get("part-number-marker") or "0", "part-number-marker", 0, MOST_PARTS)
    most = number(asked.parameters.get("max-parts") or "1000", "max-parts", 0, 1000)
    encoding = asked.parameters.get("encoding-type", "")
    return xml_response(
        answers.part_list(upload, cos.uploads.parts(upload), marker=marker, most=most, encoding=encoding)
    )


async def complete_upload(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """Complete Multipart Upload: the named parts become one object."""
    upload = _upload(cos, asked, bucket)
    root = await xml_body(asked, "CompleteMultipartUpload")
    named = [
        (number(part.value("PartNumber"), "PartNumber", 1, MOST_PARTS), part.value("ETag"))
        for part in root.find_all("Part")
    ]
    parts = cos.uploads.chosen(upload, named)
    received = await cos.joined([cos.uploads.file(upload, part.number) for part in parts], joint_etag(parts))
    stored = await cos.keep(
        bucket,
        asked.key,
        received,
        upload.headers,
        event="CompleteMultipartUpload",
        request_id=asked.request_id,
        create_only=is_create_only(asked),
    )
    cos.uploads.end(upload)
    return xml_response(
        node(
            "CompleteMultipartUploadResult",
            node("Location", f"http://{asked.host_name}{asked.raw_path}"),
            node("Bucket", bucket.name),
            node("Key", asked.key),
            node("ETag", f'"{stored.etag}"'),
        ),
        headers=answers.version_headers(bucket, stored),
    )


async def abort_upload(cos: Cos, asked: Request, bucket: Bucket) -> Response:
    """Abort Multipart Upload: 204, and its parts are gone."""
    cos.uploads.end(_upload(cos, asked, bucket))
    return Response(status_code=204)
