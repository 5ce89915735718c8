"""A text file beside the recording, returned as if it had been recognised: exact results in any language."""

import re
from collections.abc import Sequence
from pathlib import Path

from localcloud.speech.errors import build_sidecar_error
from localcloud.speech.models import Sentence, Word

# In scripts without spaces each character is a word, with the punctuation that follows it;
# elsewhere words are separated by spaces.
_SPACELESS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SPACELESS}][^\w\s]*|[^\s{_SPACELESS}]+")
_CHANNEL_MARK = re.compile(r"\[([01])\]\s*")

Span = tuple[int, int]


def parse_sidecar(sidecar: Path, speech: Sequence[Span], channel: int, channels: int) -> list[Sentence]:
    """Read a sidecar, one sentence a line, and distribute it over the time in which `channel` speaks.

    `speech` holds (start, end) in ms, in order, at least one. With two channels a line may begin with
    `[0]` or `[1]`, its channel; a line without a mark is of channel 0.
    Raises RecognitionError if the file is not UTF-8.
    """
    try:
        # Not splitlines() and strip(): a control character such as a vertical tab is part of the sentence.
        lines = [line.strip(" \t") for line in sidecar.read_text("utf-8-sig").split("\n")]
    except UnicodeDecodeError:
        raise build_sidecar_error() from None
    if channels > 1:
        lines = [_strip_channel_mark(line) for line in lines if _parse_channel(line) == channel]
    return distribute_sentences([line for line in lines if line], speech, channel)


def _parse_channel(line: str) -> int:
    mark = _CHANNEL_MARK.match(line)
    return int(mark[1]) if mark else 0


def _strip_channel_mark(line: str) -> str:
    return _CHANNEL_MARK.sub("", line, count=1) if _CHANNEL_MARK.match(line) else line


def distribute_sentences(lines: Sequence[str], speech: Sequence[Span], channel: int) -> list[Sentence]:
    """Give each sentence its own span of speech if there are as many of both, else time by its length."""
    if len(lines) == len(speech):
        return [_time_sentence(line, [span], 0, 1, channel) for line, span in zip(lines, speech, strict=True)]
    total = sum(map(len, lines))
    sentences, position = [], 0
    for line in lines:
        end = position + len(line)
        sentences.append(_time_sentence(line, speech, position / total, end / total, channel))
        position = end
    return sentences


def _time_sentence(text: str, speech: Sequence[Span], first: float, last: float, channel: int) -> Sentence:
    """Build a sentence that takes the part `first` to `last` (0 to 1) of all speaking time."""
    texts = _WORD.findall(text) or [text]
    total = sum(map(len, texts))
    words, position = [], 0
    for word in texts:
        end = position + len(word)
        start_ms = _time_at(speech, first + (last - first) * position / total, at_end=False)
        end_ms = _time_at(speech, first + (last - first) * end / total, at_end=True)
        words.append(Word(word, start_ms, max(start_ms, end_ms)))
        position = end
    return Sentence(text, words[0].start_ms, words[-1].end_ms, channel, tuple(words))


def _time_at(speech: Sequence[Span], part: float, *, at_end: bool) -> int:
    """Convert a part of the speaking time to a time of the recording; pauses between spans are skipped."""
    offset_ms = part * sum(end - start for start, end in speech)
    for start, end in speech:
        length = end - start
        if offset_ms < length or (at_end and offset_ms <= length):
            return start + round(offset_ms)
        offset_ms -= length
    return speech[-1][1]
