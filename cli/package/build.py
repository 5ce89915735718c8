"""From the checkout to the package: its folder, and the zip beside it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cli.package.archive import write_zip
from cli.package.bytecode import Compiler, compile_below, find_compiler, likely_pythons
from cli.package.layout import digest_of, take_handlers
from cli.package.libraries import libraries
from cli.package.product import Package, PackageError
from cli.package.room import told_by_folder

ROOT = Path(__file__).resolve().parents[2]
_SWAPS = 10


def build(folder: Path, *, pythons: Iterable[str] | None = None) -> Package:
    """Makes `folder` and `<folder>.zip` anew from this checkout; libraries are kept in its `build/libraries`.

    `pythons` are the interpreters among which a CPython 3.10 is looked for, by default those of `likely_pythons`;
    without one the package has no bytecode. Raises PackageError when the folder holds something else, when the
    libraries cannot be installed, when a source does not compile, or when there is no room.
    """
    folder = folder.resolve()
    _refuse_what_is_not_ours(folder)
    compiler = find_compiler(likely_pythons() if pythons is None else pythons)
    kept = ROOT / "build" / "libraries"
    with told_by_folder(kept):
        ready = libraries(ROOT / "requirements.lock", kept, compiler)
    with told_by_folder(folder.parent):
        return _laid_out(folder, ready, compiler)


def _laid_out(folder: Path, ready: Path, compiler: Compiler | None) -> Package:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".package-", dir=folder.parent) as beside:
        tree = Path(beside) / "new"
        shutil.copytree(ready, tree)
        take_handlers(ROOT, tree)
        if compiler:
            compile_below(tree, compiler)
        zip_path = folder.with_name(f"{folder.name}.zip")
        unpacked_bytes = write_zip(tree, zip_path)
        digest = digest_of(tree)
        _put_in_place(tree, folder, Path(beside))
    return Package(
        zip_path=zip_path,
        tree=folder,
        digest=digest,
        zip_bytes=zip_path.stat().st_size,
        unpacked_bytes=unpacked_bytes,
        has_bytecode=compiler is not None,
        version=_version(),
    )


def _refuse_what_is_not_ours(folder: Path) -> None:
    """What is there gets deleted, so it has to look like a package, or be empty."""
    if not folder.exists() or ((folder / "upload.py").is_file() and (folder / "shared").is_dir()):
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise PackageError(
            f"{folder} holds something else than a package: name a folder that may be replaced"
        )


def _put_in_place(tree: Path, folder: Path, aside: Path) -> None:
    """Two builds of one folder at the same time may push each other out, and the last one stays."""
    for swap in range(_SWAPS):
        with suppress(FileNotFoundError):
            folder.rename(aside / f"old-{swap}")
        with suppress(OSError):
            tree.rename(folder)
            return
    raise PackageError(f"{folder} cannot be replaced: see that nothing else writes there, and run this again")


def _version() -> str:
    found = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    if not found:
        raise PackageError("pyproject.toml names no version: restore its line `version = ...`")
    return found[1]
