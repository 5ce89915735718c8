"""Every option of a recording: its name, its default, its values, and the member of CI that it sets.

A name is the same in each place: `x-cos-meta-scribe-<name>`, rules, and the sidecar. A member of `RecordingOptions` has
the same name with `_` for `-`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

Value = str | int | bool | tuple[str, ...]

FORMATS = ("json", "txt", "srt", "vtt", "html", "md", "docx", "csv", "podcast")
MIN_SPEAKERS, MAX_SPEAKERS = 2, 10
MIN_LINE_LENGTH, MAX_LINE_LENGTH = 6, 40
MAX_PRIORITY = 2
MAX_TITLE_LENGTH = 200
MAX_NAME_LENGTH = 40
MAX_NAMES = 10
MAX_MESSAGE_LENGTH = 400
# Of captions: columns of a line, where a Chinese character takes two; lines of a cue; seconds of the longest cue.
MIN_CAPTION_WIDTH, MAX_CAPTION_WIDTH = 16, 100
MIN_CAPTION_LINES, MAX_CAPTION_LINES = 1, 3
MIN_CAPTION_SECONDS, MAX_CAPTION_SECONDS = 2, 15

_ENGINE = re.compile(r"[0-9A-Za-z_-]{2,40}")
# What no title or name may have: controls, separators of lines, marks that change the direction of the text around
# them, halves of a character, and code points that are no characters.
_FORBIDDEN_CHARACTERS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufff9-\uffff]"
)


class InvalidOption(ValueError):
    """An option cannot be used. The message, also in Chinese, is for the person who set it; at most 400 characters."""

    def __init__(self, message: str, message_zh: str) -> None:
        self.message = message[:MAX_MESSAGE_LENGTH]
        self.message_zh = message_zh[:MAX_MESSAGE_LENGTH]
        super().__init__(self.message)


class RecordingOptions(NamedTuple):
    """The options of one recording. The defaults are what is submitted if no place sets anything.

    The receipt has only what differs from the defaults: a default that changes here changes the open receipts, too.
    `speakers`: "" does not separate them, "auto" lets the engine count them, "2" to "10". `line_length` in characters;
    0 is no limit. "" is no template and no hot words. `caption_width` 0 is "auto". `times`: of paragraphs, in TXT.
    `notify`: True is the default targets, False is none, and otherwise the names of targets.
    """

    engine: str = "16k_zh"
    channels: int = 1
    speakers: str = ""
    words: str = "punctuation"
    punctuation: str = "keep"
    fillers: str = "keep"
    dirty_words: str = "keep"
    numbers: str = "arabic"
    line_length: int = 0
    flash: bool = False
    template: str = ""
    hot_words: str = ""
    priority: int = 0
    formats: tuple[str, ...] = ("json", "txt", "srt", "vtt", "html")
    title: str = ""
    speaker_names: tuple[str, ...] = ()
    caption_width: int = 0
    caption_lines: int = 2
    caption_seconds: int = 7
    times: bool = False
    notify: bool | tuple[str, ...] = True


class Option(NamedTuple):
    """What is known about one option. `values` complete the sentence "it is ..."; `choices` are its words, if any.

    `element` is the member of CI's request, "" for an option of Scribe's own. `operator_only`: only rules and settings
    may set it.
    """

    name: str
    element: str
    values: str
    values_zh: str
    choices: tuple[str, ...] = ()
    operator_only: bool = False

    @property
    def field(self) -> str:
        """Return the name of the member of RecordingOptions."""
        return self.name.replace("-", "_")

    @property
    def default(self) -> Value:
        """Return the value without any place."""
        value: Value = getattr(DEFAULTS, self.field)
        return value


DEFAULTS = RecordingOptions()


def _choice(name: str, element: str, *choices: str) -> Option:
    start, last = ", ".join(choices[:-1]), choices[-1]
    return Option(name, element, f"{start} or {last}", "、".join(choices[:-1]) + f" 或 {last}", choices)


_YES_NO = ("yes or no", "yes 或 no")

OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        option.name: option
        for option in (
            Option(
                "engine",
                "EngineModelType",
                "an engine such as 16k_zh or 16k_en",
                "引擎名称，如 16k_zh、16k_en",
            ),
            Option("channels", "ChannelNum", "1 or 2", "1 或 2"),
            Option(
                "speakers",
                "SpeakerDiarization, SpeakerNumber",
                "off, auto or 2 to 10",
                "off、auto 或 2 到 10",
            ),
            _choice("words", "ResTextFormat", "none", "words", "punctuation", "subtitles"),
            _choice("punctuation", "FilterPunc", "keep", "no-final", "none"),
            _choice("fillers", "FilterModal", "keep", "some", "none"),
            _choice("dirty-words", "FilterDirty", "keep", "drop", "mask"),
            _choice("numbers", "ConvertNumMode", "chinese", "arabic", "math"),
            Option("line-length", "SentenceMaxLength", "off or 6 to 40", "off 或 6 到 40"),
            Option("flash", "FlashAsr, Format", *_YES_NO),
            Option(
                "template",
                "TemplateId",
                "off or the id of a template: 1 to 64 letters, digits, `_` and `-`",
                "off 或模板 ID（1 到 64 个字母、数字、“_”、“-”）",
            ),
            Option(
                "hot-words",
                "TemplateId",
                "off or the name of a list, of at most 200 characters without control characters",
                "off 或热词表名称（不超过 200 个字符，不含控制字符）",
                operator_only=True,
            ),
            Option("priority", "JobLevel", "0, 1 or 2", "0、1 或 2"),
            Option(
                "formats",
                "",
                f"a list of {', '.join(FORMATS[:-1])} and {FORMATS[-1]}",
                f"{'、'.join(FORMATS)} 中的一个或多个",
            ),
            Option(
                "title",
                "",
                "a text of at most 200 characters without control characters",
                "不超过 200 个字符的文本，不含控制字符",
            ),
            Option(
                "speaker-names",
                "",
                "at most 10 names, each of at most 40 characters without control characters",
                "最多 10 个名称，每个不超过 40 个字符，不含控制字符",
            ),
            Option("caption-width", "", "auto or 16 to 100", "auto 或 16 到 100"),
            Option("caption-lines", "", "1 to 3", "1 到 3"),
            Option("caption-seconds", "", "2 to 15", "2 到 15"),
            Option("times", "", *_YES_NO),
            Option(
                "notify",
                "",
                "yes, no or the names of at most 10 targets, such as feishu-sales",
                "yes、no 或通知目标的名称（最多 10 个），如 feishu-sales",
            ),
        )
    }
)


def is_valid_engine(value: str) -> bool:
    """Check the form of an engine's name. Only CI knows which engines exist."""
    return bool(_ENGINE.fullmatch(value))


def has_forbidden_characters(text: str) -> bool:
    """Check whether a text has characters that a title, a name or a message must not have."""
    return bool(_FORBIDDEN_CHARACTERS.search(text))


def remove_forbidden_characters(text: str) -> str:
    """Return a text without the characters that a title, a name or a message must not have."""
    return _FORBIDDEN_CHARACTERS.sub("", text)


def list_changes(options: RecordingOptions) -> dict[str, Value | list[str]]:
    """Return the options that differ from their defaults, by name, as JSON values that `parse_values` reads."""
    changes: dict[str, Value | list[str]] = {}
    values: tuple[Value, ...] = options
    defaults: tuple[Value, ...] = DEFAULTS
    for field, value, default in zip(RecordingOptions._fields, values, defaults, strict=True):
        if value != default:
            name = field.replace("_", "-")
            changes[name] = as_json_value(name, value)
    return changes


def as_json_value(name: str, value: Value) -> Value | list[str]:
    """Return the value of an option as JSON has it, which `parse_values` reads."""
    if isinstance(value, tuple):
        return list(value)
    if name == "caption-width" and value == 0:
        return "auto"
    return "off" if value == "" and name != "title" else value


def format_value(name: str, value: Value) -> str:
    """Return the value of an option as users write it in metadata."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(value)
    if name == "caption-width" and value == 0:
        return "auto"
    return "off" if value == "" or (name == "line-length" and value == 0) else str(value)
