"""Sidecars: JSON in any encoding, and everything else that may be in that place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.options.model import MAX_MESSAGE_LENGTH, OPTIONS, InvalidOption
from shared.options.parse import Choice
from shared.options.sidecar import (
    MAX_SIDECAR_BYTES,
    format_source,
    is_sidecar_key,
    parse_sidecar,
    recording_key,
    sidecar_key,
)
from tests.helpers.option_cases import CASES, OptionCase

KEY = "calls/周会 1.mp3"
NAME = "周会 1.mp3.scribe.json"
VALUES = {"speakers": 2, "title": "周会", "speaker-names": ["客服", "客户"], "notify": False}


def refuse(body: bytes, key: str = KEY) -> InvalidOption:
    with pytest.raises(InvalidOption) as caught:
        parse_sidecar(body, key)
    error = caught.value
    assert format_source(key) in error.message
    assert format_source(key) in error.message_zh
    for message in (error.message, error.message_zh):
        assert message.isprintable()
        assert len(message) <= MAX_MESSAGE_LENGTH
    return error


def test_sidecar_is_beside_its_recording() -> None:
    assert sidecar_key(KEY) == f"calls/{NAME}"
    assert is_sidecar_key(sidecar_key(KEY))
    assert recording_key(sidecar_key(KEY)) == KEY
    assert not is_sidecar_key(KEY)
    assert not is_sidecar_key("a.json")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}={case.text}")
def test_every_option_is_read_as_json_and_as_text(case: OptionCase) -> None:
    for raw in (case.json, case.text):
        body = json.dumps({case.name: raw}).encode()
        assert parse_sidecar(body, "a.mp3") == {case.name: Choice(case.value, "a.mp3.scribe.json")}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]
)
def test_sidecar_is_read_in_every_encoding_of_json(encoding: str) -> None:
    body = json.dumps(VALUES, ensure_ascii=False).encode(encoding)
    assert parse_sidecar(body, KEY)["speaker-names"] == Choice(("客服", "客户"), NAME)


@pytest.mark.parametrize("recording", [KEY, "周会 1.mp3"])
def test_sidecar_may_name_its_recording(recording: str) -> None:
    assert parse_sidecar(json.dumps({"recording": recording}).encode(), KEY) == {}
    accent = json.dumps({"recording": "cafe\u0301.mp3"}).encode()
    assert parse_sidecar(accent, "caf\u00e9.mp3") == {}


@pytest.mark.parametrize(
    "recording", ["", "b.mp3", "x/周会 1.mp3", "calls/", 7, None, ["周会 1.mp3"], "a\nb", "a" * 900]
)
def test_sidecar_for_another_recording_is_refused(recording: Any) -> None:
    error = refuse(json.dumps({"recording": recording, "speakers": 2}).encode())
    assert "is for another recording" in error.message
    assert "对应另一条录音" in error.message_zh


NO_JSON = {
    "empty": b"",
    "text": b"speakers: 2",
    "cut": b'{"speakers": 2',
    "two objects": b"{}{}",
    "a comma at the end": b'{"speakers": 2,}',
    "single quotes": b"{'speakers': 2}",
    "GBK": '{"title": "周会"}'.encode("gbk"),
    "bytes": bytes(range(256)),
    "NaN": b'{"speakers": NaN}',
    "Infinity": b'{"priority": -Infinity}',
    "deep lists": b'{"title": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "an XML page": b'<?xml version="1.0"?><Error/>',
    "zeros": b"\x00" * 4000,
}


@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON)
def test_sidecar_that_is_no_json_is_refused(body: bytes) -> None:
    error = refuse(body)
    assert "is not JSON" in error.message
    assert "不是有效的 JSON" in error.message_zh


def test_line_of_the_mistake_is_named() -> None:
    assert "is not JSON, line 3;" in refuse(b'{\n "speakers": 2,\n "title" 1}').message


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"speakers"', b"true", b'[{"speakers": 2}]'])
def test_sidecar_that_is_no_object_is_refused(body: bytes) -> None:
    assert "is not a JSON object of options" in refuse(body).message


@pytest.mark.parametrize("body", [b'{"speakers": 2, "speakers": 3}', b'{"title": {"a": 1, "a": 1}}'])
def test_names_that_are_there_twice_are_refused(body: bytes) -> None:
    assert "twice" in refuse(body).message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speaker": 2}, f"'speaker' in {NAME} is not an option; did you mean speakers?"),
        ({"speakers": 1}, f"speakers in {NAME} is 1; it is off, auto or 2 to 10"),
        ({"title": None}, f"title in {NAME} is empty;"),
        ({"title": {"zh": "a"}}, f"title in {NAME} is a mapping;"),
        ({"title": "\ud800"}, f"title in {NAME} is"),
        ({"priority": 10**4000}, f"priority in {NAME} is a very large number"),
        ({"hot-words": "a"}, f"hot-words cannot be set by {NAME}; the operator sets it in rules or settings"),
        ({"": 1}, f"'' in {NAME} is not an option"),
    ],
)
def test_wrong_options_are_refused_with_the_place(values: dict[str, Any], message: str) -> None:
    assert message in refuse(json.dumps(values).encode()).message


def test_sidecar_that_is_too_large_is_refused() -> None:
    largest = b'{"speakers": 2}'.ljust(MAX_SIDECAR_BYTES)
    assert parse_sidecar(largest, KEY)["speakers"].value == "2"
    assert "has more than 65536 bytes" in refuse(largest + b" ").message
    assert "has more than 65536 bytes" in refuse(b" " * 10_000_000).message


@pytest.mark.parametrize("key", ["a" * 900, "x/" + "长" * 280, "a\nb\x00\u202e.mp3", "/", "a/\ud800.mp3"])
def test_name_of_the_place_is_short_and_printable(key: str) -> None:
    source = format_source(key)
    assert len(source) <= 80
    assert source.isprintable()
    assert is_sidecar_key(source)
    refuse(b"{", key)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=9), children, max_size=3)
    ),
    max_leaves=10,
)
names = st.sampled_from([*OPTIONS, "recording", "scribe-title"]) | st.text(max_size=90)


def assert_options_or_message(body: bytes) -> None:
    try:
        choices = parse_sidecar(body, KEY)
    except InvalidOption:
        refuse(body)
    else:
        assert {choice.source for choice in choices.values()} <= {NAME}


@given(body=st.dictionaries(names, json_values, max_size=4).map(lambda values: json.dumps(values).encode()))
@example(body=b'{"recording": "a.mp3", "recording": "b.mp3"}')
@settings(max_examples=300, deadline=None)
def test_any_json_gives_options_or_a_clear_message(body: bytes) -> None:
    assert_options_or_message(body)


@given(body=st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_options_or_a_clear_message(body: bytes) -> None:
    assert_options_or_message(body)
