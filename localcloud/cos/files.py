"""Where the bytes of objects lie: under their key when that is a safe file name, else under a hash."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

from localcloud.cos.errors import CosProblem
from localcloud.store import Store

_LONGEST_PART = 200
_LONGEST_PATH = 700
# Characters and names that some file system of Windows, macOS or Linux cannot hold.
_UNSAFE_CHARACTERS = frozenset('<>:"|?*\\') | {chr(code) for code in range(32)} | {"\x7f"}
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"com{number}" for number in range(10)}
    | {f"lpt{number}" for number in range(10)}
)


def _is_safe_part(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and len(part.encode()) <= _LONGEST_PART
        and not _UNSAFE_CHARACTERS.intersection(part)
        and not part.endswith((" ", "."))
        and part.split(".", maxsplit=1)[0].lower() not in _RESERVED
    )


def is_safe(key: str) -> bool:
    """Whether a key can be a path below its bucket's folder, on any common file system."""
    return len(key.encode()) <= _LONGEST_PATH and all(_is_safe_part(part) for part in key.split("/"))


def _kind(path: str) -> int | None:
    """What lies there, links not followed; None for nothing."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except OSError:
        return None


class Files:
    """Gives names to object files and puts them in place. Names are relative to the data folder."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def path(self, name: str) -> Path:
        """The file of a name that `place` gave."""
        return self._store.folder / name

    def open(self, name: str, size: int) -> BinaryIO:
        """Open the file of an object that has `size` bytes. Raises CosProblem when it does not any more."""
        with contextlib.suppress(OSError):
            file = self.path(name).open("rb")
            if os.fstat(file.fileno()).st_size == size:
                return file
            file.close()
        raise CosProblem(
            500, "InternalError", "The file of this object in the data folder was changed by hand."
        )

    def place(self, source: Path, bucket: str, key: str, *, unlike: str = "") -> str:
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
        if not is_safe(key):
            return False
        path = str(self._store.buckets)
        *folders, last = (bucket, *key.split("/"))
        for folder in folders:
            path = f"{path}/{folder}"
            kind = _kind(path)
            if kind is None:
                return True
            if kind != stat.S_IFDIR:
                return False
        return _kind(f"{path}/{last}") not in (stat.S_IFDIR, stat.S_IFLNK)

    def plain_file(self, bucket: str, key: str) -> Path | None:
        """A file that lies in the bucket's folder under this key, whoever put it there."""
        if not is_safe(key):
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
