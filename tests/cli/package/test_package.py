"""The package of `make package`: what is in it, what can never be in it, and that builds are reproducible."""

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

import shared
from cli.package import Package, PackageError, build, compute_label
from cli.package.dependencies import find_interpreter
from cli.package.files import UNUSED_MODULES, copy_sources, hash_tree
from cli.package.models import explain_disk_errors
from shared.options.rules import load_rules
from shared.recordings.options import PACKAGE_RULES

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
MIB = 1 << 20
SECRET = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}  # pip has nowhere to go


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return build(tmp_path_factory.mktemp("built") / "package")


def list_names(package: Package) -> list[str]:
    with zipfile.ZipFile(package.zip_path) as archive:
        return archive.namelist()


def copy_checkout(folder: Path) -> Path:
    """Copy what a build reads into another folder, without cached libraries."""
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


def test_package_root_has_handlers_shared_and_libraries(package: Package) -> None:
    tops = {name.split("/")[0] for name in list_names(package)} - {"__pycache__"}
    handlers = {"upload.py", "callback.py", "sweep.py"}
    libraries = {"certifi", "h11", "httpcore", "httpx", "idna", "xmltodict.py"}
    assert tops == handlers | libraries | {"shared"}
    assert {path.name for path in package.tree.iterdir()} - {"__pycache__"} == tops


def test_package_is_small_for_quick_cold_starts(package: Package) -> None:
    print(f"\nzip {package.zip_bytes:,} bytes, unpacked {package.unpacked_bytes:,} bytes")  # noqa: T201
    assert package.zip_bytes == package.zip_path.stat().st_size < 1.3 * MIB
    with zipfile.ZipFile(package.zip_path) as archive:
        assert package.unpacked_bytes == sum(entry.file_size for entry in archive.infolist()) < 5 * MIB


def test_what_no_function_uses_is_left_out(package: Package) -> None:
    names = set(list_names(package))
    assert not {name for name in names for unused in UNUSED_MODULES if name.startswith(unused)}
    assert not names & {"trio/__init__.py", "pytest/__init__.py", "h2/__init__.py", "click/__init__.py"}
    parents = {name.rpartition("/")[0] + "/__init__.py" for name in UNUSED_MODULES if "/" in name}
    assert parents <= names, "the library has other modules now"


def test_every_file_is_readable_by_any_user(package: Package) -> None:
    with zipfile.ZipFile(package.zip_path) as archive:
        assert {oct(entry.external_attr >> 16) for entry in archive.infolist()} == {oct(0o100644)}


def test_label_is_a_valid_scf_description(package: Package) -> None:
    assert re.fullmatch(r"Scribe \d+\.\d+\.\d+, package [0-9a-f]{16}", package.label)


def test_other_checkout_gives_the_same_bytes_and_no_secret(package: Package, tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "another")
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()[:16]
    shutil.copytree(ROOT / "build/libraries" / digest, checkout / "build/libraries" / digest)
    for secret_file in (
        ".env",
        "shared/.env",
        "shared/tencent/key.json",
        "handlers/.env",
        "handlers/_draft.py",
    ):
        (checkout / secret_file).write_text(f"CALLBACK_TOKEN={SECRET}\n", "utf-8")
    for source in checkout.rglob("*.py"):
        os.utime(source, (10**9, 10**9))
    process = run_build(checkout, umask=0o077)
    assert (process.returncode, process.stderr) == (0, "")
    zipped = (checkout / "out/scribe.zip").read_bytes()
    assert zipped == package.zip_path.read_bytes()
    for path in (checkout / "out/scribe").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_style_and_script_of_the_page_are_in_the_package(tmp_path: Path) -> None:
    for name in ("page.css", "page.js", "page.py", "page.svg", "page.js.map"):
        path = tmp_path / "checkout/shared/transcript/page" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, "utf-8")
    copy_sources(tmp_path / "checkout", tmp_path / "tree")
    copied = sorted(path.name for path in (tmp_path / "tree/shared/transcript/page").iterdir())
    assert copied == ["page.css", "page.js", "page.py"]


def test_package_has_every_file_that_the_formats_read(package: Package) -> None:
    data = {path for path in (ROOT / "shared").rglob("*") if path.suffix in {".css", ".js"}}
    assert {path.relative_to(ROOT).as_posix() for path in data} <= set(list_names(package))


def test_digest_depends_on_sources_and_names_not_on_bytecode(package: Package, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(package.tree, tree)
    (tree / "__pycache__").mkdir(exist_ok=True)
    (tree / "__pycache__/upload.cpython-310.pyc").write_bytes(b"by another patch release")
    assert hash_tree(tree) == package.digest
    (tree / "sweep.py").rename(tree / "sweeps.py")
    renamed = hash_tree(tree)
    with (tree / "shared/errors.py").open("a", encoding="utf-8") as source:
        source.write("# one more line\n")
    assert len({package.digest, renamed, hash_tree(tree)}) == 3


def test_rules_are_in_the_package_where_the_functions_look(package: Package, tmp_path: Path) -> None:
    compiled = b'{"version":1,"rules":[]}'
    built = build(tmp_path / "package", pythons=(), rules=compiled)
    assert (built.tree / PACKAGE_RULES.name).read_bytes() == compiled
    assert PACKAGE_RULES.parent == Path(shared.__file__).parents[1]  # the top of the package
    assert built.digest != package.digest
    assert (compute_label(), compute_label(compiled)) == (package.label, built.label)
    changed = build(tmp_path / "package", pythons=(), rules=compiled + b"\n")
    assert len({changed.digest, built.digest, package.digest}) == 3
    again = build(tmp_path / "package", pythons=())
    assert again.digest == package.digest
    assert not (again.tree / PACKAGE_RULES.name).exists()


def test_make_package_compiles_rules_or_names_every_mistake(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()[:16]
    shutil.copytree(ROOT / "build/libraries" / digest, checkout / "build/libraries" / digest)
    (checkout / "rules.yml").write_text("rules:\n- match: a**b\n  enigne: 8k_zh\n", "utf-8")
    process = run_build(checkout)
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr.splitlines() == [
        f"2 mistakes in {checkout}/rules.yml:",
        "  rules.yml line 2: the pattern 'a**b' has `**` beside something else; write it between slashes",
        "  rules.yml line 3: 'enigne' is not a name in a rule; did you mean engine?",
    ]
    assert not (checkout / "out").exists()
    shutil.copyfile(ROOT / "rules.example.yml", checkout / "rules.yml")
    process = run_build(checkout)
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.splitlines()[-1] == "rules.yml: 3 rules"
    assert load_rules(checkout / "out/scribe/rules.json")[0].choices["engine"].value == "8k_zh"
    with zipfile.ZipFile(checkout / "out/scribe.zip") as archive:
        assert "rules.json" in archive.namelist()


def test_summary_says_what_missing_bytecode_costs(package: Package, tmp_path: Path) -> None:
    plain = build(tmp_path / "package", pythons=())
    assert not plain.has_bytecode
    assert not [name for name in list_names(plain) if name.endswith(".pyc")]
    assert "cold start takes about twice as long" in plain.summary
    assert "install one" in plain.summary
    assert plain.label == package.label  # with or without a CPython 3.10


@pytest.mark.parametrize(
    "command",
    ["echo PyPy 3.10.2 /bin/python", "echo CPython 3.11.7 /bin/python", "exit 3", "echo CPython 3.10.1"],
)
def test_only_cpython_3_10_is_used_to_compile(command: str, tmp_path: Path) -> None:
    python = tmp_path / "python3.10"
    python.write_text(f"#!/bin/sh\n{command}\n", "utf-8")
    python.chmod(0o755)
    assert find_interpreter([str(python), str(tmp_path / "missing"), ""]) is None


def test_folder_with_other_files_is_refused_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(PackageError, match="holds something other than a package"):
        build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_package_is_replaced_completely(tmp_path: Path) -> None:
    first = build(tmp_path / "package", pythons=())
    (first.tree / "left_over.py").write_text("old = True\n", "utf-8")
    again = build(tmp_path / "package", pythons=())
    assert not (again.tree / "left_over.py").exists()
    assert again == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["package", "package.zip"]


def test_build_without_network_gives_advice_and_leaves_nothing(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "offline")
    process = run_build(checkout)
    assert process.returncode == 1
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith("pip could not install the libraries of requirements.lock: ERROR: ")
    assert "Connect to the network" in line
    assert list((checkout / "build/libraries").iterdir()) == []
    assert not (checkout / "out").exists()


@pytest.mark.parametrize("max_bytes", [1_000, 220_000])  # many files are longer, or only one
def test_disk_full_during_build_is_one_line_and_leaves_nothing(max_bytes: int, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, hard))
    try:
        with pytest.raises(
            PackageError, match=rf"^the package could not be written to {re.escape(str(tmp_path))}: "
        ) as caught:
            build(tmp_path / "package", pythons=())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(str(caught.value)) < 500
    assert list(tmp_path.iterdir()) == []


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("error", [FULL, shutil.Error([("from", "to", str(FULL))] * 200)])
def test_disk_full_error_names_the_folder_and_a_fix(error: OSError, tmp_path: Path) -> None:
    with pytest.raises(PackageError) as caught, explain_disk_errors(tmp_path):
        raise error
    assert str(caught.value).startswith(
        f"the disk is full: no space in {tmp_path} for the package (about 4 MiB). Free some space, or set TMPDIR "
    )
    with (
        pytest.raises(
            PackageError, match=r"no space in /opt/scribe for .*\. Free some space, and run this again$"
        ),
        explain_disk_errors(Path("/opt/scribe")),
    ):
        raise error
