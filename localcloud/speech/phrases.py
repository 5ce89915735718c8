"""Sentences and words, from the pieces of text with times that a speech engine gives."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from localcloud.speech.models import Sentence, Word
from localcloud.speech.segmenter import split_words

_MAX_PAUSE_MS = 1_000  # a longer pause ends a sentence
_MAX_CHARACTERS = 200
_SENTENCE_END = re.compile(r"[。！？.!?…]['\"”’）)]*$")
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
        times = _CharacterTimes(group)
        words: list[Word] = []
        position = 0
        for word in split_words(text):
            end = position + len(word)
            words.append(Word(word, times.start_of(position), times.end_of(end - 1)))
            position = end
        yield Sentence(text, group[0].start_ms, group[-1].end_ms, channel, tuple(words))


def _split_sentences(parts: Sequence[TimedText]) -> Iterator[list[TimedText]]:
    group: list[TimedText] = []
    characters = 0
    for part in parts:
        if group and (
            _SENTENCE_END.search(group[-1].text.rstrip())
            or part.start_ms - group[-1].end_ms > _MAX_PAUSE_MS
            or characters > _MAX_CHARACTERS
        ):
            yield group
            group, characters = [], 0
        group.append(part)
        characters += len(part.text)
    if group:
        yield group


def _use_full_width(text: str) -> str:
    """Write the punctuation of Chinese text in full width, as CI does; Whisper mixes both."""
    return _BESIDE_CHINESE.sub(lambda match: _FULL_WIDTH[match[0].strip()], text)


class _CharacterTimes:
    """The times of the characters of a text, without its spaces; equal inside a part."""

    def __init__(self, parts: Sequence[TimedText]) -> None:
        self._parts = parts
        self._starts: list[int] = []
        self._lengths: list[int] = []
        position = 0
        for part in parts:
            length = len(re.sub(r"\s", "", part.text))
            self._starts.append(position)
            self._lengths.append(length)
            position += length

    def start_of(self, position: int) -> int:
        return self._time_at(position, 0)

    def end_of(self, position: int) -> int:
        return self._time_at(position, 1)

    def _time_at(self, position: int, offset: int) -> int:
        index = max(0, bisect_right(self._starts, position) - 1)
        part = self._parts[index]
        share = min(1.0, (position + offset - self._starts[index]) / self._lengths[index])
        return part.start_ms + round((part.end_ms - part.start_ms) * share)
