"""The package that `make package` builds: what is in it, what can never be in it, and that all builds agree."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cli.package import Package, PackageError, build
from cli.package.bytecode import find_compiler
from cli.package.layout import digest_of
from cli.package.room import told_by_folder

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[2]
MIB = 1 << 20
SECRET = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}  # pip has nowhere to go


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return build(tmp_path_factory.mktemp("built") / "package")


def names_in(package: Package) -> list[str]:
    with zipfile.ZipFile(package.zip_path) as archive:
        return archive.namelist()


def checkout_at(folder: Path) -> Path:
    """What a build reads, copied: another folder, and no library kept there."""
    for part in ("handlers", "shared", "cli"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "requirements.lock"):
        shutil.copyfile(ROOT / part, folder / part)
    return folder


def run_build(checkout: Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.package", "out/scribe"],
        cwd=checkout,
        env={**os.environ, **OFFLINE, "PYTHONDONTWRITEBYTECODE": "1"},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_handlers_lie_at_the_root_beside_shared_and_their_libraries(package: Package) -> None:
    tops = {name.split("/")[0] for name in names_in(package)} - {"__pycache__"}
    handlers = {"upload.py", "callback.py", "sweep.py"}
    libraries = {"anyio", "certifi", "exceptiongroup", "h11", "httpcore", "httpx", "idna"}
    libraries |= {"typing_extensions.py", "xmltodict.py"}
    assert tops == handlers | libraries | {"shared"}
    assert {path.name for path in package.tree.iterdir()} - {"__pycache__"} == tops


def test_it_is_small_because_scf_unpacks_it_at_each_cold_start(package: Package) -> None:
    print(f"\nzip {package.zip_bytes:,} bytes, unpacked {package.unpacked_bytes:,} bytes")  # noqa: T201
    assert package.zip_bytes == package.zip_path.stat().st_size < 1.5 * MIB
    with zipfile.ZipFile(package.zip_path) as archive:
        assert package.unpacked_bytes == sum(entry.file_size for entry in archive.infolist()) < 5 * MIB


def test_whoever_unpacks_it_can_read_every_file(package: Package) -> None:
    with zipfile.ZipFile(package.zip_path) as archive:
        assert {oct(entry.external_attr >> 16) for entry in archive.infolist()} == {oct(0o100644)}


def test_its_label_is_text_that_scf_takes_as_a_description(package: Package) -> None:
    assert re.fullmatch(r"Scribe \d+\.\d+\.\d+, package [0-9a-f]{16}", package.label)


def test_another_checkout_with_secrets_lying_about_gives_the_same_bytes_and_no_secret(
    package: Package, tmp_path: Path
) -> None:
    checkout = checkout_at(tmp_path / "another")
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()[:16]
    shutil.copytree(ROOT / "build/libraries" / digest, checkout / "build/libraries" / digest)
    for lying in (".env", "shared/.env", "shared/tencent/key.json", "handlers/.env", "handlers/_draft.py"):
        (checkout / lying).write_text(f"CALLBACK_TOKEN={SECRET}\n", "utf-8")
    for source in checkout.rglob("*.py"):
        os.utime(source, (10**9, 10**9))
    told = run_build(checkout, umask=0o077)
    assert (told.returncode, told.stderr) == (0, "")
    zipped = (checkout / "out/scribe.zip").read_bytes()
    assert zipped == package.zip_path.read_bytes()
    for path in (checkout / "out/scribe").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_the_digest_tells_another_source_or_name_and_is_blind_to_bytecode(
    package: Package, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(package.tree, tree)
    (tree / "__pycache__").mkdir(exist_ok=True)
    (tree / "__pycache__/upload.cpython-310.pyc").write_bytes(b"by another patch release")
    assert digest_of(tree) == package.digest
    (tree / "sweep.py").rename(tree / "sweeps.py")
    renamed = digest_of(tree)
    with (tree / "shared/errors.py").open("a", encoding="utf-8") as source:
        source.write("# one more line\n")
    assert len({package.digest, renamed, digest_of(tree)}) == 3


def test_without_python_3_10_there_is_no_bytecode_and_it_says_what_that_costs(
    package: Package, tmp_path: Path
) -> None:
    plain = build(tmp_path / "package", pythons=())
    assert not plain.has_bytecode
    assert not [name for name in names_in(plain) if name.endswith(".pyc")]
    assert "cold start takes about twice as long" in plain.described
    assert "install one" in plain.described
    assert plain.label == package.label  # laptops with and without one agree on what is deployed


@pytest.mark.parametrize(
    "answer",
    ["echo PyPy 3.10.2 /bin/python", "echo CPython 3.11.7 /bin/python", "exit 3", "echo CPython 3.10.1"],
)
def test_an_interpreter_that_is_no_cpython_3_10_compiles_nothing(answer: str, tmp_path: Path) -> None:
    python = tmp_path / "python3.10"
    python.write_text(f"#!/bin/sh\n{answer}\n", "utf-8")
    python.chmod(0o755)
    assert find_compiler([str(python), str(tmp_path / "missing"), ""]) is None


def test_a_folder_of_somebody_elses_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(PackageError, match="holds something else than a package"):
        build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_package_is_replaced_whole(tmp_path: Path) -> None:
    first = build(tmp_path / "package", pythons=())
    (first.tree / "left_over.py").write_text("old = True\n", "utf-8")
    again = build(tmp_path / "package", pythons=())
    assert not (again.tree / "left_over.py").exists()
    assert again == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["package", "package.zip"]


def test_without_a_network_and_libraries_it_says_what_to_do_and_keeps_no_half(tmp_path: Path) -> None:
    checkout = checkout_at(tmp_path / "offline")
    told = run_build(checkout)
    assert told.returncode == 1
    assert told.stdout == ""
    (line,) = told.stderr.splitlines()
    assert line.startswith("pip could not install the libraries of requirements.lock: ERROR: ")
    assert "Connect to the network" in line
    assert list((checkout / "build/libraries").iterdir()) == []
    assert not (checkout / "out").exists()


@pytest.mark.parametrize("longest", [1_000, 220_000])  # many files are longer, or only one
def test_a_disk_that_fills_up_is_told_in_one_line_and_nothing_is_left(longest: int, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (longest, hard))
    try:
        with pytest.raises(
            PackageError, match=rf"^the package could not be made in {re.escape(str(tmp_path))}: "
        ) as caught:
            build(tmp_path / "package", pythons=())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(str(caught.value)) < 500
    assert list(tmp_path.iterdir()) == []


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [FULL, shutil.Error([("from", "to", str(FULL))] * 200)])
def test_a_full_disk_is_told_by_its_folder_and_what_to_do(error: OSError, tmp_path: Path) -> None:
    with pytest.raises(PackageError) as caught, told_by_folder(tmp_path):
        raise error
    assert str(caught.value).startswith(
        f"no room in {tmp_path} for the package (about 4 MiB): make some, or set TMPDIR "
    )
    with (
        pytest.raises(PackageError, match=r"^no room in /opt/scribe for .*: make some, and run this again$"),
        told_by_folder(Path("/opt/scribe")),
    ):
        raise error
