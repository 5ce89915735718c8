"""The result of a build, its error, and disk errors as one message instead of one line per file."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.errors import OperatorError
from cli.language import _, choose_text

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class PackageError(OperatorError):
    """The package could not be built. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Package:
    """One build. `digest` is 16 hex digits over names and contents without the bytecode.

    So it is the same on laptops with different patch releases of CPython 3.10, or without one.
    """

    zip_path: Path
    tree: Path
    digest: str
    zip_bytes: int
    unpacked_bytes: int
    has_bytecode: bool
    version: str

    @property
    def label(self) -> str:
        """A function's Description."""
        return format_label(self.version, self.digest)

    @property
    def summary(self) -> str:
        """Two lines for the operator; without bytecode they say what that costs and how to fix it."""
        bytecode = _("with bytecode for CPython 3.10")
        if not self.has_bytecode:
            bytecode = _(
                "without bytecode: each cold start takes about twice as long. No CPython 3.10 was found; install one "
                "(python3.10 on the PATH, pyenv or uv) and run this again"
            )
        return _(
            "{tree}: {label}, {bytecode}\n{zip_path}: {zip_bytes:,} bytes, unpacked {unpacked_bytes:,}",
            tree=self.tree,
            label=self.label,
            bytecode=bytecode,
            zip_path=self.zip_path,
            zip_bytes=self.zip_bytes,
            unpacked_bytes=self.unpacked_bytes,
        )


def format_label(version: str, digest: str) -> str:
    """Format a function's Description. SCF accepts letters, digits, spaces, commas and full stops only."""
    return f"Scribe {version}, package {digest}"


def show_label(label: str) -> str:
    """Return what a label is on the screen."""
    return choose_text(label, label.replace(", package ", "，部署包 "))


@contextmanager
def explain_disk_errors(folder: Path) -> Iterator[None]:
    """Turn an OSError while writing below `folder` into a PackageError that names the folder."""
    try:
        yield
    except OSError as error:
        reason = _get_reason(error)
        if not is_disk_full(reason):
            raise PackageError(
                _(
                    "the package could not be written to {folder}: {reason}. Check that the folder is writable",
                    folder=folder,
                    reason=reason,
                )
            ) from None
        hint = _("Free some space")
        if folder.is_relative_to(Path(tempfile.gettempdir()).resolve()):
            hint = _("Free some space, or set TMPDIR to a folder on another disk")
        raise PackageError(
            _(
                "the disk is full: no space in {folder} for the package (about 4 MiB). {hint}, and run this again",
                folder=folder,
                hint=hint,
            )
        ) from None


def is_disk_full(text: str) -> bool:
    """Whether an error message in Python's words says that a disk or a quota is full."""
    return any(f"[Errno {number}]" in text for number in _DISK_FULL)


def disk_full_error(folder: Path) -> OSError:
    """Build the OSError for a child process that reported a full disk."""
    return OSError(errno.ENOSPC, "No space left on device", str(folder))  # not translated


def _get_reason(error: OSError) -> str:
    """Return the message; of a shutil.Error, which lists (from, to, reason) for each file, the first reason."""
    listed = error.args[0] if error.args and error.errno is None else ""
    return str(listed[0][-1]) if isinstance(listed, list) and listed else str(error)
