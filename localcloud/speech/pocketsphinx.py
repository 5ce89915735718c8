"""PocketSphinx: English only, small, without punctuation. It holds the GIL while it recognises."""

from collections.abc import Iterator

import pocketsphinx

from localcloud.speech.audio import SAMPLE_RATE
from localcloud.speech.errors import build_english_only_error
from localcloud.speech.models import Sentence, Word
from localcloud.speech.recording import Piece

_FRAME_MS = 10  # the decoder counts time in hundredths of a second


class PocketSphinxEngine:
    """A loaded English model (about 0.4 s and 110 MB)."""

    max_piece_ms = max_pause_ms = 0  # each segment is a sentence

    def __init__(self) -> None:
        self._decoder = pocketsphinx.Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")

    def open(self, engine: str) -> "PocketSphinxEngine":
        """Begin a recording. Raises RecognitionError for another language than English."""
        if "_en" not in engine:
            raise build_english_only_error(engine)
        return self

    def recognise(self, piece: Piece, channel: int) -> Iterator[Sentence]:
        """Recognise a segment as a sentence; nothing if it has no words."""
        words = tuple(self._recognise_words(piece))
        if words:
            text = " ".join(word.text for word in words)
            yield Sentence(text, words[0].start_ms, words[-1].end_ms, channel, words)

    def _recognise_words(self, piece: Piece) -> Iterator[Word]:
        # Without reinit_feat the adaptation to one utterance changes the words of the next, so
        # that they depend on the order of the recordings. full_utt is for the same reason.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(piece.pcm, full_utt=True)
        self._decoder.end_utt()
        for token in self._decoder.seg() or ():
            if token.word.startswith(("<", "[", "+")):
                continue  # silence, noise and breath, not words
            start_ms = piece.start_ms + token.start_frame * _FRAME_MS
            end_ms = piece.start_ms + (token.end_frame + 1) * _FRAME_MS
            # Further pronunciations of a word are named word(2), word(3).
            yield Word(token.word.partition("(")[0], start_ms, min(end_ms, piece.end_ms))
