"""From what one place says (metadata, rules, sidecar, settings) to the options that it sets.

Metadata are texts, with Chinese in whatever encoding the client sent. The other places have JSON values, or texts as in
metadata.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from shared.options.model import (
    FORMATS,
    MAX_CAPTION_LINES,
    MAX_CAPTION_SECONDS,
    MAX_CAPTION_WIDTH,
    MAX_LINE_LENGTH,
    MAX_NAME_LENGTH,
    MAX_NAMES,
    MAX_PRIORITY,
    MAX_SPEAKERS,
    MAX_TITLE_LENGTH,
    MIN_CAPTION_LINES,
    MIN_CAPTION_SECONDS,
    MIN_CAPTION_WIDTH,
    MIN_LINE_LENGTH,
    MIN_SPEAKERS,
    OPTIONS,
    InvalidOption,
    Option,
    Value,
    has_forbidden_characters,
    is_valid_engine,
)

METADATA_PREFIX = "x-cos-meta-"
OPTION_PREFIX = "scribe-"  # in metadata, after METADATA_PREFIX
EARLIER_NAMES = ("engine", "channels")  # in metadata without OPTION_PREFIX
MARKS = ("scribe-output",)  # metadata of what Scribe writes, which is no option

_MAX_SHOWN = 60  # characters of a wrong value or name in a message
_MAX_SHOWN_NUMBER = 10**12
_TEMPLATE = re.compile(r"[0-9A-Za-z_-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,3}")
_TARGET = re.compile(r"[a-z]+(?:-[a-z0-9]+)*")  # the name of a target of notices
_SEPARATOR = re.compile("[,，、;；]")
_ENCODED_WORD = re.compile(r"=\?([^?\s]{1,40})\?([bBqQ])\?([^?]*)\?=(?:\s+(?==\?))?")
_BASE64 = re.compile("[0-9A-Za-z+/]+={0,2}")  # a2b_base64 ignores any other character
_ESCAPED = re.compile("%[0-9A-Fa-f]{2}")
# What clients in China send in encoded words; gb18030 reads the two smaller sets, too.
_CHARSETS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("utf-8", "utf8", "us-ascii"), "utf-8"),
        **dict.fromkeys(("gb2312", "gbk", "gb18030"), "gb18030"),
        "big5": "big5",
        "iso-8859-1": "latin-1",
    }
)
_UNREADABLE = "\ufffd"  # in place of bytes that are not of the encoding
_YES, _NO = frozenset({"true", "yes", "1", "on"}), frozenset({"false", "no", "0", "off"})


class Choice(NamedTuple):
    """The value of one option, and the place that chose it: `x-cos-meta-scribe-engine`, or `rules.yml line 3`."""

    value: Value
    source: str


def parse_metadata(metadata: Mapping[str, str]) -> dict[str, Choice]:
    """Parse the options in an object's metadata, named as HEAD returns them without `x-cos-meta-`.

    An empty value sets nothing. Metadata that are no options are ignored. Raises InvalidOption.
    """
    values = {name.strip().lower(): value for name, value in metadata.items()}
    choices: dict[str, Choice] = {}
    for name in EARLIER_NAMES:
        if values.get(name, "").strip() and not values.get(OPTION_PREFIX + name, "").strip():
            source = METADATA_PREFIX + name
            choices[name] = Choice(_parse_value(OPTIONS[name], values[name], source, ""), source)
    for full_name, raw in values.items():
        if not full_name.startswith(OPTION_PREFIX) or full_name in MARKS or not raw.strip():
            continue
        text = decode_text(raw)
        prefix = METADATA_PREFIX + OPTION_PREFIX
        option = _find_option(full_name.removeprefix(OPTION_PREFIX), "", prefix)
        source = prefix + option.name
        _refuse_operator_only(option, source)
        if _UNREADABLE in text:
            raise InvalidOption(
                f"{source} is not in an encoding that Scribe reads; send its UTF-8 percent-encoded",
                f"{source} 的编码无法识别，请使用 UTF-8 并进行百分号编码（URL 编码）",
            )
        choices[option.name] = Choice(_parse_value(option, text, source, ""), source)
    return choices


def parse_values(place: str, values: object, *, is_operator: bool = False) -> dict[str, Choice]:
    """Parse the options of a place that has JSON values, or YAML, where `off` and `on` are booleans.

    `place` is named in errors, such as `rules.yml line 3`. `is_operator`: the place is the operator's, so every option
    may be set. Raises InvalidOption, also if the values are not a mapping.
    """
    if not isinstance(values, Mapping):
        shown = _show(values)
        raise InvalidOption(f"{place} is {shown}; it is names with values", f"{place} 应为名称与值的映射")
    choices: dict[str, Choice] = {}
    for name, raw in values.items():
        option = _find_option(name, place, "")
        if not is_operator:
            _refuse_operator_only(option, place)
        choices[option.name] = Choice(_parse_value(option, raw, option.name, place), place)
    return choices


def decode_text(text: str) -> str:
    """Decode what clients make of Chinese text in a header: RFC 2047, percent-encoding, or UTF-8 read as Latin-1.

    A text in none of these forms stays as it is; so does one that may be Base64, because words may look like it.
    """
    text = _decode_words(text)
    if _ESCAPED.search(text):
        try:
            decoded = unquote_to_bytes(text.encode("utf-8", "surrogatepass")).decode()
        except UnicodeDecodeError:
            decoded = text
        # ASCII was decoded with the header; `100%25` means what it says.
        text = text if decoded.isascii() else decoded
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def _decode_words(text: str) -> str:
    """Decode the encoded words of RFC 2047. A character may be split between two adjacent ones."""
    parts: list[str] = []
    data, charset, end = b"", "utf-8", 0
    for word in _ENCODED_WORD.finditer(text):
        word_charset = _CHARSETS.get(word[1].lower(), "")
        content = _decode_word(word[2], word[3])
        if not word_charset or content is None:
            continue
        if word.start() != end or word_charset != charset:
            parts.append(data.decode(charset, "replace") + text[end : word.start()])
            data, charset = b"", word_charset
        data, end = data + content, word.end()
    return "".join(parts) + data.decode(charset, "replace") + text[end:]


def _decode_word(encoding: str, content: str) -> bytes | None:
    try:
        ascii_content = content.encode("ascii")
        if encoding in "qQ":
            return binascii.a2b_qp(ascii_content, header=True)
        return binascii.a2b_base64(ascii_content) if _BASE64.fullmatch(content) else None
    except (UnicodeError, binascii.Error):
        return None


def _find_option(name: object, place: str, prefix: str) -> Option:
    """Return the option with this name. Raises InvalidOption with the most similar name."""
    option = OPTIONS.get(name) if isinstance(name, str) else None
    if option:
        return option
    # Only a wrong name needs it, and a cold start should not load it.
    import difflib  # noqa: PLC0415

    similar = difflib.get_close_matches(str(name)[:_MAX_SHOWN].lower(), OPTIONS, 1) if _is_short(name) else []
    where, where_zh = (f" in {place}", f"{place} 中的") if place else ("", "")
    shown = _show(prefix + name if isinstance(name, str) else name)
    hint = f"did you mean {prefix}{similar[0]}?" if similar else f"the options are {', '.join(OPTIONS)}"
    hint_zh = f"是否应为 {prefix}{similar[0]}？" if similar else f"可用选项：{'、'.join(OPTIONS)}"
    raise InvalidOption(
        f"{shown}{where} is not an option; {hint}", f"{where_zh}{shown} 不是可用的选项；{hint_zh}"
    )


def _is_short(name: object) -> bool:
    return isinstance(name, str) and len(name) <= _MAX_SHOWN


def _refuse_operator_only(option: Option, source: str) -> None:
    if option.operator_only:
        raise InvalidOption(
            f"{option.name} cannot be set by {source}; the operator sets it in rules or settings",
            f"{source} 不能设置 {option.name}，请由管理员在规则或设置中配置",
        )


def _parse_value(option: Option, raw: object, label: str, place: str) -> Value:
    """Return the option's value. Raises InvalidOption, with the place and the value."""
    try:
        return _PARSERS[option.name](option, raw)
    except ValueError:
        shown = _show(raw)
        where, where_zh = (f" in {place}", f"{place} 中的 ") if place else ("", "")
        raise InvalidOption(
            f"{label}{where} is {shown}; it is {option.values}",
            f"{where_zh}{label} 的值 {shown} 无效，应为 {option.values_zh}",
        ) from None


def _show(raw: object) -> str:
    """Return a wrong value for a message: short, on one line, and without control characters."""
    if isinstance(raw, str):
        shown = repr(raw[:_MAX_SHOWN])
        return shown if len(shown) <= 2 * _MAX_SHOWN else shown[: 2 * _MAX_SHOWN] + "…"
    if raw is None:
        return "empty"
    if isinstance(raw, bool):
        return "yes" if raw else "no"
    if isinstance(raw, (int, float)):
        return str(raw) if abs(raw) < _MAX_SHOWN_NUMBER else "a very large number"
    if isinstance(raw, Mapping):
        return "a mapping"
    return "a list" if isinstance(raw, (list, tuple)) else "a value of another kind"


def _as_text(raw: object) -> str:
    """Return the text of a value; a number in JSON or YAML is its digits. Raises ValueError."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)
    if not isinstance(raw, str):
        raise ValueError  # noqa: TRY004 - a value of another type is one more wrong value
    return raw


def _as_word(raw: object) -> str:
    """Return one word, in lower case; YAML reads `off` as False. Raises ValueError."""
    return "off" if raw is False else _as_text(raw).strip().lower()


def _as_clean_text(raw: object, max_length: int) -> str:
    """Return a text in which white space is single blanks. Raises ValueError if it is too long or has controls."""
    text = " ".join(_as_text(raw).replace("\ufeff", "").split())
    if len(text) > max_length or has_forbidden_characters(text):
        raise ValueError
    return text


def _as_list(raw: object) -> list[object]:
    """Return the members of a list, or of a text with separators, without empty ones at its end. Raises ValueError."""
    if isinstance(raw, (list, tuple)):
        return list(raw)
    parts: list[object] = [part for part in _SEPARATOR.split(_as_text(raw)) if part.strip()]
    return parts


def _parse_number(raw: object, lowest: int, highest: int) -> int:
    word = _as_word(raw)
    if not _NUMBER.fullmatch(word) or not lowest <= int(word) <= highest:
        raise ValueError
    return int(word)


def _parse_engine(_: Option, raw: object) -> Value:
    engine = _as_text(raw).strip()
    if not is_valid_engine(engine):
        raise ValueError
    return engine


def _parse_channels(_: Option, raw: object) -> Value:
    return _parse_number(raw, 1, 2)


def _parse_speakers(_: Option, raw: object) -> Value:
    word = _as_word(raw)
    if word in {"off", "auto"}:
        return "auto" if word == "auto" else ""
    return str(_parse_number(word, MIN_SPEAKERS, MAX_SPEAKERS))


def _parse_choice(option: Option, raw: object) -> Value:
    word = _as_word(raw)
    if word not in option.choices:
        raise ValueError
    return word


def _parse_line_length(_: Option, raw: object) -> Value:
    word = _as_word(raw)
    return 0 if word in {"off", "0"} else _parse_number(word, MIN_LINE_LENGTH, MAX_LINE_LENGTH)


def _parse_switch(_: Option, raw: object) -> Value:
    word = "on" if raw is True else _as_word(raw)
    if word not in _YES | _NO:
        raise ValueError
    return word in _YES


def _parse_template(_: Option, raw: object) -> Value:
    if _as_word(raw) == "off":
        return ""
    template = _as_text(raw).strip()
    if not _TEMPLATE.fullmatch(template):
        raise ValueError
    return template


def _parse_hot_words(_: Option, raw: object) -> Value:
    if _as_word(raw) == "off":
        return ""
    name = _as_clean_text(raw, MAX_TITLE_LENGTH)
    if not name:
        raise ValueError
    return name


def _parse_priority(_: Option, raw: object) -> Value:
    return _parse_number(raw, 0, MAX_PRIORITY)


def _parse_formats(_: Option, raw: object) -> Value:
    formats = [_as_word(part) for part in _as_list(raw)]
    if not formats or not set(formats) <= set(FORMATS):
        raise ValueError
    return tuple(dict.fromkeys(formats))


def _parse_title(_: Option, raw: object) -> Value:
    return _as_clean_text(raw, MAX_TITLE_LENGTH)


def _parse_speaker_names(_: Option, raw: object) -> Value:
    names = tuple(_as_clean_text(part, MAX_NAME_LENGTH) for part in _as_list(raw))
    if len(names) > MAX_NAMES or not all(names):
        raise ValueError
    return names


def _parse_caption_width(_: Option, raw: object) -> Value:
    word = _as_word(raw)
    return 0 if word == "auto" else _parse_number(word, MIN_CAPTION_WIDTH, MAX_CAPTION_WIDTH)


def _parse_caption_lines(_: Option, raw: object) -> Value:
    return _parse_number(raw, MIN_CAPTION_LINES, MAX_CAPTION_LINES)


def _parse_caption_seconds(_: Option, raw: object) -> Value:
    return _parse_number(raw, MIN_CAPTION_SECONDS, MAX_CAPTION_SECONDS)


def _parse_notify(option: Option, raw: object) -> Value:
    """Return yes or no, or the names of targets. Whether a target has such a name is checked with the settings."""
    parts = _as_list(raw) if isinstance(raw, (str, list, tuple)) else [raw]
    if len(parts) == 1 and (isinstance(parts[0], bool) or _as_word(parts[0]) in _YES | _NO):
        return _parse_switch(option, parts[0])
    names = [_as_text(part).strip().lower().replace("_", "-") for part in parts]
    if not 0 < len(names) <= MAX_NAMES or not all(map(_is_target_name, names)):
        raise ValueError
    return tuple(dict.fromkeys(names))


def _is_target_name(name: str) -> bool:
    return bool(_TARGET.fullmatch(name)) and len(name) <= MAX_NAME_LENGTH and name not in _YES | _NO


_PARSERS: Mapping[str, Callable[[Option, object], Value]] = MappingProxyType(
    {
        "engine": _parse_engine,
        "channels": _parse_channels,
        "speakers": _parse_speakers,
        **dict.fromkeys(("words", "punctuation", "fillers", "dirty-words", "numbers"), _parse_choice),
        "line-length": _parse_line_length,
        "flash": _parse_switch,
        "template": _parse_template,
        "hot-words": _parse_hot_words,
        "priority": _parse_priority,
        "formats": _parse_formats,
        "title": _parse_title,
        "speaker-names": _parse_speaker_names,
        "caption-width": _parse_caption_width,
        "caption-lines": _parse_caption_lines,
        "caption-seconds": _parse_caption_seconds,
        "times": _parse_switch,
        "notify": _parse_notify,
    }
)
