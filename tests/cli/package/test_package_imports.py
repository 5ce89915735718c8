"""The handlers, imported from the package as SCF does it, without any library outside of the package.

SCF's loader calls `imp.find_module` and `imp.load_module` with the working directory at /var/user.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.package import Package, build
from cli.package.dependencies import candidate_interpreters, find_interpreter

pytestmark = pytest.mark.process

HANDLERS = ["upload", "callback", "sweep"]
LOAD = """
import sys, time
if sys.version_info < (3, 12):
    import imp
    load = lambda name: imp.load_module(name, *imp.find_module(name, ["."]))
else:
    import importlib
    load = importlib.import_module
began = time.process_time()
"""
# Processor time, so that other processes do not count.
TIMED = "module = load({name!r}); print(callable(module.main_handler), time.process_time() - began)"
TRIES = 2


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return build(tmp_path_factory.mktemp("built") / "package")


@pytest.fixture
def unpacked(package: Package, tmp_path: Path) -> Path:
    with zipfile.ZipFile(package.zip_path) as archive:
        archive.extractall(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def python310() -> str:
    compiler = find_interpreter(candidate_interpreters())
    if compiler is None:
        pytest.skip("no CPython 3.10 on this machine")
    return compiler.path


def run(python: str, folder: Path, code: str) -> str:
    """Return what the code prints, without site-packages, as on SCF."""
    environ = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "x"}
    command = [python, "-S", "-s", "-W", "ignore", "-c", LOAD + code]
    process = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout.strip()


def cold_ms(python: str, folder: Path, name: str) -> float:
    """Return the fastest of a few imports, each in its own process."""
    process = [run(python, folder, TIMED.format(name=name)).split() for _ in range(TRIES)]
    assert all(is_callable == "True" for is_callable, _ in process)
    return min(float(seconds) for _, seconds in process) * 1000


@pytest.mark.parametrize("name", HANDLERS)
def test_handler_imports_from_the_package_only(unpacked: Path, name: str) -> None:
    assert run(sys.executable, unpacked, TIMED.format(name=name)).startswith("True ")


def test_package_has_the_ca_certificates(unpacked: Path) -> None:
    code = "print(load('upload') and len(get_tls_context().get_ca_certs()) > 50)"
    code = f"from shared.tencent.transport import get_tls_context; {code}"
    assert run(sys.executable, unpacked, code) == "True"


def test_imports_see_no_installed_library(unpacked: Path) -> None:
    assert run(sys.executable, unpacked, "import importlib.util as u; print(u.find_spec('yaml'))") == "None"


def test_bytecode_makes_cold_starts_faster(unpacked: Path, python310: str) -> None:
    with_it = {name: cold_ms(python310, unpacked, name) for name in HANDLERS}
    for cached in unpacked.rglob("*.pyc"):
        cached.unlink()
    without = {name: cold_ms(python310, unpacked, name) for name in HANDLERS}
    for name in HANDLERS:
        print(f"\n{name}: {with_it[name]:.0f} ms to import, {without[name]:.0f} without bytecode", end="")  # noqa: T201
    assert sum(with_it.values()) < sum(without.values())


def test_every_module_is_loaded_from_bytecode(unpacked: Path, python310: str) -> None:
    for source in unpacked.rglob("*.py"):
        source.write_text("raise SystemExit(__file__)", "utf-8")  # whatever compiles a source ends here
    loaded = "print(all(callable(load(name).main_handler) for name in ('upload', 'callback', 'sweep')))"
    assert run(python310, unpacked, loaded) == "True"
