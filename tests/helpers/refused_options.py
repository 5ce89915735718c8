"""Options that do not go together, with the reason, the places and the nearest valid choice."""

from __future__ import annotations

from typing import Any, NamedTuple

from shared.options.check import MAX_FLASH_BYTES
from shared.options.model import Value

RULE = "rules.yml line 3"


class RefusedCase(NamedTuple):
    values: dict[str, Any]
    names: tuple[str, str]
    reason: str
    nearest: dict[str, Value]
    key: str = "a.mp3"
    size: int = 9


def mono(engine: str, /, **nearest: Value) -> RefusedCase:
    reason = f"channels is 2 ({RULE}), which needs the engine 8k_zh, not {engine} (engine: {RULE})"
    return RefusedCase({"engine": engine, "channels": 2}, ("channels", "engine"), reason, nearest)


def no_speakers(engine: str, /, **nearest: Value) -> RefusedCase:
    engines = "8k_zh, 16k_zh, 16k_zh_video"
    reason = (
        f"speakers is auto ({RULE}), which needs one of the engines {engines}, not {engine} (engine: {RULE})"
    )
    return RefusedCase({"engine": engine, "speakers": "auto"}, ("speakers", "engine"), reason, nearest)


def no_flash(engine: str) -> RefusedCase:
    engines = "8k_zh, 16k_zh, 16k_zh_video, 16k_zh_dialect, 16k_en, 16k_ms, 16k_zh-PY"
    reason = f"flash is yes ({RULE}), which needs one of the engines {engines}, not {engine} (engine: {RULE})"
    return RefusedCase({"engine": engine, "flash": True}, ("flash", "engine"), reason, {"flash": False})


def not_in_flash(name: str, raw: Any, nearest: Value) -> RefusedCase:
    values = {"engine": "8k_zh", "flash": True, name: raw}
    reason = f"{name} is {raw} ({RULE}), which flash recognition does not support (flash: {RULE})"
    return RefusedCase(values, (name, "flash"), reason, {name: nearest})


def not_beside_template(name: str, raw: Any, shown: str) -> RefusedCase:
    reason = (
        f"{name} is {shown} ({RULE}), but a template has its own; set it in the template (template: {RULE})"
    )
    return RefusedCase({"template": "t1", name: raw}, (name, "template"), reason, {"template": ""})


REFUSED = (
    *(
        mono(engine, engine="8k_zh")
        for engine in (
            "16k_zh",
            "16k_zh_video",
            "16k_zh_edu",
            "16k_zh_medical",
            "16k_zh_dialect",
            "16k_zh-PY",
            "8k_zh_s",
        )
    ),
    *(
        mono(engine, channels=1)
        for engine in ("16k_en", "16k_en_edu", "16k_ca", "16k_ja", "16k_th", "16k_ms")
    ),
    *(
        no_speakers(engine, engine="16k_zh")
        for engine in ("16k_zh_edu", "16k_zh_medical", "16k_zh_dialect", "16k_zh-PY")
    ),
    *(
        no_speakers(engine, speakers="")
        for engine in ("8k_en", "16k_en", "16k_en_edu", "16k_ca", "16k_ja", "16k_th", "16k_ms")
    ),
    no_speakers("8k_zh_s", engine="8k_zh"),
    *(
        no_flash(engine)
        for engine in (
            "8k_zh_s",
            "8k_en",
            "16k_zh_edu",
            "16k_zh_medical",
            "16k_en_edu",
            "16k_ca",
            "16k_ja",
            "16k_th",
        )
    ),
    RefusedCase(
        {"engine": "8k_zh", "channels": 2, "speakers": 2},
        ("speakers", "channels"),
        f"speakers is 2 ({RULE}), but two channels are already one speaker each (channels: {RULE})",
        {"speakers": ""},
    ),
    not_in_flash("channels", 2, 1),
    not_in_flash("words", "subtitles", "punctuation"),
    not_in_flash("numbers", "math", "arabic"),
    not_in_flash("speakers", "3", "auto"),
    *(
        RefusedCase(
            {"flash": True},
            ("flash", "flash"),
            f"flash is yes ({RULE}), which needs a recording with one of the extensions wav,",
            {"flash": False},
            key,
        )
        for key in ("a.flac", "a", "mp3", "a.mp3/b", "a.mp4")
    ),
    RefusedCase(
        {"flash": True},
        ("flash", "flash"),
        f"flash is yes ({RULE}), but the recording has 104857601 bytes, more than the 100 MB of flash",
        {"flash": False},
        size=MAX_FLASH_BYTES + 1,
    ),
    *(
        RefusedCase(
            {"line-length": 16, "words": words},
            ("line-length", "words"),
            f"line-length is 16 ({RULE}), which needs words to be subtitles, not {words} (words: {RULE})",
            {"words": "subtitles"},
        )
        for words in ("none", "words", "punctuation")
    ),
    not_beside_template("engine", "16k_en", "16k_en"),
    not_beside_template("channels", 1, "1"),
    not_beside_template("speakers", "off", "off"),
    not_beside_template("words", "none", "none"),
    not_beside_template("punctuation", "none", "none"),
    not_beside_template("fillers", "some", "some"),
    not_beside_template("dirty-words", "mask", "mask"),
    not_beside_template("numbers", "math", "math"),
    not_beside_template("line-length", 16, "16"),
    not_beside_template("flash", True, "yes"),
    not_beside_template("hot-words", "school.txt", "school.txt"),
)
