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
_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# ASCII punctuation beside a Chinese character; not a point or colon between digits.
_BESIDE_CHINESE = re.compile(
    rf"(?<=[{_CHINESE}])\s*[,?!;:]\s*|\s*[,?!;:]\s*(?=[{_CHINESE}])|(?<=[{_CHINESE}])\.(?!\w)"
)
_HAS_CHINESE = re.compile(f"[{_CHINESE}]")
_FULL_WIDTH = {",": "，", "?": "？", "!": "！", ";": "；", ":": "：", ".": "。"}
_HALF_WIDTH = {full: half for half, full in _FULL_WIDTH.items()}
_FULL_WIDTH_MARK = re.compile(rf"([{''.join(_HALF_WIDTH)}])\s*(?=(\w?))")


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
            text = _choose_width(text)
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
            _ends_sentence(group[-1].text, part.text)
            or part.start_ms - group[-1].end_ms > _MAX_PAUSE_MS
            or characters > _MAX_CHARACTERS
        ):
            yield group
            group, characters = [], 0
        group.append(part)
        characters += len(part.text)
    if group:
        yield group


def _ends_sentence(text: str, next_text: str) -> bool:
    """Return whether a sentence ends with this part; the point of a number or a name does not end one."""
    is_inside = text.endswith(".") and re.match(r"[0-9A-Za-z]", next_text) is not None
    return not is_inside and _SENTENCE_END.search(text.rstrip()) is not None


def _choose_width(text: str) -> str:
    """Write the punctuation of Chinese text in full width, as CI does, of other text not; Whisper mixes both."""
    if not _HAS_CHINESE.search(text):
        return _FULL_WIDTH_MARK.sub(lambda match: _HALF_WIDTH[match[1]] + " " * bool(match[2]), text)
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
