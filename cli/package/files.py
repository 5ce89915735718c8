"""Which files get into the package, their digest, and the zip.

Files are copied by what they are (Python sources, and the style and the script of the page), not left out by name: a
`.env` or a key file in the checkout cannot get in.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

_SOURCE_SUFFIXES = frozenset({".py", ".css", ".js"})
_SKIPPED_SUFFIXES = (".dist-info", "bin")  # no library reads its own metadata
# What the functions never use: a fifth of the package. anyio and what only it needs: httpcore imports it if it is
# there, for asynchronous requests, which the functions never send. Modules that need a library which the package does
# not have (anyio, trio, h2, click): what would import them catches that ImportError, or never does. idna/cli.py is a
# command.
UNUSED_MODULES = (
    "anyio",
    "exceptiongroup",
    "httpcore/_async/http2.py",
    "httpcore/_backends/anyio.py",
    "httpcore/_backends/trio.py",
    "httpcore/_sync/http2.py",
    "httpx/_main.py",
    "idna/cli.py",
    "typing_extensions.py",
)
_BYTECODE_FOLDER = "__pycache__"

# The same contents give the same zip bytes, independent of clock, umask and folder.
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can store
_CREATE_SYSTEM_UNIX = 3
_FILE_MODE = 0o100644  # SCF unpacks and runs the code as different users


def copy_sources(root: Path, tree: Path) -> None:
    """Copy the handlers to the top of the folder, and `shared/`."""
    for source in sorted((root / "handlers").glob("[!_]*.py")):
        shutil.copyfile(source, tree / source.name)
    for source in sorted((root / "shared").rglob("*")):
        if source.suffix not in _SOURCE_SUFFIXES or not source.is_file():
            continue
        target = tree / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def copy_libraries(installed: Path, tree: Path) -> None:
    """Copy what a handler can import from the folder `installed`, which pip wrote, without bytecode."""
    for entry in sorted(installed.iterdir()):
        if entry.name.endswith(_SKIPPED_SUFFIXES):
            continue
        if entry.is_dir():
            shutil.copytree(entry, tree / entry.name)
        else:
            shutil.copyfile(entry, tree / entry.name)
    for name in UNUSED_MODULES:
        if (tree / name).is_dir():
            shutil.rmtree(tree / name)
        else:
            (tree / name).unlink(missing_ok=True)


def list_files(tree: Path) -> list[Path]:
    """List every file, sorted by its path inside the folder."""
    return sorted(
        (path for path in tree.rglob("*") if path.is_file()),
        key=lambda path: path.relative_to(tree).as_posix(),
    )


def hash_tree(tree: Path) -> str:
    """Hash names and contents without bytecode; 16 hex digits."""
    digest = hashlib.sha256()
    for path in list_files(tree):
        if path.parent.name != _BYTECODE_FOLDER:
            for part in (path.relative_to(tree).as_posix().encode(), path.read_bytes()):
                digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def write_zip(tree: Path, zip_path: Path) -> int:
    """Write the zip, under another name until it is complete. Return the unpacked size in bytes."""
    unfinished = zip_path.with_name(f".{zip_path.name}.{os.getpid()}")
    try:
        unpacked_bytes = _write_entries(tree, unfinished)
        unfinished.replace(zip_path)
    finally:
        unfinished.unlink(missing_ok=True)
    return unpacked_bytes


def _write_entries(tree: Path, zip_path: Path) -> int:
    unpacked_bytes = 0
    with zipfile.ZipFile(zip_path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in list_files(tree):
            entry = zipfile.ZipInfo(path.relative_to(tree).as_posix(), _FIXED_TIME)
            entry.create_system = _CREATE_SYSTEM_UNIX
            entry.external_attr = _FILE_MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            content = path.read_bytes()
            archive.writestr(entry, content)
            unpacked_bytes += len(content)
    return unpacked_bytes
