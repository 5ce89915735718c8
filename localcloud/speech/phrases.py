"""Sentences and words, from the pieces of text with times that a speech engine gives."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from localcloud.speech.models import Sentence, Word
from localcloud.speech.segmenter import is_punctuation, split_words

_MAX_PAUSE_MS = 1_000  # a longer pause ends a sentence
_MAX_CHARACTERS = 200
_SPACES = re.compile(r"\s+")
_SENTENCE_END = re.compile(r"[。！？.!?…]['\"”’）)]*$")
_DECIMAL_POINT = re.compile(r"\d\.$")  # if a digit follows
_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# ASCII punctuation beside a Chinese character; not a point or colon between digits.
_BESIDE_CHINESE = re.compile(
    rf"(?<=[{_CHINESE}])\s*[,?!;:]\s*|\s*[,?!;:]\s*(?=[{_CHINESE}])|(?<=[{_CHINESE}])\.(?!\w)"
)
_FULL_WIDTH = {",": "，", "?": "？", "!": "！", ";": "；", ":": "：", ".": "。"}


class TimedText(NamedTuple):
    """A word or a part of one, as the engine gives it, with the space before it; times in ms of the recording."""

    text: str
    start_ms: int
    end_ms: int


def build_sentences(parts: Sequence[TimedText], channel: int, language: str) -> Iterator[Sentence]:
    """Join parts to sentences, which end at their punctuation or at a pause; words as in a dictionary."""
    for group in _split_sentences([part for part in parts if part.text.strip()]):
        text = "".join(part.text for part in group).strip()
        if language == "zh":
            text = _use_full_width(text)
        times = _time_characters(group)
        words: list[Word] = []
        position = 0
        for word in split_words(text):
            end = position + len(word)
            words.append(Word(word, times[position][0], times[end - 1][1]))
            position = end
        yield Sentence(text, group[0].start_ms, group[-1].end_ms, channel, tuple(words))


def _split_sentences(parts: Sequence[TimedText]) -> Iterator[list[TimedText]]:
    group: list[TimedText] = []
    characters = 0
    for part in parts:
        if group and (
            (_SENTENCE_END.search(group[-1].text.rstrip()) and not _is_inside_number(group[-1], part))
            or part.start_ms - group[-1].end_ms > _MAX_PAUSE_MS
            or characters > _MAX_CHARACTERS
        ):
            yield group
            group, characters = [], 0
        group.append(part)
        characters += len(part.text)
    if group:
        yield group


def _is_inside_number(earlier: TimedText, later: TimedText) -> bool:
    """Whether two parts are one number, such as 4. and 30."""
    return bool(_DECIMAL_POINT.search(earlier.text)) and later.text[:1].isdecimal()


def _use_full_width(text: str) -> str:
    """Write the punctuation of Chinese text in full width, as CI does; Whisper mixes both."""
    return _BESIDE_CHINESE.sub(lambda match: _FULL_WIDTH[match[0].strip()], text)


def _time_characters(parts: Sequence[TimedText]) -> list[tuple[int, int]]:
    """Return the start and the end of each character that is no space. Punctuation marks take no time."""
    times: list[tuple[int, int]] = []
    for part in parts:
        is_spoken = [not is_punctuation(character) for character in _SPACES.sub("", part.text)]
        step_ms = (part.end_ms - part.start_ms) / max(1, sum(is_spoken))
        ends = list(accumulate(is_spoken))
        times += [
            (part.start_ms + round((end - spoken) * step_ms), part.start_ms + round(end * step_ms))
            for end, spoken in zip(ends, is_spoken, strict=True)
        ]
    return times
