"""What may be uploaded in the console, and under which key."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from cli.language import _
from cli.output import escape_line
from shared.recordings.filters import check_skipped
from shared.recordings.options import MAX_RECORDING_BYTES
from shared.settings import Settings
from shared.tencent.cos import MAX_KEY_BYTES

_MEGABYTE = 1024 * 1024
_CONTROL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


class UploadPlan(NamedTuple):
    """The key in the bucket, and why it cannot be uploaded: "" if it can."""

    key: str
    refusal: str = ""


def plan_upload(settings: Settings, bucket: str, key: str, size: int) -> UploadPlan:
    """Choose the key of an upload, below INPUT_PREFIX, and check that Scribe would transcribe it. No request."""
    # macOS has names in the decomposed form, in which no search finds them.
    key = unicodedata.normalize("NFC", key.replace("\\", "/").lstrip("/"))
    if not key.startswith(settings.input_prefix):
        key = settings.input_prefix + key
    return UploadPlan(key, _find_refusal(settings, bucket, key, size))


def _find_refusal(settings: Settings, bucket: str, key: str, size: int) -> str:
    shown = escape_line(key)
    if bucket not in settings.input_buckets:
        return _("{bucket} is not in INPUT_BUCKETS.", bucket=escape_line(bucket))
    if any(unicodedata.category(character) in _CONTROL_CATEGORIES for character in key):
        return _(
            "The name {name} has a control character, such as a line break: rename the file.", name=shown
        )
    if any(part in {"", ".", ".."} for part in key.split("/")):
        return _("{name} is no name of a file: a part of it is empty, or dots only.", name=shown)
    if len(key.encode()) > MAX_KEY_BYTES:
        return _(
            "The name has {length} bytes, and COS takes at most {maximum}: shorten it.",
            length=len(key.encode()),
            maximum=MAX_KEY_BYTES,
        )
    if size <= 0:
        return _("{name} is empty: there is nothing to transcribe.", name=shown)
    if size > MAX_RECORDING_BYTES:
        return _(
            "{name} has {size} MB, and speech recognition takes at most {maximum} MB: split it, or convert it to mp3.",
            name=shown,
            size=f"{size / _MEGABYTE:,.0f}",
            maximum=MAX_RECORDING_BYTES // _MEGABYTE,
        )
    if settings.has_recording_extension(key) is not True:
        return _(
            "{name} is no recording by its extension. Taken are: {extensions}.",
            name=shown,
            extensions=_(", ").join(settings.input_extensions),
        )
    if check_skipped(settings, bucket, key):
        return _("{name} is where Scribe writes its own files: choose another folder.", name=shown)
    return ""
