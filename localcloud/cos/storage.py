"""Where the bytes of objects lie: under their key when that is a safe file name, else under a hash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qsl

from localcloud.cos.exceptions import CosError, invalid_argument
from localcloud.store import Store
from localcloud.xml import Node, node

_MAX_SEGMENT_BYTES = 200
_MAX_PATH_BYTES = 700
# Characters and names that some file system of Windows, macOS or Linux cannot hold.
_UNSAFE_CHARACTERS = frozenset('<>:"|?*\\') | {chr(code) for code in range(32)} | {"\x7f"}
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"com{number}" for number in range(10)}
    | {f"lpt{number}" for number in range(10)}
)


def _is_safe_segment(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and len(part.encode()) <= _MAX_SEGMENT_BYTES
        and not _UNSAFE_CHARACTERS.intersection(part)
        and not part.endswith((" ", "."))
        and part.split(".", maxsplit=1)[0].lower() not in _RESERVED
    )


def is_safe_key(key: str) -> bool:
    """Whether a key can be a path below its bucket's folder, on any common file system."""
    return len(key.encode()) <= _MAX_PATH_BYTES and all(_is_safe_segment(part) for part in key.split("/"))


def _file_type(path: str) -> int | None:
    """What lies there, links not followed; None for nothing."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except OSError:
        return None


class FileStorage:
    """Gives names to object files and puts them in place. Names are relative to the data folder."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def path(self, name: str) -> Path:
        """The file of a name that `place` gave."""
        return self._store.folder / name

    def open(self, name: str, size: int) -> BinaryIO:
        """Open the file of an object that has `size` bytes. Raises CosError when it does not any more."""
        with contextlib.suppress(OSError):
            file = self.path(name).open("rb")
            if os.fstat(file.fileno()).st_size == size:
                return file
            file.close()
        raise CosError(
            500, "InternalError", "The file of this object in the data folder was changed by hand."
        )

    def store(self, source: Path, bucket: str, key: str, *, unlike: str = "") -> str:
        """Move a finished file to where this object belongs, replacing what is there; return its name.

        `unlike` makes the name unique: a version id, or whatever tells two objects apart that a
        case-insensitive disk would put into one file.
        """
        name = f"buckets/{bucket}/{key}"
        if unlike or not self._is_free(bucket, key):
            digest = hashlib.sha256(f"{bucket}\n{key}\n{unlike}".encode()).hexdigest()
            name = f"hashed/{digest[:2]}/{digest}"
        target = self.path(name)
        try:
            source.replace(target)
        except FileNotFoundError:  # its folder is not there yet
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        return name

    def _is_free(self, bucket: str, key: str) -> bool:
        """Whether `buckets/<bucket>/<key>` can be a file: it is safe, and crosses no other key as `a` and `a/b` do."""
        if not is_safe_key(key):
            return False
        path = str(self._store.buckets)
        *folders, last = (bucket, *key.split("/"))
        for folder in folders:
            path = f"{path}/{folder}"
            kind = _file_type(path)
            if kind is None:
                return True
            if kind != stat.S_IFDIR:
                return False
        return _file_type(f"{path}/{last}") not in (stat.S_IFDIR, stat.S_IFLNK)

    def find_plain_file(self, bucket: str, key: str) -> Path | None:
        """A file that lies in the bucket's folder under this key, whoever put it there."""
        if not is_safe_key(key):
            return None
        path = self._store.buckets / bucket / key
        return path if path.is_file() else None

    def remove(self, name: str) -> None:
        """Delete a file and the folders that it leaves empty."""
        path = self.path(name)
        path.unlink(missing_ok=True)
        keep = {self._store.buckets, self._store.hashed}
        for parent in path.parents:
            if parent in keep or parent.parent in keep:
                return
            try:
                parent.rmdir()
            except OSError:
                return


MAX_KEY_BYTES = 850  # bytes of UTF-8; COS error codes 436/7730 InvalidURI
_MAX_METADATA_BYTES = 2048  # bytes, names and values together; COS PUT Object
_MAX_TAGS = 10
_TAG_TEXT = re.compile(r"[\w +\-=.:/]*")
_INTEGER = re.compile(r"[0-9]{1,12}")
_STORED_HEADERS = (
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
RESPONSE_OVERRIDES = {
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
    if len(key.encode()) > MAX_KEY_BYTES:
        raise CosError(400, "InvalidURI", f"A key has at most {MAX_KEY_BYTES} bytes of UTF-8.")


def stored_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an upload that a later read gives back. Raises MetadataTooLarge."""
    own = {name: value for name, value in headers.items() if name.startswith("x-cos-meta-")}
    if sum(len(name.encode()) + len(value.encode()) for name, value in own.items()) > _MAX_METADATA_BYTES:
        raise CosError(
            400, "MetadataTooLarge", f"User metadata takes at most {_MAX_METADATA_BYTES} bytes in all."
        )
    kept = {name: headers[name] for name in _STORED_HEADERS if name in headers}
    if kept.get("x-cos-storage-class") == "STANDARD":
        del kept["x-cos-storage-class"]  # COS HEAD Object: absent means STANDARD
    return kept | own


def parse_tagging_header(header: str) -> Tags:
    """The tags of an x-cos-tagging header, `k=v&k=v`."""
    return _validate_tags(parse_qsl(header, keep_blank_values=True))


def parse_tagging_body(root: Node) -> Tags:
    """The tags of a <Tagging> body."""
    tag_set = root.find("TagSet")
    if root.name != "Tagging" or tag_set is None:
        raise CosError(400, "MalformedXML", "A Tagging node with a TagSet is needed.")
    return _validate_tags([(tag.value("Key"), tag.value("Value")) for tag in tag_set.find_all("Tag")])


def _validate_tags(tags: list[tuple[str, str]]) -> Tags:
    # COS PUT Object tagging: limits and characters.
    if len(tags) > _MAX_TAGS:
        raise CosError(400, "BadRequest", f"An object has at most {_MAX_TAGS} tags.")
    names = [name for name, _ in tags]
    if len(set(names)) != len(names):
        raise CosError(400, "InvalidTag", "A tag key is given twice.")
    for name, value in tags:
        if not 1 <= len(name.encode()) <= 128 or len(value.encode()) > 256 or name.startswith("cos:"):  # noqa: PLR2004 - the documented limits
            raise CosError(400, "InvalidTag", "A tag key has 1 to 128 bytes, a value at most 256.")
        if not _TAG_TEXT.fullmatch(name) or not _TAG_TEXT.fullmatch(value):
            raise CosError(400, "InvalidTag", "A tag has letters, digits, blanks and + - _ = . : / only.")
    return tuple(tags)


def tagging(tags: Tags) -> Node:
    """The <Tagging> answer."""
    return node("Tagging", node("TagSet", *(node("Tag", node("Key", k), node("Value", v)) for k, v in tags)))


def parse_int(text: str, name: str, lowest: int, highest: int) -> int:
    """A whole number from a query parameter. Raises InvalidArgument."""
    if not _INTEGER.fullmatch(text) or not lowest <= int(text) <= highest:
        raise invalid_argument(f"{name} is a number from {lowest} to {highest}.")
    return int(text)
