"""Whisper, by faster-whisper: English, Chinese and 97 other languages, with punctuation, capitals and word times.

Each piece of speech (at most 28 s, cut at pauses) is recognised on its own, so that an hour needs no more memory than
a minute, and a mistake of one piece is not repeated in the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.speech.audio import BYTES_PER_SECOND, SAMPLE_RATE, SpeechSegment
from localcloud.speech.errors import build_missing_whisper_error
from localcloud.speech.language import parse_language
from localcloud.speech.models import SpeechSetupError
from localcloud.speech.phrases import TimedText, build_sentences
from localcloud.speech.recording import Step

_MAX_PIECE_MS = 28_000  # Whisper hears 30 s at a time
_MAX_PAUSE_MS = 10_000  # inside a piece: with more context, Whisper makes fewer mistakes
_SILENCE_MS = 200  # before and after a piece: the first word of an abrupt start is often lost
_MIN_DETECTED = 0.5  # probability of a language that is kept for the rest of the recording
# Whisper writes in the style of the text before: this one has Simplified characters and punctuation.
_PROMPTS = {"zh": "以下是普通话的句子，使用简体中文和标点符号。"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """Segments of speech near each other. `spans` are their times in the recording (ms)."""

    spans: tuple[tuple[int, int], ...]
    pcm: bytes

    @property
    def start_ms(self) -> int:
        return self.spans[0][0]

    @property
    def end_ms(self) -> int:
        return self.spans[-1][1]


class WhisperEngine:
    """A loaded model: about 1 s and 320 MB for the base model."""

    def __init__(self, model: Path, *, threads: int) -> None:
        """Load the model in this folder. Raises SpeechSetupError."""
        try:
            import numpy as np  # noqa: PLC0415 -- the extra `whisper` may not be installed
            from faster_whisper import WhisperModel  # noqa: PLC0415
        except ImportError as error:
            raise build_missing_whisper_error(error) from None
        try:
            self._model: Any = WhisperModel(
                str(model), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise SpeechSetupError(f"the folder {model} holds no Whisper model: {error}") from None
        self._numpy = np

    def recognise(self, segments: Iterator[SpeechSegment], engine: str, channel: int) -> Iterator[Step]:
        """Recognise a piece of speech at a time. The language is that of the engine, or detected."""
        language = parse_language(engine)
        for piece in _join_segments(segments):
            samples = self._build_samples(piece.pcm)
            spoken, is_certain = (language, True) if language else self._detect_language(samples)
            parts = self._recognise_piece(piece, samples, spoken)
            if is_certain:
                language = spoken
            yield Step(tuple(build_sentences(parts, channel, spoken)), piece.end_ms)

    def _build_samples(self, pcm: bytes) -> Any:
        silence = bytes(_SILENCE_MS * BYTES_PER_SECOND // 1000)
        samples = self._numpy.frombuffer(silence + pcm + silence, dtype=self._numpy.int16)
        return samples.astype(self._numpy.float32) / 32768.0

    def _detect_language(self, samples: Any) -> tuple[str, bool]:
        language, probability, _ = self._model.detect_language(samples)
        return language, probability >= _MIN_DETECTED

    def _recognise_piece(self, piece: _Piece, samples: Any, language: str) -> list[TimedText]:
        phrases, _ = self._model.transcribe(
            samples,
            language=language,
            initial_prompt=_PROMPTS.get(language),
            word_timestamps=True,
            condition_on_previous_text=False,
            without_timestamps=False,
        )
        first_ms = piece.start_ms - _SILENCE_MS
        return [
            _place_word(
                word.word, first_ms + round(word.start * 1000), first_ms + round(word.end * 1000), piece
            )
            for phrase in phrases
            for word in phrase.words or ()
        ]


def _join_segments(segments: Iterator[SpeechSegment]) -> Iterator[_Piece]:
    """Join segments with their pauses, up to the length that Whisper hears at once."""
    spans: list[tuple[int, int]] = []
    pcm = bytearray()
    for segment in segments:
        if spans and (
            segment.end_ms - spans[0][0] > _MAX_PIECE_MS or segment.start_ms - spans[-1][1] > _MAX_PAUSE_MS
        ):
            yield _Piece(tuple(spans), bytes(pcm))
            spans, pcm = [], bytearray()
        if spans:
            pcm += bytes((segment.start_ms - spans[0][0]) * SAMPLE_RATE // 1000 * 2 - len(pcm))
        spans.append((segment.start_ms, segment.end_ms))
        pcm += segment.pcm
    if spans:
        yield _Piece(tuple(spans), bytes(pcm))


def _place_word(text: str, start_ms: int, end_ms: int, piece: _Piece) -> TimedText:
    """Move the ends of a word into its segment of speech: Whisper lets words begin in the pause before them."""
    middle_ms = (start_ms + end_ms) / 2
    first, last = min(piece.spans, key=lambda span: max(span[0] - middle_ms, middle_ms - span[1], 0))
    start_ms = min(max(start_ms, first), last)
    return TimedText(text, start_ms, min(max(end_ms, start_ms), last))
