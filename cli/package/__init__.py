"""The deployment package, as a folder and as a zip.

The three handlers are at its root, because SCF loads `module.function` from there; next to them `shared/` and the
libraries, because SCF has none preinstalled; bytecode, because SCF never stores any; and rules.json if there are rules
(SCF documents 583/55593 and 583/32748).

    build.py         build(folder) -> Package; compute_label() -> str
    dependencies.py  the libraries of requirements.lock, and their bytecode
    files.py         which files are copied; the digest; the zip
    models.py        Package, PackageError, disk errors
"""

from __future__ import annotations

from cli.package.build import build, compute_label
from cli.package.models import Package, PackageError, show_label

__all__ = ["Package", "PackageError", "build", "compute_label", "show_label"]
