"""Whisper, by faster-whisper: English, Chinese and 97 other languages, with punctuation, capitals and word times.

Each piece of speech (at most 28 s, cut at pauses) is recognised on its own, so that an hour needs no more memory than
a minute, and a mistake of one piece is not repeated in the next.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localcloud.speech.audio import BYTES_PER_SECOND
from localcloud.speech.errors import build_missing_whisper_error
from localcloud.speech.language import parse_language
from localcloud.speech.models import Sentence, SpeechSetupError
from localcloud.speech.phrases import TimedText, build_sentences
from localcloud.speech.recording import Piece

_SILENCE_MS = 200  # before and after a piece: the first word of an abrupt start is often lost
_MIN_DETECTED = 0.5  # probability of a language that is kept for the rest of the recording
# Whisper writes in the style of the text before: this one has Simplified characters and punctuation.
_PROMPTS = {"zh": "以下是普通话的句子。"}


class WhisperEngine:
    """A loaded model: about 1 s and 320 MB for the base model."""

    max_piece_ms = 28_000  # Whisper hears 30 s at a time
    max_pause_ms = 10_000  # with more context, Whisper makes fewer mistakes

    def __init__(self, model: Path, *, threads: int) -> None:
        """Load the model in this folder. Raises SpeechSetupError."""
        try:
            from faster_whisper import WhisperModel  # noqa: PLC0415 -- the extra `whisper` may not be installed
        except ImportError as error:
            raise build_missing_whisper_error(error) from None
        try:
            self._model: Any = WhisperModel(
                str(model), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        except Exception as error:  # noqa: BLE001 -- the tokenizer's library raises nothing more exact
            reason = " ".join(str(error).split())
            raise SpeechSetupError(f"the folder {model} holds no Whisper model: {reason}") from None

    def open(self, engine: str) -> "_Session":
        """Begin a recording in the language of the engine; it is detected if the engine has none."""
        return _Session(self._model, parse_language(engine))


class _Session:
    def __init__(self, model: Any, language: str | None) -> None:
        self._model = model
        self._language = language  # None until it is known

    def recognise(self, piece: Piece, channel: int) -> Iterator[Sentence]:
        """Recognise a piece; yields its sentences."""
        samples = _build_samples(piece.pcm)
        language = self._language or self._detect_language(samples)
        phrases, _ = self._model.transcribe(
            samples,
            language=language,
            # Unlike initial_prompt, before each window: Whisper often needs two for a piece.
            hotwords=_PROMPTS.get(language),
            word_timestamps=True,
            condition_on_previous_text=False,
        )
        first_ms = piece.start_ms - _SILENCE_MS
        words = [
            _place_word(
                word.word, first_ms + round(word.start * 1000), first_ms + round(word.end * 1000), piece
            )
            for phrase in phrases
            for word in phrase.words or ()
        ]
        yield from build_sentences(words, channel, language)

    def _detect_language(self, samples: Any) -> str:
        """Detect the language of a piece, and keep it for the next ones if it is certain."""
        if not self._model.model.is_multilingual:  # base.en and the like
            return "en"
        language, probability, _ = self._model.detect_language(samples)
        if probability >= _MIN_DETECTED:
            self._language = language
        return str(language)


def _build_samples(pcm: bytes) -> Any:
    """Convert 16-bit PCM to numbers from -1 to 1, with a little silence before and after."""
    import numpy as np  # noqa: PLC0415 -- the extra `whisper` may not be installed

    silence = bytes(_SILENCE_MS * BYTES_PER_SECOND // 1000)
    return np.frombuffer(silence + pcm + silence, dtype=np.int16).astype(np.float32) / 32768.0


def _place_word(text: str, start_ms: int, end_ms: int, piece: Piece) -> TimedText:
    """Move the ends of a word into its segment of speech: Whisper lets words begin in the pause before them."""
    middle_ms = (start_ms + end_ms) / 2
    first, last = min(piece.spans, key=lambda span: max(span[0] - middle_ms, middle_ms - span[1], 0))
    start_ms = min(max(start_ms, first), last)
    return TimedText(text, start_ms, min(max(end_ms, start_ms), last))
