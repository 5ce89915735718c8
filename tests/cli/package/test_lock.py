"""requirements.lock agrees with pyproject.toml and with the requirements of the locked libraries."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cli.package import build

pytestmark = pytest.mark.process  # pip may have to install the libraries first

ROOT = Path(__file__).resolve().parents[3]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
ON_SCF = {
    "python_version": "3.10",
    "python_full_version": "3.10.0",
    "platform_python_implementation": "CPython",
    "implementation_name": "cpython",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "extra": "",
}


def parse_requirements() -> list[Requirement]:
    block = re.search(
        r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert block
    return [Requirement(text) for text in re.findall(r'"([^"]+)"', block[1])]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Distribution]:
    """The locked distributions, as installed for a build."""
    build(tmp_path_factory.mktemp("built") / "package", pythons=())
    versions = dict(re.findall(r"^([\w-]+)==(\S+) \\$", LOCK, re.MULTILINE))
    installed = ROOT / "build/libraries" / hashlib.sha256(LOCK.encode()).hexdigest()[:16]
    by_name = {str(canonicalize_name(item.name)): item for item in distributions(path=[str(installed)])}
    assert {name: item.version for name, item in by_name.items()} == versions
    return by_name


def resolve(requirements: list[Requirement], locked: dict[str, Distribution]) -> set[str]:
    """Resolve requirements to names on SCF's Python. Fails when a locked version does not fit."""
    names: set[str] = set()
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate(ON_SCF):
            continue
        assert requirement.specifier.contains(locked[name].version), str(requirement)
        names |= {name} | resolve([Requirement(text) for text in locked[name].requires or []], locked)
    return names


def test_lock_has_exactly_what_python_3_10_on_scf_needs(
    locked: dict[str, Distribution],
) -> None:
    assert resolve(parse_requirements(), locked) == set(locked)


def test_every_library_is_pinned_by_hash(locked: dict[str, Distribution]) -> None:
    pinned = re.findall(r"^([\w-]+)==\S+ \\\n +--hash=sha256:[0-9a-f]{64}", LOCK, re.MULTILINE)
    assert sorted(pinned) == sorted(locked)


def test_lock_names_no_package_index() -> None:
    assert "://" not in LOCK
    assert "--index-url" not in re.sub(r"^#.*$", "", LOCK, flags=re.MULTILINE)
