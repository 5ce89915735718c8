"""XML as the stand-in reads and writes it: trees of named nodes, no attributes, no DTDs, no entities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_DEPTH = 32


class XmlError(ValueError):
    """A body is not XML, or uses what this cloud does not read (a DTD, deep nesting)."""


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its name and either text or child elements."""

    name: str
    text: str = ""
    children: tuple[Node, ...] = ()

    def find(self, path: str) -> Node | None:
        """The first node below this one at a path such as `Operation/Output/Bucket`."""
        here: Node | None = self
        for step in path.split("/"):
            here = next((child for child in here.children if child.name == step), None) if here else None
        return here

    def find_all(self, name: str) -> Iterator[Node]:
        """The direct children of that name."""
        return (child for child in self.children if child.name == name)

    def value(self, path: str, default: str = "") -> str:
        """The stripped text at the path; the default when the node is absent or empty."""
        found = self.find(path)
        return (found.text.strip() if found else "") or default


def node(name: str, *content: Node | str | int | None) -> Node:
    """An element with either one text or number, or child elements; None stands for a child left out."""
    if len(content) == 1 and isinstance(content[0], (str, int)):
        return Node(name, text=str(content[0]))
    return Node(name, children=tuple(child for child in content if isinstance(child, Node)))


def serialize(root: Node) -> bytes:
    """The bytes of a whole document, UTF-8, with its declaration."""
    parts = ["<?xml version='1.0' encoding='utf-8' ?>\n"]
    _write(root, parts)
    return "".join(parts).encode()


def _write(element: Node, parts: list[str]) -> None:
    if element.children:
        parts.append(f"<{element.name}>")
        for child in element.children:
            _write(child, parts)
        parts.append(f"</{element.name}>")
    elif element.text:
        parts.append(f"<{element.name}>{_escape(element.text)}</{element.name}>")
    else:
        parts.append(f"<{element.name}/>")


def _escape(text: str) -> str:
    """Text for an element. XML 1.0 has no form for control characters at all: they become U+FFFD."""
    legal = _ILLEGAL.sub("\ufffd", text)
    # A bare carriage return would come back as a line feed from every parser.
    return legal.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


class _Builder:
    """Collects expat's calls into nodes, without recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[tuple[str, list[str], list[Node]]] = []

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise XmlError(f"elements are nested deeper than {_MAX_DEPTH}")
        self._open.append((name, [], []))

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1][1].append(text)

    def end(self, _name: str) -> None:
        name, texts, children = self._open.pop()
        done = Node(name, "".join(texts), tuple(children))
        if self._open:
            self._open[-1][2].append(done)
        else:
            self.root = done


def _reject_doctype(name: str, *_declaration: object) -> None:
    raise XmlError(f"a document type declaration ({name}) is not accepted")


def parse(body: bytes) -> Node:
    """The root of a UTF-8 document. Raises XmlError; entity bombs end at their DTD."""
    builder = _Builder()
    parser = expat.ParserCreate(encoding="utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _reject_doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise XmlError(str(error)) from error
    if builder.root is None:
        raise XmlError("the document has no element")
    return builder.root
