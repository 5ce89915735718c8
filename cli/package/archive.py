"""The zip: the same contents give the same bytes, whatever the clock, the umask and the folder."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from cli.package.layout import files_of

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
_UNIX = 3
_READABLE = 0o100644  # SCF runs the code as another user than the one that unpacks it


def write_zip(tree: Path, zip_path: Path) -> int:
    """Writes it and returns the bytes of its contents, unpacked. A reader never sees half of it."""
    unfinished = zip_path.with_name(f".{zip_path.name}.{os.getpid()}")
    try:
        unpacked = _write(tree, unfinished)
        unfinished.replace(zip_path)
    finally:
        unfinished.unlink(missing_ok=True)
    return unpacked


def _write(tree: Path, zip_path: Path) -> int:
    unpacked = 0
    with zipfile.ZipFile(zip_path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files_of(tree):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _LONG_AGO)
            entry.create_system = _UNIX
            entry.external_attr = _READABLE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            content = path.read_bytes()
            archive.writestr(entry, content)
            unpacked += len(content)
    return unpacked
