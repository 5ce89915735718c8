"""The libraries of requirements.lock and the bytecode of SCF's CPython 3.10.

pip installs the libraries for SCF's platform, not for this machine, checks their hashes and never builds from source.

SCF does not store bytecode: without it in the package every cold start compiles every module. Each minor version of
CPython has its own bytecode, so that a CPython 3.10 of this machine must make it. It is unchecked: SCF need not compare
it with the sources, whose times mean nothing after a zip (https://peps.python.org/pep-0552/).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cli.language import _
from cli.package.files import UNUSED_MODULES, copy_libraries
from cli.package.models import PackageError, disk_full_error, is_disk_full

SCF_PYTHON = "3.10"
SCF_PLATFORM = "manylinux2014_x86_64"  # CentOS 7: SCF document 583/55593
# USER_CODE_ROOT, SCF document 583/32748. A path of this machine would change the bytes.
SCF_CODE_ROOT = "/var/user"
_PRINT_VERSION = (
    "import platform, sys; "  # not translated
    "print(platform.python_implementation(), platform.python_version(), sys.executable)"
)
_PRINT_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython 3.10 of this machine."""

    path: str
    version: str


def install_libraries(lock: Path, cache: Path, interpreter: Interpreter | None) -> Path:
    """Return a folder below `cache` with the libraries, and their bytecode if there is an interpreter.

    Each folder is created once. Raises PackageError when pip fails, OSError when the disk is full.
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    installed = _create_once(cache / digest, lambda folder: _run_pip(lock, folder))

    def prepare(folder: Path) -> None:
        copy_libraries(installed, folder)
        if interpreter:
            compile_tree(folder, interpreter)

    without = hashlib.sha256("\n".join(UNUSED_MODULES).encode()).hexdigest()[:8]
    version = interpreter.version if interpreter else "plain"
    return _create_once(cache / f"{digest}-{version}-{without}", prepare)


def _create_once(folder: Path, create: Callable[[Path], None]) -> Path:
    """Create the folder under another name and rename it when it is complete."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        create(unfinished)
        unfinished.chmod(0o755)  # mkdtemp makes it private
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process may have created the same folder
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _run_pip(lock: Path, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    locked = ["--require-hashes", "--no-deps", "--requirement", str(lock)]
    platform = ["--only-binary", ":all:", "--platform", SCF_PLATFORM, "--python-version", SCF_PYTHON]
    output = ["--no-compile", "--target", str(folder)]
    process = subprocess.run(  # noqa: S603 - our own words
        [*pip, *locked, *platform, *output],
        env={**os.environ, "PIP_RETRIES": os.environ.get("PIP_RETRIES", "2")},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [_("no message")]
        if is_disk_full(process.stderr):
            raise disk_full_error(folder)
        reason = next((line for line in reversed(lines) if line.startswith("ERROR: ")), lines[-1])
        raise PackageError(
            _(
                "pip could not install the libraries of {file}: {reason}. Connect to the network, or configure pip for "
                "a package index that you can reach, and run this again. The libraries are then kept",
                file=lock.name,
                reason=reason,
            )
        )


def candidate_interpreters() -> Iterator[str]:
    """List where a CPython 3.10 may be. Some paths may not exist."""
    yield sys.executable
    yield "python3.10"
    for path in sorted(Path.home().glob(".pyenv/versions/3.10.*/bin/python3.10"), reverse=True):
        yield str(path)
    if uv := shutil.which("uv"):
        yield _read_first_line([uv, "python", "find", "--no-project", SCF_PYTHON])


def find_interpreter(pythons: Iterable[str]) -> Interpreter | None:
    """Return the first that is a CPython 3.10, or None."""
    for python in pythons:
        implementation, _space, rest = _read_first_line([python, "-c", _PRINT_VERSION]).partition(" ")
        version, _space, path = rest.partition(" ")
        if implementation == "CPython" and version.startswith(f"{SCF_PYTHON}.") and path:
            return Interpreter(path, version)
    return None


def compile_tree(tree: Path, interpreter: Interpreter) -> None:
    """Compile every source that has no `__pycache__` yet.

    Raises PackageError when a source does not compile, OSError when the disk is full.
    """
    command = [interpreter.path, "-S", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    paths = ["-s", str(tree), "-p", SCF_CODE_ROOT, str(tree)]
    process = subprocess.run(  # noqa: S603 - the interpreter and our own words
        [*command, *paths], env=_clean_environment(), capture_output=True, text=True, check=False
    )
    if is_disk_full(process.stdout):
        raise disk_full_error(tree)
    if process.returncode:
        raise PackageError(
            _(
                "Python {version} cannot compile the package: {output}",
                version=interpreter.version,
                output=process.stdout.strip(),
            )
        )


def _clean_environment() -> dict[str, str]:
    """Remove what configures Python. A fixed hash seed orders sets, which shows in the bytecode."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return environ | {"PYTHONHASHSEED": "0"}


def _read_first_line(command: list[str]) -> str:
    """Return the first line that a command prints; "" when it does not exist, fails or times out."""
    if not command[0]:
        return ""
    try:
        process = subprocess.run(  # noqa: S603 - our own words
            command,
            env=_clean_environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=_PRINT_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return process.stdout.partition("\n")[0].strip()
