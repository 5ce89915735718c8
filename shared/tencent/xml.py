"""XML bodies as plain mappings, and back. Document types and entities are refused: no answer of COS or CI has them.

An answer may be long (five hours of speech are 13 MB), so `parse` can hand over parts while it reads and keep
what the caller makes of them instead of the raw part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from xml.parsers import expat

import xmltodict

DEEPEST = 24  # the deepest published answer has 8 levels

Reader = Callable[[Any], Any]


class NotXml(Exception):
    """The bytes are not XML that we read; the message says why."""


class _StrictParser:
    """expat's parser, but a document type, and with it every entity, ends the parse at once; so does deep nesting."""

    def __init__(self, parser: Any) -> None:
        self.__dict__["_parser"] = parser
        parser.StartDoctypeDeclHandler = _refuse_document_type

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "StartElementHandler":
            value = self._counting_levels(value)
        setattr(self._parser, name, value)

    def _counting_levels(self, start: Callable[..., None]) -> Callable[..., None]:
        path = start.__self__.path  # type: ignore[attr-defined]  # xmltodict's own list of what is open

        def start_if_shallow(*arguments: Any) -> None:
            if len(path) >= DEEPEST:
                raise NotXml(f"it is nested deeper than {DEEPEST} levels")
            start(*arguments)

        return start_if_shallow


def _refuse_document_type(*_: object) -> None:
    raise NotXml("it declares a document type, which no published answer does")


class _StrictExpat:
    """What xmltodict asks of the expat module."""

    ExpatError = expat.ExpatError

    @staticmethod
    def ParserCreate(*arguments: Any) -> _StrictParser:  # noqa: N802 - expat's name
        return _StrictParser(expat.ParserCreate(*arguments))


def parse(body: bytes, *, readers: Mapping[str, Reader] | None = None) -> dict[str, Any]:
    """The document as nested mappings of text, lists and None, as xmltodict makes them.

    `readers` names elements that are turned into something smaller as soon as they end: each is called with the
    element's raw form unless that is empty, and what it gives stands in its place. Raises NotXml.
    """
    replace = readers or {}

    def finish(_path: list[Any], name: str, value: Any) -> tuple[str, Any]:
        reader = replace.get(name)
        return name, reader(value) if reader and value is not None else value

    try:
        document = xmltodict.parse(
            body, expat=_StrictExpat, postprocessor=finish if replace else None, xml_attribs=False
        )
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise NotXml(str(error)) from None
    return document if isinstance(document, dict) else {}


def response(body: bytes, root: str, *, readers: Mapping[str, Reader] | None = None) -> Mapping[str, Any]:
    """What lies in the root element, which must be the one that is expected. Raises NotXml."""
    document = parse(body, readers=readers)
    if root not in document:
        raise NotXml(f"its root is {next(iter(document), 'missing')[:40]}, not {root}")
    return mapping(document[root])


def write(document: Mapping[str, Any]) -> bytes:
    """The mapping as an XML document in UTF-8. Raises NotXml for text that XML 1.0 cannot hold."""
    text: str = xmltodict.unparse(document)
    if any(not _is_xml_character(character) for character in text):
        raise NotXml("it holds a control character, which XML cannot")
    # A bare carriage return would reach the other side as a line feed.
    return text.replace("\r", "&#13;").encode()


def _is_xml_character(character: str) -> bool:
    if character < " ":
        return character in "\t\n\r"
    return not "\ud800" <= character <= "\udfff" and character not in "\ufffe\uffff"


def mapping(value: Any) -> Mapping[str, Any]:
    """An element with children; an absent, empty or text-only one has none."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """Repeated siblings come as nothing, one or many; this is always a list, without empty elements."""
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [item for item in items if item is not None]


def text(value: Any) -> str:
    """An element's text; "" when it is absent, empty or holds children."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    """An element's whole number; 0 when it is absent or not one."""
    try:
        return int(text(value))
    except ValueError:
        return 0


def error_fields(body: bytes) -> tuple[str, str, str]:
    """Code, message and request id of an error body; CI's has no Resource node, HEAD has no body at all."""
    try:
        error = mapping(parse(body[:65536]).get("Error")) if body.strip() else {}
    except NotXml:
        return "", "", ""
    return text(error.get("Code")), text(error.get("Message")), text(error.get("RequestId"))
