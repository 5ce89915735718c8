"""Object keys of everything that belongs to a recording: one function for each kind, used by readers and writers."""

from __future__ import annotations

import hashlib
import re

from shared.options.model import FORMATS
from shared.settings import Settings
from shared.tencent.cos import MAX_KEY_BYTES

ERROR_EXTENSION = "error.json"
_EXTENSIONS = {"podcast": "podcast.json"}  # of the formats whose extension is not their name
# Of every format. Here and not from shared/transcript/formats, which the upload function does not load.
TRANSCRIPT_EXTENSIONS = tuple(_EXTENSIONS.get(name, name) for name in FORMATS)

# Metadata of every object that Scribe writes (`x-cos-meta-scribe-output`), so that it is never taken for a recording,
# whatever the settings are by then. Its value is one of these, for a transcript with the id of its job.
OUTPUT_MARK = "scribe-output"
TRANSCRIPT_MARK, ERROR_MARK, STATE_MARK = "transcript", "error", "state"
_MAX_EXTENSION_LENGTH = len("." + max(*TRANSCRIPT_EXTENSIONS, ERROR_EXTENSION, key=len))
# Names whose output could be that of another recording: extensions of two parts, and the end of a name that was cut.
_AMBIGUOUS_STEM = re.compile(r"(\.error|\.podcast|~[0-9a-f]{16})$")
# The end of the key of a receipt, a claim or a raw result: CI writes the last, so it has no mark.
_STATE_KEY = re.compile(r"(open|done|waiting|claim|raw)/[a-z0-9-]+/[0-9A-Za-z=_~-]+![0-9a-f]{32}(\..*)?$")


# How the outputs of a recording are named; the member `output_name` of its receipt. output_names.py chooses.
FULL_NAME = ""  # the recording's key: `a.mp3.txt`
SHORT_NAME = "short"  # its stem: `a.txt`
DISTINCT_NAME = (
    "distinct"  # its key with a digest, because another recording has that name: `a~0123456789abcdef.txt`
)
NAME_KINDS = frozenset({FULL_NAME, SHORT_NAME, DISTINCT_NAME})
_EXTENSION_FORM = re.compile(r"[0-9A-Za-z_-]{1,16}")  # as Settings.has_recording_extension
_MAX_STEM_BYTES = 179  # a receipt's id has the first 180 bytes of its key: shorter keys as a whole


def transcript_key(
    settings: Settings, bucket: str, key: str, extension: str, output_name: str = FULL_NAME
) -> str:
    """Return the key of an output: `calls/a.mp3` becomes `transcripts/calls/a.mp3.<extension>`, in the output bucket.

    With SHORT_NAME `transcripts/calls/a.<extension>`.

    If several input buckets share one OUTPUT_BUCKET, each has a folder of its own: two recordings of one name must not
    overwrite each other's transcripts. So that names never meet, also when the list of buckets changes, a recording in
    a folder that is named like a bucket of the same account is put below its own bucket's folder too.
    """
    stem = get_stem(key) if output_name == SHORT_NAME else key
    name = transcript_folder(settings, bucket, key) + stem
    return _shorten(name, is_distinct=output_name == DISTINCT_NAME) + "." + extension


def transcript_folder(settings: Settings, bucket: str, key: str) -> str:
    """Return what the keys of a recording's outputs begin with, before its own key."""
    has_folder = uses_bucket_folders(settings) or bucket not in settings.input_buckets
    has_folder |= _is_in_folder_like_bucket(bucket, key)
    return settings.output_prefix + (bucket + "/" if has_folder else "")


def get_stem(key: str) -> str:
    """Return the key without its extension: a key without any as it is; "" if its outputs must have the full name.

    No stem ends like an extension: `a.mp3.m4a` has none, so only keys without an extension can be a stem too.
    """
    folder, slash, name = key.rpartition("/")
    start, dot, extension = name.rpartition(".")
    stem = start if dot and _EXTENSION_FORM.fullmatch(extension) else name
    _, dot, end = stem.rpartition(".")
    if not stem or (dot and _EXTENSION_FORM.fullmatch(end)) or _AMBIGUOUS_STEM.search(stem):
        return ""
    stem = folder + slash + stem
    return stem if len(stem.encode("utf-8", "surrogatepass")) <= _MAX_STEM_BYTES else ""


def name_claim_prefix(settings: Settings, bucket: str, stem: str) -> str:
    """Return the prefix of the claims of all recordings on this stem. They are never deleted."""
    return f"{settings.state_prefix}claim/{bucket}/~name/{_digest(stem)}/"


def name_claim_key(settings: Settings, bucket: str, key: str, stem: str, state: str) -> str:
    """Return the key of a recording's claim on a stem: it wants it, or owns it."""
    return f"{name_claim_prefix(settings, bucket, stem)}{_digest(key)}.{state}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def get_extension(output_format: str) -> str:
    """Return the extension of a format's files, without its first dot: "podcast.json" of "podcast"."""
    return _EXTENSIONS.get(output_format, output_format)


def uses_bucket_folders(settings: Settings) -> bool:
    """Check whether the outputs of each input bucket are in a folder with the bucket's name."""
    return bool(settings.output_bucket) and len(settings.input_buckets) > 1


def _is_in_folder_like_bucket(bucket: str, key: str) -> bool:
    """Check whether the key's first folder could be a bucket's: `<name>-<appid>`, with the appid of this bucket."""
    folder, slash, _ = key.partition("/")
    return bool(slash) and folder.rpartition("-")[2] == bucket.rpartition("-")[2]


def open_prefix(settings: Settings) -> str:
    """Return the prefix of receipts of work in flight."""
    return settings.state_prefix + "open/"


def done_prefix(settings: Settings) -> str:
    """Return the prefix of receipts of finished work."""
    return settings.state_prefix + "done/"


def waiting_prefix(settings: Settings) -> str:
    """Return the prefix of receipts of recordings that are in an archive, or wait for room in the budget."""
    return settings.state_prefix + "waiting/"


def claim_key(settings: Settings, receipt_id: str, attempt: int | str) -> str:
    """Return the key that an attempt creates before it continues the work of a dead one: one winner per number.

    With "" for the attempt, the prefix of all claims of a receipt.
    """
    return f"{settings.state_prefix}claim/{receipt_id}.{attempt}"


def cursor_key(settings: Settings) -> str:
    """Return the key of the position where a sweep that ran out of time stopped."""
    return settings.state_prefix + "sweep-cursor"


def audit_cursor_key(settings: Settings) -> str:
    """Return the key of the position where an audit that ran out of time stopped."""
    return settings.state_prefix + "audit-cursor"


def raw_result_key(settings: Settings, receipt_id: str) -> str:
    """Return the key of the text that CI itself writes; CI adds another object with the suffix `.detail`."""
    return f"{settings.state_prefix}raw/{receipt_id}.txt"


def is_output_key(settings: Settings, bucket: str, key: str) -> bool:
    """Check by its key whether Scribe wrote this object: a transcript, a receipt, or CI's raw result.

    Outputs of other settings, except receipts and raw results, are recognised by their mark only.
    """
    if _STATE_KEY.search(key):
        return True
    if bucket != settings.output_bucket_for(bucket):
        return False
    return key.startswith((settings.output_prefix, settings.state_prefix))


def _shorten(name: str, *, is_distinct: bool = False) -> str:
    """Leave room for the extension: cut a name that is too long, and add a digest to keep names distinct.

    A recording `a.mp3.error` gets a digest too: its transcript would replace the error object of `a.mp3`; and one that
    is named like a cut name with its digest, which anyone can compute.
    """
    raw = name.encode("utf-8", "surrogatepass")
    max_bytes = MAX_KEY_BYTES - _MAX_EXTENSION_LENGTH
    if len(raw) <= max_bytes and not is_distinct and not _AMBIGUOUS_STEM.search(name):
        return name
    suffix = "~" + hashlib.sha256(raw).hexdigest()[:16]
    return raw[: max_bytes - len(suffix)].decode("utf-8", "ignore") + suffix
