"""The documents and headers that COS answers with."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import formatdate

from localcloud.cos.models import Bucket, ListPage, MultipartUpload, Part, StoredObject
from localcloud.signature import encoded
from localcloud.xml import Node, node


def format_iso_time(time_s: float) -> str:
    """`2026-11-21T03:37:30.000Z`, as the lists print times."""
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def version_headers(bucket: Bucket, stored: StoredObject) -> dict[str, str]:
    """x-cos-version-id, on buckets that have or had versioning."""
    return {"x-cos-version-id": stored.version_id} if bucket.versioning else {}


def encode_header_value(value: str) -> str:
    """A header value as it is written: UTF-8, which the HTTP library takes for Latin-1."""
    return value.encode().decode("latin-1")


def object_headers(bucket: Bucket, stored: StoredObject) -> dict[str, str]:
    """What HEAD and GET tell of an object besides its length."""
    return {
        "content-type": stored.content_type,
        **{name: encode_header_value(value) for name, value in stored.headers.items()},
        "etag": f'"{stored.etag}"',
        "last-modified": formatdate(stored.modified_s, usegmt=True),
        "accept-ranges": "bytes",
        "x-cos-object-type": "normal",
        **({"x-cos-tagging-count": str(len(stored.tags))} if stored.tags else {}),
        **version_headers(bucket, stored),
    }


def _owner(name: str, appid: str) -> Node:
    return node(name, node("ID", f"qcs::cam::uin/{appid}:uin/{appid}"), node("DisplayName", appid))


def bucket_list(buckets: list[Bucket], appid: str) -> Node:
    """GET Service."""
    return node(
        "ListAllMyBucketsResult",
        _owner("Owner", appid),
        node(
            "Buckets",
            *(
                node(
                    "Bucket",
                    node("Name", bucket.name),
                    node("Location", bucket.region),
                    node("CreationDate", format_iso_time(bucket.created_s)[:-5] + "Z"),
                    node("BucketType", "cos"),
                )
                for bucket in buckets
            ),
        ),
    )


def _encode_key(text: str, encoding: str) -> str:
    return encoded(text) if encoding == "url" else text


def object_list(
    bucket: Bucket, found: ListPage, *, prefix: str, delimiter: str, marker: str, most: int, encoding: str
) -> Node:
    """GET Bucket (List Objects), version 1."""
    return node(
        "ListBucketResult",
        node("Name", bucket.name),
        node("EncodingType", encoding) if encoding else None,
        node("Prefix", _encode_key(prefix, encoding)),
        node("Marker", _encode_key(marker, encoding)),
        node("MaxKeys", most),
        node("Delimiter", _encode_key(delimiter, encoding)) if delimiter else None,
        node("IsTruncated", "true" if found.next_marker else "false"),
        node("NextMarker", _encode_key(found.next_marker, encoding)) if found.next_marker else None,
        *(_contents(item, encoding) for item in found.objects),
        *(node("CommonPrefixes", node("Prefix", _encode_key(common, encoding))) for common in found.prefixes),
    )


def _contents(item: StoredObject, encoding: str) -> Node:
    appid = item.bucket.rpartition("-")[2]
    return node(
        "Contents",
        node("Key", _encode_key(item.key, encoding)),
        node("LastModified", format_iso_time(item.modified_s)),
        node("ETag", f'"{item.etag}"'),
        node("Size", item.size),
        _owner("Owner", appid),
        node("StorageClass", item.headers.get("x-cos-storage-class", "STANDARD")),
    )


def version_list(
    bucket: Bucket,
    items: list[StoredObject],
    *,
    prefix: str,
    most: int,
    encoding: str,
    next_item: StoredObject | None,
) -> Node:
    """GET Bucket Object versions."""
    return node(
        "ListVersionsResult",
        node("Name", bucket.name),
        node("EncodingType", encoding) if encoding else None,
        node("Prefix", _encode_key(prefix, encoding)),
        node("MaxKeys", most),
        node("IsTruncated", "true" if next_item else "false"),
        node("NextKeyMarker", _encode_key(items[-1].key, encoding)) if next_item else None,
        node("NextVersionIdMarker", items[-1].version_id) if next_item else None,
        *(
            node(
                "DeleteMarker" if item.marker else "Version",
                node("Key", _encode_key(item.key, encoding)),
                node("VersionId", item.version_id),
                node("IsLatest", "true" if item.latest else "false"),
                node("LastModified", format_iso_time(item.modified_s)),
                *(() if item.marker else (node("ETag", f'"{item.etag}"'), node("Size", item.size))),
                _owner("Owner", bucket.name.rpartition("-")[2]),
                *(() if item.marker else (node("StorageClass", "STANDARD"),)),
            )
            for item in items
        ),
    )


def upload_list(bucket: Bucket, uploads: list[MultipartUpload], *, prefix: str, encoding: str) -> Node:
    """List Multipart Uploads; this stand-in never has more than one page of them."""
    appid = bucket.name.rpartition("-")[2]
    return node(
        "ListMultipartUploadsResult",
        node("Bucket", bucket.name),
        node("EncodingType", encoding) if encoding else None,
        node("Prefix", _encode_key(prefix, encoding)),
        node("MaxUploads", 1000),
        node("IsTruncated", "false"),
        *(
            node(
                "Upload",
                node("Key", _encode_key(upload.key, encoding)),
                node("UploadId", upload.upload_id),
                node("StorageClass", upload.headers.get("x-cos-storage-class", "STANDARD")),
                _owner("Initiator", appid),
                _owner("Owner", appid),
                node("Initiated", format_iso_time(upload.started_s)),
            )
            for upload in uploads
        ),
    )


def part_list(upload: MultipartUpload, parts: list[Part], *, marker: int, most: int, encoding: str) -> Node:
    """List Parts: those behind the marker, at most `most`."""
    behind = [part for part in parts if part.number > marker]
    shown = behind[:most]
    return node(
        "ListPartsResult",
        node("Bucket", upload.bucket),
        node("EncodingType", encoding) if encoding else None,
        node("Key", _encode_key(upload.key, encoding)),
        node("UploadId", upload.upload_id),
        node("StorageClass", upload.headers.get("x-cos-storage-class", "STANDARD")),
        node("PartNumberMarker", marker),
        node("NextPartNumberMarker", shown[-1].number) if len(behind) > most and shown else None,
        node("MaxParts", most),
        node("IsTruncated", "true" if len(behind) > most else "false"),
        *(
            node(
                "Part",
                node("PartNumber", part.number),
                node("LastModified", format_iso_time(part.received_s)),
                node("ETag", f'"{part.etag}"'),
                node("Size", part.size),
            )
            for part in shown
        ),
    )
