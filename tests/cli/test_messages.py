"""The texts of the command: each is in the catalogue, translated, and written so that it can be found."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import read_mo

from cli import catalogue

PACKAGE = catalogue.PACKAGE
TRANSLATORS = frozenset({"_", "N_", "ngettext"})
WORDS = re.compile(r"[A-Za-z]{2,},? [a-z]{2,}")
# On the line of a text that is in English in every language: for a file, a log, another program.
EXEMPT = "# not translated"

MODULES = catalogue.list_modules()


def test_catalogue_has_the_messages_of_the_code_and_no_other() -> None:
    written = {path.stem: path.read_bytes() for path in catalogue.FOLDER.glob("*.po")}
    expected = {area: catalogue.format_catalog(catalog) for area, catalog in catalogue.update().items()}
    assert written == expected, "write it again: python -m cli.catalogue"


def test_compiled_catalogue_is_that_of_the_texts() -> None:
    with catalogue.COMPILED.open("rb") as file:
        compiled = read_mo(file)
    expected = catalogue.merge_catalogs(catalogue.read_catalogs())
    assert _list_translations(compiled) == _list_translations(expected), "python -m cli.catalogue"
    assert compiled.creation_date == catalogue.CREATED


@pytest.mark.parametrize("area", sorted(catalogue.read_catalogs()))
def test_messages_are_translated_with_the_same_values(area: str) -> None:
    messages = [message for message in catalogue.read_catalogs()[area] if message.id]
    wrong = {message.id: problem for message in messages if (problem := _find_problem(message))}
    assert messages
    assert wrong == {}


def test_same_message_has_one_translation_everywhere() -> None:
    found: dict[object, set[object]] = {}
    for catalog in catalogue.read_catalogs().values():
        for message in catalog:
            string = message.string
            found.setdefault(message.id, set()).add(
                string if isinstance(string, str) else tuple(string or ())
            )
    assert {name: strings for name, strings in found.items() if len(strings) > 1} == {}


def test_texts_for_people_are_translated() -> None:
    assert [text for path in MODULES for text in find_untranslated(path)] == []


def test_functions_that_translate_use_the_name_for_nothing_else() -> None:
    assert [place for path in MODULES for place in _find_other_uses(path)] == []


def _find_problem(message: Message) -> str:
    """Return what is wrong with a translation; "" if nothing is."""
    english = [message.id] if isinstance(message.id, str) else list(message.id)
    chinese = [message.string] if isinstance(message.string, str) else list(message.string or ())
    if not all(chinese) or not chinese:
        return "no translation"
    names = set().union(*map(_list_names, english))
    for text in chinese:
        if _list_names(text) != names:
            return "other values"
        if text.count("`") != english[0].count("`"):
            return "a command line is missing"
        if english[0].strip(" ,;") and _get_edges(text) != _get_edges(english[0]):
            return "other spaces at the start or the end"
    return ""


def _find_other_uses(path: Path) -> Iterator[str]:
    """Yield the functions in which `_` is both a variable and the function that translates."""
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(
            function,
            ast.FunctionDef | ast.Lambda | ast.GeneratorExp | ast.ListComp | ast.DictComp | ast.SetComp,
        ):
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == "_"]
            arguments = [node for node in ast.walk(function) if isinstance(node, ast.arg) and node.arg == "_"]
            is_assigned = bool(arguments) or any(isinstance(node.ctx, ast.Store) for node in names)
            if is_assigned and any(isinstance(node.ctx, ast.Load) for node in names):
                yield f"{path.name}:{function.lineno}"


def find_untranslated(path: Path) -> Iterator[str]:
    """Yield the texts of a module that look like words for people and are not translated."""
    source = path.read_text("utf-8")
    lines = source.splitlines()
    for node in _walk_texts(ast.parse(source)):
        text = node.value if isinstance(node, ast.Constant) else _join(node)
        end = node.end_lineno or node.lineno
        is_exempt = any(EXEMPT in line for line in lines[node.lineno - 1 : end])
        if isinstance(text, str) and WORDS.search(text) and not is_exempt:
            yield f"{path.name}:{node.lineno}: {text[:60]}"


def _walk_texts(node: ast.AST) -> Iterator[ast.Constant | ast.JoinedStr]:
    """Yield the strings below a node, without docstrings, and without what is translated."""
    body = getattr(node, "body", None)
    docstring = None
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
        first = body[0]
        docstring = first if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) else None
    if isinstance(node, ast.Call) and _get_name(node.func) in TRANSLATORS:
        for keyword in node.keywords:
            yield from _walk_texts(keyword.value)
        return
    for child in ast.iter_child_nodes(node):
        if child is docstring or (isinstance(child, ast.keyword) and child.arg == "help"):
            continue
        if isinstance(child, ast.JoinedStr) or (
            isinstance(child, ast.Constant) and isinstance(child.value, str)
        ):
            yield child
        if not isinstance(child, ast.JoinedStr):
            yield from _walk_texts(child)


def _join(node: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


def _get_name(function: ast.expr) -> str:
    return (
        function.id
        if isinstance(function, ast.Name)
        else function.attr
        if isinstance(function, ast.Attribute)
        else ""
    )


def _list_translations(catalog: Catalog) -> dict[object, object]:
    return {_freeze(message.id): _freeze(message.string) for message in catalog if message.id}


def _freeze(text: str | Sequence[str] | None) -> str | tuple[str, ...]:
    """The texts of a message with a number in it are a list or a tuple."""
    return text if isinstance(text, str) else tuple(text or ())


def _get_edges(text: str) -> tuple[bool, bool]:
    return text[0].isspace(), text[-1].isspace()


def _list_names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
