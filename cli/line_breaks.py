"""Line breaks in Chinese texts: between two characters, as in print, and never before a comma or after a bracket.

rich breaks lines at spaces only, and cuts off what is longer than a column. It has no setting for that: the function
that splits a text into words is replaced. In English everything stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich import _wrap

from cli.language import is_chinese

_OPENING = "（［｛「『《〈【“‘"
_CLOSING = "，。、；：？！）］｝」』》〉】”’…—·"
_CHINESE = (
    "\u2e80-\u2fff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_LATIN = rf"[^\s{_CHINESE}{_OPENING}{_CLOSING}]+"
_WORD = re.compile(
    rf"\s*(?:[{_OPENING}]*(?:[{_CHINESE}]|{_LATIN})[{_CLOSING}]*|[{_OPENING}]+|[{_CLOSING}]+)\s*"
)

_split_at_spaces = _wrap.words


def install() -> None:
    """Make rich break the lines of Chinese texts in this way."""
    _wrap.words = split_words


def split_words(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the parts of a text that stay on one line, with the spaces around them: start, end, part."""
    if not is_chinese():
        yield from _split_at_spaces(text)
        return
    for match in _WORD.finditer(text):
        yield match.start(), match.end(), match[0]
