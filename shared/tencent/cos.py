"""COS objects: put, get, head, delete, list, and making a bucket. Buckets are named `name-appid`.

Every call raises the CloudError that fits (`shared/errors.py`), or OutOfTime.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, unquote

from shared.errors import OutcomeUnknown
from shared.tencent import xml
from shared.tencent.connections import Answer
from shared.tencent.wire import Request, Wire

META = "x-cos-meta-"
LONGEST_KEY_BYTES = 850  # COS error codes 436/7730: InvalidURI
PAGE_SIZE = 1000  # GET Bucket: default and maximum of max-keys

# The only form of a date that servers may send (RFC 9110, 5.6.7); email.utils knows more, for twice the time to import.
_HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"

# COS document 436/30580: what a request on an object, or on the bucket itself, needs.
_OBJECT_ACTIONS = {"HEAD": "HeadObject", "GET": "GetObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_BUCKET_ACTIONS = {"GET": "GetBucket", "PUT": "PutBucket"}


class Head(NamedTuple):
    """What COS knows of an object: `etag` without quotes, `size` in bytes, `metadata` without x-cos-meta-.

    `modified_s` is when it was last written, in Unix seconds; 0 when COS did not say.
    """

    etag: str
    size: int
    content_type: str
    modified_s: float = 0.0
    metadata: Mapping[str, str] = MappingProxyType({})


class Written(NamedTuple):
    """What a write made: the ETag without quotes, and the version id, "" where the bucket has no versioning."""

    etag: str
    version_id: str = ""


class Stored(NamedTuple):
    """An object and its bytes."""

    head: Head
    body: bytes


class Listed(NamedTuple):
    """One object in a listing. `modified` is ISO 8601 in UTC, as COS writes it."""

    key: str
    etag: str
    size: int
    modified: str


class Page(NamedTuple):
    """Part of a listing; `next_marker` is "" on the last page."""

    objects: tuple[Listed, ...]
    prefixes: tuple[str, ...]
    next_marker: str


class Cos(NamedTuple):
    """The objects of the buckets in `region`."""

    wire: Wire
    region: str

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        create_only: bool = False,
    ) -> Written:
        """Writes an object. With `create_only`, AlreadyExists if there is one of that name.

        Create-only is void on a bucket that ever had versioning. After a lost answer the write is repeated, so
        AlreadyExists can also mean this very call: read the object back to know whose it is.
        """
        headers = {
            "Content-Type": content_type,
            "Content-MD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
        }
        for name, value in (metadata or {}).items():
            headers[META + name.lower()] = quote(value, safe=" !#$&'()*+,/:;<=>?@[]^_`{|}~-.")
        if create_only:
            headers["x-cos-forbid-overwrite"] = "true"
        answer = self._send("PUT", bucket, key, headers=headers, body=body)
        return Written(
            etag=_bare(answer.headers.get("etag", "")), version_id=answer.headers.get("x-cos-version-id", "")
        )

    def get(self, bucket: str, key: str) -> Stored:
        """An object and its bytes. Raises NotFound."""
        answer = self._send("GET", bucket, key)
        return Stored(_head_of(answer), answer.body)

    def head(self, bucket: str, key: str) -> Head:
        """What COS knows of an object. Raises NotFound."""
        answer = self._send("HEAD", bucket, key)
        if not answer.headers.get("content-length", "").isdigit():
            # A recording of unknown size must not be taken for an empty one.
            raise OutcomeUnknown(about=f"{bucket}/{key}", status=answer.status, code="NoLength")
        return _head_of(answer)

    def delete(self, bucket: str, key: str) -> None:
        """Removes an object; one that is not there is no error (COS answers 204 alike)."""
        if not key:
            raise ValueError("a DELETE without a key would remove the bucket")
        self._send("DELETE", bucket, key)

    def list(self, bucket: str, *, prefix: str = "", delimiter: str = "", marker: str = "") -> Page:
        """Up to 1,000 objects whose keys come after `marker`, in UTF-8 byte order."""
        parameters = (
            ("prefix", prefix),
            ("delimiter", delimiter),
            ("marker", marker),
            ("max-keys", str(PAGE_SIZE)),
            ("encoding-type", "url"),
        )
        answer = self._send("GET", bucket, "", parameters=parameters)
        return _page_of(answer, bucket)

    def list_all(self, bucket: str, *, prefix: str = "", marker: str = "") -> Iterator[Listed]:
        """Every object below `prefix`, a page at a time: memory does not grow with the bucket."""
        while True:
            page = self.list(bucket, prefix=prefix, marker=marker)
            yield from page.objects
            # A marker that does not move on would ask for the same page for ever.
            if not page.next_marker or page.next_marker == marker:
                return
            marker = page.next_marker

    def create_bucket(self, bucket: str) -> None:
        """Makes a bucket. Raises AlreadyExists."""
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
    ) -> Answer:
        action = (_OBJECT_ACTIONS if key else _BUCKET_ACTIONS)[method]
        return self.wire.send(
            Request(
                method=method,
                host=f"{bucket}.cos.{self.region}.myqcloud.com",
                path="/" + key,
                about=f"{bucket}/{key}",
                parameters=parameters,
                headers=headers or {},
                body=body,
                action=f"cos:{action}",
            )
        )


def _bare(etag: str) -> str:
    return etag.strip('"')


def _head_of(answer: Answer) -> Head:
    size = answer.headers.get("content-length", "")
    return Head(
        etag=_bare(answer.headers.get("etag", "")),
        size=int(size) if size.isdigit() else len(answer.body),
        content_type=answer.headers.get("content-type", ""),
        modified_s=_seconds(answer.headers.get("last-modified", "")),
        metadata={
            name.removeprefix(META): unquote(value)
            for name, value in answer.headers.items()
            if name.startswith(META)
        },
    )


def _seconds(http_date: str) -> float:
    try:
        return datetime.strptime(http_date, _HTTP_DATE).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return 0.0


def _page_of(answer: Answer, bucket: str) -> Page:
    try:
        result = xml.response(answer.body, "ListBucketResult")
    except xml.NotXml as error:
        raise OutcomeUnknown(
            about=bucket, status=answer.status, code="BadListing", message=str(error)
        ) from None
    objects = tuple(
        Listed(
            key=unquote(xml.text(item.get("Key"))),
            etag=_bare(xml.text(item.get("ETag"))),
            size=xml.number(item.get("Size")),
            modified=xml.text(item.get("LastModified")),
        )
        for item in map(xml.mapping, xml.listed(result.get("Contents")))
    )
    prefixes = tuple(
        unquote(xml.text(item.get("Prefix")))
        for item in map(xml.mapping, xml.listed(result.get("CommonPrefixes")))
    )
    next_marker = ""
    if xml.text(result.get("IsTruncated")) == "true":
        # NextMarker may be missing without a delimiter; then the last key stands for it.
        next_marker = unquote(xml.text(result.get("NextMarker"))) or (objects[-1].key if objects else "")
    return Page(objects, prefixes, next_marker)
