"""Counts recordings in the input buckets, by the same rules as the audit, from listings alone.

An object without an extension is not counted: only its Content-Type tells whether it is a recording.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cli.language import _, ngettext
from shared.recordings.filters import check_skipped
from shared.settings import Settings
from shared.tencent.clock import parse_timestamp
from shared.tencent.cos import CosClient, ObjectSummary

MAX_PAGES = 100  # of 1,000 objects: some seconds

_UNITS = ("", "kB", "MB", "GB", "TB")
_UNIT_STEP = 1000


class RecordingCount(NamedTuple):
    """The number of recordings and their bytes; `is_complete` if the listing ended in time."""

    number: int = 0
    size_bytes: int = 0
    is_complete: bool = True

    def __str__(self) -> str:
        """The number and the size in words, e.g. `more than 12 recordings (more than 3.4 GB)`."""
        size = format_size(self.size_bytes)
        if self.is_complete:
            return ngettext(
                "{count} recording ({size})", "{count} recordings ({size})", self.number, size=size
            )
        return _("more than {count} recordings (more than {size})", count=f"{self.number:,}", size=size)


def format_size(size_bytes: float) -> str:
    """A size in decimal units, e.g. `3.4 GB`."""
    unit = 0
    while size_bytes >= _UNIT_STEP and unit < len(_UNITS) - 1:
        size_bytes /= _UNIT_STEP
        unit += 1
    return f"{size_bytes:.1f} {_UNITS[unit]}" if unit else _("{size} bytes", size=f"{size_bytes:.0f}")


def is_recording(settings: Settings, bucket: str, key: str) -> bool:
    """Whether the audit takes an object of this name, as far as a listing tells."""
    return check_skipped(settings, bucket, key) is None and bool(settings.has_recording_extension(key))


def count_recordings(
    cos: CosClient, settings: Settings, bucket: str, is_counted: Callable[[ObjectSummary], bool]
) -> RecordingCount:
    """Count the recordings of a bucket below INPUT_PREFIX for which `is_counted`. Raises CloudError."""
    count = size_bytes = 0
    marker = ""
    for _page in range(MAX_PAGES):
        page = cos.list_objects(bucket, prefix=settings.input_prefix, marker=marker)
        for item in page.objects:
            if is_recording(settings, bucket, item.key) and is_counted(item):
                count += 1
                size_bytes += item.size
        if not page.next_marker or page.next_marker == marker:
            return RecordingCount(count, size_bytes)
        marker = page.next_marker
    return RecordingCount(count, size_bytes, is_complete=False)


def count_old_recordings(cos: CosClient, settings: Settings, bucket: str) -> RecordingCount:
    """Count the recordings from before SINCE. Raises CloudError."""
    if not settings.since_s:
        return RecordingCount()
    return count_recordings(
        cos, settings, bucket, lambda item: parse_timestamp(item.modified) < settings.since_s
    )
