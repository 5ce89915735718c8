"""requirements.lock against pyproject.toml, and against what the locked libraries themselves require."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cli.package import build

ROOT = Path(__file__).resolve().parents[2]
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


def own_requirements() -> list[Requirement]:
    block = re.search(
        r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert block
    return [Requirement(text) for text in re.findall(r'"([^"]+)"', block[1])]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Distribution]:
    """The distributions that the lock names, as they were installed for a build."""
    build(tmp_path_factory.mktemp("built") / "package", pythons=())
    versions = dict(re.findall(r"^([\w-]+)==(\S+) \\$", LOCK, re.MULTILINE))
    installed = ROOT / "build/libraries" / hashlib.sha256(LOCK.encode()).hexdigest()[:16]
    found = {canonicalize_name(made.name): made for made in distributions(path=[str(installed)])}
    assert {name: made.version for name, made in found.items()} == versions
    return found


def needed(requirements: list[Requirement], locked: dict[str, Distribution]) -> set[str]:
    """The names that these requirements come to on SCF's Python. Fails when a locked version does not do."""
    names: set[str] = set()
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate(ON_SCF):
            continue
        assert requirement.specifier.contains(locked[name].version), str(requirement)
        names |= {name} | needed([Requirement(text) for text in locked[name].requires or []], locked)
    return names


def test_it_names_what_the_functions_require_on_python_3_10_and_nothing_else(
    locked: dict[str, Distribution],
) -> None:
    assert needed(own_requirements(), locked) == set(locked)


def test_each_library_is_pinned_by_hash(locked: dict[str, Distribution]) -> None:
    pinned = re.findall(r"^([\w-]+)==\S+ \\\n +--hash=sha256:[0-9a-f]{64}", LOCK, re.MULTILINE)
    assert sorted(pinned) == sorted(locked)


def test_it_names_no_index_so_that_each_installs_from_where_it_may() -> None:
    assert "://" not in LOCK
    assert "--index-url" not in re.sub(r"^#.*$", "", LOCK, flags=re.MULTILINE)
