"""Where everything of a recording lies. One function for each kind of name, so that reader and writer agree."""

from __future__ import annotations

import hashlib

from shared.settings import Settings
from shared.tencent.cos import MAX_KEY_BYTES

ERROR = "error.json"
_LONGEST_ENDING = len("." + ERROR)
_ERROR_STEM = ".error"


def transcript_key(settings: Settings, bucket: str, key: str, ending: str) -> str:
    """`calls/a.mp3` -> `transcripts/calls/a.mp3.<ending>`, in the output bucket.

    Where several input buckets share one OUTPUT_BUCKET, those after the first get a folder of their own: two
    recordings of one name must not overwrite each other's transcripts.
    """
    folder = ""
    if settings.output_bucket and bucket in settings.input_buckets[1:]:
        folder = bucket + "/"
    return _fitting(settings.output_prefix + folder + key) + "." + ending


def open_prefix(settings: Settings) -> str:
    """The receipts of work in flight."""
    return settings.state_prefix + "open/"


def done_prefix(settings: Settings) -> str:
    """The receipts of finished work."""
    return settings.state_prefix + "done/"


def claim_key(settings: Settings, receipt_id: str, attempt: int) -> str:
    """What an attempt creates before it takes over from a dead one: one winner for each number."""
    return f"{settings.state_prefix}claim/{receipt_id}.{attempt}"


def cursor_key(settings: Settings) -> str:
    """Where a sweep that ran out of time stopped."""
    return settings.state_prefix + "sweep-cursor"


def raw_key(settings: Settings, receipt_id: str) -> str:
    """Where CI itself writes the text of a job; it adds another object with `.detail` at the end."""
    return f"{settings.state_prefix}raw/{receipt_id}.txt"


def is_ours(settings: Settings, bucket: str, key: str) -> bool:
    """Whether an object is one that this pipeline wrote: a transcript, a receipt, or CI's raw result."""
    if bucket != settings.output_bucket_for(bucket):
        return False
    prefixes = (settings.output_prefix, settings.state_prefix)
    return any(prefix and key.startswith(prefix) for prefix in prefixes)


def _fitting(name: str) -> str:
    """A name that leaves room for the ending: a too long one is cut and told apart by a digest.

    So is that of a recording `a.mp3.error`, whose transcript would take the place of the error object of `a.mp3`.
    """
    raw = name.encode("utf-8", "surrogatepass")
    room = MAX_KEY_BYTES - _LONGEST_ENDING
    if len(raw) <= room and not name.endswith(_ERROR_STEM):
        return name
    mark = "~" + hashlib.sha256(raw).hexdigest()[:16]
    return raw[: room - len(mark)].decode("utf-8", "ignore") + mark
