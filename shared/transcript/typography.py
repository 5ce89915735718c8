"""How texts are measured, joined and broken: Chinese and Japanese between characters, other scripts at spaces."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

# Ideographs, kana and full-width forms. Hangul is left out: Korean is broken at spaces.
_CJK = "\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"

# Marks that begin no line, with combining marks, variation selectors and the joiner, which belong to what they follow.
_NEVER_FIRST = (
    r",.!?;:%)\]}’”…、。，．！？；：％）」』】》〉〕〗～—·ー々"
    "\u0300-\u036f\u3099\u309a\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
_NEVER_LAST = r"(\[{‘“（「『【《〈〔〖￥$" + "\u200d"

_BRINGS_ITS_SPACE = frozenset("、。，．！？；：）」』】》〉〕〗～")

SENTENCE_ENDS = frozenset(".!?;…。！？；．")
CLAUSE_ENDS = frozenset(",:、，：—")


_AFTER_SPACES = re.compile(" +")  # all that `_break` finds in ASCII


# Compiled when first needed: such large classes take milliseconds, which every cold start would pay for.
@lru_cache(maxsize=1)
def _break() -> re.Pattern[str]:
    return re.compile(
        rf"(?<= )(?! )|(?<![{_NEVER_LAST} ])(?![{_NEVER_FIRST} ])(?:(?<=[{_CJK}])(?=.)|(?<=.)(?=[{_CJK}]))"
    )


@lru_cache(maxsize=1)
def _space_between_cjk() -> re.Pattern[str]:
    return re.compile(rf"(?<=[{_CJK}]) (?=[{_CJK}])")


@lru_cache(maxsize=8192)
def char_columns(char: str) -> int:
    """Give the columns one character takes: 2 for wide East Asian ones and emoji, 0 for marks on another, else 1."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def columns(text: str) -> int:
    """Give the width of a text in half-width columns."""
    return len(text) if text.isascii() else sum(map(char_columns, text))


def columns_before(text: str) -> Sequence[int]:
    """Give the width of the text before each offset, the end's too."""
    return range(len(text) + 1) if text.isascii() else list(accumulate(map(char_columns, text), initial=0))


def break_points(text: str) -> list[int]:
    """Give the offsets at which a line may end, in order; a space before one belongs to neither line."""
    pattern = _AFTER_SPACES if text.isascii() else _break()
    return [match.end() for match in pattern.finditer(text) if match.end() < len(text)]


def join_words(words: Sequence[str]) -> str:
    """Join words by spaces, save between Chinese or Japanese ones."""
    return _space_between_cjk().sub("", " ".join(words))


def join_sentences(sentences: Sequence[str]) -> str:
    """Join sentences by spaces, save after Chinese punctuation, which brings its own. No sentence may be empty."""
    joined: list[str] = []
    for sentence in sentences:
        if joined and joined[-1].rstrip("”’")[-1:] not in _BRINGS_ITS_SPACE:
            joined.append(" ")
        joined.append(sentence)
    return "".join(joined)
