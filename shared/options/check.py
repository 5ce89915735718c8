"""Options that do not go together: CI would refuse the job or fail it, so it is refused before anything is paid.

A combination that the documents do not settle passes with a warning, and so does an engine that they do not name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from shared.messages import Bilingual, message, with_chinese
from shared.options.ci import FLASH_FORMATS, get_flash_format
from shared.options.combine import DEFAULT_SOURCE, ChosenOptions
from shared.options.engines import ENGINES, SEPARATING_ENGINE, list_engines
from shared.options.model import OPTIONS, Value, format_value
from shared.options.parse import METADATA_PREFIX

MAX_FLASH_BYTES = 100 * 1024 * 1024  # CI document 1045/73385: flash recognition, 100 MB and 2 hours
SETTINGS_SOURCE = "settings"
TELEPHONE, MANDARIN = "8k_", "16k_zh"  # how names of engines begin

# What a template replaces (1045/73385: beside TemplateId, CI ignores SpeechRecognition).
_INLINE = (
    *("engine", "channels", "speakers", "words", "punctuation", "fillers"),
    *("dirty-words", "numbers", "line-length", "flash", "hot-words"),
)
_FILTERS = ("punctuation", "fillers", "dirty-words", "line-length")
_PLACES_ZH = {SETTINGS_SOURCE: "配置项", DEFAULT_SOURCE: "默认值"}
_RULE = re.compile(r"(rules\.yml) line ([0-9]+)")  # as shared.options.rules.format_source writes it


class Refusal(NamedTuple):
    """Why two options cannot be combined, in English and Chinese; the places of both; and what to change.

    `nearest` has the values, by name, that make the combination valid with the smallest change.
    """

    reason: str
    reason_zh: str
    places: tuple[str, str]
    nearest: Mapping[str, Value]


class CheckResult(NamedTuple):
    """Refusals: nothing may be submitted if there is one. Warnings are for the log and the operator."""

    refusals: tuple[Refusal, ...]
    warnings: tuple[str, ...]


def check_options(chosen: ChosenOptions, key: str = "", size: int = 0) -> CheckResult:
    """Check the options of a recording with this key and size in bytes; without a key, only the options themselves."""
    check = _Check(chosen, key, size)
    if chosen.options.template:
        # The engine and the switches are those of the template, which is not known here.
        return CheckResult(tuple(check.refuse_beside_template()), ())
    refusals = (
        *check.refuse_channels(),
        *check.refuse_speakers(),
        *check.refuse_flash(),
        *check.refuse_flash_file(),
        *check.refuse_line_length(),
    )
    return CheckResult(refusals, tuple(check.warn()))


def find_unknown_targets(notify: Value, target_names: Collection[str]) -> tuple[str, ...]:
    """Return the names in a value of `notify` that are no targets of notices."""
    names = notify if isinstance(notify, tuple) else ()
    return tuple(name for name in names if name not in target_names)


def describe_targets(target_names: Collection[str]) -> str:
    """Return the end of a message about a name that is no target: which targets there are."""
    if target_names:
        return message("the targets are {names}", names=", ".join(target_names))
    return message("no target is set (NOTIFY_...)")


def describe_source(source: str) -> Bilingual:
    """Return the place of an option in both languages; a header and a sidecar keep their names."""
    if match := _RULE.fullmatch(source):
        return with_chinese(source, f"{match[1]} 第 {match[2]} 行")
    return with_chinese(source, _PLACES_ZH.get(source, source))


def warn_about_targets(chosen: ChosenOptions, target_names: Collection[str]) -> tuple[str, ...]:
    """Return a warning if `notify` names what is no target. It stops no recording."""
    unknown = find_unknown_targets(chosen.options.notify, target_names)
    if not unknown:
        return ()
    values = {
        "source": describe_source(chosen.sources["notify"]),
        "names": ", ".join(unknown),
        "targets": describe_targets(target_names),
    }
    if len(unknown) == 1:
        return (
            message(
                "notify ({source}): {names} is not a target, so the default targets get its notices; {targets}",
                **values,
            ),
        )
    return (
        message(
            "notify ({source}): {names} are not targets, so the default targets get its notices; {targets}",
            **values,
        ),
    )


class _Check:
    """The options with what is known about their engine (None: nothing)."""

    def __init__(self, chosen: ChosenOptions, key: str, size: int) -> None:
        self.options, self.sources = chosen
        self.engine = ENGINES.get(self.options.engine)
        self.key = key
        self.size = size

    def refuse_channels(self) -> Iterator[Refusal]:
        """Two channels need 8k_zh (1045/49789, cos-java-sdk-v5, terraform's ci_media_speech_recognition_template)."""
        engine = self.options.engine
        if self.options.channels == 1 or self.engine is None or self.engine.has_two_channels is not False:
            return
        nearest: dict[str, Value] = (
            {"engine": "8k_zh"} if engine.startswith((TELEPHONE, MANDARIN)) else {"channels": 1}
        )
        yield self._refuse(
            "channels",
            "engine",
            f"which needs the engine 8k_zh, not {engine}",
            f"需要引擎 8k_zh，而不是 {engine}",
            nearest,
        )

    def refuse_speakers(self) -> Iterator[Refusal]:
        """Separation of speakers: one channel, and three engines (1045/73387)."""
        if not self.options.speakers:
            return
        if self.options.channels != 1:
            yield self._refuse(
                "speakers",
                "channels",
                "but two channels are already one speaker each",
                "但双声道录音的每个声道已对应一位说话人",
                {"speakers": ""},
            )
            return
        if self.engine is None or self.engine.has_speakers:
            return
        engine, names = self.options.engine, list_engines("has_speakers")
        nearest: dict[str, Value] = {"speakers": ""}
        if engine.startswith(f"{TELEPHONE}zh"):
            nearest = {"engine": "8k_zh"}
        elif engine.startswith(MANDARIN):
            nearest = {"engine": "16k_zh"}
        yield self._refuse(
            "speakers",
            "engine",
            f"which needs one of the engines {', '.join(names)}, not {engine}",
            f"需要以下引擎之一：{'、'.join(names)}，而不是 {engine}",
            nearest,
        )

    def refuse_flash(self) -> Iterator[Refusal]:
        """Flash recognition has engines of its own, and fewer switches (1045/73387, cos-java-sdk-v5)."""
        options = self.options
        if not options.flash:
            return
        if self.engine and not self.engine.has_flash:
            names = list_engines("has_flash")
            yield self._refuse(
                "flash",
                "engine",
                f"which needs one of the engines {', '.join(names)}, not {options.engine}",
                f"需要以下引擎之一：{'、'.join(names)}，而不是 {options.engine}",
                {"flash": False},
            )
        refused_values: tuple[tuple[str, bool, Value], ...] = (
            ("channels", options.channels != 1, 1),
            ("words", options.words == "subtitles", "punctuation"),
            ("numbers", options.numbers == "math", "arabic"),
            ("speakers", options.speakers not in {"", "auto"}, "auto"),
        )
        for name, is_refused, nearest in refused_values:
            if is_refused:
                yield self._refuse(
                    name,
                    "flash",
                    "which flash recognition does not support",
                    "极速识别不支持",
                    {name: nearest},
                )

    def refuse_flash_file(self) -> Iterator[Refusal]:
        """Flash recognition needs the format of the file, and takes 100 MB (1045/73385, 1045/73387)."""
        if not self.options.flash or not self.key:
            return
        if not get_flash_format(self.key):
            extensions = ", ".join(FLASH_FORMATS)
            yield self._refuse(
                "flash",
                "flash",
                f"which needs a recording with one of the extensions {extensions}",
                f"要求录音文件的扩展名为以下之一：{extensions}",
                {"flash": False},
            )
        if self.size > MAX_FLASH_BYTES:
            yield self._refuse(
                "flash",
                "flash",
                f"but the recording has {self.size} bytes, more than the 100 MB of flash recognition",
                f"但录音有 {self.size} 字节，超过极速识别的 100 MB",
                {"flash": False},
            )

    def refuse_line_length(self) -> Iterator[Refusal]:
        """SentenceMaxLength: with ResTextFormat 3, or flash recognition (cos-java-sdk-v5, cos-go-sdk-v5)."""
        if self.options.line_length and self.options.words != "subtitles" and not self.options.flash:
            yield self._refuse(
                "line-length",
                "words",
                f"which needs words to be subtitles, not {self.options.words}",
                f"要求 words 为 subtitles，而不是 {self.options.words}",
                {"words": "subtitles"},
            )

    def refuse_beside_template(self) -> Iterator[Refusal]:
        """A template has the engine and every switch; the engine of the settings is only what others start from."""
        for name in _INLINE:
            if self.sources[name] not in {DEFAULT_SOURCE, SETTINGS_SOURCE}:
                yield self._refuse(
                    name,
                    "template",
                    "but a template has its own; set it in the template",
                    "但模板自带该参数，请在模板中设置",
                    {"template": ""},
                )

    def warn(self) -> Iterator[str]:
        """Yield what may not work, or has no effect."""
        options, engine = self.options, self.engine
        if engine is None:
            yield message(
                "{option}: Tencent's documents of this API do not name this engine",
                option=self._describe_both("engine"),
            )
        elif options.channels != 1 and engine.has_two_channels is None:
            yield message(
                "{option}: for {engine}, the documents do not say whether CI takes it",
                option=self._describe_both("channels"),
                engine=options.engine,
            )
        if engine and engine.is_flash_only and not options.flash:
            yield message(
                "{option}: the documents name this engine for flash recognition only",
                option=self._describe_both("engine"),
            )
        if engine and not engine.has_filters:
            for name in _FILTERS:
                if getattr(options, OPTIONS[name].field) != OPTIONS[name].default:
                    yield message(
                        "{option}: the documents say that it is for Mandarin, not {engine}",
                        option=self._describe_both(name),
                        engine=options.engine,
                    )
        yield from self._warn_about_names()

    def _warn_about_names(self) -> Iterator[str]:
        options = self.options
        if not options.speaker_names:
            return
        source = describe_source(self.sources["speaker-names"])
        has_voices = options.speakers or options.channels != 1 or options.engine == SEPARATING_ENGINE
        voices = options.channels if options.channels != 1 else int(options.speakers.replace("auto", "") or 0)
        count = len(options.speaker_names)
        if not has_voices:
            yield message(
                "speaker-names ({source}) has no effect: neither speakers nor channels separates the voices",
                source=source,
            )
        elif voices and count > voices:
            yield message(
                "speaker-names ({source}) has {count} names for {voices} voices",
                source=source,
                count=count,
                voices=voices,
            )

    def _refuse(
        self, name: str, other: str, reason: str, reason_zh: str, nearest: dict[str, Value]
    ) -> Refusal:
        is_other_place = other != name
        where = f" ({self._locate(other)})" if is_other_place else ""
        where_zh = f"（{self._locate_zh(other)}）" if is_other_place else ""
        advice = ", ".join(f"{each} {format_value(each, value)}" for each, value in nearest.items())
        return Refusal(
            f"{self._describe(name)}, {reason}{where}; the nearest choice: {advice}",
            f"{self._describe_zh(name)}，{reason_zh}{where_zh}；最接近的可用选择：{advice}",
            (self.sources[name], self.sources[other]),
            MappingProxyType(nearest),
        )

    def _describe(self, name: str) -> str:
        """Return the option, its value and its place: `x-cos-meta-scribe-channels is 2`."""
        source, value = self.sources[name], self._format(name)
        return (
            f"{source} is {value}" if source.startswith(METADATA_PREFIX) else f"{name} is {value} ({source})"
        )

    def _describe_zh(self, name: str) -> str:
        source, value = self.sources[name], self._format(name)
        return (
            f"{source} 为 {value}"
            if source.startswith(METADATA_PREFIX)
            else f"{name} 为 {value}（{describe_source(source).chinese}）"
        )

    def _describe_both(self, name: str) -> str:
        return with_chinese(self._describe(name), self._describe_zh(name))

    def _format(self, name: str) -> str:
        return format_value(name, getattr(self.options, OPTIONS[name].field))

    def _locate(self, name: str) -> str:
        """Return where an option comes from: its name, and its place unless that has the name in it."""
        source = self.sources[name]
        return source if source.startswith(METADATA_PREFIX) else f"{name}: {source}"

    def _locate_zh(self, name: str) -> str:
        source = self.sources[name]
        return source if source.startswith(METADATA_PREFIX) else f"{name}：{describe_source(source).chinese}"
