"""Uploaded code: from the base64 text of a zip to a folder that functions run from."""

from __future__ import annotations

import base64
import binascii
import calendar
import hashlib
import io
import os
import secrets
import shutil
import stat
import zipfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from localcloud.control.calls import Refusal
from localcloud.control.scf.records import Code

_MOST_ZIP_BYTES = 50 * 1024 * 1024  # 583/11637
_MOST_UNPACKED_BYTES = 500 * 1024 * 1024  # 583/11637
_BAD_ZIP = "InvalidParameterValue.ZipFile"


class CodeFolders:
    """One folder for each uploaded zip, with the zip beside it; both stay until the next start: old code may run on."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def keep_only(self, codes: Collection[Code]) -> None:
        """Throw away what no function refers to."""
        wanted = {code.folder for code in codes}
        for found in self._root.iterdir():
            if found.name.removesuffix(".zip") not in wanted:
                shutil.rmtree(found) if found.is_dir() else found.unlink()

    def folder(self, code: Code) -> Path:
        """Where it is unpacked."""
        return self._root / code.folder

    def zip_file(self, code: Code) -> Path:
        """The zip as it was uploaded."""
        return self._root / f"{code.folder}.zip"

    def unpack(self, text: str) -> Code:
        """Keep and unpack a zip, given as base64 text. Takes too long for the event loop. Raises Refusal."""
        if len(text) > -(-_MOST_ZIP_BYTES // 3) * 4:
            raise Refusal("InvalidParameter.RequestTooLarge", f"The zip has over {_MOST_ZIP_BYTES} bytes.")
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(
                "InvalidParameterValue.ZipFileBase64BinasciiError", f"ZipFile is not base64: {error}."
            ) from None
        code = Code(secrets.token_hex(8), hashlib.sha256(content).hexdigest(), len(content))
        folder = self.folder(code)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                _check(archive.infolist())
                folder.mkdir()
                for entry in archive.infolist():
                    _unpack_one(archive, entry, folder)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise Refusal(_BAD_ZIP, f"The zip cannot be unpacked: {error}.") from None
        self.zip_file(code).write_bytes(content)
        return code


def _check(entries: list[zipfile.ZipInfo]) -> None:
    size = sum(entry.file_size for entry in entries)
    if size > _MOST_UNPACKED_BYTES:
        raise Refusal(_BAD_ZIP, f"Unpacked it has {size} bytes, more than {_MOST_UNPACKED_BYTES}.")
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise Refusal(_BAD_ZIP, f"The zip holds {entry.filename!r}, which lies outside of its folder.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise Refusal(_BAD_ZIP, f"The zip holds {entry.filename!r}, a link; links cannot be used here.")


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    # With the times that the zip says, as unzip does it: Python compares those of a module with its bytecode's.
    made_s = calendar.timegm((*entry.date_time, 0, 0, 0))
    os.utime(archive.extract(entry, folder), (made_s, made_s))
