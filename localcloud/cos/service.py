"""What COS does, apart from HTTP: taking bytes in, keeping them as objects, telling the functions of it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.cos.buckets import Bucket, Buckets
from localcloud.cos.errors import CosProblem
from localcloud.cos.files import Files
from localcloud.cos.metadata import Tags
from localcloud.cos.objects import Objects, StoredObject
from localcloud.cos.uploads import Uploads
from localcloud.faults.plan import FaultPlan
from localcloud.faults.services import Faults
from localcloud.store import Store

_LARGEST_PUT = 5 * 1024**3  # bytes; COS error codes 436/7730 EntityTooLarge


@dataclass(frozen=True, slots=True)
class Received:
    """A body on disk, not yet an object. `etag` is its MD5 in hex; size in bytes."""

    path: Path
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class Created:
    """An object was written; `event_name` is `cos:ObjectCreated:` with Put, Copy or CompleteMultipartUpload."""

    event_name: str
    region: str
    request_id: str
    stored: StoredObject


CreatedListener = Callable[[Created], Awaitable[None]]


class Cos:
    """The buckets and objects of one account."""

    def __init__(
        self, store: Store, appid: str, listener: CreatedListener, faults: Faults | None = None
    ) -> None:
        self.appid = appid
        self.files = Files(store)
        self.buckets = Buckets(store, appid)
        self.objects = Objects(store, self.files)
        self.uploads = Uploads(store)
        self._store = store
        self._listener = listener
        self._faults = faults or Faults(FaultPlan(), store)

    async def receive(self, chunks: AsyncIterator[bytes], content_md5: str = "") -> Received:
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
        return Received(path, digest.hexdigest(), size)

    async def keep(
        self,
        bucket: Bucket,
        key: str,
        received: Received,
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
            bucket = self.buckets.named(bucket.name, bucket.region)  # it may be gone since the upload began
            now_s = self._faults.clock()
            if create_only and not bucket.versioning and self._is_there(bucket, key, now_s):
                raise CosProblem(409, "FileAlreadyExists", "The file is already exists.")  # noqa: TRY301 - as the rest
            new = StoredObject(
                bucket.name, key, "", received.etag, received.size, now_s, dict(headers), tuple(tags)
            )
            stored = self.objects.add(bucket, new, received.path)
        except BaseException:
            received.path.unlink(missing_ok=True)
            raise
        await self._listener(Created(f"cos:ObjectCreated:{event}", bucket.region, request_id, stored))
        return stored

    def _is_there(self, bucket: Bucket, key: str, now_s: float) -> bool:
        found = self.objects.current(bucket.name, key)
        about = f"{bucket.name}/{key}"
        return found is not None and not self._faults.objects.maybe_miss_existing(
            about, now_s - found.modified_s
        )

    async def write(self, bucket: Bucket, key: str, body: bytes, content_type: str, request_id: str) -> None:
        """An object written by another service of this cloud; it raises the same event as a client's PUT."""

        async def once() -> AsyncIterator[bytes]:
            yield body

        headers = {"content-type": content_type}
        received = await self.receive(once())
        await self.keep(bucket, key, received, headers, event="Put", request_id=request_id)

    async def copy_bytes(self, source: StoredObject) -> Received:
        """The bytes of an object once more, in a file of their own."""
        # Opened before anything else can run: it stays readable when the object is replaced meanwhile.
        original = self.files.path(source.file).open("rb")
        target = self._store.temporary_file()

        def copy() -> Received:
            digest = hashlib.md5()
            with original, target.open("wb") as file:
                while chunk := original.read(1 << 20):
                    digest.update(chunk)
                    file.write(chunk)
                return Received(target, digest.hexdigest(), file.tell())

        return await asyncio.to_thread(copy)

    async def joined(self, parts: list[Path], etag: str) -> Received:
        """The parts of an upload as one file."""
        target = self._store.temporary_file()

        def join() -> int:
            with target.open("wb") as file:
                for part in parts:
                    with part.open("rb") as piece:
                        shutil.copyfileobj(piece, file, 1 << 20)
                return file.tell()

        return Received(target, etag, await asyncio.to_thread(join))


def _check_size(size: int) -> None:
    if size > _LARGEST_PUT:
        raise CosProblem(400, "EntityTooLarge", "One PUT takes at most 5 GB.")


def check_md5(header: str, digest: bytes) -> None:
    """Compare a Content-MD5 header (base64) with what arrived."""
    if not header:
        return
    try:
        sent = base64.b64decode(header, validate=True)
    except ValueError:
        sent = b""
    if sent != digest:
        raise CosProblem(400, "InvalidDigest", "The Content-MD5 you specified is not that of the body.")
