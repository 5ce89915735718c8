"""Text functions: clean, measure, join, and find line breaks.

Chinese and Japanese text may break between characters; text in other scripts breaks at spaces.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from io import BytesIO
from itertools import accumulate

from shared.options.model import remove_forbidden_characters

# Characters that XML 1.0 and subtitle files cannot hold. Tabs and line ends are not listed: they become spaces.
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")

# Ideographs, kana and full-width forms. Hangul is not included: Korean breaks at spaces.
_CJK = "\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"

# Punctuation that must not start a line, and combining marks, variation selectors and the joiner, which belong to the
# character before them.
_NO_LINE_START = (
    r",.!?;:%)\]}’”…、。，．！？；：％）」』】》〉〕〗～—·ー々"
    "\u0300-\u036f\u3099\u309a\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"
)
_NO_LINE_END = r"(\[{‘“（「『【《〈〔〖￥$" + "\u200d"

# Full-width punctuation includes its own space.
_NO_SPACE_AFTER = frozenset("、。，．！？；：）」』】》〉〕〗～")

_SKIN_TONES = frozenset("🏻🏼🏽🏾🏿")

_SPACES = re.compile(" +")  # the only breaks in ASCII text


# Compiled on first use: these large character classes take milliseconds, which every cold start would pay.
@cache
def _any_break() -> re.Pattern[str]:
    return re.compile(
        rf"(?<= )(?! )|(?<![{_NO_LINE_END} ])(?![{_NO_LINE_START} ])(?:(?<=[{_CJK}])(?=.)|(?<=.)(?=[{_CJK}]))"
    )


@cache
def _space_between_cjk() -> re.Pattern[str]:
    return re.compile(rf"(?<=[{_CJK}]) (?=[{_CJK}])")


def clean_text(text: str) -> str:
    """Return the text as one line that every format can hold: no control characters, single spaces, valid UTF-8."""
    if text.isalnum():
        return text  # a single word, the most frequent case
    if text.isprintable() and "  " not in text:
        return text.strip(" ")  # printable text contains no other white space
    text = _CONTROL_CHARACTERS.sub("", text)
    text = _LONE_SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)
    return " ".join(text.split())


def clean_name(text: str) -> str:
    """Return a title or a name on one line, without marks that would change the direction of the text beside it."""
    return clean_text(remove_forbidden_characters(clean_text(text)))


@lru_cache(maxsize=8192)
def char_width(char: str) -> int:
    """Return the columns of one character: 2 for wide East Asian and emoji, 0 for combining marks, otherwise 1."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def display_width(text: str) -> int:
    """Return the width of a text in half-width columns."""
    return len(text) if text.isascii() else sum(map(char_width, text))


def find_line_breaks(text: str) -> list[int]:
    """Return the offsets at which a clean text may break, in order. The space before an offset is in neither line."""
    pattern = _SPACES if text.isascii() else _any_break()
    return [match.end() for match in pattern.finditer(text)]


def replace_markup(text: str) -> str:
    """Replace the characters that players read as markup by their full-width forms, because SRT has no escapes.

    Players hide `<...>` and `{...}` as styling, and read a backslash before some letters as a line break. The
    full-width forms are visible in every player, and also split `-->`. Players show `&` as it is.
    """
    text = text.replace("<", "＜").replace(">", "＞")
    return text.replace("{", "｛").replace("}", "｝").replace("\\", "＼")


def shorten(text: str, max_width: int) -> str:
    """Return a text of at most this width, `…` in place of the middle: names often differ at their end only."""
    if display_width(text) <= max_width:
        return text
    characters = _split_characters(text)
    head = _take(characters, max_width // 2)
    tail = _take(characters[::-1], max_width - 1 - display_width("".join(head)))
    return f"{''.join(head).rstrip()}…{''.join(reversed(tail)).lstrip()}"


def _split_characters(text: str) -> list[str]:
    """Split a text where a reader sees a new character: combining marks and joined emoji stay with their base."""
    characters: list[str] = []
    for char in text:
        is_part = (
            char_width(char) == 0 or char in _SKIN_TONES or (characters and characters[-1].endswith("\u200d"))
        )
        if characters and is_part:
            characters[-1] += char
        else:
            characters.append(char)
    return characters


def _take(characters: Sequence[str], max_width: int) -> list[str]:
    """Return the first characters that have this width together at most."""
    widths = accumulate(map(display_width, characters))
    return [character for character, width in zip(characters, widths, strict=True) if width <= max_width]


def join_words(words: Sequence[str]) -> str:
    """Join words with spaces, except between Chinese or Japanese ones."""
    return _space_between_cjk().sub("", " ".join(words))


def join_sentences(sentences: Sequence[str]) -> str:
    """Join sentences with spaces, except after full-width punctuation. No sentence may be empty."""
    pieces: list[str] = []
    for sentence in sentences:
        if pieces and needs_space_between(pieces[-1], sentence):
            pieces.append(" ")
        pieces.append(sentence)
    return "".join(pieces)


def needs_space_between(first: str, second: str) -> bool:
    """Check whether a space belongs between two sentences on one line."""
    return bool(first and second) and first.rstrip("”’")[-1:] not in _NO_SPACE_AFTER


def encode_pieces(pieces: Iterable[str]) -> bytes:
    """Join and encode the pieces of a file one by one, so that memory holds little more than the file once."""
    buffer = BytesIO()
    for piece in pieces:
        # Only an object key can hold a lone surrogate, and in JSON it becomes the escape \udcxx.
        buffer.write(piece.encode("utf-8", "backslashreplace"))
    return buffer.getvalue()
