"""A handler parses, calls one use case and responds: what is longer belongs to shared/."""

from __future__ import annotations

from pathlib import Path

import handlers

MAX_LINES = 60


def test_handlers_are_short() -> None:
    modules = sorted(Path(handlers.__file__).parent.glob("*.py"))
    assert len(modules) == 4
    lines = {module.name: len(module.read_text("utf-8").splitlines()) for module in modules}
    assert {name: count for name, count in lines.items() if count >= MAX_LINES} == {}
