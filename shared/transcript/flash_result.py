"""FlashResult containers: one per channel, lower-case names, times in milliseconds. Source: CI's FlashResult."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.transcript.ci_values import UNKNOWN_MS, mappings_of, ms_of, text_of, voice_of
from shared.transcript.model import Sentence, Word
from shared.transcript.timeline import in_order
from shared.transcript.typography import join_words


def read_flash(flash: Sequence[Mapping[str, Any]]) -> list[Sentence]:
    """Read the sentences of every channel; a channel without sentences gives its whole text, with unknown times.

    With several channels a sentence's channel is set and CI's speaker number, which then means nothing, is dropped.
    """
    several = len(flash) > 1
    sentences = []
    for place, item in enumerate(flash):
        number = voice_of(item.get("channel_id"))
        channel = (place if number is None else number) + 1  # counted from 0 by CI
        heard = mappings_of(item.get("sentence_list")) or [item]
        for raw in heard:
            sentence = _read_sentence(raw, channel if several else None)
            if sentence is not None:
                sentences.append(sentence)
    return sentences


def _read_sentence(raw: Mapping[str, Any], channel: int | None) -> Sentence | None:
    spoken = mappings_of(raw.get("word_list"))
    start_ms, end_ms = in_order(ms_of(raw.get("start_time")), ms_of(raw.get("end_time")))
    words = _read_words(spoken, start_ms) if start_ms != UNKNOWN_MS else ()
    text = text_of(raw.get("text")) or join_words([word.text for word in words])
    if not text:
        return None
    speaker = None if channel is not None else voice_of(raw.get("speaker_id"))
    return Sentence(start_ms, end_ms, text, speaker=speaker, channel=channel, words=words)


def _read_words(spoken: Sequence[Mapping[str, Any]], sentence_start_ms: int) -> tuple[Word, ...]:
    """Read the words. Whether CI counts their times from the file or from the sentence is unconfirmed.

    They count from the sentence if the first of them would otherwise be over before the sentence begins.
    """
    words = []
    for item in spoken:
        text = text_of(item.get("word"))
        start_ms, end_ms = in_order(ms_of(item.get("start_time")), ms_of(item.get("end_time")))
        if text and UNKNOWN_MS not in (start_ms, end_ms):
            words.append(Word(text, start_ms, end_ms))
    if words and words[0].end_ms <= sentence_start_ms:
        return tuple(
            Word(w.text, sentence_start_ms + w.start_ms, sentence_start_ms + w.end_ms) for w in words
        )
    return tuple(words)
