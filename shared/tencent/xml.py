"""XML bodies as plain mappings, and back. Document types and entities are refused: no answer of COS or CI has them.

An answer may be long (five hours of speech are 13 MB, 400,000 elements), so `parse` can hand over parts while it
reads and keep what the caller makes of them instead of the raw part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

DEEPEST = 24  # the deepest published answer has 8 levels

_PIECE_BYTES = 65536
_DECLARATION = b'<?xml version="1.0" encoding="utf-8"?>\n'

Reader = Callable[[Any], Any]


class XmlError(Exception):
    """The bytes are not XML that we read; the message says why."""


def parse(body: bytes, *, readers: Mapping[str, Reader] | None = None) -> dict[str, Any]:
    """The document as nested mappings of text, lists and None; attributes and namespaces are left out.

    `readers` names elements that are turned into something smaller soon after they end: each is called with the
    element's raw form unless that is empty, and what it gives stands in its place. Raises NotXml.
    """
    # Before anything is parsed, and even where it is mere text: a document type may define entities without end.
    if b"<!DOCTYPE" in body:
        raise XmlError("it declares a document type, which no published answer does")
    if b"\0" in body:
        raise XmlError("it holds a NUL, so it is neither UTF-8 nor any other encoding in use")
    builder = ET.TreeBuilder()
    document = builder.start(
        "document", {}
    )  # around the root: from here, what is read can be seen before it ends
    parser = ET.XMLParser(target=builder)  # noqa: S314 - what makes it unsafe was refused
    folding = _Folding(readers or {})
    try:
        for place in range(0, len(body), _PIECE_BYTES):
            parser.feed(body[place : place + _PIECE_BYTES])
            folding.take_finished(document)
        parser.close()
    except (ET.ParseError, ValueError, LookupError) as error:
        raise XmlError(str(error)) from None
    return folding.mapping_of(document)


class _Folding:
    """Elements become values soon after they have ended, so that a long answer never stands in memory as elements."""

    def __init__(self, readers: Mapping[str, Reader]) -> None:
        self._readers = readers
        self._begun: dict[Element, dict[str, Any]] = {}  # what was taken out of elements that had not ended

    def take_finished(self, element: Element) -> None:
        """Takes out all children but the last, and so on in the last one: only these can still be open."""
        level = 1
        while len(element):
            between = self._add(element[:-1], self._begun.setdefault(element, {}), level)
            element.text = (element.text or "") + between
            del element[:-1]
            element = element[-1]
            level += 1

    def mapping_of(self, element: Element, level: int = 1) -> dict[str, Any]:
        """The children by their names, several of one name as a list; text between them, if any, as `#text`."""
        told = self._begun.pop(element, {})
        between = self._add(element, told, level)
        if as_text := ((element.text or "") + between).strip():
            told["#text"] = as_text
        return told

    def _add(self, children: Iterable[Element], told: dict[str, Any], level: int) -> str:
        """Adds the children's values and gives the text between them."""
        if level > DEEPEST:
            raise XmlError(f"it is nested deeper than {DEEPEST} levels")
        between: list[str] = []
        for child in children:
            name: str = child.tag
            value: Any = child.text
            if len(child):
                value = self.mapping_of(child, level + 1)
            elif value:
                value = value.strip() or None
            if child.tail:
                between.append(child.tail)
            if name[0] == "{":
                name = name.partition("}")[2]
            if value is not None and name in self._readers:
                value = self._readers[name](value)
            if name not in told:
                told[name] = value
            elif isinstance(told[name], list):
                told[name].append(value)
            else:
                told[name] = [told[name], value]
        return "".join(between)


def parse_response(
    body: bytes, root: str, *, readers: Mapping[str, Reader] | None = None
) -> Mapping[str, Any]:
    """What lies in the root element, which must be the one that is expected. Raises NotXml."""
    document = parse(body, readers=readers)
    if root not in document:
        raise XmlError(f"its root is {next(iter(document), 'missing')[:40]}, not {root}")
    return as_mapping(document[root])


def serialize(document: Mapping[str, Any]) -> bytes:
    """The mapping, of one name, as an XML document in UTF-8. Raises NotXml for text that XML 1.0 cannot hold."""
    ((root, content),) = document.items()
    as_text = ET.tostring(_element(root, content), encoding="unicode")
    if any(not _is_xml_character(character) for character in as_text):
        raise XmlError("it holds a control character, which XML cannot")
    # A bare carriage return would reach the other side as a line feed.
    return _DECLARATION + as_text.replace("\r", "&#13;").encode()


def _element(name: str, content: Mapping[str, Any] | str) -> Element:
    element = Element(name)
    if isinstance(content, str):
        element.text = content
    else:
        element.extend(_element(*child) for child in content.items())
    return element


def _is_xml_character(character: str) -> bool:
    if character < " ":
        return character in "\t\n\r"
    return not "\ud800" <= character <= "\udfff" and character not in "\ufffe\uffff"


def as_mapping(value: Any) -> Mapping[str, Any]:
    """An element with children; an absent, empty or text-only one has none."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Repeated siblings come as nothing, one or many; this is always a list, without empty elements."""
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [item for item in items if item is not None]


def as_text(value: Any) -> str:
    """An element's text; "" when it is absent, empty or holds children."""
    return value if isinstance(value, str) else ""


def as_int(value: Any) -> int:
    """An element's whole number; 0 when it is absent or not one."""
    try:
        return int(as_text(value))
    except ValueError:
        return 0


def parse_error(body: bytes) -> tuple[str, str, str]:
    """Code, message and request id of an error body; CI's has no Resource node, HEAD has no body at all."""
    try:
        error = as_mapping(parse(body[:65536]).get("Error")) if body.strip() else {}
    except XmlError:
        return "", "", ""
    return as_text(error.get("Code")), as_text(error.get("Message")), as_text(error.get("RequestId"))
