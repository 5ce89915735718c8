"""The libraries of the functions, exactly as requirements.lock names them: installed once, kept, checked by hash.

pip is asked for SCF's platform, not for this machine's, and never runs a library's own build.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cli.package.bytecode import SCF_PYTHON, Compiler, compile_below
from cli.package.layout import take_libraries
from cli.package.product import PackageError
from cli.package.room import is_full, no_room

SCF_PLATFORM = "manylinux2014_x86_64"  # CentOS 7: SCF document 583/55593


def libraries(lock: Path, kept: Path, compiler: Compiler | None) -> Path:
    """A folder with the libraries' code, and their bytecode when there is a compiler. Made below `kept` at most once.

    Raises PackageError when pip cannot get them, OSError when there is no room for them.
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    installed = _made_once(kept / digest, lambda folder: _install(lock, folder))

    def ready(folder: Path) -> None:
        take_libraries(installed, folder)
        if compiler:
            compile_below(folder, compiler)

    return _made_once(kept / f"{digest}-{compiler.version if compiler else 'plain'}", ready)


def _made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, which has its name only once it is whole."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        make(unfinished)
        unfinished.chmod(0o755)  # mkdtemp's own is for its maker alone
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():  # else somebody else was quicker, with the same
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _install(lock: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    exact = ["--require-hashes", "--no-deps", "--requirement", str(lock)]
    theirs = ["--only-binary", ":all:", "--platform", SCF_PLATFORM, "--python-version", SCF_PYTHON]
    laid_out = ["--no-compile", "--target", str(folder)]
    told = subprocess.run(  # noqa: S603 - our own words
        [*command, *exact, *theirs, *laid_out],
        env={**os.environ, "PIP_RETRIES": os.environ.get("PIP_RETRIES", "2")},
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        said = told.stderr.strip().splitlines() or ["it says nothing"]
        if is_full(told.stderr):
            raise no_room(folder)
        reason = next((line for line in reversed(said) if line.startswith("ERROR: ")), said[-1])
        raise PackageError(
            f"pip could not install the libraries of {lock.name}: {reason}. Connect to the network, or set up pip for "
            f"the package index that you can reach, and run this again. They are installed once and kept."
        )
