"""docs/architecture.md, in both languages: its diagrams and names are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from localcloud.faults.plan import KINDS
from shared.recordings.receipt import TRANSITIONS, Receipt
from tests.helpers.markdown_pages import parse_sections

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = (
    (ROOT / "docs" / name).read_text("utf-8") for name in ("architecture.md", "architecture.zh.md")
)
ARROW = re.compile(r"^    ([A-Z]+) --> ([A-Z]+): (.+)$", re.MULTILINE)
# What a diagram shows to people: the text of a box, of an arrow, of a message, the name of a participant.
LABEL = re.compile(r'"[^"]*"|\(\[[^]]*|\[\([^)]*|\[\[[^]]*|\{\{[^}]*|(?<=-- )[^-]+(?= -->)|[:：].*| as .*')
BLOCK_LABEL = re.compile(r"(?<=loop |else )[^:]*|(?<=alt )[^:]*")

each_page = pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])


@each_page
def test_state_diagram_shows_every_transition_and_no_other(page: str) -> None:
    drawn = {(source, target) for source, target, _ in ARROW.findall(page)}
    allowed = {(source.name, target.name) for source, targets in TRANSITIONS.items() for target in targets}
    assert drawn == allowed


@each_page
def test_arrows_are_named_after_methods_of_receipt(page: str) -> None:
    methods = {method for _, _, label in ARROW.findall(page) for method in label.split(", ")}
    assert methods == {"with_job", "defer", "next_attempt", "close", "reopen", "restart"}
    assert all(callable(getattr(Receipt, method)) for method in methods)


@each_page
def test_named_modules_exist(page: str) -> None:
    modules = re.findall(r"`((?:handlers|shared|cli|tests)/[a-z_/]+\.py)`", page)
    assert len(modules) > 20
    assert [module for module in modules if not (ROOT / module).is_file()] == []


@pytest.mark.parametrize(
    ("page", "heading"), [(ENGLISH, "## The local cloud\n"), (CHINESE, "## 本地模拟云\n")], ids=["en", "zh"]
)
def test_named_modules_of_the_local_cloud_exist(page: str, heading: str) -> None:
    existing = {
        path.relative_to(ROOT / "localcloud").as_posix() for path in (ROOT / "localcloud").rglob("*.py")
    }
    section = page[page.index(heading) :]
    modules = re.findall(r"[`\" 、]((?:[a-z0-9]+/)?[a-z_]+\.py)\b", section)
    assert len(modules) > 50
    # Below a service's folder, or in a table with the folder in its heading.
    names = existing | {path.rpartition("/")[2] for path in existing}
    assert sorted({module for module in modules if module not in names}) == []


@each_page
def test_every_kind_of_fault_is_listed(page: str) -> None:
    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []


def test_diagrams_of_both_languages_have_the_same_shape() -> None:
    shapes = list_shapes(ENGLISH)
    assert len(shapes) > 5
    assert list_shapes(CHINESE) == shapes


def list_shapes(page: str) -> list[list[str]]:
    """List the lines of each diagram without the texts that people read."""
    blocks = [block for section in parse_sections(page) for block in section.blocks]
    return [
        [BLOCK_LABEL.sub("", LABEL.sub("", line)) for line in block.lines]
        for block in blocks
        if block.language == "mermaid"
    ]
