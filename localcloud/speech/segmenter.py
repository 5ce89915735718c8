"""Splits text into words as a speech engine gives them; punctuation marks are words of their own.

Chinese is split by rjieba: the words of jieba, 5 MB on the disk, loaded in 0.2 s when the first Chinese text comes.
Japanese is split where the script changes, Latin and Korean text at spaces. Thai stays whole between spaces.
"""

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise

_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
_HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_PUNCTUATION = re.escape(
    "".join(
        character
        for code in (
            *range(0x21, 0x300),
            *range(0x2000, 0x2070),
            *range(0x3000, 0x3040),
            *range(0xFE10, 0xFF66),
        )
        # A per cent sign and the like belong to the number or the name beside them.
        if unicodedata.category(character := chr(code)).startswith("P")
        and character not in "%％#＃&＆@＠*_＿"
    )
)
_IS_PUNCTUATION = re.compile(rf"[{_PUNCTUATION}]+")
_IS_HAN = re.compile(f"[{_HAN}]")
_IS_KANA = re.compile(f"[{_KANA}]")
_OTHER = rf"[^\s{_HAN}{_KANA}{_PUNCTUATION}]+"
# A Latin word or a number with the marks in it: 3.5, 1,299, it's, a/b.
_WORD_WITH_MARKS = rf"{_OTHER}(?:(?:[.'’\-/&:．]+|(?<=[0-9]),(?=[0-9])){_OTHER})*"
# What no word ends inside of: these, Chinese digits in a row (二零二六), the same mark repeated (……).
_UNBROKEN = re.compile(rf"{_WORD_WITH_MARKS}|[零〇一二三四五六七八九]{{3,}}|([{_PUNCTUATION}])\1+")
_UNBROKEN_OR_PUNCTUATION = re.compile(rf"{_WORD_WITH_MARKS}|(?P<mark>[{_PUNCTUATION}]+)")
_FINAL_MARK = re.compile(r"[。．.！!？?…；;，,、：:—]")
_FINAL_MARKS = re.compile(r"[。．.！!？?…；;，,、：:—”’」』）)》】\"'\s]+$")
# A Japanese word with its ending, a word in katakana, or hiragana.
_JAPANESE_WORD = re.compile(rf"[{_HAN}]+[\u3041-\u3096]*|[\u30a1-\u30fa\u30fc]+|[\u3041-\u3096\u30fc]+")


def split_words(text: str) -> list[str]:
    """Split a text into words and punctuation marks; together they are the text without its white space."""
    offsets = [0, *sorted(_find_word_boundaries(text)), len(text)]
    pieces = (text[start:end].strip() for start, end in pairwise(offsets))
    return [sys.intern(piece) for piece in pieces if piece]


def is_punctuation(word: str) -> bool:
    """Return whether a word has punctuation marks only."""
    return _IS_PUNCTUATION.fullmatch(word) is not None


def remove_punctuation(text: str) -> str:
    """Remove the punctuation marks that `split_words` would return; letters that they separated get a space."""
    cleaned = _UNBROKEN_OR_PUNCTUATION.sub(_replace_mark, text)
    return re.sub(" +", " ", cleaned).strip(" ")


def _replace_mark(match: "re.Match[str]") -> str:
    if match["mark"] is None:
        return match[0]
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return " " if before.isascii() and before.isalnum() and after.isascii() and after.isalnum() else ""


def is_final_punctuation(word: str) -> bool:
    """Return whether a word has only marks that end a sentence, and what may close after them."""
    return _FINAL_MARKS.fullmatch(word) is not None


def remove_final_punctuation(text: str) -> str:
    """Remove the marks that end a sentence, also before its closing quotation marks and brackets, which stay."""
    tail = _FINAL_MARKS.search(text)
    return text[: tail.start()] + _FINAL_MARK.sub("", tail[0]).strip() if tail else text


def _find_word_boundaries(text: str) -> set[int]:
    """Return the offsets inside a text at which a word ends."""
    boundaries = set(_find_dictionary_boundaries(text))
    for match in re.finditer(rf"\s+|[{_PUNCTUATION}]", text):
        boundaries.update(match.span())
    for match in _UNBROKEN.finditer(text):
        boundaries.difference_update(range(match.start() + 1, match.end()))
    # Combining marks and variation selectors belong to the character before them.
    return {
        offset
        for offset in boundaries
        if 0 < offset < len(text) and not unicodedata.category(text[offset]).startswith("M")
    }


def _find_dictionary_boundaries(text: str) -> Iterator[int]:
    """Yield the offsets at which a Chinese or Japanese word ends; none for a text in another script."""
    if _IS_KANA.search(text):
        for match in _JAPANESE_WORD.finditer(text):
            yield from match.span()
    elif _IS_HAN.search(text):
        offset = 0
        for word in _load_chinese_dictionary()(text):
            offset += len(word)
            yield offset


@cache
def _load_chinese_dictionary() -> Callable[[str], list[str]]:
    """Load rjieba: 33 MB that a process without Chinese text does not need."""
    import rjieba  # noqa: PLC0415 -- as above

    return rjieba.cut
