"""A sidecar: `talk.mp3.scribe.json` beside the recording `talk.mp3`, with its options as a JSON object.

It is uploaded before the recording: a function reads it when it handles the recording.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any, NoReturn

from shared.options.model import InvalidOption, has_forbidden_characters
from shared.options.parse import Choice, parse_values

SIDECAR_SUFFIX = ".scribe.json"
MAX_SIDECAR_BYTES = 65_536
RECORDING_MEMBER = "recording"

_MAX_SHOWN = 80  # characters of a sidecar's name in messages and receipts


def sidecar_key(key: str) -> str:
    """Return the key of a recording's sidecar."""
    return key + SIDECAR_SUFFIX


def is_sidecar_key(key: str) -> bool:
    """Check whether a key is that of a sidecar: it is then no recording."""
    return key.endswith(SIDECAR_SUFFIX)


def recording_key(key: str) -> str:
    """Return the key of the recording that a sidecar is for."""
    return key.removesuffix(SIDECAR_SUFFIX)


def format_source(key: str) -> str:
    """Return the name of the place: the sidecar's own name, without its folders, and short."""
    name = "".join(
        "?" if has_forbidden_characters(character) else character for character in key.rpartition("/")[2]
    )
    room = _MAX_SHOWN - len(SIDECAR_SUFFIX)
    return sidecar_key(name if len(name) <= room else name[: room - 1] + "…")


def parse_sidecar(body: bytes, key: str) -> dict[str, Choice]:
    """Parse the sidecar of the recording `key`. Raises InvalidOption, which names the sidecar.

    It is UTF-8, UTF-16 or UTF-32. The member `recording`, if it is there, is the recording's key or its last part.
    """
    source = format_source(key)
    if len(body) > MAX_SIDECAR_BYTES:
        raise build_size_error(key)
    members = _load_object(body, source)
    if RECORDING_MEMBER in members:
        _check_recording(members.pop(RECORDING_MEMBER), key, source)
    return parse_values(source, members)


def build_size_error(key: str) -> InvalidOption:
    """Build the error for a sidecar of more than MAX_SIDECAR_BYTES."""
    source = format_source(key)
    return InvalidOption(
        f"{source} has more than {MAX_SIDECAR_BYTES} bytes", f"{source} 超过 {MAX_SIDECAR_BYTES} 字节"
    )


def build_read_error(key: str, code: str) -> InvalidOption:
    """Build the error for a sidecar that COS does not show, with the code of COS."""
    source = format_source(key)
    return InvalidOption(f"{source} cannot be read: {code}", f"无法读取 {source}：{code}")


def _load_object(body: bytes, source: str) -> dict[str, Any]:
    repeated: list[str] = []

    def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [name for name, _ in pairs]
            repeated.extend(name for name in members if names.count(name) > 1)
        return members

    try:
        document = json.loads(body, object_pairs_hook=build_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        # A number with thousands of digits, or NaN, is no JSON that others read either.
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        line_zh = f"（第 {error.lineno} 行）" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidOption(
            f"{source} is not JSON{line}; it is an object of options, in UTF-8",
            f"{source} 不是有效的 JSON{line_zh}，应为 UTF-8 编码的选项对象",
        ) from None
    if repeated:
        name = ascii(repeated[0][:_MAX_SHOWN])
        raise InvalidOption(f"{source} has {name} twice", f"{source} 中 {name} 重复出现")
    if not isinstance(document, dict):
        raise InvalidOption(
            f"{source} is not a JSON object of options", f"{source} 应为由选项组成的 JSON 对象"
        )
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _check_recording(raw: object, key: str, source: str) -> None:
    """Compare the member `recording` with the key; clients write accents in two ways, which are the same name."""
    name = unicodedata.normalize("NFC", raw) if isinstance(raw, str) else ""
    own = unicodedata.normalize("NFC", key)
    if name and name in {own, own.rpartition("/")[2]}:
        return
    shown = repr(name[:_MAX_SHOWN]) if isinstance(raw, str) else "not a text"
    raise InvalidOption(
        f"{source} is for another recording: its member recording is {shown}",
        f"{source} 对应另一条录音：其 recording 为 {shown}",
    )
