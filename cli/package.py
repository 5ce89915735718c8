"""What is deployed, laid out in a folder: the three handlers at its root, `shared/`, and the libraries they import.

SCF loads `module.function` from the root, runs CPython 3.10 on an old glibc, and has no library preinstalled
(SCF document 583/55593). `python -m cli.package build/package` is what
`make package` and the hook in serverless.yml call.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("httpx", "xmltodict")  # as in pyproject.toml's dependencies
SCF_PYTHON, SCF_PLATFORM = "3.10", "manylinux2014_x86_64"


def lay_out(folder: Path) -> None:
    """Makes the folder anew. Raises CalledProcessError when pip cannot get the libraries."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for handler in sorted((ROOT / "handlers").glob("[!_]*.py")):
        shutil.copy2(handler, folder / handler.name)
    shutil.copytree(ROOT / "shared", folder / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    wanted = ["--python-version", SCF_PYTHON, "--platform", SCF_PLATFORM, "--only-binary", ":all:"]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    subprocess.run([*command, *wanted, "--target", str(folder), *LIBRARIES], check=True)  # noqa: S603 - our own words
    shutil.rmtree(folder / "bin", ignore_errors=True)


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
    print(f"The package lies in {sys.argv[1]}.")
