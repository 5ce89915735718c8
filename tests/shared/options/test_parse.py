from __future__ import annotations

import json
import re
from typing import Any

import pytest

from shared.options.model import FORMATS as OPTION_FORMATS
from shared.options.model import OPTIONS, InvalidOption, RecordingOptions, as_json_value, format_value
from shared.options.parse import MARKS, Choice, parse_metadata, parse_values
from shared.recordings.keys import OUTPUT_MARK
from shared.settings import DEFAULT_FORMATS
from shared.transcript import FORMATS
from tests.helpers.option_cases import CASES, OptionCase

PLACES = ("settings", "rules.yml line 3", "sidecar")

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}={case.text}")

INVALID: tuple[tuple[str, Any], ...] = (
    ("engine", "16k zh"),
    ("engine", "<a/>"),
    ("engine", "x"),
    ("engine", "英文"),
    ("engine", "a" * 41),
    ("engine", "16k_zh\n16k_en"),
    ("engine", "../x"),
    ("engine", True),
    ("engine", ["16k_zh"]),
    ("channels", "0"),
    ("channels", "3"),
    ("channels", "stereo"),
    ("channels", "1.0"),
    ("channels", "-1"),
    ("channels", "２"),
    ("channels", "1,2"),
    ("channels", True),
    ("channels", 2.0),
    ("channels", 10**400),
    ("speakers", "1"),
    ("speakers", "11"),
    ("speakers", "客服,客户"),
    ("speakers", True),
    ("speakers", 0),
    ("words", "2"),
    ("words", "all"),
    ("words", False),
    ("punctuation", "drop"),
    ("punctuation", 1),
    ("fillers", "all"),
    ("fillers", {}),
    ("dirty-words", "*"),
    ("dirty-words", ["keep"]),
    ("numbers", "2"),
    ("numbers", "roman"),
    ("line-length", "5"),
    ("line-length", 41),
    ("line-length", "1000"),
    ("flash", "maybe"),
    ("flash", 2),
    ("flash", []),
    ("template", "t 1"),
    ("template", "t" * 65),
    ("template", "<a>"),
    ("template", True),
    ("hot-words", "a" * 201),
    ("hot-words", "a\x00b"),
    ("hot-words", " "),
    ("hot-words", True),
    ("priority", "3"),
    ("priority", "-1"),
    ("priority", True),
    ("priority", 1e400),
    ("formats", "pdf"),
    ("formats", "json txt"),
    ("formats", []),
    ("formats", ["txt", None]),
    ("formats", ","),
    ("title", "a\x00b"),
    ("title", "a" * 201),
    ("title", "a\u202eb"),
    ("title", "a\u061cb"),
    ("title", "\ud800"),
    ("title", False),
    ("speaker-names", ["a", ""]),
    ("speaker-names", ["a", ["b"]]),
    ("speaker-names", "a" * 41),
    ("speaker-names", list("abcdefghijk")),
    ("speaker-names", "a\x1b[2J"),
    ("speaker-names", {"1": "a"}),
    ("caption-width", "off"),
    ("caption-width", 0),
    ("caption-width", 15),
    ("caption-width", "101"),
    ("caption-lines", "0"),
    ("caption-lines", 4),
    ("caption-lines", "two"),
    ("caption-seconds", 1),
    ("caption-seconds", "16"),
    ("caption-seconds", "2.5"),
    ("times", "always"),
    ("times", 2),
    ("notify", "wecom support"),
    ("notify", "wecom-"),
    ("notify", "客服"),
    ("notify", "a" * 41),
    ("notify", "yes, wecom"),
    ("notify", ["wecom", False]),
    ("notify", ["wecom", {}]),
    ("notify", [f"wecom-{number}" for number in range(11)]),
    ("notify", []),
    ("notify", 2),
    ("notify", 1.0),
    ("notify", None),
)


@each_case
def test_metadata_set_every_option(case: OptionCase) -> None:
    source = f"x-cos-meta-scribe-{case.name}"
    assert parse_metadata({f"scribe-{case.name}": case.text}) == {case.name: Choice(case.value, source)}


@each_case
@pytest.mark.parametrize("place", PLACES)
def test_other_places_set_every_option(place: str, case: OptionCase) -> None:
    for raw in (case.json, case.text):
        assert parse_values(place, {case.name: raw}) == {case.name: Choice(case.value, place)}
        (choice,) = parse_values(place, {case.name: raw}).values()
        assert type(choice.value) is type(case.value)


def test_yes_and_no_may_be_the_member_of_a_list() -> None:
    """As YAML has `notify: [yes]`, and as a client writes every value."""
    for raw, value in (([True], True), (["NO"], False), ([False], False)):
        assert parse_values("rules.yml line 3", {"notify": raw})["notify"].value is value


def test_every_option_but_hot_words_has_cases() -> None:
    assert {case.name for case in CASES} == OPTIONS.keys() - {"hot-words"}
    assert {option.field for option in OPTIONS.values()} == set(RecordingOptions._fields)
    assert {name for name, _ in INVALID} == set(OPTIONS)


def test_only_the_operator_sets_hot_words() -> None:
    for raw, value in (("hotwords/学校.txt", "hotwords/学校.txt"), ("off", ""), (False, "")):
        place = "rules.yml line 3"
        assert parse_values(place, {"hot-words": raw}, is_operator=True) == {
            "hot-words": Choice(value, place)
        }
    with pytest.raises(
        InvalidOption, match="hot-words cannot be set by x-cos-meta-scribe-hot-words; the operator"
    ):
        parse_metadata({"scribe-hot-words": "a"})
    with pytest.raises(InvalidOption, match="hot-words cannot be set by sidecar"):
        parse_values("sidecar", {"hot-words": "a"})


@pytest.mark.parametrize(("name", "raw"), INVALID, ids=str)
def test_wrong_value_is_refused_with_its_place(name: str, raw: Any) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_values("rules.yml line 3", {name: raw}, is_operator=True)
    option = OPTIONS[name]
    message, message_zh = caught.value.message, caught.value.message_zh
    assert re.fullmatch(rf"{name} in rules\.yml line 3 is .+; it is {re.escape(option.values)}", message)
    assert message_zh.startswith(f"rules.yml line 3 中的 {name} 的值 ")
    assert message_zh.endswith(f" 无效，应为 {option.values_zh}")
    assert len(message) <= 400
    assert message.isprintable()
    if isinstance(raw, str) and raw.strip() and not option.operator_only:
        with pytest.raises(InvalidOption, match=f"^x-cos-meta-scribe-{name} is "):
            parse_metadata({f"scribe-{name}": raw})


def test_message_has_the_value() -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_metadata({"scribe-speakers": "1"})
    assert str(caught.value) == "x-cos-meta-scribe-speakers is '1'; it is off, auto or 2 to 10"
    assert caught.value.message_zh == "x-cos-meta-scribe-speakers 的值 '1' 无效，应为 off、auto 或 2 到 10"


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("speaker", "speakers"),
        ("dirty_words", "dirty-words"),
        ("Engine", "engine"),
        ("lines-length", "line-length"),
    ],
)
def test_unknown_name_is_refused_with_the_most_similar_one(name: str, similar: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_values("rules.yml line 3", {name: "x"})
    assert str(caught.value) == f"'{name}' in rules.yml line 3 is not an option; did you mean {similar}?"
    with pytest.raises(InvalidOption, match="did you mean x-cos-meta-scribe-speakers"):
        parse_metadata({"scribe-speaker": "2"})


@pytest.mark.parametrize("name", ["colour", "\x1b[31m", "x" * 5000, 7, None, ("a",)])
def test_name_without_a_similar_one_gets_the_list(name: Any) -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_values("sidecar", {name: "x"})
    assert "is not an option; the options are engine, channels, speakers" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize("values", [None, [], "engine: 16k_en", 7, True, [{"engine": "16k_en"}]])
def test_place_that_is_no_mapping_is_refused(values: Any) -> None:
    with pytest.raises(InvalidOption, match=r"^sidecar is .+; it is names with values$"):
        parse_values("sidecar", values)


def test_earlier_names_in_metadata_are_read() -> None:
    assert parse_metadata({"engine": "8k_zh", "channels": "2"}) == {
        "engine": Choice("8k_zh", "x-cos-meta-engine"),
        "channels": Choice(2, "x-cos-meta-channels"),
    }
    with pytest.raises(InvalidOption, match=r"^x-cos-meta-channels is '7'; it is 1 or 2$"):
        parse_metadata({"channels": "7"})


def test_new_names_win_over_earlier_ones() -> None:
    new = {"engine": Choice("16k_en", "x-cos-meta-scribe-engine")}
    assert parse_metadata({"engine": "8k_zh", "scribe-engine": "16k_en"}) == new
    assert parse_metadata({"scribe-engine": "16k_en", "engine": "not an engine"}) == new
    assert parse_metadata({"scribe-engine": " ", "engine": "16k_en"})["engine"].source == "x-cos-meta-engine"


def test_other_and_empty_metadata_set_nothing() -> None:
    metadata = {
        "title": "x",
        "speakers": "1",
        "author": "\x00",
        "engine": " ",
        "scribe-title": "",
        "scribe-words": " ",
    }
    assert parse_metadata(metadata) == {}


def test_mark_of_what_scribe_writes_is_no_option() -> None:
    assert MARKS == (OUTPUT_MARK,)
    assert parse_metadata({OUTPUT_MARK: "receipt"}) == {}


def test_formats_are_those_of_the_settings() -> None:
    assert RecordingOptions().formats == DEFAULT_FORMATS
    assert tuple(FORMATS) == OPTION_FORMATS


def test_message_is_short_even_if_the_place_is_not() -> None:
    with pytest.raises(InvalidOption) as caught:
        parse_values("rules.yml " * 100, {"speakers": 1})
    assert (len(str(caught.value)), len(caught.value.message_zh)) == (400, 400)


def test_values_are_shown_as_metadata_have_them() -> None:
    for case in CASES:
        shown = format_value(case.name, case.value)
        if shown:
            choices = parse_metadata({f"scribe-{case.name}": shown})
            assert choices[case.name].value == case.value, shown
    assert format_value("formats", ("vtt", "json")) == "vtt,json"
    assert [format_value(name, OPTIONS[name].default) for name in ("line-length", "priority", "notify")] == [
        "off",
        "0",
        "yes",
    ]


@each_case
def test_json_value_of_an_option_is_read_again(case: OptionCase) -> None:
    value = as_json_value(case.name, case.value)
    assert parse_values("receipt", {case.name: value}, is_operator=True)[case.name].value == case.value
    assert json.loads(json.dumps(value)) == value
