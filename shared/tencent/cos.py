"""COS objects: put, get, head, delete, list; and creating a bucket. Buckets are named `name-appid`.

Every call raises a CloudError (`shared/errors.py`) or DeadlineExceeded.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, unquote

from shared.errors import OutcomeUnknown, RequestRejected
from shared.messages import message
from shared.tencent import xml
from shared.tencent.client import CANNOT_BE_SENT, MAX_BODY_BYTES, HttpResponse, Request, TencentClient
from shared.tencent.clock import parse_http_date
from shared.tencent.hosts import build_cos_host

METADATA_PREFIX = "x-cos-meta-"
MAX_KEY_BYTES = 850  # COS error codes 436/7730: InvalidURI
PAGE_SIZE = 1000  # GET Bucket: default and maximum of max-keys

# COS document 436/30580: the CAM action of a request for an object, or for the bucket itself.
_OBJECT_ACTIONS = {"HEAD": "HeadObject", "GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_BUCKET_ACTIONS = {"GET": "GetBucket", "PUT": "PutBucket"}

_OUTER_BLANKS = re.compile(r"^ +| +$")
_WEAK = re.compile(r"^[wW]/")
_HEX_ETAG = re.compile(r"[0-9A-Fa-f]+(?:-[0-9]+)?")  # MD5, or the form of a multipart upload


class ObjectMetadata(NamedTuple):
    """What HEAD returns: `etag` without quotes, `size` in bytes, `metadata` names without x-cos-meta-.

    `etag` is "" if COS did not send it. `modified_s` is the time of the last write in Unix seconds; 0 if COS did not
    send it: a listing has both. `storage` is the class and,
    with INTELLIGENT_TIERING, the tier; `restore` is the header x-cos-restore (COS document 436/7745).
    """

    etag: str
    size: int
    content_type: str
    modified_s: float = 0.0
    metadata: Mapping[str, str] = MappingProxyType({})
    storage: str = ""
    restore: str = ""

    @property
    def is_archived(self) -> bool:
        """Whether the object cannot be read before it is restored, or while the restore is still running."""
        return "ARCHIVE" in self.storage and not self.was_restored

    @property
    def was_restored(self) -> bool:
        """Whether an archived object can be read, for the days that the restore lasts."""
        return 'ongoing-request="false"' in self.restore


class PutResult(NamedTuple):
    """What a write created: the ETag without quotes, and the version id ("" if the bucket has no versioning)."""

    etag: str
    version_id: str = ""


class ObjectContent(NamedTuple):
    """An object's metadata and bytes."""

    head: ObjectMetadata
    body: bytes


class ObjectSummary(NamedTuple):
    """One object in a listing. `modified` is ISO 8601 in UTC, as COS writes it; `storage` its class, e.g. `ARCHIVE`."""

    key: str
    etag: str
    size: int
    modified: str
    storage: str = ""


class ListPage(NamedTuple):
    """One page of a listing. `next_marker` is "" on the last page."""

    objects: tuple[ObjectSummary, ...]
    prefixes: tuple[str, ...]
    next_marker: str


class CosClient:
    """Reads and writes the objects of the buckets in `region`."""

    def __init__(self, client: TencentClient, region: str) -> None:
        self.client = client
        self.region = region

    def for_region(self, region: str) -> CosClient:
        """Return a client for the buckets of another region."""
        return CosClient(self.client, region)

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        create_only: bool = False,
    ) -> PutResult:
        """Write an object. With `create_only`, raise AlreadyExists if the key exists.

        COS ignores create-only on a bucket that ever had versioning. The write is retried after a lost response, so
        AlreadyExists can also be caused by this call: read the object back to see who created it.
        """
        headers = {
            "Content-Type": content_type,
            "Content-MD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
        }
        for name, value in (metadata or {}).items():
            headers[METADATA_PREFIX + name.lower()] = _encode_metadata(f"{bucket}/{key}", value)
        if create_only:
            headers["x-cos-forbid-overwrite"] = "true"
        response = self._send("PUT", bucket, key, headers=headers, body=body)
        return PutResult(
            etag=_normalize_etag(response.headers.get("etag", "")),
            version_id=response.headers.get("x-cos-version-id", ""),
        )

    def get(self, bucket: str, key: str, *, max_bytes: int = MAX_BODY_BYTES) -> ObjectContent:
        """Return an object's metadata and bytes. Raises NotFound, and RequestRejected (TOO_LARGE) for a longer one."""
        response = self._send("GET", bucket, key, max_bytes=max_bytes)
        return ObjectContent(_parse_metadata(response), response.body)

    def head(self, bucket: str, key: str) -> ObjectMetadata:
        """Return an object's metadata. Raises NotFound."""
        response = self._send("HEAD", bucket, key)
        if not response.headers.get("content-length", "").isdigit():
            # A recording of unknown size must not count as empty.
            raise OutcomeUnknown(resource=f"{bucket}/{key}", status=response.status, code="NoLength")
        return _parse_metadata(response)

    def delete(self, bucket: str, key: str) -> None:
        """Delete an object. A missing object is no error (COS responds with 204 too)."""
        if not key:
            raise ValueError("a DELETE without a key would remove the bucket")
        self._send("DELETE", bucket, key)

    def list_objects(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", marker: str = "", limit: int = PAGE_SIZE
    ) -> ListPage:
        """Return up to `limit` (at most 1,000) objects with keys after `marker`, in UTF-8 byte order.

        Raises OutcomeUnknown (BadListing) if more pages follow and the response does not say where: an end that is not
        one would hide recordings.
        """
        parameters = (
            ("prefix", prefix),
            ("delimiter", delimiter),
            ("marker", marker),
            ("max-keys", str(limit)),
            ("encoding-type", "url"),
        )
        page = _parse_page(self._send("GET", bucket, "", parameters=parameters), bucket)
        if page.next_marker and page.next_marker.encode() <= marker.encode():
            raise _build_listing_error(bucket, "its marker does not advance")
        return page

    def iter_objects(self, bucket: str, *, prefix: str = "", marker: str = "") -> Iterator[ObjectSummary]:
        """Yield every object below `prefix`, page by page: memory does not grow with the bucket."""
        while True:
            page = self.list_objects(bucket, prefix=prefix, marker=marker)
            yield from page.objects
            if not page.next_marker:
                return
            marker = page.next_marker

    def has_versioning(self, bucket: str) -> bool:
        """Check whether the bucket has or ever had versioning (enabled or suspended)."""
        response = self._send(
            "GET", bucket, "", parameters=(("versioning", ""),), action="GetBucketVersioning"
        )
        try:
            configuration = xml.parse_response(response.body, "VersioningConfiguration")
        except xml.XmlError as error:
            raise OutcomeUnknown(
                resource=bucket, status=response.status, code="BadVersioning", message=str(error)
            ) from None
        return bool(xml.as_text(configuration.get("Status")))

    def create_bucket(self, bucket: str) -> None:
        """Create a bucket. Raises AlreadyExists."""
        self._send("PUT", bucket, "")

    def _send(
        self,
        method: str,
        bucket: str,
        key: str,
        *,
        parameters: tuple[tuple[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        max_bytes: int = MAX_BODY_BYTES,
        action: str = "",
    ) -> HttpResponse:
        action = action or (_OBJECT_ACTIONS if key else _BUCKET_ACTIONS)[method]
        return self.client.send(
            Request(
                method=method,
                host=build_cos_host(bucket, self.region),
                path="/" + key,
                resource=f"{bucket}/{key}",
                parameters=parameters,
                headers=headers or {},
                body=body,
                max_bytes=max_bytes,
                action=f"cos:{action}",
            )
        )


def _encode_metadata(resource: str, value: str) -> str:
    with suppress(UnicodeError):  # it holds the value
        encoded = quote(value, safe=" !#$&'()*+,/:;<=>?@[]^_`{|}~-.")
        # A header's value cannot begin or end with a blank.
        return _OUTER_BLANKS.sub(lambda blanks: "%20" * len(blanks[0]), encoded)
    raise RequestRejected(
        resource=resource, code=CANNOT_BE_SENT, message=message("the metadata is not Unicode")
    )


def _normalize_etag(etag: str) -> str:
    """Return an ETag as every other response writes it: a proxy may weaken it, or a client compare upper case."""
    etag = _WEAK.sub("", etag.strip()).strip('"')
    return etag.lower() if _HEX_ETAG.fullmatch(etag) else etag


def _parse_metadata(response: HttpResponse) -> ObjectMetadata:
    size = response.headers.get("content-length", "")
    return ObjectMetadata(
        etag=_normalize_etag(response.headers.get("etag", "")),
        size=int(size) if size.isdigit() else len(response.body),
        storage=" ".join(
            response.headers.get(name, "") for name in ("x-cos-storage-class", "x-cos-storage-tier")
        )
        .strip()
        .upper(),
        restore=response.headers.get("x-cos-restore", ""),
        content_type=response.headers.get("content-type", ""),
        modified_s=parse_http_date(response.headers.get("last-modified", "")),
        metadata={
            name.removeprefix(METADATA_PREFIX): unquote(value)
            for name, value in response.headers.items()
            if name.startswith(METADATA_PREFIX)
        },
    )


def _parse_page(response: HttpResponse, bucket: str) -> ListPage:
    try:
        result = xml.parse_response(response.body, "ListBucketResult")
    except xml.XmlError as error:
        raise _build_listing_error(bucket, str(error)) from None
    objects = tuple(
        ObjectSummary(
            key=unquote(xml.as_text(item.get("Key"))),
            etag=_normalize_etag(xml.as_text(item.get("ETag"))),
            size=xml.as_int(item.get("Size")),
            modified=xml.as_text(item.get("LastModified")),
            storage=xml.as_text(item.get("StorageClass")),
        )
        for item in map(xml.as_mapping, xml.as_list(result.get("Contents")))
    )
    prefixes = tuple(
        unquote(xml.as_text(item.get("Prefix")))
        for item in map(xml.as_mapping, xml.as_list(result.get("CommonPrefixes")))
    )
    next_marker = ""
    if xml.as_text(result.get("IsTruncated")) == "true":
        # NextMarker may be missing without a delimiter; the last key then serves as the marker.
        next_marker = unquote(xml.as_text(result.get("NextMarker"))) or (objects[-1].key if objects else "")
        if not next_marker:
            raise _build_listing_error(bucket, "it is truncated and names no marker for the next page")
    return ListPage(objects, prefixes, next_marker)


def _build_listing_error(bucket: str, message: str) -> OutcomeUnknown:
    return OutcomeUnknown(resource=bucket, status=200, code="BadListing", message=message)
