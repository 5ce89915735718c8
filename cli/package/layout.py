"""What goes into the package's folder: Python sources of the handlers, of `shared/` and of the libraries, no more.

Everything is taken by what it is, not left out by what it is not: a `.env` or a key that lies in the checkout is no
Python source and so has no way in.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

_NOT_CODE = (".dist-info", "bin")  # nothing that stays asks for its own metadata
_BYTECODE = "__pycache__"


def take_handlers(root: Path, tree: Path) -> None:
    """The handlers, to the top of the folder, and `shared/`."""
    for source in sorted((root / "handlers").glob("[!_]*.py")):
        shutil.copyfile(source, tree / source.name)
    for source in sorted((root / "shared").rglob("*.py")):
        target = tree / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def take_libraries(installed: Path, tree: Path) -> None:
    """From what pip laid out in `installed`, that which a handler can come to import."""
    for entry in sorted(installed.iterdir()):
        if entry.name.endswith(_NOT_CODE):
            continue
        if entry.is_dir():
            shutil.copytree(entry, tree / entry.name)
        else:
            shutil.copyfile(entry, tree / entry.name)


def files_of(tree: Path) -> list[Path]:
    """Every file, sorted by its name inside the folder."""
    return sorted(
        (path for path in tree.rglob("*") if path.is_file()),
        key=lambda path: path.relative_to(tree).as_posix(),
    )


def digest_of(tree: Path) -> str:
    """16 hex digits over names and contents, bytecode left aside."""
    whole = hashlib.sha256()
    for name, content in _named_contents(tree):
        for part in (name.encode(), content):
            whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:16]


def _named_contents(tree: Path) -> Iterator[tuple[str, bytes]]:
    for path in files_of(tree):
        if path.parent.name != _BYTECODE:
            yield path.relative_to(tree).as_posix(), path.read_bytes()
