"""A copy of the checkout, for commands that read files beside serverless.yml."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def copy_checkout(folder: Path) -> Path:
    """Copy the programs and serverless.yml; samples and cached libraries are links."""
    for part in ("cli", "handlers", "localcloud", "shared"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "requirements.lock", "serverless.yml"):
        shutil.copyfile(ROOT / part, folder / part)
    for part in ("samples", "build"):
        (folder / part).symlink_to(ROOT / part)
    return folder
