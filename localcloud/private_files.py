"""Files and folders that only their owner can use: they hold keys, recordings and code that runs as the owner."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_PERMISSIONS = 0o777
_OTHERS = 0o077  # every permission of the group and of other users


def make_new_files_private() -> None:
    """Let everything that this process and its children create be for its owner only, whatever the umask was."""
    os.umask(_OTHERS)


def make_private_folder(folder: Path) -> None:
    """Create a folder for its owner only, or take the others' permissions from one that exists.

    Missing parents are created for the owner only. Raises OSError, also when the folder is another user's.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            path.mkdir(_FOLDER_MODE, exist_ok=True)
            path.chmod(_FOLDER_MODE)  # in case the umask forbids the owner too
    if folder.stat().st_mode & _PERMISSIONS != _FOLDER_MODE:
        folder.chmod(_FOLDER_MODE)


def private_opener(path: str, flags: int) -> int:
    """Open a file for `open(..., opener=...)` so that only its owner can use it, whatever the umask."""
    handle = os.open(path, flags, _FILE_MODE)
    os.fchmod(handle, _FILE_MODE)
    return handle


def write_private_bytes(path: Path, content: bytes) -> None:
    """Write a file for its owner only. A file of that name is replaced: who has it open sees only the old content."""
    path.unlink(missing_ok=True)
    with open(path, "xb", opener=private_opener) as file:
        file.write(content)


def write_private_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, see `write_private_bytes`."""
    write_private_bytes(path, text.encode())
