"""XML bodies as plain mappings, and back: xmltodict, with limits that it does not have.

Document types and entities are refused: no response of COS or CI contains them. A response may be long (five hours of
speech are 13 MB, 400,000 elements), so `parse_stream` takes it in pieces and does not keep it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element
from xml.parsers.expat import ExpatError

import xmltodict

MAX_DEPTH = 24  # the deepest published response has 8 levels

_PIECE_BYTES = 16384
_MAX_SHORT_BYTES = 262_144  # xmltodict takes 100 bytes of memory for each byte of elements that do not end
_MAX_ERROR_BYTES = 65536
_DOCUMENT_TYPE = b"<!DOCTYPE"
_NOT_XML_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

# Characters that XML 1.0 does not allow (section 2.2), as they are or as a number: control characters, surrogates
# (some writers use pairs of them for emoji), U+FFFE and U+FFFF. CI was seen to put one into a sentence (`&#11;`): a
# parser refuses the whole document, and with it a transcript that is paid for.
_INVALID_CHARACTERS = re.compile(
    rb"[\x01-\x08\x0b\x0c\x0e-\x1f]|\xed[\xa0-\xbf][\x80-\xbf]|\xef\xbf[\xbe\xbf]"
    rb"|&#(?:(?P<decimal>[0-9]{1,20})|[xX](?P<hexadecimal>[0-9a-fA-F]{1,20}));"
)
_VALID_NUMBERS = (
    *(range(0x9, 0xB), range(0xD, 0xE), range(0x20, 0xD800)),
    *(range(0xE000, 0xFFFE), range(0x10000, sys.maxunicode + 1)),
)
# At the end of a piece: the start of a reference, or of a character of three bytes that may be invalid.
_CUT_CHARACTER = re.compile(rb"(?:&[^;]{0,23}|\xed[\xa0-\xbf]?|\xef\xbf?)\Z")
_MAX_CUT_BYTES = 24

ElementParser = Callable[[Any], Any]


class XmlError(Exception):
    """The bytes are not XML that can be read; the message says why."""


def parse(body: bytes) -> dict[str, Any]:
    """Return the document as nested mappings of text, lists and None, without attributes and namespaces.

    Raises XmlError.
    """
    if len(body) > _MAX_SHORT_BYTES:
        return parse_stream([body], {})
    _refuse_nul(body)
    body = _drop_invalid(body)
    if _DOCUMENT_TYPE in body:
        _refuse_document_type()
    with _mapped_errors():
        return xmltodict.parse(body, xml_attribs=False, postprocessor=_postprocess)


def _drop_invalid(body: bytes) -> bytes:
    return _INVALID_CHARACTERS.sub(_keep_valid_reference, body)


def _keep_valid_reference(match: re.Match[bytes]) -> bytes:
    if match["decimal"]:
        number = int(match["decimal"])
    elif match["hexadecimal"]:
        number = int(match["hexadecimal"], 16)
    else:
        return b""
    return match[0] if any(number in numbers for numbers in _VALID_NUMBERS) else b""


@contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except (ET.ParseError, ExpatError, ValueError, LookupError) as error:
        raise XmlError(str(error)) from None


def _postprocess(path: Sequence[Any], name: str, value: Any) -> tuple[str, Any]:
    """Drop the namespace of an element's name and check its depth; `path` ends with the element itself."""
    _check_depth(len(path))
    return name.rpartition(":")[2], value


def _refuse_document_type() -> None:
    raise XmlError("it declares a document type, which no published response does")


def _refuse_nul(body: bytes) -> None:
    if b"\0" in body:
        raise XmlError("it contains a NUL, so it is not UTF-8 or another encoding in use")


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise XmlError(f"it is nested deeper than {MAX_DEPTH} levels")


def parse_response(body: bytes, root: str) -> Mapping[str, Any]:
    """Return the content of the root element, which must have this name. Raises XmlError."""
    return get_root(parse(body), root)


def parse_stream(pieces: Iterable[bytes], parsers: Mapping[str, ElementParser]) -> dict[str, Any]:
    """Return the same as `parse` for a document that comes in pieces and is not kept.

    `parsers` names elements that become a value soon after they end: each parser receives the content of an element
    that is not empty, and its result takes the element's place. Raises XmlError.
    """
    # xmltodict can stream as well, but takes 2.6 times the processor time.
    builder = ET.TreeBuilder()
    document = builder.start("document", {})  # the parent of the root, which can be read before the root ends
    parser = ET.XMLParser(target=builder)  # noqa: S314 - what makes it unsafe is refused
    converter = _ElementConverter(parsers)
    for piece in _check_pieces(pieces):
        with _mapped_errors():
            parser.feed(piece)
        converter.convert_finished(document)
    with _mapped_errors():
        parser.close()
    return converter.get_mapping(document)


def _check_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield small pieces, so that few levels are parsed before the next look at the depth."""
    previous = b""
    for piece in _drop_invalid_characters(pieces):
        _refuse_nul(piece)
        for start in range(0, len(piece), _PIECE_BYTES):
            part = piece[start : start + _PIECE_BYTES]
            previous = previous[1 - len(_DOCUMENT_TYPE) :] + part
            if _DOCUMENT_TYPE in previous:
                _refuse_document_type()
            yield part


def _drop_invalid_characters(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Drop the characters that XML does not allow; one that is cut by the end of a piece waits for the next piece."""
    held_back = b""
    for received in pieces:
        piece = held_back + received
        cut = _CUT_CHARACTER.search(piece, max(0, len(piece) - _MAX_CUT_BYTES))
        end = cut.start() if cut else len(piece)
        held_back = piece[end:]
        yield _drop_invalid(piece[:end])
    yield held_back


class _ElementConverter:
    """Turns elements into values after each piece, so that a long response is never held as elements."""

    def __init__(self, parsers: Mapping[str, ElementParser]) -> None:
        self._parsers = parsers
        self._open: dict[Element, dict[str, Any]] = {}  # values of children that ended before their parent

    def convert_finished(self, element: Element) -> None:
        """Replace all children but the last by values, and so on in the last: only these can still be open."""
        depth = 1
        while len(element):
            text = self._add_values(element[:-1], self._open.setdefault(element, {}), depth)
            element.text = (element.text or "") + text
            del element[:-1]
            element = element[-1]
            depth += 1

    def get_mapping(self, element: Element, depth: int = 1) -> dict[str, Any]:
        """Return the children by name, several of one name as a list, and the text between them as `#text`."""
        values = self._open.pop(element, {})
        text = self._add_values(element, values, depth)
        if text := ((element.text or "") + text).strip():
            values["#text"] = text
        return values

    def _add_values(self, children: Iterable[Element], values: dict[str, Any], depth: int) -> str:
        """Add the values of children and return the text between them."""
        _check_depth(depth)
        text: list[str] = []
        for child in children:
            name: str = child.tag
            value: Any = child.text
            if len(child):
                value = self.get_mapping(child, depth + 1)
            elif value:
                value = value.strip() or None
            if child.tail:
                text.append(child.tail)
            if name[0] == "{":
                name = name.partition("}")[2]
            if value is not None and name in self._parsers:
                value = self._parsers[name](value)
            if name not in values:
                values[name] = value
            elif isinstance(values[name], list):
                values[name].append(value)
            else:
                values[name] = [values[name], value]
        return "".join(text)


def get_root(document: Mapping[str, Any], root: str) -> Mapping[str, Any]:
    """Return the content of the root element, which must have this name. Raises XmlError."""
    if root not in document:
        raise XmlError(f"its root is {next(iter(document), 'missing')[:40]}, not {root}")
    return as_mapping(document[root])


def drop_element(_: Any) -> None:
    """Parse an element to nothing: for content that is long and not needed."""


def serialize(document: Mapping[str, Any]) -> bytes:
    """Return an XML document in UTF-8. Raises XmlError for text that XML 1.0 cannot hold."""
    text = xmltodict.unparse(document)
    if _NOT_XML_CHARACTERS.search(text):
        raise XmlError("it contains a control character, which XML cannot hold")
    # A bare carriage return would reach the other side as a line feed.
    return text.replace("\r", "&#13;").encode()


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return an element with children; {} for an absent, empty or text-only one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return repeated siblings, which come as nothing, one or many, as a list without empty elements."""
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    return [item for item in items if item is not None]


def as_text(value: Any) -> str:
    """Return an element's text; "" if it is absent, empty or has children."""
    return value if isinstance(value, str) else ""


def as_int(value: Any) -> int:
    """Return an element's whole number; 0 if it is absent or not a number."""
    try:
        return int(as_text(value))
    except ValueError:
        return 0


def parse_error(body: bytes) -> tuple[str, str, str]:
    """Return code, message and request id of an error body; CI's has no Resource node, HEAD has no body at all."""
    try:
        error = as_mapping(parse(body[:_MAX_ERROR_BYTES]).get("Error")) if body.strip() else {}
    except XmlError:
        return "", "", ""
    return as_text(error.get("Code")), as_text(error.get("Message")), as_text(error.get("RequestId"))
