"""Times that hold: every sentence gets 0 <= start <= end, and sentences stand in order of their start."""

from collections.abc import Iterable, Sequence

from shared.transcript.ci_values import UNKNOWN_MS
from shared.transcript.model import Sentence
from shared.transcript.typography import columns

# How long speech takes where nothing says: about 5 Chinese characters or 10 Latin letters a second.
_MS_PER_COLUMN = 100


def in_order(start_ms: int, end_ms: int) -> tuple[int, int]:
    """Swap two known times that run backwards."""
    if UNKNOWN_MS < end_ms < start_ms:
        return end_ms, start_ms
    return start_ms, end_ms


def settle(sentences: Iterable[Sentence], duration_ms: int | None) -> list[Sentence]:
    """Give every sentence times and sort by start; equal starts keep their order.

    Sentences without times share the room between their neighbours (or up to the end of the recording) by the length
    of their texts. Where there is no such room, they start at the end of the one before and last as speech does.
    """
    settled: list[Sentence] = []
    untimed: list[Sentence] = []
    clock_ms = 0
    for sentence in sentences:
        if sentence.start_ms < 0:
            untimed.append(sentence)
            continue
        settled += _spread(untimed, clock_ms, sentence.start_ms)
        untimed.clear()
        if sentence.end_ms < sentence.start_ms:
            end_ms = max(
                [_speech_end_ms(sentence.start_ms, sentence.text), *(word.end_ms for word in sentence.words)]
            )
            settled.append(sentence._replace(end_ms=end_ms))
        else:
            settled.append(sentence)
        clock_ms = settled[-1].end_ms
    settled += _spread(untimed, clock_ms, duration_ms)
    return sorted(settled, key=lambda sentence: sentence.start_ms)


def _spread(untimed: Sequence[Sentence], start_ms: int, end_ms: int | None) -> list[Sentence]:
    """Lay sentences one after the other between two times."""
    said = sum(columns(sentence.text) for sentence in untimed)
    room_ms = said * _MS_PER_COLUMN if end_ms is None or end_ms <= start_ms else end_ms - start_ms
    spread = []
    before = 0
    for sentence in untimed:
        after = before + columns(sentence.text)
        spread.append(
            sentence._replace(
                start_ms=start_ms + room_ms * before // max(1, said),
                end_ms=start_ms + room_ms * after // max(1, said),
            )
        )
        before = after
    return spread


def _speech_end_ms(start_ms: int, text: str) -> int:
    return start_ms + columns(text) * _MS_PER_COLUMN
