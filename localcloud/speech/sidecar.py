"""A text file beside the recording, returned as if it had been recognised: exact results in any language."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from localcloud.speech.errors import build_sidecar_error
from localcloud.speech.models import Sentence, Word
from localcloud.speech.segmenter import split_words

_CHANNEL_MARK = re.compile(r"\[([01])\]\s*")
_SPEAKER_MARK = re.compile(r"\[([0-9])\]\s*")

Span = tuple[int, int]


def parse_sidecar(sidecar: Path, speech: Sequence[Span], channel: int, channels: int) -> list[Sentence]:
    """Read a sidecar, one sentence a line, and distribute it over the time in which `channel` speaks.

    `speech` holds (start, end) in ms, in order, at least one. With two channels a line may begin with
    `[0]` or `[1]`, its channel; a line without a mark is of channel 0. With one channel a line may begin with `[0]` to
    `[9]`, its speaker; a line without a mark is of the speaker of the line before.
    Raises RecognitionError if the file is not UTF-8.
    """
    try:
        # Not splitlines() and strip(): a control character such as a vertical tab is part of the sentence.
        lines = [line.strip(" \t") for line in sidecar.read_text("utf-8-sig").split("\n")]
    except UnicodeDecodeError:
        raise build_sidecar_error() from None
    if channels > 1:
        lines = [_strip_channel_mark(line) for line in lines if _parse_channel(line) == channel]
        return distribute_sentences([line for line in lines if line.split()], speech, channel)
    texts, speakers = _parse_speakers(lines)
    sentences = distribute_sentences(texts, speech, channel)
    return [replace(sentence, speaker=speaker) for sentence, speaker in zip(sentences, speakers, strict=True)]


def _parse_speakers(lines: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the lines that have words, without their marks, and the speaker of each."""
    texts: list[str] = []
    speakers: list[int] = []
    speaker = 0
    for line in lines:
        mark = _SPEAKER_MARK.match(line)
        speaker = int(mark[1]) if mark else speaker
        text = line[mark.end() :] if mark else line
        if text.split():
            texts.append(text)
            speakers.append(speaker)
    return texts, speakers


def _parse_channel(line: str) -> int:
    mark = _CHANNEL_MARK.match(line)
    return int(mark[1]) if mark else 0


def _strip_channel_mark(line: str) -> str:
    return _CHANNEL_MARK.sub("", line, count=1) if _CHANNEL_MARK.match(line) else line


def distribute_sentences(lines: Sequence[str], speech: Sequence[Span], channel: int) -> list[Sentence]:
    """Give each sentence its own span of speech if there are as many of both, else time by its width.

    Every line has a word. A Chinese character is as wide as two Latin letters.
    """
    sentences = [split_words(line) for line in lines]
    widths = [sum(map(_measure_width, words)) for words in sentences]
    if len(lines) == len(speech):
        return [
            _time_sentence(line, words, _Clock([span], width), 0, channel)
            for line, words, width, span in zip(lines, sentences, widths, speech, strict=True)
        ]
    clock = _Clock(speech, sum(widths))
    return [
        _time_sentence(line, words, clock, sum(widths[:number]), channel)
        for number, (line, words) in enumerate(zip(lines, sentences, strict=True))
    ]


def _time_sentence(text: str, texts: Sequence[str], clock: "_Clock", position: int, channel: int) -> Sentence:
    """Build a sentence that begins after `position` columns of the whole text."""
    words = []
    for word in texts:
        end = position + _measure_width(word)
        words.append(Word(word, clock.time_at(position, at_end=False), clock.time_at(end, at_end=True)))
        position = end
    return Sentence(text, words[0].start_ms, words[-1].end_ms, channel, tuple(words))


def _measure_width(word: str) -> int:
    """Return the columns of a word: 2 for a wide East Asian character, else 1."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in word)


class _Clock:
    """Converts columns of text to times of the recording, in proportion; pauses between spans of speech are skipped."""

    def __init__(self, speech: Sequence[Span], columns: int) -> None:
        self._speech = speech
        self._columns = columns
        self._speech_ms = sum(end - start for start, end in speech)

    def time_at(self, column: int, *, at_end: bool) -> int:
        """Return the time in ms at which the text before these columns ends, or the text after them starts."""
        rest = column * self._speech_ms  # in columns times ms, so that nothing is rounded before the end
        for start, end in self._speech:
            length = (end - start) * self._columns
            if rest < length or (at_end and rest == length):
                return start + round(rest / self._columns)
            rest -= length
        return self._speech[-1][1]
