"""Parses and serializes XML as trees of named elements: no attributes, no DTDs, no entities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_DEPTH = 32


class XmlError(ValueError):
    """A body is not XML, or uses what this cloud does not accept (a DTD, deep nesting)."""


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its name and either text or child elements.

    `keeps_controls`: control characters of the text are written as references such as `&#11;`, which XML 1.0 forbids.
    """

    name: str
    text: str = ""
    children: tuple[Node, ...] = ()
    keeps_controls: bool = False

    def find(self, path: str) -> Node | None:
        """Return the first element below this one at a path such as `Operation/Output/Bucket`."""
        current: Node | None = self
        for name in path.split("/"):
            children = current.children if current else ()
            current = next((child for child in children if child.name == name), None)
        return current

    def find_all(self, name: str) -> Iterator[Node]:
        """Iterate over the direct children of that name."""
        return (child for child in self.children if child.name == name)

    def value(self, path: str, default: str = "") -> str:
        """Return the stripped text at the path; the default when the element is absent or empty."""
        element = self.find(path)
        return (element.text.strip() if element else "") or default


def node(name: str, *content: Node | str | int | None) -> Node:
    """Build an element with either one text or number, or child elements; children that are None are left out."""
    if len(content) == 1 and isinstance(content[0], (str, int)):
        return Node(name, text=str(content[0]))
    return Node(name, children=tuple(child for child in content if isinstance(child, Node)))


def recognised_node(name: str, text: str) -> Node:
    """Build an element of recognised text. Results with `&#11;` in a sentence were reported of the real service."""
    return Node(name, text=text, keeps_controls=True)


def serialize(root: Node) -> bytes:
    """Serialize a document as UTF-8, with its declaration."""
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
        text = _escape(element.text, keeps_controls=element.keeps_controls)
        parts.append(f"<{element.name}>{text}</{element.name}>")
    else:
        parts.append(f"<{element.name}/>")


def _escape(text: str, *, keeps_controls: bool) -> str:
    """Escape text for an element. XML 1.0 cannot represent control characters: they become U+FFFD or references."""
    # Every parser returns a bare carriage return as a line feed.
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return _ILLEGAL.sub(_reference_control if keeps_controls else "\ufffd", escaped)


def _reference_control(match: re.Match[str]) -> str:
    character = match.group()
    return f"&#{ord(character)};" if character < " " else "\ufffd"


class _TreeBuilder:
    """Builds nodes from expat's callbacks, without recursion."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._stack: list[tuple[str, list[str], list[Node]]] = []  # open elements: name, texts, children

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        if len(self._stack) >= _MAX_DEPTH:
            raise XmlError(f"elements are nested deeper than {_MAX_DEPTH}")
        self._stack.append((name, [], []))

    def data(self, text: str) -> None:
        if self._stack:
            self._stack[-1][1].append(text)

    def end(self, _name: str) -> None:
        name, texts, children = self._stack.pop()
        element = Node(name, "".join(texts), tuple(children))
        if self._stack:
            self._stack[-1][2].append(element)
        else:
            self.root = element


def _reject_doctype(name: str, *_declaration: object) -> None:
    raise XmlError(f"a document type declaration ({name}) is not accepted")


def parse(body: bytes) -> Node:
    """Parse a UTF-8 document to its root. Raises XmlError, for every DTD too: that stops entity bombs."""
    builder = _TreeBuilder()
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
