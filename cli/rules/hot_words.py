"""A file of hot words: one word a line with its weight, as CI's hot-word tables take them.

The limits are those of the speech product behind CI (CreateAsrVocab and CreateRecTask, `HotwordList`): CI's own
documents name none.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cli.errors import OperatorError
from cli.language import _

MAX_FILE_BYTES = 65_536
MAX_WORDS = 128
MAX_HANZI, MAX_CHARACTERS = 10, 30  # of one word
DEFAULT_WEIGHT, MAX_WEIGHT = 10, 11
REPLACING_WEIGHT = 100  # words that sound the same are replaced by this one (engines 8k_zh and 16k_zh)
MAX_MISTAKES = 20  # in one message

# The second one is what Chinese keyboards type.
_SEPARATED = re.compile(r"(?P<word>.*?)\s*[|｜\t]\s*(?P<weight>[^|｜\t]*)")
_LAST_NUMBER = re.compile(r"(?P<word>.*\S)\s+(?P<weight>[0-9]+)")
_NUMBER = re.compile(r"[0-9]{1,3}")
_WORD_KINDS = ("L", "M", "N")  # letters, marks and numbers; blanks may be between them


class HotWord(NamedTuple):
    """A word or a name, and how much it is preferred: 1 to 11, or 100."""

    word: str
    weight: int

    def __str__(self) -> str:
        return f"{self.word}|{self.weight}"


class _Mistake(ValueError):
    """What is wrong with a line."""


def load_hot_words(path: Path) -> tuple[HotWord, ...]:
    """Load a file of hot words. Raises OperatorError, which names every mistake with its line."""
    try:
        with path.open("rb") as file:
            body = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise OperatorError(
            _("{path}: the hot words cannot be read: {error}", path=path, error=error.strerror)
        ) from None
    if len(body) > MAX_FILE_BYTES:
        raise OperatorError(
            _(
                "{path} is longer than {size} KB, and has at most {number} words",
                path=path,
                size=MAX_FILE_BYTES // 1024,
                number=MAX_WORDS,
            )
        )
    return parse_hot_words(_decode(body, path), str(path))


def parse_hot_words(text: str, name: str) -> tuple[HotWord, ...]:
    """Parse the lines of a file, called `name` in errors. Raises OperatorError, which names every mistake."""
    lines: dict[str, int] = {}
    hot_words: list[HotWord] = []
    mistakes: list[str] = []
    for number, hot_word, mistake in _parse_lines(text):
        if hot_word is None:
            mistakes.append(_("line {line}: {mistake}", line=number, mistake=mistake))
        elif hot_word.word in lines:
            mistakes.append(
                _(
                    "line {line}: {word} is in line {other} already",
                    line=number,
                    word=hot_word.word,
                    other=lines[hot_word.word],
                )
            )
        else:
            lines[hot_word.word] = number
            hot_words.append(hot_word)
    if len(hot_words) > MAX_WORDS:
        mistakes.append(
            _(
                "it has {number} words, and a list of hot words has at most {maximum}",
                number=len(hot_words),
                maximum=MAX_WORDS,
            )
        )
    if not hot_words and not mistakes:
        mistakes.append(_("it has no word: one word a line, with a weight if you like, such as `Scribe 10`"))
    if mistakes:
        more = len(mistakes) - MAX_MISTAKES
        shown = mistakes[:MAX_MISTAKES]
        if more > 0:
            shown.append(_("and {number} more mistakes", number=more))
        head = _("the hot words in {name} cannot be used:", name=name)
        raise OperatorError("\n  ".join([head, *shown]))
    return tuple(hot_words)


def _decode(body: bytes, path: Path) -> str:
    """Decode UTF-8, UTF-16 with its mark, or GBK, which Windows programs in China still write."""
    encodings = (
        ("utf-16",) if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ("utf-8-sig", "gbk")
    )
    for encoding in encodings:
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise OperatorError(_("{path} is not a text in UTF-8: save it as UTF-8, one word a line", path=path))


def _parse_lines(text: str) -> Iterator[tuple[int, HotWord | None, str]]:
    """Yield the number of each line that is not empty, with its word, or with what is wrong."""
    for number, raw in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        line = unicodedata.normalize("NFC", raw).strip()
        if line and not line.startswith("#"):
            try:
                yield number, _parse_line(line), ""
            except _Mistake as mistake:
                yield number, None, str(mistake)


def _parse_line(line: str) -> HotWord:
    """Parse `word`, `word weight`, `word|weight` or `word<TAB>weight`. Raises _Mistake."""
    separated = _SEPARATED.fullmatch(line)
    parts = separated or _LAST_NUMBER.fullmatch(line)
    word = " ".join((parts["word"] if parts else line).split())
    _check_word(word)
    if not parts:
        return HotWord(word, DEFAULT_WEIGHT)
    weight = parts["weight"].strip()
    if _NUMBER.fullmatch(weight) and (1 <= int(weight) <= MAX_WEIGHT or int(weight) == REPLACING_WEIGHT):
        return HotWord(word, int(weight))
    mistake = _(
        "the weight of {word} is {weight}; it is 1 to {maximum}, or {replacing}",
        word=word,
        weight=_show(weight),
        maximum=MAX_WEIGHT,
        replacing=REPLACING_WEIGHT,
    )
    if not separated:
        mistake = _(
            "{mistake}; if the number belongs to the word, write `{word}|{weight}`",
            mistake=mistake,
            word=line,
            weight=DEFAULT_WEIGHT,
        )
    raise _Mistake(mistake)


def _check_word(word: str) -> None:
    if not word:
        raise _Mistake(_("there is a weight, but no word"))
    wrong = next(
        (char for char in word if char != " " and not unicodedata.category(char).startswith(_WORD_KINDS)), ""
    )
    if wrong:
        raise _Mistake(
            _(
                "{word} has the character {character} (U+{code:04X}); hot words have no punctuation and no special "
                "characters: write the word as it is spoken",
                word=_show(word),
                character=_show(wrong),
                code=ord(wrong),
            )
        )
    hanzi = sum(unicodedata.name(char, "").startswith("CJK ") for char in word)
    if hanzi > MAX_HANZI:
        raise _Mistake(
            _(
                "{word} has {number} Chinese characters; a hot word has at most {maximum}",
                word=_show(word),
                number=hanzi,
                maximum=MAX_HANZI,
            )
        )
    if len(word) > MAX_CHARACTERS:
        raise _Mistake(
            _(
                "{word} has {number} characters; a hot word has at most {maximum}",
                word=_show(word),
                number=len(word),
                maximum=MAX_CHARACTERS,
            )
        )


def _show(text: str) -> str:
    """Return a part of a line for a message, short and without control characters."""
    return repr(text[:MAX_CHARACTERS]) + ("…" if len(text) > MAX_CHARACTERS else "")
