"""The structure of a page in Markdown: its sections, with the code blocks, tables, lists and links of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADING = re.compile(r"(#+) (.+)")
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.) ")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE_SPAN = re.compile(r"`[^`]*`")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced code block: the word or words behind its fence, and its lines."""

    language: str
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what follows up to the next one. `tables` has the number of cells of each row of each table."""

    level: int
    title: str
    blocks: list[CodeBlock] = field(default_factory=list)
    tables: list[list[int]] = field(default_factory=list)
    items: int = 0
    links: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)  # its lines, without those of code blocks

    @property
    def anchor(self) -> str:
        """The anchor that GitHub gives the heading: lower case, hyphens for blanks, no other marks."""
        return re.sub(r"[^\w -]", "", self.title.lower()).replace(" ", "-")


def parse_sections(page: str) -> list[Section]:
    """Parse a page. What precedes the first heading is a section of level 0, if there is anything."""
    sections = [Section(0, "")]
    lines = iter(page.splitlines())
    for line in lines:
        if line.lstrip().startswith("```"):
            sections[-1].blocks.append(_take_block(line, lines))
        elif heading := _HEADING.fullmatch(line):
            sections.append(Section(len(heading[1]), heading[2]))
        else:
            sections[-1].text.append(line)
    filled = [section for section in sections if section.level or any(section.text) or section.blocks]
    return [_complete(section) for section in filled]


def _take_block(fence: str, lines: Iterator[str]) -> CodeBlock:
    block = CodeBlock(fence.strip().strip("`"))
    for line in lines:
        if line.strip() == "```":
            break
        block.lines.append(line)
    return block


def _complete(section: Section) -> Section:
    """Count the tables and list items of a section, and find its links."""
    before, items = "", 0
    for line in section.text:
        if line.startswith("|"):
            if not before.startswith("|"):
                section.tables.append([])
            section.tables[-1].append(len(re.findall(r"(?<!\\)\|", _CODE_SPAN.sub("", line))) - 1)
        items += bool(_ITEM.match(line))
        section.links.extend(_LINK.findall(_CODE_SPAN.sub("``", line)))
        before = line
    return Section(
        section.level, section.title, section.blocks, section.tables, items, section.links, section.text
    )
