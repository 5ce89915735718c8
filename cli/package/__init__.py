"""What is deployed, as a folder and as a zip.

The three handlers lie at its root, because SCF loads `module.function` from there; beside them `shared/` and the
libraries that they import, because SCF has none preinstalled; and bytecode, because SCF never keeps any
(SCF documents 583/55593 and 583/32748).

    build.py       the whole of it: `build(folder) -> Package`
    libraries.py   the libraries, as requirements.lock names them: installed once, then kept
    layout.py      what goes into the folder, and what is left out
    bytecode.py    CPython 3.10's bytecode, compiled by a CPython 3.10 of this machine
    archive.py     the zip: the same bytes from the same contents
    room.py        what is said of a full disk
"""

from __future__ import annotations

from cli.package.build import build
from cli.package.product import Package, PackageError

__all__ = ["Package", "PackageError", "build"]
