"""What COS does, apart from HTTP: receiving bodies, writing and reporting objects, conditions and ranges of reads."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from localcloud.cos.exceptions import CosError
from localcloud.cos.models import Bucket, BucketStore, MultipartUploadStore, ObjectStore, StoredObject
from localcloud.cos.storage import FileStorage, Tags
from localcloud.faults.plan import FaultPlan
from localcloud.faults.services import Faults
from localcloud.store import Store

_MAX_PUT_BYTES = 5 * 1024**3  # COS error codes 436/7730 EntityTooLarge
_COPY_CHUNK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class ReceivedBody:
    """A body on disk that is not an object yet. `etag` is its MD5 in hex; size in bytes."""

    path: Path
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class ObjectCreatedEvent:
    """An object was written; `event_name` is `cos:ObjectCreated:` with Put, Copy or CompleteMultipartUpload."""

    event_name: str
    region: str
    request_id: str
    stored: StoredObject


ObjectCreatedListener = Callable[[ObjectCreatedEvent], Awaitable[None]]


class CosBackend:
    """The buckets and objects of one account."""

    def __init__(
        self, store: Store, appid: str, listener: ObjectCreatedListener, faults: Faults | None = None
    ) -> None:
        """`listener` is called after each object that was written."""
        self.appid = appid
        self.files = FileStorage(store)
        self.buckets = BucketStore(store, appid)
        self.objects = ObjectStore(store, self.files)
        self.uploads = MultipartUploadStore(store)
        self._store = store
        self._listener = listener
        self._faults = faults or Faults(FaultPlan(), store)

    async def receive_body(self, chunks: AsyncIterator[bytes], content_md5: str = "") -> ReceivedBody:
        """Write a body to disk while it arrives. Raises EntityTooLarge, InvalidDigest when Content-MD5 differs."""
        path = self._store.temporary_file()
        digest = hashlib.md5()
        size = 0
        try:
            with path.open("wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    _check_size(size)
                    digest.update(chunk)
                    file.write(chunk)
            check_md5(content_md5, digest.digest())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return ReceivedBody(path, digest.hexdigest(), size)

    async def put_object(
        self,
        bucket: Bucket,
        key: str,
        body: ReceivedBody,
        headers: Mapping[str, str],
        *,
        event: str,
        request_id: str,
        tags: Tags = (),
        create_only: bool = False,
    ) -> StoredObject:
        """Make a received body the object's latest version, and report it.

        `create_only` is x-cos-forbid-overwrite. Check and write are one step: of two concurrent writes one gets
        FileAlreadyExists. It has no effect on a bucket that ever had versioning.
        """
        try:
            # The bucket may have been deleted while the body arrived.
            bucket = self.buckets.require(bucket.name, bucket.region)
            now_s = self._faults.clock()
            if create_only and not bucket.versioning and self._object_exists(bucket, key, now_s):
                raise CosError(409, "FileAlreadyExists", "The file is already exists.")  # noqa: TRY301 - as the rest
            new = StoredObject(bucket.name, key, "", body.etag, body.size, now_s, dict(headers), tuple(tags))
            stored = self.objects.add(bucket, new, body.path)
        except BaseException:
            body.path.unlink(missing_ok=True)
            raise
        created = ObjectCreatedEvent(f"cos:ObjectCreated:{event}", bucket.region, request_id, stored)
        await self._listener(created)
        return stored

    def _object_exists(self, bucket: Bucket, key: str, now_s: float) -> bool:
        current = self.objects.get_current(bucket.name, key)
        return current is not None and not self._faults.objects.maybe_miss_existing(
            f"{bucket.name}/{key}", now_s - current.modified_s
        )

    async def put_bytes(
        self, bucket: Bucket, key: str, content: bytes, content_type: str, request_id: str
    ) -> None:
        """Write an object for another service of this cloud; it raises the same event as a client's PUT."""

        async def chunks() -> AsyncIterator[bytes]:
            yield content

        headers = {"content-type": content_type}
        body = await self.receive_body(chunks())
        await self.put_object(bucket, key, body, headers, event="Put", request_id=request_id)

    async def copy_object_body(self, source: StoredObject) -> ReceivedBody:
        """Copy the bytes of an object into a new body."""
        # Opened before the first await: the file stays readable even if the object is replaced during the copy.
        original = self.files.path(source.file).open("rb")
        target = self._store.temporary_file()

        def copy() -> ReceivedBody:
            digest = hashlib.md5()
            with original, target.open("wb") as file:
                while chunk := original.read(_COPY_CHUNK_BYTES):
                    digest.update(chunk)
                    file.write(chunk)
                return ReceivedBody(target, digest.hexdigest(), file.tell())

        return await asyncio.to_thread(copy)

    async def join_parts(self, parts: list[Path], etag: str) -> ReceivedBody:
        """Join the parts of an upload into one body."""
        target = self._store.temporary_file()

        def join() -> int:
            with target.open("wb") as file:
                for path in parts:
                    with path.open("rb") as part:
                        shutil.copyfileobj(part, file, _COPY_CHUNK_BYTES)
                return file.tell()

        return ReceivedBody(target, etag, await asyncio.to_thread(join))


def _check_size(size: int) -> None:
    if size > _MAX_PUT_BYTES:
        raise CosError(400, "EntityTooLarge", "One PUT takes at most 5 GB.")


def check_md5(header: str, digest: bytes) -> None:
    """Compare a Content-MD5 header (base64, may be empty) with the digest of the body. Raises InvalidDigest."""
    if not header:
        return
    try:
        expected = base64.b64decode(header, validate=True)
    except ValueError:
        expected = b""
    if expected != digest:
        raise CosError(400, "InvalidDigest", "The Content-MD5 you specified is not that of the body.")


def is_not_modified(headers: Mapping[str, str], stored: StoredObject) -> bool:
    """Evaluate the conditions of a read; True means 304.

    Raises PreconditionFailed for If-Match and If-Unmodified-Since.
    """
    modified_s = int(stored.modified_s)
    if "if-match" in headers:
        if not _matches_etag(headers["if-match"], stored.etag):
            raise _precondition_failed()
    elif "if-unmodified-since" in headers:
        limit_s = _parse_http_date(headers["if-unmodified-since"])
        if limit_s is not None and modified_s > limit_s:
            raise _precondition_failed()
    if "if-none-match" in headers:
        return _matches_etag(headers["if-none-match"], stored.etag)
    since_s = _parse_http_date(headers["if-modified-since"]) if "if-modified-since" in headers else None
    return since_s is not None and modified_s <= since_s


def check_copy_preconditions(headers: Mapping[str, str], source: StoredObject) -> None:
    """Check the same conditions in the headers of PUT Object - Copy. Raises PreconditionFailed for each that fails."""
    conditions = {
        name: headers[f"x-cos-copy-source-{name}"]
        for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
        if f"x-cos-copy-source-{name}" in headers
    }
    if is_not_modified(conditions, source):
        raise _precondition_failed()


def _matches_etag(header: str, etag: str) -> bool:
    return header.strip() == "*" or etag in {part.strip().strip('"') for part in header.split(",")}


def _parse_http_date(date: str) -> float | None:
    """Parse to Unix seconds; None for an invalid date, which is not a condition (RFC 9110, 13.1.3)."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None


def _precondition_failed() -> CosError:
    return CosError(412, "PreconditionFailed", "The precondition you specified does not hold.")


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """Parse a Range header to first and last byte; None means the whole object. Raises InvalidRange.

    The response to several ranges, and to headers that are not byte ranges, is the whole object.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or match.group(0) == "bytes=-":
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    if start >= size or end < start:
        raise CosError(416, "InvalidRange", f"The object has {size} bytes.")
    return start, end
