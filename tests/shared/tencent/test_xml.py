from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import xmltodict
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.tencent.xml import (
    MAX_DEPTH,
    XmlError,
    as_int,
    as_list,
    as_mapping,
    as_text,
    parse,
    parse_error,
    parse_stream,
    serialize,
)


def stream(body: bytes, size: int = 7, **parsers: Callable[[Any], Any]) -> dict[str, Any]:
    """Parse a body that comes in pieces of this size."""
    return parse_stream((body[start : start + size] for start in range(0, len(body), size)), parsers)


both_parsers = pytest.mark.parametrize("parse", [parse, stream])

# What XML 1.0 can hold (section 2.2, Char).
xml_texts = st.text(
    st.characters(exclude_categories=["Cs"]).filter(
        lambda character: character in "\t\n\r" or (character >= " " and character not in "\ufffe\uffff")
    ),
    max_size=60,
)


@given(value=xml_texts)
@example(value="a\rb\r\nc\n")
@example(value="]]>&amp;<!--")
@settings(max_examples=100, deadline=None)
def test_another_parser_reads_what_serialize_wrote(value: str) -> None:
    root = ET.fromstring(serialize({"Request": {"Input": {"Object": value}}}))  # noqa: S314 - our own bytes
    assert (root.findtext("Input/Object") or "") == value


@given(value=xml_texts)
@settings(max_examples=100, deadline=None)
def test_parse_reads_what_serialize_wrote_without_outer_whitespace(value: str) -> None:
    request = as_mapping(parse(serialize({"Request": {"Object": value}})).get("Request"))
    assert as_text(request.get("Object")) == value.strip()


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1f", "\ufffe", "\uffff", "\ud800"])
def test_invalid_xml_character_is_rejected_before_sending(character: str) -> None:
    with pytest.raises(XmlError):
        serialize({"Request": {"Object": f"a{character}b"}})


def test_serialized_document_declares_utf8() -> None:
    assert serialize({"R": {"a": "会"}}).startswith(b'<?xml version="1.0" encoding="utf-8"?>')


def test_absent_single_and_repeated_elements_become_a_list() -> None:
    root = as_mapping(parse(b"<R><one>1</one><two>1</two><two/><two>2</two><none/></R>").get("R"))
    assert as_list(root.get("absent")) == as_list(root.get("none")) == []
    assert as_list(root.get("one")) == ["1"]
    assert as_list(root.get("two")) == ["1", "2"]


def test_attributes_comments_and_cdata_are_ignored() -> None:
    body = b'<?xml version="1.0"?><!-- c --><R a="1"><k b="2">x<!-- c -->y</k><c><![CDATA[<&>]]></c></R>'
    assert parse(body) == {"R": {"k": "xy", "c": "<&>"}}


def test_unexpected_values_are_empty_not_errors() -> None:
    assert (as_text(None), as_text(["a"]), as_text({"b": "c"})) == ("", "", "")
    assert (as_int("7"), as_int(None), as_int("seven"), as_int({}), as_int("")) == (7, 0, 0, 0, 0)
    assert (as_mapping(None), as_mapping("x"), as_mapping([])) == ({}, {}, {})


# What an element may contain: text, text of other kinds, what is not text, and child elements.
names = st.sampled_from(["a", "b", "Words", "名"])
between = st.sampled_from([
    "", "", "x", " y ", "\n  ", "会", "&lt;&amp;&#20250;", "<![CDATA[<a>]]>", "<!-- c -->", "<?p i?>",
])  # fmt: skip
elements = st.recursive(
    st.builds("<{0}>{1}</{0}>".format, names, between),
    lambda inner: st.builds(
        lambda name, parts: f"<{name}>{''.join(text + child for text, child in parts)} </{name}>",
        names,
        st.lists(st.tuples(between, inner), max_size=4),
    ),
    max_leaves=12,
)


@given(
    element=elements,
    times=st.sampled_from([1, 1, 2_000]),
    levels=st.integers(1, 3),
    size=st.sampled_from([61, 4096, 10**6]),
)
@settings(max_examples=60, deadline=None)
def test_streamed_document_equals_xmltodict(element: str, times: int, levels: int, size: int) -> None:
    body = ("<R>" * levels + element * times + "</R>" * levels).encode()
    read = parse(body)
    assert read == xmltodict.parse(body, xml_attribs=False)
    assert stream(body, size) == stream(body, size, Words=lambda raw: raw) == read


@both_parsers
def test_namespaces_are_dropped_before_element_parsers(parse: Callable[[bytes], Mapping[str, Any]]) -> None:
    assert parse(b'<R xmlns="http://198.51.100.7/1"><a>1</a><o:b xmlns:o="o">2</o:b></R>') == {
        "R": {"a": "1", "b": "2"}
    }


def test_element_parser_result_replaces_the_element() -> None:
    seen: list[Any] = []

    def read(raw: Any) -> str:
        seen.append(raw)
        return f"<{raw['a']}>"

    body = b"<R><d><a>1</a></d><d/><d><a>2</a></d></R>"
    assert stream(body, d=read) == {"R": {"d": ["<1>", None, "<2>"]}}
    assert seen == [{"a": "1"}, {"a": "2"}]


def test_a_long_document_is_not_kept_while_it_is_read() -> None:
    read: list[str] = []
    pieces_before_first = 0

    def pieces() -> Iterator[bytes]:
        nonlocal pieces_before_first
        yield b"<R>"
        for number in range(100):
            pieces_before_first += not read
            yield f"<d>{number}</d>".encode()
        yield b"</R>"

    document = parse_stream(pieces(), {"d": read.append})
    assert pieces_before_first < 5  # an element is parsed when the next one has begun
    assert read == [str(number) for number in range(100)]
    assert document == {"R": {"d": [None] * 100}}


@both_parsers
def test_elements_that_do_not_end_are_refused_early(parse: Callable[[bytes], Mapping[str, Any]]) -> None:
    with pytest.raises(XmlError, match="deeper"):
        parse(b"<a>" * 1_000_000)


@both_parsers
def test_depth_is_limited(parse: Callable[[bytes], Mapping[str, Any]]) -> None:
    def nested(levels: int) -> bytes:
        return b"<a>" * levels + b"</a>" * levels

    assert parse(nested(MAX_DEPTH))
    for levels in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(XmlError, match="deeper"):
            parse(nested(levels))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"not xml",
        b'{"json": true}',
        b"<R>",
        b"<R></S>",
        b"<R/><R/>",
        b"<R>\x00</R>",
        b"<R>\xff\xfe</R>",
        b"<R>&undeclared;</R>",
        b'<?xml version="1.0" encoding="no-such-code"?><R/>',
        b'<?xml version="1.0" encoding="gbk"?><R/>',
        b"<!DOCTYPE R><R/>",
        b'<!DOCTYPE R SYSTEM "http://198.51.100.7/x.dtd"><R/>',
        b'<!DOCTYPE R PUBLIC "p" "file:///etc/passwd"><R/>',
        b'<!DOCTYPE R [<!ENTITY e "e">]><R>&e;</R>',
        b'<!DOCTYPE R [<!ENTITY e SYSTEM "file:///etc/passwd">]><R>&e;</R>',
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE R [<!ENTITY e "e">]><R>&e;</R>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="mac_arabic"?>\xbc!DOCTYPE R><R/>',
        b'<!DOCTYPE R [<!ENTITY % e SYSTEM "http://198.51.100.7/x">%e;]><R/>',
    ],
)
@both_parsers
def test_invalid_xml_raises_only_xml_error(body: bytes, parse: Callable[[bytes], Mapping[str, Any]]) -> None:
    with pytest.raises(XmlError):
        parse(body)


@given(body=st.binary(max_size=80) | st.text("<>/&;#!?[]aR \n'\"=-x", max_size=60).map(str.encode))
@settings(max_examples=150, deadline=None)
def test_any_bytes_raise_only_xml_error(body: bytes) -> None:
    for read in (parse, stream):
        try:
            read(body)
        except XmlError as error:
            assert str(error)  # noqa: PT017 - reading them is right as well


def test_error_bodies_of_cos_and_ci_are_parsed() -> None:
    fields = "<Code>SlowDown</Code><Message>wait</Message>{}<RequestId>rq1</RequestId><TraceId>t</TraceId>"
    for node in ("", "<Resource>/a</Resource>"):
        body = f"<?xml version='1.0'?><Error>{fields.format(node)}</Error>".encode()
        assert parse_error(body) == ("SlowDown", "wait", "rq1")
    # As anybody may write it: a namespace, space around a text, an element where there should be a text.
    body = b"<e:Error xmlns:e='u'><e:Code>\n A </e:Code><e:Message><b>x</b></e:Message></e:Error>"
    assert parse_error(body) == ("A", "", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"<html><body>502</body></html>",
        b"<Error/>",
        b"upstream error",
        b'{"code": 1}',
        b"<Error>",
        b"<!DOCTYPE Error><Error><Code>A</Code></Error>",
    ],
)
def test_other_error_body_is_empty(body: bytes) -> None:
    assert parse_error(body) == ("", "", "")


# Characters that XML 1.0 does not allow, in every form that a writer may give them.
INVALID_NUMBERS = (
    st.integers(0, 8)
    | st.sampled_from([11, 12, 0xFFFE, 0xFFFF])
    | st.integers(14, 31)
    | st.integers(0xD800, 0xDFFF)
) | st.integers(0x110000, 0x1FFFFFFF)
DECIMAL = st.builds("&#{}{};".format, st.sampled_from(["", "0", "000"]), INVALID_NUMBERS)
HEXADECIMAL = st.builds(
    "&#{}{:{}};".format, st.sampled_from(["x", "X", "x00"]), INVALID_NUMBERS, st.sampled_from("xX")
)
RAW = st.sampled_from(
    [chr(number) for number in (*range(1, 9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF, 0xD83D)]
)
VALID = st.text("ab 会议🎙é\t\n;&#x1", max_size=6).map(lambda text: text.replace("&", "&amp;"))
REFERENCES = st.sampled_from(
    ["&#9;", "&#10;", "&#13;", "&#x20;", "&#55295;", "&#xE000;", "&#65533;", "&#x10FFFF;"]
)


@given(
    parts=st.lists(
        st.tuples(st.just(True), VALID | REFERENCES) | st.tuples(st.just(False), DECIMAL | HEXADECIMAL | RAW),
        max_size=12,
    ),
    size=st.integers(1, 40),
)
@example(parts=[(True, "a"), (False, "&#11;"), (True, "b")], size=1)
@example(parts=[(False, "&#55357;"), (False, "&#56832;")], size=3)
@settings(max_examples=250, deadline=None)
def test_character_that_xml_cannot_hold_is_dropped_wherever_it_is_cut(
    parts: list[tuple[bool, str]], size: int
) -> None:
    written, expected = (
        "<a><b>" + "".join(text for is_valid, text in parts if is_valid or with_invalid) + "</b></a>"
        for with_invalid in (True, False)
    )
    body = written.encode("utf-8", "surrogatepass")
    assert parse(body) == stream(body, size) == parse(expected.encode())


@given(value=xml_texts, size=st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_text_that_xml_can_hold_is_read_as_it_is_wherever_it_is_cut(value: str, size: int) -> None:
    body = serialize({"a": {"b": value}})
    assert stream(body, size) == parse(body)
    assert as_text(as_mapping(stream(body, size)["a"]).get("b")) == value.strip()


@both_parsers
@pytest.mark.parametrize("hidden", ["<!DOC\x01TYPE", "<!DOC&#11;TYPE", "<!\ufffeDOCTYPE"])
def test_document_type_is_refused_also_if_a_dropped_character_hides_it(
    parse: Callable[[bytes], Mapping[str, Any]], hidden: str
) -> None:
    body = f"<?xml version='1.0'?>{hidden} a [<!ENTITY b 'c'>]><a>&b;</a>".encode()
    with pytest.raises(XmlError, match="document type"):
        parse(body)


def test_reference_at_the_end_of_a_document_that_breaks_off_is_an_error() -> None:
    with pytest.raises(XmlError):
        stream(b"<a>words &#1")
