"""Where the bytes of objects lie: under their key when that is a safe file name, else under a hash."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

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


class Files:
    """Gives names to object files and puts them in place. Names are relative to the data folder."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def path(self, name: str) -> Path:
        """The file of a name that `place` gave."""
        return self._store.folder / name

    def place(self, source: Path, bucket: str, key: str, *, unlike: str = "") -> str:
        """Move a finished file to where this object belongs, replacing what is there; return its name.

        `unlike` makes the name unique: a version id, or whatever tells two objects apart that a
        case-insensitive disk would put into one file.
        """
        target = self._plain(bucket, key) if not unlike else None
        if target is None:
            digest = hashlib.sha256(f"{bucket}\n{key}\n{unlike}".encode()).hexdigest()
            target = self._store.hashed / digest[:2] / digest
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)  # noqa: PTH105 - Path.replace says the same with one more object
        return target.relative_to(self._store.folder).as_posix()

    def _plain(self, bucket: str, key: str) -> Path | None:
        """`buckets/<bucket>/<key>`, unless the key is unsafe or crosses another one, as `a` and `a/b` do."""
        if not is_safe(key):
            return None
        root = self._store.buckets / bucket
        target = root / key
        if target.is_dir() or target.is_symlink():
            return None
        ancestors = [parent for parent in target.parents if parent.is_relative_to(root)]
        if any(parent.is_symlink() or (parent.exists() and not parent.is_dir()) for parent in ancestors):
            return None
        return target

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
