"""Bytecode for SCF's CPython 3.10. SCF keeps none of its own: without it, each cold start compiles every module anew.

It has to be made by a CPython 3.10, because each minor version has its own. It is unchecked: SCF need not look at the
sources, whose times say nothing after a zip (https://peps.python.org/pep-0552/).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.package.product import PackageError
from cli.package.room import is_full, no_room

SCF_PYTHON = "3.10"
SCF_CODE_ROOT = (
    "/var/user"  # SCF document 583/32748: USER_CODE_ROOT. A path of this machine would get into the bytes
)
_WHO = (
    "import platform, sys; print(platform.python_implementation(), platform.python_version(), sys.executable)"
)
_SECONDS_TO_ANSWER = 20


@dataclass(frozen=True, slots=True)
class Compiler:
    """A CPython 3.10 of this machine."""

    path: str
    version: str


def likely_pythons() -> Iterator[str]:
    """Where a CPython 3.10 may be, the nearest first. Not every one needs to exist."""
    yield sys.executable
    yield "python3.10"
    for found in sorted(Path.home().glob(".pyenv/versions/3.10.*/bin/python3.10"), reverse=True):
        yield str(found)
    if uv := shutil.which("uv"):
        yield _printed([uv, "python", "find", "--no-project", SCF_PYTHON])


def find_compiler(pythons: Iterable[str]) -> Compiler | None:
    """The first of them that is a CPython 3.10, or None."""
    for python in pythons:
        made_by, _, rest = _printed([python, "-c", _WHO]).partition(" ")
        version, _, path = rest.partition(" ")
        if made_by == "CPython" and version.startswith(f"{SCF_PYTHON}.") and path:
            return Compiler(path, version)
    return None


def compile_below(tree: Path, compiler: Compiler) -> None:
    """Lays `__pycache__` beside every source that has none yet. Raises PackageError when one does not compile.

    OSError when there is no room for what it makes.
    """
    command = [compiler.path, "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    where = ["-s", str(tree), "-p", SCF_CODE_ROOT, str(tree)]
    told = subprocess.run(  # noqa: S603 - an interpreter that was found and our own words
        [*command, *where], env=_plain_environment(), capture_output=True, text=True, check=False
    )
    if is_full(told.stdout):
        raise no_room(tree)
    if told.returncode:
        raise PackageError(f"Python {compiler.version} cannot compile the package: {told.stdout.strip()}")


def _plain_environment() -> dict[str, str]:
    """Nothing that changes how Python works, but a fixed order of sets: it shows in the bytecode."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"PYTHONHASHSEED": "0"}


def _printed(command: list[str]) -> str:
    """What a command prints on its first line; empty when there is none such, or it fails or hangs."""
    if not command[0]:
        return ""
    try:
        told = subprocess.run(  # noqa: S603 - our own words
            command,
            env=_plain_environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS_TO_ANSWER,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.partition("\n")[0].strip()
