"""What a build gives: where the package lies and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cli.errors import OperatorError


class PackageError(OperatorError):
    """The package could not be built. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Package:
    """One build. `digest` is 16 hex digits over names and contents without the bytecode.

    So two laptops agree on it though their CPython 3.10 are of different patch releases, or one has none.
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
        """For a function's Description, where SCF takes letters, digits, blanks, commas and full stops only."""
        return f"Scribe {self.version}, package {self.digest}"

    @property
    def described(self) -> str:
        """Two lines for the operator. Without bytecode they say what that costs and how to mend it."""
        bytecode = "with bytecode for CPython 3.10"
        if not self.has_bytecode:
            bytecode = (
                "without bytecode: each cold start takes about twice as long. No CPython 3.10 was found; install one "
                "(python3.10 on the PATH, pyenv or uv) and run this again"
            )
        return (
            f"{self.tree}: {self.label}, {bytecode}\n"
            f"{self.zip_path}: {self.zip_bytes:,} bytes, unpacked {self.unpacked_bytes:,}"
        )
