"""Every option with values as users write them, and the members that CI gets for each."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Any, NamedTuple

from shared.options.check import CheckResult, check_options
from shared.options.combine import ChosenOptions, combine
from shared.options.model import OPTIONS, Value
from shared.options.parse import Choice, parse_metadata, parse_values

DEFAULT_SPEECH: Mapping[str, str] = {
    "EngineModelType": "16k_zh",
    "ChannelNum": "1",
    "ResTextFormat": "2",
    "ConvertNumMode": "1",
}


class OptionCase(NamedTuple):
    """One value of one option: as metadata has it, as JSON has it, and what it means.

    `speech`: the members of SpeechRecognition for `key`, if they differ from the default ones; None: not there at all.
    `operation`: members beside it. `beside`: options that this one needs.
    """

    name: str
    text: str
    json: Any
    value: Value
    speech: Mapping[str, str] | None = DEFAULT_SPEECH
    operation: Mapping[str, str] = MappingProxyType({})
    beside: Mapping[str, Any] = MappingProxyType({})
    key: str = "calls/会议.mp3"


def with_members(**members: str) -> dict[str, str]:
    return {**DEFAULT_SPEECH, **members}


FLASH = {
    "EngineModelType": "16k_zh",
    "ConvertNumMode": "1",
    "FlashAsr": "true",
    "Format": "mp3",
    "WordInfo": "2",
}
SUBTITLES = {"words": "subtitles"}

CASES = (
    OptionCase("engine", "16k_en", "16k_en", "16k_en", with_members(EngineModelType="16k_en")),
    OptionCase("engine", " 16k_zh-PY ", "16k_zh-PY", "16k_zh-PY", with_members(EngineModelType="16k_zh-PY")),
    OptionCase(
        "engine", "16k_new_2_0", "16k_new_2_0", "16k_new_2_0", with_members(EngineModelType="16k_new_2_0")
    ),
    OptionCase("channels", "1", 1, 1),
    OptionCase(
        "channels",
        " 2 ",
        2,
        2,
        with_members(EngineModelType="8k_zh", ChannelNum="2"),
        beside={"engine": "8k_zh"},
    ),
    OptionCase("speakers", "off", False, ""),
    OptionCase("speakers", "Auto", "auto", "auto", with_members(SpeakerDiarization="1", SpeakerNumber="0")),
    OptionCase("speakers", "2", 2, "2", with_members(SpeakerDiarization="1", SpeakerNumber="2")),
    OptionCase("speakers", "10", "10", "10", with_members(SpeakerDiarization="1", SpeakerNumber="10")),
    OptionCase("words", "none", "none", "none", with_members(ResTextFormat="0")),
    OptionCase("words", "words", "words", "words", with_members(ResTextFormat="1")),
    OptionCase("words", "punctuation", "punctuation", "punctuation"),
    OptionCase("words", "subtitles", "subtitles", "subtitles", with_members(ResTextFormat="3")),
    OptionCase("punctuation", "keep", "keep", "keep"),
    OptionCase("punctuation", "no-final", "no-final", "no-final", with_members(FilterPunc="1")),
    OptionCase("punctuation", "none", "none", "none", with_members(FilterPunc="2")),
    OptionCase("fillers", "keep", "keep", "keep"),
    OptionCase("fillers", "some", "some", "some", with_members(FilterModal="1")),
    OptionCase("fillers", "none", "none", "none", with_members(FilterModal="2")),
    OptionCase("dirty-words", "keep", "keep", "keep"),
    OptionCase("dirty-words", "drop", "drop", "drop", with_members(FilterDirty="1")),
    OptionCase("dirty-words", "MASK", "mask", "mask", with_members(FilterDirty="2")),
    OptionCase("numbers", "chinese", "chinese", "chinese", with_members(ConvertNumMode="0")),
    OptionCase("numbers", "arabic", "arabic", "arabic"),
    OptionCase("numbers", "math", "math", "math", with_members(ConvertNumMode="3")),
    OptionCase("line-length", "off", False, 0),
    OptionCase("line-length", "0", 0, 0),
    OptionCase(
        "line-length", "6", 6, 6, with_members(ResTextFormat="3", SentenceMaxLength="6"), beside=SUBTITLES
    ),
    OptionCase(
        "line-length", "40", 40, 40, with_members(ResTextFormat="3", SentenceMaxLength="40"), beside=SUBTITLES
    ),
    OptionCase("line-length", "16", 16, 16, {**FLASH, "SentenceMaxLength": "16"}, beside={"flash": True}),
    OptionCase("flash", "no", False, False),
    OptionCase("flash", "yes", True, True, FLASH),
    OptionCase("flash", "1", 1, True, {**FLASH, "WordInfo": "0"}, beside={"words": "none"}),
    OptionCase("flash", "on", "on", True, {**FLASH, "WordInfo": "1"}, beside={"words": "words"}),
    OptionCase(
        "flash", "TRUE", "yes", True, {**FLASH, "SpeakerDiarization": "1"}, beside={"speakers": "auto"}
    ),
    OptionCase("flash", "yes", True, True, {**FLASH, "Format": "ogg-opus"}, key="a.b/Call.OPUS"),
    OptionCase("template", "off", False, ""),
    OptionCase(
        "template",
        "t1460606b9752148c",
        "t1460606b9752148c",
        "t1460606b9752148c",
        None,
        {"TemplateId": "t1460606b9752148c"},
    ),
    OptionCase("priority", "0", 0, 0),
    OptionCase("priority", "1", "1", 1, operation={"JobLevel": "1"}),
    OptionCase("priority", "2", 2, 2, operation={"JobLevel": "2"}),
    OptionCase("priority", "2", 2, 2, None, {"TemplateId": "t1", "JobLevel": "2"}, {"template": "t1"}),
    OptionCase("formats", "txt", ["txt"], ("txt",)),
    OptionCase("formats", "vtt, JSON，vtt", ["vtt", "json"], ("vtt", "json")),
    OptionCase("title", "周会", "周会", "周会"),
    OptionCase("title", " a \t b ", "a\nb", "a b"),
    OptionCase("title", "2026", 2026, "2026"),
    OptionCase("speaker-names", "客服,客户", ["客服", "客户"], ("客服", "客户")),
    OptionCase("speaker-names", "Li Wei、王芳；", "Li Wei;王芳", ("Li Wei", "王芳")),
    OptionCase("caption-width", "Auto", "auto", 0),
    OptionCase("caption-width", "16", 16, 16),
    OptionCase("caption-width", "100", "100", 100),
    OptionCase("caption-lines", "1", 1, 1),
    OptionCase("caption-lines", "3", "3", 3),
    OptionCase("caption-seconds", "2", 2, 2),
    OptionCase("caption-seconds", "15", "15", 15),
    OptionCase("times", "yes", True, True),
    OptionCase("times", "off", False, False),
    OptionCase("notify", "yes", True, True),
    OptionCase("notify", "off", False, False),
    OptionCase("notify", "0", "no", False),
    OptionCase("notify", "On", "1", True),
    OptionCase("notify", "feishu-sales", "feishu-sales", ("feishu-sales",)),
    OptionCase(
        "notify",
        "WECOM_SUPPORT，webhook, webhook",
        ["wecom-support", "webhook"],
        ("wecom-support", "webhook"),
    ),
)


# Two values of each option: the farther place says the first, the nearer one the second.
PAIRS = {
    name: next(
        (one, two)
        for one, two in combinations([case for case in CASES if case.name == name], 2)
        if one.value != two.value
    )
    for name in OPTIONS
    if name != "hot-words"
}


def parse_place(place: str, values: dict[str, Any]) -> dict[str, Choice]:
    """Parse what one place says; the metadata as text, everything else as JSON."""
    if place == "metadata":
        return parse_metadata({f"scribe-{name}": str(value) for name, value in values.items()})
    return parse_values(place, values, is_operator=place != "sidecar")


def choose(values: dict[str, Any], place: str = "rules.yml line 3", engine: str = "16k_zh") -> ChosenOptions:
    """Choose these options in one place, above an engine in the settings."""
    return combine(parse_values("settings", {"engine": engine}, is_operator=True), parse_place(place, values))


def check(
    values: dict[str, Any], place: str = "rules.yml line 3", key: str = "a.mp3", size: int = 9
) -> CheckResult:
    return check_options(choose(values, place), key, size)
