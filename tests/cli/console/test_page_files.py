"""The files of the console's page: both languages say the same, nothing is put in as markup, and it stays small."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from cli.config import PROJECT_FOLDER

FOLDER = PROJECT_FOLDER / "cli" / "console" / "page"
MAX_BYTES = 120_000
SCRIPTS = sorted(FOLDER.glob("*.js"))
# Names that are built from what the console sends.
FAMILIES = ("end_", "event_", "finding_", "state_", "step_")
# What would run or parse a text.
FORBIDDEN = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser|createContextualFragment"
    r"|setHTML|srcdoc|javascript:|https?://(?!www\.w3\.org/2000/svg)"
)
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def read(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


@pytest.fixture(scope="module")
def texts() -> dict[str, dict[str, Any]]:
    source = read("console-texts.js")
    texts: dict[str, dict[str, Any]] = json.loads(source[source.index("{\n") : source.rindex("}") + 1])
    return texts


def list_forms(text: str | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else text


def test_languages_have_the_same_texts_with_the_same_values(texts: dict[str, dict[str, Any]]) -> None:
    assert list(texts) == ["en", "zh"]
    assert list(texts["en"]) == list(texts["zh"]) == sorted(texts["en"])
    for name, english in texts["en"].items():
        values = {frozenset(PLACEHOLDER.findall(form)) for form in list_forms(english)}
        assert values == {frozenset(PLACEHOLDER.findall(form)) for form in list_forms(texts["zh"][name])}, (
            name
        )


def test_chinese_texts_are_chinese(texts: dict[str, dict[str, Any]]) -> None:
    for name, text in texts["zh"].items():
        assert re.search(r"[\u4e00-\u9fff]", text) or not re.search("[a-z]", PLACEHOLDER.sub("", text)), name
        assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9{`]|[A-Za-z0-9}`][\u4e00-\u9fff]", text), name
        assert not re.search(r"[\u4e00-\u9fff][,.:;!?]", text), name


def test_every_text_is_used_and_there(texts: dict[str, dict[str, Any]]) -> None:
    scripts = "".join(read(path.name) for path in SCRIPTS if path.name != "console-texts.js")
    page = read("index.html")
    labels = set(re.findall(r'data-(?:text|label|title|placeholder)="(\w+)"', page))
    words = set(re.findall(r'"([a-z][a-z_]+)"', scripts)) | set(re.findall(r"\b([a-z]+): \[\[?", scripts))
    names = set(texts["en"])
    assert labels - names == set()
    assert set(re.findall(r'\btext\("(\w+)"', scripts)) - names == set()
    assert {name for name in names - labels - words if not name.startswith(FAMILIES)} == set()


def test_nothing_is_put_in_as_markup() -> None:
    for path in SCRIPTS:
        assert not FORBIDDEN.search(read(path.name)), path.name


def test_page_has_no_inline_script_or_style() -> None:
    page = read("index.html")
    assert not re.search(r"<style|\sstyle=|\son\w+=", page)
    assert not re.findall(r"<script(?![^>]* src=)", page)
    assert set(re.findall(r'(?:href|src)="([^"]+)"', page)) == {
        "data:,",
        *(path.name for path in FOLDER.iterdir() if path.name != "index.html"),
    }


def test_page_is_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < MAX_BYTES
