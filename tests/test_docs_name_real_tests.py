"""Docs that tie a promise to a test must name one that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "docs/security.md",
    "docs/reliability.md",
    "docs/reliability.zh.md",
    "docs/security.zh.md",
    "CONTRIBUTING.md",
]
TESTS = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"`(test_\w+)`", (ROOT / page).read_text("utf-8"))
    assert len(named) > 8
    assert [name for name in named if f"def {name}(" not in TESTS] == []
