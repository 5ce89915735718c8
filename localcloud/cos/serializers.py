"""The XML documents and headers of COS's responses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import formatdate

from localcloud.auth.cos_signature import percent_encode
from localcloud.cos.models import (
    TIERED_CLASSES,
    ArchiveState,
    Bucket,
    ListPage,
    MultipartUpload,
    Part,
    StoredObject,
)
from localcloud.cos.storage import Tags
from localcloud.xml import Node, node


def format_iso_time(time_s: float) -> str:
    """Format Unix seconds as in lists: `2026-11-21T03:37:30.000Z`."""
    return datetime.fromtimestamp(time_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def encode_header_value(value: str) -> str:
    """Return a header value that is UTF-8 after the HTTP library has encoded it as Latin-1."""
    return value.encode().decode("latin-1")


def restore_headers(state: ArchiveState) -> dict[str, str]:
    """Build x-cos-restore, for an object whose restore was started (436/7745)."""
    if state.expires_s is not None:
        date = formatdate(state.expires_s, usegmt=True)
        return {"x-cos-restore": f'ongoing-request="false", expiry-date="{date}"'}
    return {"x-cos-restore": 'ongoing-request="true"'} if state.is_restoring else {}


def get_storage_tier(stored: StoredObject, state: ArchiveState) -> str:
    """Return the tier of an INTELLIGENT_TIERING object; empty for every other class."""
    return (state.tier or "FREQUENT") if stored.storage_class in TIERED_CLASSES else ""


def object_headers(stored: StoredObject, state: ArchiveState) -> dict[str, str]:
    """Build the headers of HEAD and GET, without the length and the version id."""
    tier = get_storage_tier(stored, state)
    return {
        "content-type": stored.content_type,
        **{name: encode_header_value(value) for name, value in stored.headers.items()},
        "etag": f'"{stored.etag}"',
        "last-modified": formatdate(stored.modified_s, usegmt=True),
        "accept-ranges": "bytes",
        "x-cos-object-type": "normal",
        **({"x-cos-tagging-count": str(len(stored.tags))} if stored.tags else {}),
        **({"x-cos-storage-tier": tier} if tier else {}),
        **restore_headers(state),
    }


def _owner(name: str, appid: str) -> Node:
    return node(name, node("ID", f"qcs::cam::uin/{appid}:uin/{appid}"), node("DisplayName", appid))


def bucket_list(buckets: list[Bucket], appid: str) -> Node:
    """Build the response of GET Service."""
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
    return percent_encode(text) if encoding == "url" else text


def object_list(
    bucket: Bucket,
    page: ListPage,
    *,
    prefix: str,
    delimiter: str,
    marker: str,
    limit: int,
    encoding: str,
    get_state: Callable[[StoredObject], ArchiveState],
) -> Node:
    """Build the response of GET Bucket (List Objects), version 1."""
    return node(
        "ListBucketResult",
        node("Name", bucket.name),
        node("EncodingType", encoding) if encoding else None,
        node("Prefix", _encode_key(prefix, encoding)),
        node("Marker", _encode_key(marker, encoding)),
        node("MaxKeys", limit),
        node("Delimiter", _encode_key(delimiter, encoding)) if delimiter else None,
        node("IsTruncated", "true" if page.next_marker else "false"),
        node("NextMarker", _encode_key(page.next_marker, encoding)) if page.next_marker else None,
        *(_contents(item, encoding, get_state) for item in page.objects),
        *(node("CommonPrefixes", node("Prefix", _encode_key(common, encoding))) for common in page.prefixes),
    )


def _contents(item: StoredObject, encoding: str, get_state: Callable[[StoredObject], ArchiveState]) -> Node:
    appid = item.bucket.rpartition("-")[2]
    is_tiered = item.storage_class in TIERED_CLASSES
    return node(
        "Contents",
        node("Key", _encode_key(item.key, encoding)),
        node("LastModified", format_iso_time(item.modified_s)),
        node("ETag", f'"{item.etag}"'),
        node("Size", item.size),
        _owner("Owner", appid),
        node("StorageClass", item.storage_class),
        # cos-go-sdk-v5 object.go, Object.StorageTier; its values in lists are unconfirmed.
        node("StorageTier", get_storage_tier(item, get_state(item))) if is_tiered else None,
    )


def version_list(
    bucket: Bucket,
    items: list[StoredObject],
    *,
    prefix: str,
    limit: int,
    encoding: str,
    next_item: StoredObject | None,
) -> Node:
    """Build the response of GET Bucket Object versions; `next_item` is the first one after this page."""
    return node(
        "ListVersionsResult",
        node("Name", bucket.name),
        node("EncodingType", encoding) if encoding else None,
        node("Prefix", _encode_key(prefix, encoding)),
        node("MaxKeys", limit),
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
                *(() if item.marker else (node("StorageClass", item.storage_class),)),
            )
            for item in items
        ),
    )


def upload_list(bucket: Bucket, uploads: list[MultipartUpload], *, prefix: str, encoding: str) -> Node:
    """Build the response of List Multipart Uploads, always one page."""
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


def part_list(upload: MultipartUpload, parts: list[Part], *, marker: int, limit: int, encoding: str) -> Node:
    """Build the response of List Parts: at most `limit` parts after the marker."""
    following = [part for part in parts if part.number > marker]
    shown = following[:limit]
    return node(
        "ListPartsResult",
        node("Bucket", upload.bucket),
        node("EncodingType", encoding) if encoding else None,
        node("Key", _encode_key(upload.key, encoding)),
        node("UploadId", upload.upload_id),
        node("StorageClass", upload.headers.get("x-cos-storage-class", "STANDARD")),
        node("PartNumberMarker", marker),
        node("NextPartNumberMarker", shown[-1].number) if len(following) > limit and shown else None,
        node("MaxParts", limit),
        node("IsTruncated", "true" if len(following) > limit else "false"),
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


def tagging(tags: Tags) -> Node:
    """Build a <Tagging> document."""
    return node(
        "Tagging",
        node("TagSet", *(node("Tag", node("Key", name), node("Value", value)) for name, value in tags)),
    )
