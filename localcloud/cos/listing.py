"""One page of a bucket's keys: prefix, delimiter, marker, all in the order of UTF-8 bytes."""

from __future__ import annotations

from dataclasses import dataclass

from localcloud.cos.objects import Objects, StoredObject


@dataclass(frozen=True, slots=True)
class Page:
    """Objects and common prefixes of one page; `next_marker` is empty on the last one."""

    objects: tuple[StoredObject, ...]
    prefixes: tuple[str, ...]
    next_marker: str


def after(prefix: bytes) -> bytes | None:
    """The smallest key behind all keys that start with the prefix; None when there is no such bound.

    UTF-8 never holds the byte 0xFF, so the last byte can always be raised by one.
    """
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else None


def page(objects: Objects, bucket: str, *, prefix: str, delimiter: str, marker: str, most: int) -> Page:
    """At most `most` entries behind the marker, objects and common prefixes counted together."""
    wanted, cut = prefix.encode(), delimiter.encode()
    stop = after(wanted)
    start, inclusive = (wanted, True) if wanted > marker.encode() else (marker.encode(), False)
    # A marker that is itself a common prefix was the end of a page: everything below it has been listed.
    if cut and marker.startswith(prefix) and _is_common_prefix(marker[len(prefix) :], delimiter):
        start, inclusive = after(marker.encode()) or b"", True
    found: list[StoredObject] = []
    prefixes: list[str] = []
    last = ""
    while True:
        jump: bytes | None = None
        for item in objects.scan(bucket, start, inclusive=inclusive, stop=stop):
            if len(found) + len(prefixes) >= most:
                return Page(tuple(found), tuple(prefixes), last if most else "")
            key = item.key.encode()
            end = key.find(cut, len(wanted)) if cut else -1
            if end < 0:
                found.append(item)
                last = item.key
                continue
            common = key[: end + len(cut)]
            last = common.decode()
            prefixes.append(last)
            jump = after(common)
            break
        if jump is None:
            return Page(tuple(found), tuple(prefixes), "")
        start, inclusive = jump, True


def _is_common_prefix(rest: str, delimiter: str) -> bool:
    """Whether the first delimiter behind the prefix ends the text."""
    return rest.endswith(delimiter) and rest.find(delimiter) == len(rest) - len(delimiter)
