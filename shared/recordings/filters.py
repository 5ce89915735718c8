"""Which objects are recordings: by their key, their extension, and the metadata of those without one."""

from __future__ import annotations

from shared.messages import message
from shared.options.sidecar import is_sidecar_key
from shared.recordings.keys import OUTPUT_MARK, is_output_key
from shared.recordings.models import Result, Status
from shared.settings import Settings
from shared.tencent.cos import ObjectMetadata

SIDECAR_REASON = message("a sidecar")
_MEDIA_TYPES = ("audio/", "video/")


def check_skipped(settings: Settings, bucket: str, key: str) -> Result | None:
    """Return the result for an object that is not a recording to transcribe; None if it is one."""
    if bucket not in settings.input_buckets:
        return Result(Status.UNKNOWN_BUCKET, bucket, key)
    if key.endswith("/"):
        return Result(Status.SKIPPED, bucket, key, reason=message("a folder marker"))
    if is_output_key(settings, bucket, key):
        return Result(Status.SKIPPED, bucket, key, reason=message("an output of Scribe"))
    if not key.startswith(settings.input_prefix):
        return Result(Status.SKIPPED, bucket, key, reason=message("outside INPUT_PREFIX"))
    if is_sidecar_key(key):
        return Result(Status.SKIPPED, bucket, key, reason=SIDECAR_REASON)
    if settings.has_recording_extension(key) is False:
        return Result(Status.SKIPPED, bucket, key, reason=message("its extension is not in INPUT_EXTENSIONS"))
    return None


def is_sidecar_event(settings: Settings, bucket: str, key: str) -> bool:
    """Check whether an object is a sidecar, where recordings are."""
    skipped = check_skipped(settings, bucket, key)
    return skipped is not None and skipped.reason == SIDECAR_REASON


def check_skipped_by_metadata(
    settings: Settings, bucket: str, key: str, head: ObjectMetadata
) -> Result | None:
    """Return the result for an object that its metadata shows not to be a recording; None if it is one."""
    if OUTPUT_MARK in head.metadata:
        return Result(Status.SKIPPED, bucket, key, reason=message("an output of Scribe"))
    is_media = head.content_type.lower().startswith(_MEDIA_TYPES)
    if settings.has_recording_extension(key) is None and not is_media:
        return Result(
            Status.SKIPPED,
            bucket,
            key,
            reason=message("no extension, and its Content-Type is not audio or video"),
        )
    return None
