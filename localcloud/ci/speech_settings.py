"""The SpeechRecognition parameters of a job or a template: what may stand in them, and their defaults."""

from __future__ import annotations

import re

from localcloud.ci.errors import invalid
from localcloud.ci.models import Speech
from localcloud.xml import Node

_ENGINE = re.compile(r"(8k|16k)_[A-Za-z][A-Za-z_-]*")
_TWO_CHANNEL_ENGINES = ("8k_zh", "8k_en")
_FLASH_FORMATS = ("wav", "pcm", "ogg-opus", "speex", "silk", "mp3", "m4a", "aac")

# Name: allowed values, default. D-TPL; defaults as the current submit sample echoes them.
_CHOICES: dict[str, tuple[frozenset[str], str]] = {
    "ChannelNum": (frozenset("12"), "1"),
    "ConvertNumMode": (frozenset("013"), "0"),
    "FilterDirty": (frozenset("012"), "0"),
    "FilterModal": (frozenset("012"), "0"),
    "FilterPunc": (frozenset("012"), "0"),
    "ResTextFormat": (frozenset("0123"), "0"),
    "SpeakerDiarization": (frozenset("01"), "0"),
    "SpeakerNumber": (frozenset(str(number) for number in range(11)), "0"),
    "OutputFileType": (frozenset({"txt", "srt"}), "txt"),
    "FlashAsr": (frozenset({"true", "false"}), ""),
    "Format": (frozenset(_FLASH_FORMATS), ""),
    "FirstChannelOnly": (frozenset("01"), ""),
    "WordInfo": (frozenset("012"), ""),
    "SentenceMaxLength": (frozenset({"0", *(str(number) for number in range(6, 41))}), ""),
}


def speech_of(given: Node) -> Speech:
    """The checked parameters of a SpeechRecognition node. Raises InvalidArgument."""
    values = {child.name: child.text.strip() for child in given.children if child.text.strip()}
    engine = values.get("EngineModelType", "")
    if not engine:
        raise invalid("EngineModelType is required.")
    if not _ENGINE.fullmatch(engine):
        raise invalid(f"EngineModelType {engine} is unknown.")
    for name, (allowed, default) in _CHOICES.items():
        if name in values and values[name] not in allowed:
            raise invalid(f"{name} is one of {', '.join(sorted(allowed))}.")
        if default:
            values.setdefault(name, default)
    speech = Speech(tuple(values.items()))
    _check_combinations(speech)
    return speech


def _check_combinations(speech: Speech) -> None:
    if speech.channels > 1 and speech.engine not in _TWO_CHANNEL_ENGINES:
        # D-TPL: only 8k_zh takes two channels. 8k_en is let through for demos without Chinese.
        raise invalid("ChannelNum 2 needs the engine 8k_zh; every 16k engine is mono only.")
    if speech.is_flash and not speech.value("Format"):
        raise invalid("Format is required when FlashAsr is true.")
    if speech.value("OutputFileType") == "srt" and (speech.is_flash or speech.text_format == 3):  # noqa: PLR2004 - ResTextFormat 3
        raise invalid("OutputFileType srt goes neither with FlashAsr nor with ResTextFormat 3.")
