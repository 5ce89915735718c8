"""The Chinese pages have the structure, code, tables and links of the English ones."""

from __future__ import annotations

import re
from functools import cache
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.helpers.markdown_pages import CodeBlock, Section, parse_sections

ROOT = Path(__file__).resolve().parents[1]
ENGLISH = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md"))
    if not path.name.endswith(".zh.md")
)
# Code blocks with texts for people: messages, diagrams, what a command prints.
TRANSLATED = {"", "text", "mermaid"}
COMMENTED = {"sh", "yaml", "python"}
_HAN = "[\u4e00-\u9fff]"
_FIGURE = re.compile(r"\d(?:[\d,.:]*\d)+")
_DOCUMENT = re.compile(r"https://(?:www\.tencentcloud\.com(?:/zh)?|cloud\.tencent\.com)/document/product/")

each_page = pytest.mark.parametrize("page", ENGLISH)


def get_chinese_name(page: str) -> str:
    path, dot, extension = page.rpartition(".")
    return f"{path}.zh{dot}{extension}"


@cache
def read_sections(page: str) -> list[Section]:
    return parse_sections((ROOT / page).read_text("utf-8"))


def read_both(page: str) -> list[tuple[Section, Section]]:
    return list(zip(read_sections(page), read_sections(get_chinese_name(page)), strict=True))


def test_every_page_is_there_in_chinese() -> None:
    assert [page for page in ENGLISH if not (ROOT / get_chinese_name(page)).is_file()] == []


@each_page
def test_headings_have_the_same_levels(page: str) -> None:
    both = zip_longest(read_sections(page), read_sections(get_chinese_name(page)))
    for english, chinese in both:
        assert english, f"the English page has no {chinese.title!r}"
        assert chinese, f"the Chinese page has no {english.title!r}"
        assert english.level == chinese.level, f"{english.title!r} and {chinese.title!r}"


@each_page
def test_each_page_begins_with_a_link_to_the_other(page: str) -> None:
    for name, other in ((page, get_chinese_name(page)), (get_chinese_name(page), page)):
        lines = list(filter(None, (ROOT / name).read_text("utf-8").splitlines()))
        assert any(f"]({Path(other).name})" in line for line in lines[:3]), f"{name} does not link to {other}"


@each_page
def test_tables_and_lists_have_the_same_size(page: str) -> None:
    for english, chinese in read_both(page):
        assert english.tables == chinese.tables, f"{page}, {english.title!r}: cells of each row"
        assert english.items == chinese.items, f"{page}, {english.title!r}: items of lists"


@each_page
def test_code_is_the_same(page: str) -> None:
    for english, chinese in read_both(page):
        assert [simplify_code(block) for block in english.blocks] == [
            simplify_code(block) for block in chinese.blocks
        ], f"{page}, {english.title!r}"


def simplify_code(block: CodeBlock) -> list[str]:
    """Return the language of a block, and its lines without comments, placeholders and texts for people."""
    if any(line.startswith("$ ") for line in block.lines):  # commands, and what they print
        lines = [line for line in block.lines if line.startswith("$ ")]
    else:
        lines = [] if block.language in TRANSLATED else block.lines
    if block.language in COMMENTED:
        lines = [re.sub(r"(^|\s)#\s.*|<[^<>]*>", "", line).rstrip() for line in lines]
    return [block.language, *lines]


@each_page
def test_links_lead_to_the_same_places(page: str) -> None:
    """Each link of the English page is in the same section of the Chinese one: to a Chinese page where there is one."""
    for english, chinese in read_both(page):
        own = {Path(page).name, Path(get_chinese_name(page)).name}
        expected = sorted(translate_link(page, link) for link in english.links if link not in own)
        found = sorted(_DOCUMENT.sub("", link) for link in chinese.links if link not in own)
        assert found == expected, f"{get_chinese_name(page)}, {chinese.title!r}"


def translate_link(page: str, link: str) -> str:
    """Translate the target of a link in an English page to that of the Chinese page."""
    file, _, anchor = link.partition("#")
    if "://" in link:
        return _DOCUMENT.sub("", link)
    target = (ROOT / page).parent / file if file else ROOT / page
    chinese = target.with_name(get_chinese_name(target.name))
    if not chinese.is_file():
        return link
    name = get_chinese_name(file) if file else ""
    if not anchor:
        return name
    target_name = target.resolve().relative_to(ROOT).as_posix()
    anchors = {english.anchor: section.anchor for english, section in read_both(target_name)}
    assert anchor in anchors, f"{page} links to {link}"
    return f"{name}#{anchors[anchor]}"


@each_page
def test_no_chinese_page_is_announced_as_english(page: str) -> None:
    text = (ROOT / get_chinese_name(page)).read_text("utf-8")
    assert re.findall(r"（英文）\]\([^)]*\.zh\.md[^)]*\)|\.zh\.md[^)]*\)（英文）", text) == []


@each_page
def test_figures_are_the_same(page: str) -> None:
    """Each number of two or more digits in one page is in the same section, and row of a table, of the other."""
    for english, chinese in read_both(page):
        rows, others = list_figures(english)
        chinese_rows, chinese_others = list_figures(chinese)
        assert rows == chinese_rows, f"{page}, {english.title!r}: rows of tables"
        assert sorted(others ^ chinese_others) == [], f"{page}, {english.title!r}: in one page only"


def list_figures(section: Section) -> tuple[list[list[str]], set[str]]:
    """List the numbers in each row of the tables, and all others."""
    rows = [sorted(_FIGURE.findall(line)) for line in section.text if line.startswith("|")]
    others = "\n".join(line for line in section.text if not line.startswith("|"))
    return rows, set(_FIGURE.findall(others))


@each_page
def test_names_are_the_same(page: str) -> None:
    """Each name in a code span, such as that of a test, setting or file, is in the same section of the other page."""
    for english, chinese in read_both(page):
        assert sorted(list_names(english) ^ list_names(chinese)) == [], f"{page}, {english.title!r}"


def list_names(section: Section) -> set[str]:
    spans = re.findall(r"`([^`]+)`", "\n".join(section.text))
    return {span for span in spans if re.fullmatch(r"[A-Za-z_][\w./-]{2,}", span, re.ASCII)}


@each_page
def test_chinese_sentences_have_full_width_punctuation_and_spaces_around_other_words(page: str) -> None:
    for section in read_sections(get_chinese_name(page)):
        text = re.sub(r"`[^`]*`", "x", re.sub(r"\]\([^)\s]*\)", "]", "\n".join(section.text)))
        wrong = re.findall(
            rf".{{0,12}}(?:{_HAN}[,;:?!(]|{_HAN}[A-Za-z0-9]|[A-Za-z0-9%)]{_HAN}).{{0,12}}", text
        )
        assert wrong == [], f"{get_chinese_name(page)}, {section.title!r}"
