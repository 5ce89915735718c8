"""Serializing and parsing XML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.xml import Node, XmlError, node, parse, serialize

LEGAL = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], include_characters="\t\n\r", exclude_characters="\ufffe\uffff"
    )
)


@given(LEGAL)
def test_legal_text_survives_round_trip(text: str) -> None:
    assert parse(serialize(node("a", node("b", text)))).children[0].text == text


def test_illegal_characters_are_replaced() -> None:
    assert parse(serialize(node("a", "x\0y\x1bz\ufffe"))).text == "x\ufffdy\ufffdz\ufffd"


def test_values_are_found_by_path_and_stripped() -> None:
    root = parse(b"<r><a><b> x </b><b>y</b></a><empty/></r>")
    assert root.value("a/b") == "x"
    assert root.value("empty", "default") == root.value("a/none/deeper", "default") == "default"
    assert [item.text for item in root.children[0].find_all("b")] == [" x ", "y"]
    assert root.find("a/c") is None


def test_none_children_are_left_out() -> None:
    assert node("a", None, node("b", 1), None) == Node("a", children=(Node("b", "1"),))
    assert serialize(node("a")).endswith(b"<a/>")


BOMB = b'<!DOCTYPE a [<!ENTITY x "' + b"&y;" * 1000 + b'">]><a>&x;</a>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&undefined;</a>",
        b"<a>\xff</a>",
        b"<a>\0</a>",
        b"<a b=1/>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><a/>',
        BOMB,
        b"<a>" * 33 + b"</a>" * 33,
        b"<a>" * 1_000_000,
    ],
)
def test_invalid_xml_is_rejected_quickly(body: bytes) -> None:
    start = time.monotonic()
    with pytest.raises(XmlError):
        parse(body)
    assert time.monotonic() - start < 1
