"""What COS does, apart from HTTP: receiving bodies, writing and reporting objects, conditions and ranges of reads."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from pathlib import Path

from localcloud.cos.exceptions import (
    CosError,
    customer_key_needed,
    invalid_object_state,
    object_denied,
)
from localcloud.cos.models import (
    ARCHIVE_CLASSES,
    ARCHIVE_TIERS,
    NULL_VERSION,
    TIERED_CLASSES,
    ArchiveState,
    Bucket,
    BucketStore,
    MultipartUploadStore,
    ObjectStateStore,
    ObjectStore,
    StoredObject,
)
from localcloud.cos.storage import CUSTOMER_KEY_MD5, FileStorage, Tags
from localcloud.faults.plan import FaultPlan
from localcloud.faults.service_faults import Faults
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
class CosOptions:
    """Options of the command line.

    `restore_delay_s`: how long a restore takes, in seconds. `shows_null_version`: whether responses about the null
    version of a bucket whose versioning is suspended have `x-cos-version-id: null`. POST Object 436/14690 says that an
    upload returns no such header then; what a read returns is unconfirmed.
    """

    restore_delay_s: float = 0.3
    shows_null_version: bool = True


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """An object was written or restored; time in Unix seconds.

    `event_name` is `cos:ObjectCreated:` with Put, Post, Copy or CompleteMultipartUpload, or `cos:ObjectRestore:` with
    Post or Completed.
    """

    event_name: str
    region: str
    request_id: str
    stored: StoredObject
    time_s: float


ObjectEventListener = Callable[[ObjectEvent], Awaitable[None]]


class CosBackend:
    """The buckets and objects of one account."""

    def __init__(
        self,
        store: Store,
        appid: str,
        listener: ObjectEventListener,
        faults: Faults | None = None,
        options: CosOptions | None = None,
    ) -> None:
        """`listener` is called after each object that was written or restored."""
        self.appid = appid
        self._options = options or CosOptions()
        self.files = FileStorage(store)
        self.buckets = BucketStore(store, appid)
        self.objects = ObjectStore(store, self.files)
        self.uploads = MultipartUploadStore(store)
        self.states = ObjectStateStore(store)
        self._restores: dict[int, asyncio.Task[None]] = {}  # by the number of the version
        self._store = store
        self._listener = listener
        self._faults = faults or Faults(FaultPlan(), store)

    async def start(self) -> None:
        """Continue the restores that were not finished when the cloud stopped."""
        for version in self.states.list_restoring():
            self._schedule_restore(version)

    async def close(self) -> None:
        """Stop; unfinished restores continue at the next start."""
        tasks = list(self._restores.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_idle(self) -> bool:
        """Whether no restore goes on."""
        return not self._restores

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
            etag = _get_object_etag(body.etag, headers)
            new = StoredObject(bucket.name, key, "", etag, body.size, now_s, dict(headers), tuple(tags))
            stored = self.objects.add(bucket, new, body.path)
        except BaseException:
            body.path.unlink(missing_ok=True)
            raise
        await self._listener(
            ObjectEvent(f"cos:ObjectCreated:{event}", bucket.region, request_id, stored, now_s)
        )
        return stored

    def check_metadata_readable(self, stored: StoredObject, customer_key_md5: str = "") -> None:
        """Check what HEAD needs. Raises AccessDenied for a denied object, SsecDecryptHeaderInvalid without its key."""
        if self.states.is_denied(stored.bucket, stored.key):
            raise object_denied()
        digest = stored.headers.get(CUSTOMER_KEY_MD5, "")
        if digest and customer_key_md5 != digest:
            raise customer_key_needed()

    def check_readable(self, stored: StoredObject, customer_key_md5: str = "") -> None:
        """Check what GET and the source of a copy need (436/7753, 436/30933).

        Raises the errors of `check_metadata_readable`, and InvalidObjectState for an archived object.
        """
        self.check_metadata_readable(stored, customer_key_md5)
        state = self.states.get_archive_state(stored)
        if _is_archived(stored, state) and not state.is_restored(self._faults.clock()):
            raise invalid_object_state("The object is archived; it has to be restored first.")

    def set_tier(self, stored: StoredObject, tier: str) -> None:
        """Move an INTELLIGENT_TIERING object to an archive tier, or back with an empty one. Raises ValueError."""
        if stored.storage_class not in TIERED_CLASSES:
            raise ValueError(f"the object is {stored.storage_class}, not INTELLIGENT_TIERING")
        if tier and tier not in ARCHIVE_TIERS:
            raise ValueError(f"tier is empty, or one of {', '.join(sorted(ARCHIVE_TIERS))}")
        self._cancel_restore(stored)
        self.states.set_archive_state(stored, ArchiveState(tier))

    async def start_restore(self, bucket: Bucket, stored: StoredObject, days: int, request_id: str) -> bool:
        """Start to restore an archived object; return False when there is a restored copy, which then lasts `days`.

        Raises InvalidObjectState, RestoreAlreadyInProgress (436/12633).
        """
        state = self.states.get_archive_state(stored)
        now_s = self._faults.clock()
        if not _is_archived(stored, state):
            raise invalid_object_state("Only an archived object can be restored.")
        if state.is_restoring:
            raise CosError(409, "RestoreAlreadyInProgress", "The object is being restored already.")
        if state.is_restored(now_s):
            # That a second restore only prolongs the copy is what S3 does; for COS it is unconfirmed.
            self.states.set_archive_state(stored, replace(state, restore_days=days, finished_s=now_s))
            return False
        self.states.set_archive_state(
            stored, ArchiveState(state.tier, days, now_s + self._options.restore_delay_s)
        )
        self._schedule_restore(stored)
        await self._listener(ObjectEvent("cos:ObjectRestore:Post", bucket.region, request_id, stored, now_s))
        return True

    def _schedule_restore(self, stored: StoredObject) -> None:
        due_s = self.states.get_archive_state(stored).due_s or 0.0

        async def wait_and_finish() -> None:
            await asyncio.sleep(due_s - self._faults.clock())
            await self._finish_restore(stored)
            self._restores.pop(stored.number, None)

        self._restores[stored.number] = asyncio.create_task(wait_and_finish())

    def _cancel_restore(self, stored: StoredObject) -> None:
        task = self._restores.pop(stored.number, None)
        if task is not None:
            task.cancel()

    async def finish_restore(self, stored: StoredObject) -> None:
        """Finish a restore now. Raises ValueError when none goes on."""
        if stored.number not in self._restores:
            raise ValueError("the object is not being restored")
        self._cancel_restore(stored)
        await self._finish_restore(stored)

    async def _finish_restore(self, stored: StoredObject) -> None:
        """Make the restored copy readable and report it, if the version still exists."""
        current = self.objects.get(stored.bucket, stored.key, stored.version_id)
        bucket = self.buckets.get(stored.bucket)
        if current is None or bucket is None or current.number != stored.number:
            return
        now_s = self._faults.clock()
        state = self.states.get_archive_state(stored)
        self.states.set_archive_state(stored, replace(state, finished_s=now_s))
        request_id = "NjA" + secrets.token_hex(12)
        await self._listener(
            ObjectEvent("cos:ObjectRestore:Completed", bucket.region, request_id, current, now_s)
        )

    def shows_version_id(self, bucket: Bucket, stored: StoredObject) -> bool:
        """Whether responses about a version have its id: on buckets that have or had versioning."""
        is_null = bucket.versioning == "Suspended" and stored.version_id == NULL_VERSION
        return bool(bucket.versioning) and (self._options.shows_null_version or not is_null)

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

    async def copy_object_body(self, source: StoredObject, *, keep_etag: bool) -> ReceivedBody:
        """Copy the bytes of an object into a new body; `keep_etag` keeps the ETag of a multipart upload."""
        # Opened before the first await: the file stays readable even if the object is replaced during the copy.
        original = self.files.path(source.file).open("rb")
        target = self._store.temporary_file()

        def copy() -> ReceivedBody:
            digest = hashlib.md5()
            with original, target.open("wb") as file:
                while chunk := original.read(_COPY_CHUNK_BYTES):
                    digest.update(chunk)
                    file.write(chunk)
                etag = source.etag if keep_etag else digest.hexdigest()
                return ReceivedBody(target, etag, file.tell())

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


def _get_object_etag(body_etag: str, headers: Mapping[str, str]) -> str:
    """Return the ETag of an object: that of its body; with SSE-C not the content's MD5 (436/7753, sample 7)."""
    digest = headers.get(CUSTOMER_KEY_MD5, "")
    return hashlib.md5(f"{digest} {body_etag}".encode()).hexdigest() if digest else body_etag


def _is_archived(stored: StoredObject, state: ArchiveState) -> bool:
    return stored.storage_class in ARCHIVE_CLASSES or (
        stored.storage_class in TIERED_CLASSES and state.tier in ARCHIVE_TIERS
    )


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
