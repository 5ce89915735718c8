"""A recogniser for tests: it responds at once, with words chosen by the recording's digest."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from localcloud.speech.models import Progress, Recognition, RecognitionError, Sentence, ignore_progress
from localcloud.speech.sidecar import distribute_sentences, parse_sidecar

_WORDS = (
    *("we", "you", "they", "the", "meeting", "report", "price", "order", "ticket", "question", "answer"),
    *("team", "week", "month", "morning", "evening", "begins", "ends", "sends", "opens", "finds", "needs"),
    *("today", "tomorrow", "again", "later", "first", "second", "good", "new", "small", "ready"),
)
_BYTES_PER_SECOND = 16_000  # as if every recording were 128 kbit/s
_MIN_DURATION_MS = 1_000
_SENTENCES_PER_CHANNEL = 2
_WORDS_PER_SENTENCE = 5
_PAUSE_MS = 100


class ScriptedRecogniser:
    """Deterministic: the same bytes always give the same words.

    Bytes that begin with `NOT AUDIO` fail, bytes that begin with `SILENCE` have no words, and the sentences of bytes
    that begin with `TWO SPEAKERS` have two speakers in turn. Every recording has as many channels as the job requires.
    """

    async def start(self) -> None:
        """Do nothing."""

    async def recognise(
        self,
        recording: Path,
        *,
        engine: str,
        channels: int,
        sidecar: Path | None,
        on_progress: Callable[[Progress], None] = ignore_progress,
    ) -> Recognition:
        """Invent the words of one recording. Raises RecognitionError for `NOT AUDIO`."""
        del engine, on_progress  # every engine gives the same words, at once
        data = await asyncio.to_thread(recording.read_bytes)
        if data.startswith(b"NOT AUDIO"):
            raise RecognitionError("the data could not be decoded as audio")
        duration_ms = max(_MIN_DURATION_MS, len(data) * 1000 // _BYTES_PER_SECOND)
        sentences: list[Sentence] = []
        if sidecar is not None:
            for channel in range(channels):
                sentences += parse_sidecar(sidecar, [(0, duration_ms)], channel, channels)
        elif not data.startswith(b"SILENCE"):
            sentences = _invent_sentences(hashlib.sha256(data).digest(), duration_ms, channels)
        if data.startswith(b"TWO SPEAKERS"):
            sentences = [replace(sentence, speaker=turn % 2) for turn, sentence in enumerate(sentences)]
        sentences.sort(key=lambda sentence: (sentence.start_ms, sentence.channel))
        return Recognition(duration_ms, channels, tuple(sentences))

    async def close(self) -> None:
        """Do nothing."""


def _invent_sentences(digest: bytes, duration_ms: int, channels: int) -> list[Sentence]:
    """Invent sentences for all channels, in turn; each sentence has its own part of the recording."""
    turns = _SENTENCES_PER_CHANNEL * channels
    sentences: list[Sentence] = []
    for turn in range(turns):
        indexes = digest[turn * _WORDS_PER_SENTENCE : (turn + 1) * _WORDS_PER_SENTENCE]
        text = " ".join(_WORDS[index % len(_WORDS)] for index in indexes)
        span = (duration_ms * turn // turns, duration_ms * (turn + 1) // turns - _PAUSE_MS)
        sentences += distribute_sentences([text], [span], turn % channels)
    return sentences
