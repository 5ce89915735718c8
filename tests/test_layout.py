"""Test modules are independent: what several of them need is in tests/helpers or in a conftest.py."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def list_imported_modules(source: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(source.read_text("utf-8"))))
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            modules += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return modules


def test_no_test_module_imports_from_another_test_module() -> None:
    sources = list(TESTS.rglob("test_*.py"))
    assert len(sources) > 100
    wrong = [
        f"{source.relative_to(TESTS)} imports {module}"
        for source in sources
        for module in list_imported_modules(source)
        if module.startswith("tests") and module.rpartition(".")[2].startswith("test_")
    ]
    assert wrong == []
