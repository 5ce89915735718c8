"""Whatever clients send: Chinese in several encodings, and values of any kind."""

from __future__ import annotations

import base64
import re
from email.header import Header
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.options.check import check_options
from shared.options.ci import build_job_members
from shared.options.combine import combine
from shared.options.model import (
    MAX_MESSAGE_LENGTH,
    OPTIONS,
    InvalidOption,
    is_valid_engine,
    list_changes,
)
from shared.options.parse import decode_text, parse_metadata, parse_values
from shared.settings import UNSET, load_settings
from shared.tencent.speech_models import JobRequest
from shared.tencent.speech_xml import build_submit_body

chinese = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=1, max_size=40)
titles = st.lists(chinese | st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True), min_size=1, max_size=4).map(
    " ".join
)
titles = titles.filter(lambda title: not title.isascii())

ENCODINGS = {
    "as it is": lambda text: text,
    "percent-encoded": quote,
    "percent-encoded, lower case": lambda text: re.sub("%..", lambda match: match[0].lower(), quote(text)),
    "UTF-8 read as Latin-1": lambda text: text.encode().decode("latin-1"),
    "RFC 2047 of the standard library": lambda text: Header(text, "utf-8", maxlinelen=60).encode(),
    "RFC 2047 in one word": lambda text: f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?=",
    "RFC 2047 with Q": lambda text: f"=?utf-8?q?{quote(text).replace('%20', '_').replace('%', '=')}?=",
    "RFC 2047 in GBK": lambda text: f"=?gbk?b?{base64.b64encode(text.encode('gb18030')).decode()}?=",
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@given(title=titles)
@settings(max_examples=60, deadline=None)
def test_chinese_title_is_read_in_every_encoding(encode: Any, title: str) -> None:
    assert parse_metadata({"scribe-title": encode(title)})["title"].value == title


@given(names=st.lists(chinese.filter(lambda name: len(name) <= 40), min_size=1, max_size=10))
@settings(max_examples=60, deadline=None)
def test_chinese_names_are_read_in_every_encoding(names: list[str]) -> None:
    for encode in (
        quote,
        lambda text: text.encode().decode("latin-1"),
        lambda text: Header(text, "utf-8").encode(),
    ):
        assert parse_metadata({"scribe-speaker-names": encode(",".join(names))})[
            "speaker-names"
        ].value == tuple(names)


@pytest.mark.parametrize(
    "text",
    [
        "José",
        "100%25",
        "a%20b",
        "%E5%E6",
        "5L2g5aW9",
        "=?utf-8?b?***?=",
        "=?utf-8?b?YQ?=",
        "=?utf-8?q?é?=",
        "=?x-none?b?YQ==?=",
        "=?utf-8?q?a",
        "50 %",
        "ÿ",
    ],
)
def test_text_in_no_known_form_stays(text: str) -> None:
    assert decode_text(text) == text


def test_words_of_two_charsets_with_text_between_them_are_read() -> None:
    gbk = base64.b64encode("你".encode("gbk")).decode()
    assert decode_text(f"a =?gb2312?B?{gbk}?= b =?utf-8?Q?=E5=A5=BD?= c") == "a 你 b 好 c"
    assert decode_text("=?utf-8?Q?=E5=A5=BD?= b =?utf-8?Q?=E5=A5=BD?=") == "好 b 好"
    assert decode_text("=?utf-8?Q?=E5=A5?=  =?utf-8?Q?=BD?= c") == "好 c"


@pytest.mark.parametrize("raw", ["\ufffd\ufffd", "a\ufffdb", "=?utf-8?b?/////w==?="])
def test_lost_characters_are_refused(raw: str) -> None:
    with pytest.raises(
        InvalidOption, match="x-cos-meta-scribe-title is not in an encoding that Scribe reads"
    ) as caught:
        parse_metadata({"scribe-title": raw})
    assert "x-cos-meta-scribe-title 的编码无法识别" in caught.value.message_zh


def assert_clear(error: InvalidOption) -> None:
    for message in (error.message, error.message_zh):
        assert 10 < len(message) <= MAX_MESSAGE_LENGTH
        assert message.isprintable()


names = st.sampled_from(
    [*OPTIONS, *(f"scribe-{name}" for name in OPTIONS), "scribe-", "scribe-output"]
) | st.text(max_size=300)
junk_text = (
    st.text(max_size=300)
    | st.text("=?%utf-8bqBQ&;,、\x00\ud800\ufeff ", max_size=80)
    | st.sampled_from([case for option in OPTIONS.values() for case in (*option.choices, option.name)])
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | junk_text | st.binary(max_size=9),
    lambda children: (
        st.lists(children, max_size=12) | st.dictionaries(st.text(max_size=9), children, max_size=3)
    ),
    max_leaves=20,
)


@given(metadata=st.dictionaries(names, junk_text, max_size=6))
@example(metadata={"scribe-title": "=?utf-8?b?" + "A" * 70_000 + "?="})
@example(metadata={"scribe-title": "%E5" * 30_000})
@settings(max_examples=300, deadline=None)
def test_any_metadata_give_options_or_a_clear_message(metadata: dict[str, str]) -> None:
    try:
        choices = parse_metadata(metadata)
    except InvalidOption as error:
        assert_clear(error)
    else:
        assert_usable(choices)


@given(values=st.dictionaries(names | st.integers() | st.none(), json_values, max_size=6) | json_values)
@example(values={"channels": 10**5000})
@example(values={"title": -(10**5000)})
@example(values={"priority": float("nan")})
@settings(max_examples=300, deadline=None)
def test_any_json_gives_options_or_a_clear_message(values: Any) -> None:
    try:
        choices = parse_values("rules.yml line 3", values, is_operator=True)
    except InvalidOption as error:
        assert_clear(error)
    else:
        assert_usable(choices)


def assert_usable(choices: Any) -> None:
    """What was accepted has a job in XML, or a refusal in words; and it survives the form of the receipt."""
    chosen = combine(choices)
    result = check_options(chosen, "a.wav", 9)
    for refusal in result.refusals:
        assert_clear(InvalidOption(refusal.reason, refusal.reason_zh))
    changes = list_changes(chosen.options)
    assert combine(parse_values("receipt", changes, is_operator=True)).options == chosen.options
    if not result.refusals:
        members = build_job_members(chosen.options, "a.wav")
        job = JobRequest("a.wav", "b-1250000000", "r", "o", chosen.options.engine)
        assert build_submit_body(job._replace(speech=members.speech, template_id=members.template_id))


def is_valid_in_settings(engine: str) -> bool:
    environ = {
        "INPUT_BUCKETS": "b-1250000000",
        "CALLBACK_TOKEN": "an-example-to-replace",
        "REGION": "ap-chengdu",
    }
    try:
        return load_settings({**environ, "ENGINE": engine}).engine == engine
    except SettingsError:
        return False


@given(text=st.text(max_size=60) | st.from_regex(r"[0-9A-Za-z_-]{1,45}", fullmatch=True))
@example(text="16k_zh\n")
@settings(max_examples=200, deadline=None)
def test_names_of_engines_have_the_form_of_the_setting(text: str) -> None:
    assert is_valid_engine(text) == (is_valid_in_settings(text) or text == UNSET)
