"""What a read asks for: only if changed, only this range."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from localcloud.cos.errors import CosProblem
from localcloud.cos.objects import StoredObject

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


def _matches(listed: str, etag: str) -> bool:
    return listed.strip() == "*" or etag in {part.strip().strip('"') for part in listed.split(",")}


def _seconds(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None  # a date nobody can read is no condition (RFC 9110, 13.1.3)


def is_unchanged(headers: Mapping[str, str], found: StoredObject) -> bool:
    """True for 304. Raises PreconditionFailed for If-Match and If-Unmodified-Since."""
    modified_s = int(found.modified_s)
    if "if-match" in headers:
        if not _matches(headers["if-match"], found.etag):
            raise _failed()
    elif "if-unmodified-since" in headers:
        limit = _seconds(headers["if-unmodified-since"])
        if limit is not None and modified_s > limit:
            raise _failed()
    if "if-none-match" in headers:
        return _matches(headers["if-none-match"], found.etag)
    since = _seconds(headers["if-modified-since"]) if "if-modified-since" in headers else None
    return since is not None and modified_s <= since


def check_copy(headers: Mapping[str, str], source: StoredObject) -> None:
    """The same conditions as PUT Object - Copy spells them; any that fails is a 412."""
    named = {
        name: headers[f"x-cos-copy-source-{name}"]
        for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
        if f"x-cos-copy-source-{name}" in headers
    }
    if is_unchanged(named, source):
        raise _failed()


def _failed() -> CosProblem:
    return CosProblem(412, "PreconditionFailed", "The precondition given does not hold.")


def wanted_range(header: str, size: int) -> tuple[int, int] | None:
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
        raise CosProblem(416, "InvalidRange", f"The object has {size} bytes.")
    return start, end
