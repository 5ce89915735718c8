"""What objects are made of: their files in the data folder, the headers that are stored with them, tags, key rules."""

from __future__ import annotations

import base64
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
from localcloud.xml import Node

MAX_KEY_BYTES = 850  # UTF-8; COS error codes 436/7730 InvalidURI
_MAX_SEGMENT_BYTES = 200
_MAX_PATH_BYTES = 700
# Characters and names that some file system of Windows, macOS or Linux cannot hold.
_UNSAFE_CHARACTERS = frozenset('<>:"|?*\\') | {chr(code) for code in range(32)} | {"\x7f"}
_RESERVED_NAMES = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"com{number}" for number in range(10)}
    | {f"lpt{number}" for number in range(10)}
)

_MAX_METADATA_BYTES = 2048  # names and values together; COS PUT Object
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
# Encryption with the customer's key (SSE-C): "Common request headers" 436/7728. Algorithm and MD5 come back with every
# read (436/7753, sample 7); the key is not stored.
CUSTOMER_KEY_PREFIX = "x-cos-server-side-encryption-customer-"
CUSTOMER_KEY_MD5 = f"{CUSTOMER_KEY_PREFIX}key-md5"
COPY_SOURCE_KEY_MD5 = "x-cos-copy-source-server-side-encryption-customer-key-md5"
_CUSTOMER_KEY_BYTES = 32
# COS GET Object: these query parameters replace headers of the response.
RESPONSE_OVERRIDES = {
    "response-cache-control": "cache-control",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
    "response-content-language": "content-language",
    "response-content-type": "content-type",
    "response-expires": "expires",
}

Tags = tuple[tuple[str, str], ...]


def _is_safe_segment(segment: str) -> bool:
    return (
        segment not in ("", ".", "..")
        and len(segment.encode()) <= _MAX_SEGMENT_BYTES
        and not _UNSAFE_CHARACTERS.intersection(segment)
        and not segment.endswith((" ", "."))
        and segment.split(".", maxsplit=1)[0].lower() not in _RESERVED_NAMES
    )


def is_safe_key(key: str) -> bool:
    """Whether a key can be a path below its bucket's folder, on every common file system."""
    return len(key.encode()) <= _MAX_PATH_BYTES and all(
        _is_safe_segment(segment) for segment in key.split("/")
    )


def _file_type(path: str) -> int | None:
    """Return the type of a file without following links; None if nothing exists there."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except OSError:
        return None


class FileStorage:
    """Stores the bytes of objects: under their key if that is a safe file name, else under a hash.

    File names are relative to the data folder.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def path(self, name: str) -> Path:
        """Return the path of a file name that `store` returned."""
        return self._store.folder / name

    def open(self, name: str, size: int) -> BinaryIO:
        """Open the file of an object of `size` bytes. Raises CosError when the file is missing or has another size."""
        with contextlib.suppress(OSError):
            file = self.path(name).open("rb")
            if os.fstat(file.fileno()).st_size == size:
                return file
            file.close()
        raise CosError(
            500, "InternalError", "The file of this object in the data folder was changed by hand."
        )

    def store(self, source: Path, bucket: str, key: str, *, disambiguator: str = "") -> str:
        """Move a finished file to the place of this object, replacing an older file; return its name.

        `disambiguator` makes the name unique: a version id, or the key where a case-insensitive disk would put two
        objects into one file.
        """
        name = f"buckets/{bucket}/{key}"
        if disambiguator or not self._can_use_key(bucket, key):
            digest = hashlib.sha256(f"{bucket}\n{key}\n{disambiguator}".encode()).hexdigest()
            name = f"hashed/{digest[:2]}/{digest}"
        target = self.path(name)
        try:
            source.replace(target)
        except FileNotFoundError:  # its folder does not exist yet
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
        return name

    def _can_use_key(self, bucket: str, key: str) -> bool:
        """Whether `buckets/<bucket>/<key>` can be a file: the key is safe and has no conflict such as `a` and `a/b`."""
        if not is_safe_key(key):
            return False
        path = str(self._store.buckets)
        *folders, last = (bucket, *key.split("/"))
        for folder in folders:
            path = f"{path}/{folder}"
            file_type = _file_type(path)
            if file_type is None:
                return True
            if file_type != stat.S_IFDIR:
                return False
        return _file_type(f"{path}/{last}") not in (stat.S_IFDIR, stat.S_IFLNK)

    def find_plain_file(self, bucket: str, key: str) -> Path | None:
        """Find a file under this key in the bucket's folder, also one that a user put there."""
        if not is_safe_key(key):
            return None
        path = self._store.buckets / bucket / key
        return path if path.is_file() else None

    def remove(self, name: str) -> None:
        """Delete a file, and its folders that are empty then."""
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


def check_key(key: str) -> None:
    """Check the length of a key. Raises InvalidURI."""
    if len(key.encode()) > MAX_KEY_BYTES:
        raise CosError(400, "InvalidURI", f"A key has at most {MAX_KEY_BYTES} bytes of UTF-8.")


def stored_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an upload that are stored and sent with every read. Raises MetadataTooLarge."""
    metadata = {name: value for name, value in headers.items() if name.startswith("x-cos-meta-")}
    if (
        sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
        > _MAX_METADATA_BYTES
    ):
        raise CosError(
            400, "MetadataTooLarge", f"User metadata takes at most {_MAX_METADATA_BYTES} bytes in all."
        )
    stored = {name: headers[name] for name in _STORED_HEADERS if name in headers}
    if stored.get("x-cos-storage-class") == "STANDARD":
        del stored["x-cos-storage-class"]  # COS HEAD Object: absent means STANDARD
    return stored | metadata | _parse_customer_key(headers)


def _parse_customer_key(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the algorithm and the MD5 of the key of an SSE-C upload; empty for any other. Raises InvalidArgument."""
    algorithm, key, digest = (
        headers.get(f"{CUSTOMER_KEY_PREFIX}{name}", "") for name in ("algorithm", "key", "key-md5")
    )
    if not (algorithm or key or digest):
        return {}
    try:
        raw_key = base64.b64decode(key, validate=True)
    except ValueError:
        raw_key = b""
    expected = base64.b64encode(hashlib.md5(raw_key).digest()).decode()
    if algorithm != "AES256" or len(raw_key) != _CUSTOMER_KEY_BYTES or digest != expected:
        raise invalid_argument("SSE-C needs the algorithm AES256, a key of 32 bytes, and the MD5 of the key.")
    return {f"{CUSTOMER_KEY_PREFIX}algorithm": algorithm, CUSTOMER_KEY_MD5: digest}


def parse_tagging_header(header: str) -> Tags:
    """Parse an x-cos-tagging header, `k=v&k=v`. Raises BadRequest, InvalidTag."""
    return _check_tags(parse_qsl(header, keep_blank_values=True))


def parse_tagging_body(root: Node) -> Tags:
    """Parse a <Tagging> body. Raises MalformedXML, BadRequest, InvalidTag."""
    tag_set = root.find("TagSet")
    if root.name != "Tagging" or tag_set is None:
        raise CosError(400, "MalformedXML", "A Tagging node with a TagSet is needed.")
    return _check_tags([(tag.value("Key"), tag.value("Value")) for tag in tag_set.find_all("Tag")])


def _check_tags(tags: list[tuple[str, str]]) -> Tags:
    # COS PUT Object tagging: limits and characters.
    if len(tags) > _MAX_TAGS:
        raise CosError(400, "BadRequest", f"An object has at most {_MAX_TAGS} tags.")
    names = [name for name, _ in tags]
    if len(set(names)) != len(names):
        raise CosError(400, "InvalidTag", "A tag key is used twice.")
    for name, value in tags:
        if not 1 <= len(name.encode()) <= 128 or len(value.encode()) > 256 or name.startswith("cos:"):  # noqa: PLR2004 - the documented limits
            raise CosError(400, "InvalidTag", "A tag key has 1 to 128 bytes, a value at most 256.")
        if not _TAG_TEXT.fullmatch(name) or not _TAG_TEXT.fullmatch(value):
            raise CosError(400, "InvalidTag", "A tag has letters, digits, blanks and + - _ = . : / only.")
    return tuple(tags)


def parse_int(text: str, name: str, lowest: int, highest: int) -> int:
    """Parse a whole number from a query parameter or an element. Raises InvalidArgument."""
    if not _INTEGER.fullmatch(text) or not lowest <= int(text) <= highest:
        raise invalid_argument(f"{name} is a number from {lowest} to {highest}.")
    return int(text)
