"""The times of a sentence and its words as the page holds them: a short attribute, see html_page.py."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import pairwise

from shared.transcript.models import Sentence
from shared.transcript.text import find_line_breaks
from shared.transcript.word_times import WordTimings

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def format_times(sentence: Sentence) -> str:
    """Return the start, the length and the starts of the words; without words, the first two only."""
    start_ms = sentence.start_ms
    times = f"{format_base36(start_ms)} {format_base36(max(0, sentence.end_ms - start_ms))}"
    if not sentence.words:
        return times
    timings = WordTimings(sentence)
    if not timings.starts:
        return times
    text = sentence.text
    offsets = _find_word_offsets(text, timings)
    pieces = [times, " "]
    before_ms = start_ms
    for start, end in pairwise([*offsets, len(text)]):
        time_ms = timings.start_at(_find_first_word(timings.starts, start, end))
        pieces.append(format_base36(time_ms - before_ms))
        pieces.append(_format_length(text[start:end], is_last=end == len(text)))
        before_ms = time_ms
    return "".join(pieces).rstrip(" ")


def _find_word_offsets(text: str, timings: WordTimings) -> list[int]:
    """Return the offsets where a word of the page begins; punctuation belongs to the word that it touches.

    A line may break before each of them, except where the engine's words touch each other in a text without spaces.
    """
    starts, ends = timings.starts, timings.ends
    breaks = find_line_breaks(text)
    if breaks == starts[1:] and starts[0] == 0:
        return starts
    offsets = [0]
    for offset in breaks:
        word = bisect_left(starts, offset) - 1
        if offset < len(text) and (word < 0 or offset >= ends[word]):
            offsets.append(offset)
    extra = [
        start
        for (start, before) in zip(starts[1:], ends, strict=False)
        if offsets[bisect_right(offsets, start) - 1] < before
    ]
    return sorted([*offsets, *extra]) if extra else offsets


def _find_first_word(starts: list[int], start: int, end: int) -> int:
    """Return the offset of the first of the engine's words in a part of the text, or the start of the part."""
    index = bisect_left(starts, start)
    return starts[index] if index < len(starts) and starts[index] < end else start


def _format_length(word: str, *, is_last: bool) -> str:
    space = word.find(" ")
    if space == len(word) - 1 or (is_last and space < 0):
        return " "
    # The length in UTF-16 units, which is how a script counts.
    length = len(word) if word.isascii() else len(word.encode("utf-16-le", "surrogatepass")) // 2
    letters = ""
    while length:
        length, digit = divmod(length, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


@lru_cache(maxsize=4096)
def format_base36(number: int) -> str:
    """Return a number that is not negative with the digits 0 to 9 and a to z."""
    digits = _DIGITS[number % 36]
    while number := number // 36:
        digits = _DIGITS[number % 36] + digits
    return digits
