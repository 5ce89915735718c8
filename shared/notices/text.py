"""Texts of others in a chat message: names of recordings, messages of the cloud.

A robot's message is markup. A recording can be named so that its name would be a link, a mention of everyone, or a line
of its own; so what could be markup is replaced by a character that looks like it.
"""

from __future__ import annotations

import re

from shared.settings import DEFAULT_EXTENSIONS

ELLIPSIS = "…"
# Controls, separators of lines, marks without width or that change the direction of the text, halves of a character.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]+"
)
_MARKUP = str.maketrans(
    {
        "<": "＜",
        ">": "＞",
        "[": "［",
        "]": "］",
        "`": "'",
        "*": "＊",
        "~": "～",
        "|": "｜",
        "\\": "＼",
        "@": "＠",
        "&": "＆",
        "$": "＄",
    }
)
# Characters that are markup, or part of an address, in some places only.
_WIDE = str.maketrans("#-+=.)_/", "＃－＋＝．）＿／")
# Where a line begins: the mark of a list, a heading, a ruler; and `1.` or `1)`, that of a numbered list.
_LINE_START = re.compile(r"^(?:[#+=-]+|[0-9]+[.)](?=\s|$))")
# Italics and bold: an underscore that is not inside a word.
_UNDERSCORES = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
# Chat programs make links of addresses, and of what looks like one.
_SCHEME = re.compile(r":(?=/)")
_SLASHES = re.compile(r"//+")
_WWW = re.compile(r"(?<![0-9A-Za-z])www\.", re.IGNORECASE)
_IP_ADDRESS = re.compile(r"(?<![0-9])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9])")
_DOMAIN_DOT = re.compile(r"(?<=\w)\.(?=([^\W\d_]{2,24})(?![^\W_]))")
_PLAIN_EXTENSIONS = frozenset(DEFAULT_EXTENSIONS) - {"mov"}  # .mov is a domain too


def clean(text: str) -> str:
    """Return one line: each run of characters that cannot be seen becomes one space."""
    return _INVISIBLE.sub(" ", text).strip()


def escape_plain(text: str) -> str:
    """Return one line without links, for a message without markup."""
    plain = _SLASHES.sub(_widen, _SCHEME.sub("：", clean(text)))
    plain = _IP_ADDRESS.sub(_widen, plain)
    return _DOMAIN_DOT.sub(_replace_domain_dot, _WWW.sub("www．", plain))


def escape_markdown(text: str) -> str:
    """Return one line without markup, mentions and links, also where it begins a line."""
    plain = _UNDERSCORES.sub(_widen, clean(text).translate(_MARKUP))
    return escape_plain(_LINE_START.sub(_widen, plain))


def _widen(match: re.Match[str]) -> str:
    return match[0].translate(_WIDE)


def _replace_domain_dot(match: re.Match[str]) -> str:
    """Keep the dot of `call.wav`: the extension of a recording at the end of its name."""
    is_extension = match.end(1) == len(match.string) and match[1].lower() in _PLAIN_EXTENSIONS
    return "." if is_extension else "．"


def cut(text: str, max_bytes: int) -> str:
    """Return the start of a text, of at most this many bytes in UTF-8. It ends with `…` if it was cut."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= max_bytes:
        return text
    return encoded[: max_bytes - len(ELLIPSIS.encode())].decode("utf-8", "ignore") + ELLIPSIS


def cut_middle(text: str, max_bytes: int) -> str:
    """Return start and end of a name, of at most this many bytes in UTF-8, with `…` in place of what was cut out."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= max_bytes:
        return text
    end_bytes = max_bytes // 3
    start_bytes = max_bytes - end_bytes - len(ELLIPSIS.encode())
    start = encoded[:start_bytes].decode("utf-8", "ignore")
    return start + ELLIPSIS + encoded[len(encoded) - end_bytes :].decode("utf-8", "ignore")
