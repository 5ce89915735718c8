"""Everybody who is measured, laid out in a folder and ready to run on SCF's Python."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cli.package import Package, PackageError, build
from cli.package.dependencies import Interpreter, candidate_interpreters, compile_tree, find_interpreter
from tests.bench.figures import CannotMeasure

PEERS = Path(__file__).with_name("peers")
_WANTED = (PEERS / "sdk.txt", PEERS / "httpx.txt")


@dataclass(frozen=True, slots=True)
class Sides:
    """The modules with `main_handler`; the folder of each is all that it can import. `python` runs them all."""

    python: Interpreter
    package: Package
    scribe: Path
    sdk: Path
    sdk_with_bytecode: Path
    floor: Path
    bare_httpx: Path
    peers: str
    """Their libraries and the versions of these."""

    @property
    def sweep(self) -> Path:
        """Scribe's other functions."""
        return self.package.tree / "sweep.py"

    @property
    def is_scf_python(self) -> bool:
        """Whether the interpreter is the one that SCF runs, up to its patch release."""
        return self.python.version.startswith("3.10.")

    def run_peer(self, script: str, libraries: Path, *arguments: Path) -> str:
        """What a script of the peers prints, in a new process that can import these libraries. Raises CannotMeasure."""
        told = subprocess.run(
            [self.python.path, str(PEERS / script), *map(str, arguments)],
            env={"PYTHONPATH": str(libraries), "PYTHONDONTWRITEBYTECODE": "x"},
            capture_output=True,
            text=True,
            check=False,
        )
        if told.returncode:
            raise CannotMeasure(f"{script} failed: {told.stderr.strip()}")
        return told.stdout


def lay_out(folder: Path) -> Sides:
    """Makes them anew below `folder`; the peers' libraries are installed once and kept there. Raises CannotMeasure."""
    python = find_interpreter(candidate_interpreters()) or Interpreter(
        sys.executable, platform.python_version()
    )
    try:
        package = build(folder / "scribe")
    except PackageError as error:
        raise CannotMeasure(str(error)) from None
    if not package.has_bytecode:
        compile_tree(package.tree, python)
    tencent, httpx = (_installed(folder, python, wanted) for wanted in _WANTED)
    sdk = _copied(folder / "sdk", tencent, "sdk_upload.py")
    sdk_with_bytecode = _copied(folder / "sdk-with-bytecode", tencent, "sdk_upload.py")
    floor = _copied(folder / "floor", None, "floor_upload.py", "same_requests.py")
    bare_httpx = _copied(folder / "bare-httpx", httpx, "bare_httpx_upload.py", "same_requests.py")
    for module_file in (sdk_with_bytecode, floor, bare_httpx):
        compile_tree(module_file.parent, python)
    return Sides(
        python=python,
        package=package,
        scribe=package.tree / "upload.py",
        sdk=sdk,
        sdk_with_bytecode=sdk_with_bytecode,
        floor=floor,
        bare_httpx=bare_httpx,
        peers=", ".join(wanted.read_text("utf-8").strip() for wanted in _WANTED),
    )


def _installed(folder: Path, python: Interpreter, wanted: Path) -> Path:
    """Libraries as pip leaves them, without bytecode: in SCF none is ever written."""
    mark = hashlib.sha256(wanted.read_bytes()).hexdigest()[:16]
    target = folder / f"{wanted.stem}-installed-{mark}-{python.version}"
    if target.is_dir():
        return target
    unfinished = folder / f"{wanted.stem}-unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [python.path, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    told = subprocess.run(
        [*command, "--target", str(unfinished), "--requirement", str(wanted)],
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        said = told.stderr.strip().splitlines() or ["it says nothing"]
        raise CannotMeasure(f"pip could not install {wanted.read_text('utf-8').strip()}: {said[-1]}")
    unfinished.rename(target)
    return target


def _copied(folder: Path, libraries: Path | None, *peers: str) -> Path:
    """A folder with these libraries and peers; gives the place of the first peer."""
    shutil.rmtree(folder, ignore_errors=True)
    if libraries:
        shutil.copytree(libraries, folder)
    else:
        folder.mkdir(parents=True)
    for name in peers:
        shutil.copyfile(PEERS / name, folder / name)
    return folder / peers[0]
