"""Builds the package folder, and the zip next to it, from the checkout."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cli.config import PROJECT_FOLDER
from cli.language import _
from cli.package.dependencies import (
    Interpreter,
    candidate_interpreters,
    compile_tree,
    find_interpreter,
    install_libraries,
)
from cli.package.files import copy_sources, hash_tree, write_zip
from cli.package.models import Package, PackageError, explain_disk_errors, format_label

RULES_NAME = "rules.json"  # where the functions look for it: shared/recordings/options.py
_MAX_ATTEMPTS = 10


def compute_label(rules: bytes = b"") -> str:
    """Return the label of the package that `build` would create now. It costs neither bytecode nor a zip.

    Raises PackageError when the libraries cannot be installed, or when the disk is full.
    """
    libraries = _prepare_libraries(None)
    with tempfile.TemporaryDirectory(prefix="scribe-") as temporary, explain_disk_errors(Path(temporary)):
        tree = _copy_files(Path(temporary) / "tree", libraries, rules)
        return format_label(_read_version(), hash_tree(tree))


def build(folder: Path, *, pythons: Iterable[str] | None = None, rules: bytes = b"") -> Package:
    """Build `folder` and `<folder>.zip` from this checkout; libraries are cached in its `build/libraries`.

    `pythons` are the interpreters to try as CPython 3.10, by default `candidate_interpreters()`; without a CPython
    3.10 the package has no bytecode. `rules` is the content of rules.json; if it is empty, the package has none. Raises
    PackageError when the folder holds other files, when the libraries cannot be installed, when a source does not
    compile, or when the disk is full.
    """
    folder = folder.resolve()
    _check_replaceable(folder)
    interpreter = find_interpreter(candidate_interpreters() if pythons is None else pythons)
    libraries = _prepare_libraries(interpreter)
    with explain_disk_errors(folder.parent):
        return _build(folder, libraries, interpreter, rules)


def _prepare_libraries(interpreter: Interpreter | None) -> Path:
    cache = PROJECT_FOLDER / "build" / "libraries"
    with explain_disk_errors(cache):
        return install_libraries(PROJECT_FOLDER / "requirements.lock", cache, interpreter)


def _copy_files(tree: Path, libraries: Path, rules: bytes) -> Path:
    """Copy everything but the bytecode of our own sources to the new folder `tree`."""
    shutil.copytree(libraries, tree)
    copy_sources(PROJECT_FOLDER, tree)
    if rules:
        (tree / RULES_NAME).write_bytes(rules)
    return tree


def _build(folder: Path, libraries: Path, interpreter: Interpreter | None, rules: bytes) -> Package:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".package-", dir=folder.parent) as temporary:
        tree = _copy_files(Path(temporary) / "new", libraries, rules)
        if interpreter:
            compile_tree(tree, interpreter)
        zip_path = folder.with_name(f"{folder.name}.zip")
        unpacked_bytes = write_zip(tree, zip_path)
        digest = hash_tree(tree)
        _replace_folder(tree, folder, Path(temporary))
    return Package(
        zip_path=zip_path,
        tree=folder,
        digest=digest,
        zip_bytes=zip_path.stat().st_size,
        unpacked_bytes=unpacked_bytes,
        has_bytecode=interpreter is not None,
        version=_read_version(),
    )


def _check_replaceable(folder: Path) -> None:
    """Raise PackageError unless the folder is empty or holds a package: its content will be deleted."""
    if not folder.exists() or ((folder / "upload.py").is_file() and (folder / "shared").is_dir()):
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise PackageError(
            _(
                "{folder} holds something other than a package: choose a folder that may be replaced",
                folder=folder,
            )
        )


def _replace_folder(tree: Path, folder: Path, trash: Path) -> None:
    """Rename the new tree into place. Of two builds that run at the same time the last one stays."""
    for attempt in range(_MAX_ATTEMPTS):
        with suppress(FileNotFoundError):
            folder.rename(trash / f"old-{attempt}")
        with suppress(OSError):
            tree.rename(folder)
            return
    raise PackageError(
        _(
            "{folder} cannot be replaced: check that no other process writes there, then try again",
            folder=folder,
        )
    )


def _read_version() -> str:
    text = (PROJECT_FOLDER / "pyproject.toml").read_text("utf-8")
    match = re.search(r'^version = "([^"]+)"', text, re.MULTILINE)
    if not match:
        raise PackageError(_("pyproject.toml has no version: restore its line `version = ...`"))
    return match[1]
