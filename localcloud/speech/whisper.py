"""Whisper, by faster-whisper: English, Chinese and 97 other languages, with punctuation, capitals and word times.

Each piece of speech (at most 28 s, cut at pauses) is recognised on its own, so that an hour needs no more memory than
a minute, and a mistake of one piece is not repeated in the next.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from localcloud.speech.audio import BYTES_PER_SECOND
from localcloud.speech.errors import build_missing_whisper_error
from localcloud.speech.language import parse_language
from localcloud.speech.models import Sentence, SpeechSetupError
from localcloud.speech.phrases import TimedText, build_sentences
from localcloud.speech.recording import Piece

_SILENCE_MS = 200  # before and after a piece: the first word of an abrupt start is often lost
_MAX_NO_SPEECH, _MIN_LOG_PROBABILITY, _MAX_COMPRESSION = 0.6, -0.7, 2.4
_MAX_CHARACTERS_PER_S = 40  # fast English has 25, fast Chinese 10
_MIN_UNHEARD_MS = 300  # a shorter segment without words is a noise
_MAX_UNHEARD_MS = 2_000  # at the end of a segment with words
# Whisper tries again at the second one where the first gives a text that repeats itself. Its default is six, each of
# which takes as long as the first.
_TEMPERATURES = (0.0, 0.4)
_MIN_DETECTED = 0.5  # probability of a language, for it to be certain
# Whisper writes in the style of the text before: this one has Simplified characters and punctuation.
_PROMPTS = {"zh": "以下是普通话的句子。"}


class WhisperEngine:
    """A loaded model: about 1 s and 320 MB for the base model."""

    max_piece_ms = 28_000  # Whisper hears 30 s at a time
    max_pause_ms = 10_000  # with more context, Whisper makes fewer mistakes

    def __init__(self, model: Path, *, threads: int) -> None:
        """Load the model in this folder. Raises SpeechSetupError."""
        try:
            # The extra `whisper` may not be installed.
            from ctranslate2 import set_random_seed  # noqa: PLC0415
            from faster_whisper import WhisperModel  # noqa: PLC0415
        except ImportError as error:
            raise build_missing_whisper_error(str(error)) from None
        try:
            self._model: Any = WhisperModel(
                str(model), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
            )
        except Exception as error:  # noqa: BLE001 -- the tokenizer's library raises nothing more exact
            reason = " ".join(str(error).split())
            raise SpeechSetupError(f"the folder {model} holds no Whisper model: {reason}") from None
        self._set_random_seed: Callable[[int], None] = set_random_seed

    def open(self, engine: str) -> "_Session":
        """Begin a recording in the language of the engine; it is detected if the engine has none."""
        return _Session(self._model, self._set_random_seed, parse_language(engine))


class _Session:
    def __init__(self, model: Any, set_random_seed: Callable[[int], None], language: str | None) -> None:
        self._model = model
        self._set_random_seed = set_random_seed
        self._language = language
        self._last_language = ""  # that was detected with certainty

    def recognise(self, piece: Piece, channel: int) -> Iterator[Sentence]:
        """Recognise a piece; yields its sentences in the order of their times."""
        language = self._choose_language(piece)
        words = self._find_words(piece, language)
        sentences = list(build_sentences(words, channel, language))
        # Whisper sometimes ends before the speech does, or leaves out what is in another language: that is recognised
        # alone. A piece without any words is noise.
        for rest in find_unheard(piece, words) if words else ():
            rest_language = self._choose_language(rest)
            sentences += build_sentences(self._find_words(rest, rest_language), channel, rest_language)
        yield from sorted(sentences, key=lambda sentence: sentence.start_ms)

    def _find_words(self, piece: Piece, language: str) -> list[TimedText]:
        self._set_random_seed(0)  # a second try is random: the same speech is to give the same words
        phrases, _ = self._model.transcribe(
            _build_samples(piece.pcm),
            language=language,
            # Unlike initial_prompt, before each window: Whisper often needs two for a piece.
            hotwords=_PROMPTS.get(language),
            word_timestamps=True,
            condition_on_previous_text=False,
            temperature=_TEMPERATURES,
        )
        first_ms = piece.start_ms - _SILENCE_MS
        found: list[TimedText] = []
        for phrase in phrases:
            if is_noise(phrase.no_speech_prob, phrase.avg_logprob, phrase.compression_ratio):
                continue
            words = [
                _place_word(
                    word.word, first_ms + round(word.start * 1000), first_ms + round(word.end * 1000), piece
                )
                for word in phrase.words or ()
            ]
            found += [] if is_too_fast(words) else words
        return found

    def _choose_language(self, piece: Piece) -> str:
        """Return the language of the engine, else that of this speech, or of earlier speech if it is not certain."""
        if self._language:
            return self._language
        if not self._model.model.is_multilingual:  # base.en and the like
            return "en"
        language, probability, _ = self._model.detect_language(_build_samples(piece.pcm))
        if probability >= _MIN_DETECTED:
            self._last_language = language
        return str(self._last_language or language)


def _build_samples(pcm: bytes) -> Any:
    """Convert 16-bit PCM to numbers from -1 to 1, with a little silence before and after."""
    import numpy as np  # noqa: PLC0415 -- the extra `whisper` may not be installed

    silence = bytes(_SILENCE_MS * BYTES_PER_SECOND // 1000)
    return np.frombuffer(silence + pcm + silence, dtype=np.int16).astype(np.float32) / 32768.0


def is_noise(no_speech_probability: float, log_probability: float, compression_ratio: float) -> bool:
    """Return whether a phrase was made of noise or music: probably no speech, and unlikely or repeating itself.

    Measured: speech has a probability of at most 0.1 of being none, tones and noise of at least 0.6.
    """
    return no_speech_probability > _MAX_NO_SPEECH and (
        log_probability < _MIN_LOG_PROBABILITY or compression_ratio > _MAX_COMPRESSION
    )


def is_too_fast(words: Sequence[TimedText]) -> bool:
    """Return whether a phrase is too fast for speech, as Whisper makes them of the silence after it."""
    if not words:
        return True
    spoken_ms = max(1, words[-1].end_ms - words[0].start_ms)
    return sum(len(word.text.strip()) for word in words) / spoken_ms * 1000 > _MAX_CHARACTERS_PER_S


def find_unheard(piece: Piece, words: Sequence[TimedText]) -> Iterator[Piece]:
    """Yield the parts of a piece with speech but no words: segments, and the long end of one."""
    for first_ms, last_ms in piece.spans:
        heard_ms = max(
            (word.end_ms for word in words if first_ms <= word.start_ms < last_ms), default=first_ms
        )
        start_ms = heard_ms if last_ms - heard_ms > _MAX_UNHEARD_MS else last_ms
        if heard_ms == first_ms:
            start_ms = first_ms
        if last_ms - start_ms > _MIN_UNHEARD_MS:
            yield piece.cut(start_ms, last_ms)


def _place_word(text: str, start_ms: int, end_ms: int, piece: Piece) -> TimedText:
    """Move the ends of a word into its segment of speech: Whisper lets words begin in the pause before them."""
    middle_ms = (start_ms + end_ms) / 2
    first, last = min(piece.spans, key=lambda span: max(span[0] - middle_ms, middle_ms - span[1], 0))
    start_ms = min(max(start_ms, first), last)
    return TimedText(text, start_ms, min(max(end_ms, start_ms), last))
