"""What COS does, apart from HTTP: taking bytes in, keeping them as objects, telling the functions of it."""

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
from localcloud.faults import Faults, Plan
from localcloud.store import Store

_MAX_PUT_BYTES = 5 * 1024**3  # bytes; COS error codes 436/7730 EntityTooLarge


@dataclass(frozen=True, slots=True)
class ReceivedBody:
    """A body on disk, not yet an object. `etag` is its MD5 in hex; size in bytes."""

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
        self.appid = appid
        self.files = FileStorage(store)
        self.buckets = BucketStore(store, appid)
        self.objects = ObjectStore(store, self.files)
        self.uploads = MultipartUploadStore(store)
        self._store = store
        self._listener = listener
        self._faults = faults or Faults(Plan(), store)

    async def receive_body(self, chunks: AsyncIterator[bytes], content_md5: str = "") -> ReceivedBody:
        """Write a body to disk as it comes in. Raises InvalidDigest when Content-MD5 differs."""
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
        received: ReceivedBody,
        headers: Mapping[str, str],
        *,
        event: str,
        request_id: str,
        tags: Tags = (),
        create_only: bool = False,
    ) -> StoredObject:
        """Turn a received body into the object's latest version.

        `create_only` is x-cos-forbid-overwrite: checked and kept in one step, so of two that race one gets
        FileAlreadyExists. It is void on a bucket that ever had versioning.
        """
        try:
            bucket = self.buckets.require(bucket.name, bucket.region)  # it may be gone since the upload began
            now_s = self._faults.clock()
            if create_only and not bucket.versioning and self._object_exists(bucket, key, now_s):
                raise CosError(409, "FileAlreadyExists", "The file is already exists.")  # noqa: TRY301 - as the rest
            new = StoredObject(
                bucket.name, key, "", received.etag, received.size, now_s, dict(headers), tuple(tags)
            )
            stored = self.objects.add(bucket, new, received.path)
        except BaseException:
            received.path.unlink(missing_ok=True)
            raise
        await self._listener(
            ObjectCreatedEvent(f"cos:ObjectCreated:{event}", bucket.region, request_id, stored)
        )
        return stored

    def _object_exists(self, bucket: Bucket, key: str, now_s: float) -> bool:
        found = self.objects.get_current(bucket.name, key)
        about = f"{bucket.name}/{key}"
        return found is not None and not self._faults.objects.overlooks(about, now_s - found.modified_s)

    async def put_bytes(
        self, bucket: Bucket, key: str, body: bytes, content_type: str, request_id: str
    ) -> None:
        """An object written by another service of this cloud; it raises the same event as a client's PUT."""

        async def once() -> AsyncIterator[bytes]:
            yield body

        headers = {"content-type": content_type}
        received = await self.receive_body(once())
        await self.put_object(bucket, key, received, headers, event="Put", request_id=request_id)

    async def copy_object_body(self, source: StoredObject) -> ReceivedBody:
        """The bytes of an object once more, in a file of their own."""
        # Opened before anything else can run: it stays readable when the object is replaced meanwhile.
        original = self.files.path(source.file).open("rb")
        target = self._store.temporary_file()

        def copy() -> ReceivedBody:
            digest = hashlib.md5()
            with original, target.open("wb") as file:
                while chunk := original.read(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
                return ReceivedBody(target, digest.hexdigest(), file.tell())

        return await asyncio.to_thread(copy)

    async def join_parts(self, parts: list[Path], etag: str) -> ReceivedBody:
        """The parts of an upload as one file."""
        target = self._store.temporary_file()

        def join() -> int:
            with target.open("wb") as file:
                for part in parts:
                    with part.open("rb") as piece:
                        shutil.copyfileobj(piece, file, 1 << 20)
                return file.tell()

        return ReceivedBody(target, etag, await asyncio.to_thread(join))


def _check_size(size: int) -> None:
    if size > _MAX_PUT_BYTES:
        raise CosError(400, "EntityTooLarge", "One PUT takes at most 5 GB.")


def check_md5(header: str, digest: bytes) -> None:
    """Compare a Content-MD5 header (base64) with what arrived."""
    if not header:
        return
    try:
        sent = base64.b64decode(header, validate=True)
    except ValueError:
        sent = b""
    if sent != digest:
        raise CosError(400, "InvalidDigest", "The Content-MD5 you specified is not that of the body.")


_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def _matches_etag(listed: str, etag: str) -> bool:
    return listed.strip() == "*" or etag in {part.strip().strip('"') for part in listed.split(",")}


def _parse_http_date(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None  # a date nobody can read is no condition (RFC 9110, 13.1.3)


def is_not_modified(headers: Mapping[str, str], found: StoredObject) -> bool:
    """True for 304. Raises PreconditionFailed for If-Match and If-Unmodified-Since."""
    modified_s = int(found.modified_s)
    if "if-match" in headers:
        if not _matches_etag(headers["if-match"], found.etag):
            raise _precondition_failed()
    elif "if-unmodified-since" in headers:
        limit = _parse_http_date(headers["if-unmodified-since"])
        if limit is not None and modified_s > limit:
            raise _precondition_failed()
    if "if-none-match" in headers:
        return _matches_etag(headers["if-none-match"], found.etag)
    since = _parse_http_date(headers["if-modified-since"]) if "if-modified-since" in headers else None
    return since is not None and modified_s <= since


def check_copy_preconditions(headers: Mapping[str, str], source: StoredObject) -> None:
    """The same conditions as PUT Object - Copy spells them; any that fails is a 412."""
    named = {
        name: headers[f"x-cos-copy-source-{name}"]
        for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
        if f"x-cos-copy-source-{name}" in headers
    }
    if is_not_modified(named, source):
        raise _precondition_failed()


def _precondition_failed() -> CosError:
    return CosError(412, "PreconditionFailed", "The precondition given does not hold.")


def parse_range(header: str, size: int) -> tuple[int, int] | None:
    """First and last byte asked for; None for the whole. Raises InvalidRange when nothing of it is there.

    Several ranges at once, and headers that are no byte range, are answered with the whole object.
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
