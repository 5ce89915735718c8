"""Build Scribe's package and the other implementations of upload, ready to run on SCF's Python; measure their size."""

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
from tests.bench.report import MeasurementError, Metric, Section

SCRIPTS = Path(__file__).with_name("standalone-scripts")
_REQUIREMENTS = (SCRIPTS / "sdk.txt", SCRIPTS / "httpx.txt")
_MIB = 1 << 20
_MAX_ZIPPED_MIB, _MAX_UNPACKED_MIB = 1.5, 10.0
METHOD = "What `make package` builds, {bytecode} bytecode; for comparison the SDK and its handler, without bytecode."


@dataclass(frozen=True, slots=True)
class Implementations:
    """The modules with a `main_handler`; each can import only what is in its folder. `python` runs them all."""

    python: Interpreter
    package: Package
    scribe: Path
    sdk: Path
    sdk_with_bytecode: Path
    floor: Path
    bare_httpx: Path
    library_versions: str
    """The libraries of the other implementations, with their versions."""

    @property
    def sweep(self) -> Path:
        """Return the module of Scribe's sweep and audit."""
        return self.package.tree / "sweep.py"

    @property
    def is_scf_python(self) -> bool:
        """Whether the interpreter is the version that SCF runs, except for the patch release."""
        return self.python.version.startswith("3.10.")

    def run_script(self, script: str, libraries: Path, *arguments: Path | float) -> str:
        """Run a standalone script in a new process with these libraries; return its output. Raises MeasurementError."""
        process = subprocess.run(
            [self.python.path, str(SCRIPTS / script), *map(str, arguments)],
            env={"PYTHONPATH": str(libraries), "PYTHONDONTWRITEBYTECODE": "x"},
            capture_output=True,
            text=True,
            check=False,
        )
        if process.returncode:
            raise MeasurementError(f"{script} failed: {process.stderr.strip()}")
        return process.stdout


def build_implementations(folder: Path) -> Implementations:
    """Build them below `folder`. The libraries are installed once and kept there. Raises MeasurementError."""
    python = find_interpreter(candidate_interpreters()) or Interpreter(
        sys.executable, platform.python_version()
    )
    try:
        package = build(folder / "scribe")
    except PackageError as error:
        raise MeasurementError(str(error)) from None
    if not package.has_bytecode:
        compile_tree(package.tree, python)
    sdk_libraries, httpx_libraries = (_install(folder, python, file) for file in _REQUIREMENTS)
    sdk = _copy(folder / "sdk", sdk_libraries, "sdk_upload.py")
    sdk_with_bytecode = _copy(folder / "sdk-with-bytecode", sdk_libraries, "sdk_upload.py")
    floor = _copy(folder / "floor", None, "floor_upload.py", "upload_requests.py")
    bare_httpx = _copy(folder / "bare-httpx", httpx_libraries, "bare_httpx_upload.py", "upload_requests.py")
    for module_file in (sdk_with_bytecode, floor, bare_httpx):
        compile_tree(module_file.parent, python)
    return Implementations(
        python=python,
        package=package,
        scribe=package.tree / "upload.py",
        sdk=sdk,
        sdk_with_bytecode=sdk_with_bytecode,
        floor=floor,
        bare_httpx=bare_httpx,
        library_versions=", ".join(file.read_text("utf-8").strip() for file in _REQUIREMENTS),
    )


def _install(folder: Path, python: Interpreter, requirements: Path) -> Path:
    """Install libraries as pip does, but without bytecode: SCF never writes any."""
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    target = folder / f"{requirements.stem}-installed-{digest}-{python.version}"
    if target.is_dir():
        return target
    unfinished = folder / f"{requirements.stem}-unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [python.path, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    process = subprocess.run(
        [*command, "--target", str(unfinished), "--requirement", str(requirements)],
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or ["no error message"])[-1]
        raise MeasurementError(f"pip could not install {requirements.read_text('utf-8').strip()}: {reason}")
    unfinished.rename(target)
    return target


def _copy(folder: Path, libraries: Path | None, module: str, *other_modules: str) -> Path:
    """Copy libraries and standalone scripts into a new folder; return the path of the first module."""
    shutil.rmtree(folder, ignore_errors=True)
    if libraries:
        shutil.copytree(libraries, folder)
    else:
        folder.mkdir(parents=True)
    for name in (module, *other_modules):
        shutil.copyfile(SCRIPTS / name, folder / name)
    return folder / module


def measure_package(implementations: Implementations) -> Section:
    """Compare the size of Scribe's package with that of the SDK."""
    package, sdk_folder = implementations.package, implementations.sdk.parent
    sdk_bytes = sum(path.stat().st_size for path in sdk_folder.rglob("*") if path.is_file())
    bytecode = "with" if package.has_bytecode else "without"
    return Section(
        "Package",
        METHOD.format(bytecode=bytecode),
        [
            Metric.at_most("zipped", package.zip_bytes / _MIB, _MAX_ZIPPED_MIB, "MiB", 2),
            Metric.at_most("unpacked", package.unpacked_bytes / _MIB, _MAX_UNPACKED_MIB, "MiB", 2),
            Metric("SDK handler, unpacked", f"{sdk_bytes / _MIB:.1f} MiB"),
        ],
    )
