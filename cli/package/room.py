"""What a build says when a disk is full or a folder cannot be written, instead of one line for each file."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.package.product import PackageError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def told_by_folder(folder: Path) -> Iterator[None]:
    """Raises PackageError, which names `folder`, in the stead of an OSError from the writing below it."""
    try:
        yield
    except OSError as error:
        reason = _reason(error)
        if not is_full(reason):
            raise PackageError(
                f"the package could not be made in {folder}: {reason}; see that this folder can be written"
            ) from None
        elsewhere = ", or set TMPDIR to a folder that has it" if _is_temporary(folder) else ""
        raise PackageError(
            f"no room in {folder} for the package (about 4 MiB): make some{elsewhere}, and run this again"
        ) from None


def is_full(text: str) -> bool:
    """Whether a program's complaint, in Python's words, is of a disk or a quota that is used up."""
    return any(f"[Errno {number}]" in text for number in _FULL)


def no_room(folder: Path) -> OSError:
    """What another process met with, as if this one had."""
    return OSError(errno.ENOSPC, "No space left on device", str(folder))


def _reason(error: OSError) -> str:
    """The first of them, where shutil.Error lists a reason for each file as (from, to, reason)."""
    listed = error.args[0] if error.args and error.errno is None else ""
    return str(listed[0][-1]) if isinstance(listed, list) and listed else str(error)


def _is_temporary(folder: Path) -> bool:
    return folder.is_relative_to(Path(tempfile.gettempdir()).resolve())
