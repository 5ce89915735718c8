"""The headers that stay with an object, its tags, and the rules for keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from localcloud.cos.errors import CosProblem, invalid
from localcloud.xml import Node, node

LONGEST_KEY = 850  # bytes of UTF-8; COS error codes 436/7730 InvalidURI
_MOST_METADATA = 2048  # bytes, names and values together; COS PUT Object
_MOST_TAGS = 10
_TAG_TEXT = re.compile(r"[\w +\-=.:/]*")
_NUMBER = re.compile(r"[0-9]{1,12}")
_KEPT = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-cos-storage-class",
    "x-cos-server-side-encryption",
)
# COS GET Object: these query parameters replace headers of the answer.
OVERRIDES = {
    "response-cache-control": "cache-control",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
    "response-content-language": "content-language",
    "response-content-type": "content-type",
    "response-expires": "expires",
}

Tags = tuple[tuple[str, str], ...]


def check_key(key: str) -> None:
    """Refuse a key that is too long."""
    if len(key.encode()) > LONGEST_KEY:
        raise CosProblem(400, "InvalidURI", f"A key has at most {LONGEST_KEY} bytes of UTF-8.")


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an upload that a later read gives back. Raises MetadataTooLarge."""
    own = {name: value for name, value in headers.items() if name.startswith("x-cos-meta-")}
    if sum(len(name.encode()) + len(value.encode()) for name, value in own.items()) > _MOST_METADATA:
        raise CosProblem(
            400, "MetadataTooLarge", f"User metadata takes at most {_MOST_METADATA} bytes in all."
        )
    kept = {name: headers[name] for name in _KEPT if name in headers}
    if kept.get("x-cos-storage-class") == "STANDARD":
        del kept["x-cos-storage-class"]  # COS HEAD Object: absent means STANDARD
    return kept | own


def tags_of_header(header: str) -> Tags:
    """The tags of an x-cos-tagging header, `k=v&k=v`."""
    return _checked(parse_qsl(header, keep_blank_values=True))


def tags_of_body(root: Node) -> Tags:
    """The tags of a <Tagging> body."""
    tag_set = root.find("TagSet")
    if root.name != "Tagging" or tag_set is None:
        raise CosProblem(400, "MalformedXML", "A Tagging node with a TagSet is needed.")
    return _checked([(tag.value("Key"), tag.value("Value")) for tag in tag_set.find_all("Tag")])


def _checked(tags: list[tuple[str, str]]) -> Tags:
    # COS PUT Object tagging: limits and characters.
    if len(tags) > _MOST_TAGS:
        raise CosProblem(400, "BadRequest", f"An object has at most {_MOST_TAGS} tags.")
    names = [name for name, _ in tags]
    if len(set(names)) != len(names):
        raise CosProblem(400, "InvalidTag", "A tag key is given twice.")
    for name, value in tags:
        if not 1 <= len(name.encode()) <= 128 or len(value.encode()) > 256 or name.startswith("cos:"):  # noqa: PLR2004 - the documented limits
            raise CosProblem(400, "InvalidTag", "A tag key has 1 to 128 bytes, a value at most 256.")
        if not _TAG_TEXT.fullmatch(name) or not _TAG_TEXT.fullmatch(value):
            raise CosProblem(400, "InvalidTag", "A tag has letters, digits, blanks and + - _ = . : / only.")
    return tuple(tags)


def tagging(tags: Tags) -> Node:
    """The <Tagging> answer."""
    return node("Tagging", node("TagSet", *(node("Tag", node("Key", k), node("Value", v)) for k, v in tags)))


def number(text: str, name: str, lowest: int, highest: int) -> int:
    """A whole number from a query parameter. Raises InvalidArgument."""
    if not _NUMBER.fullmatch(text) or not lowest <= int(text) <= highest:
        raise invalid(f"{name} is a number from {lowest} to {highest}.")
    return int(text)
