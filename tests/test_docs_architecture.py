from __future__ import annotations

import re
from pathlib import Path

from localcloud.faults.plan import KINDS
from shared.recordings.receipt import TRANSITIONS, Receipt

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text("utf-8")
ARROW = re.compile(r"^    ([A-Z]+) --> ([A-Z]+): (.+)$", re.MULTILINE)


def test_state_diagram_shows_every_transition_and_no_other() -> None:
    drawn = {(source, target) for source, target, _ in ARROW.findall(PAGE)}
    allowed = {(source.name, target.name) for source, targets in TRANSITIONS.items() for target in targets}
    assert drawn == allowed


def test_arrows_are_named_after_methods_of_receipt() -> None:
    methods = {method for _, _, label in ARROW.findall(PAGE) for method in label.split(", ")}
    assert methods == {"with_job", "defer", "next_attempt", "close", "reopen", "restart"}
    assert all(callable(getattr(Receipt, method)) for method in methods)


def test_named_modules_exist() -> None:
    modules = re.findall(r"`((?:handlers|shared|cli|tests)/[a-z_/]+\.py)`", PAGE)
    assert len(modules) > 20
    assert [module for module in modules if not (ROOT / module).is_file()] == []


def test_named_modules_of_the_local_cloud_exist() -> None:
    existing = {
        path.relative_to(ROOT / "localcloud").as_posix() for path in (ROOT / "localcloud").rglob("*.py")
    }
    section = PAGE[PAGE.index("## The local cloud") :]
    modules = re.findall(r"[`\" ]((?:[a-z0-9]+/)?[a-z_]+\.py)\b", section)
    assert len(modules) > 50
    # Below a service's folder, or in a table with the folder in its heading.
    names = existing | {path.rpartition("/")[2] for path in existing}
    assert sorted({module for module in modules if module not in names}) == []


def test_every_kind_of_fault_is_listed() -> None:
    assert [kind for kind in KINDS if f"`{kind}`" not in PAGE] == []
