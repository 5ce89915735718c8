"""PocketSphinx in this process: sound to words with their times. It holds the GIL while it listens."""

from collections.abc import Iterator
from pathlib import Path

import pocketsphinx

from localcloud.speech.audio import (
    SAMPLE_RATE,
    PcmStream,
    SpeechSegment,
    count_channels,
    iter_pcm,
    iter_speech_segments,
)
from localcloud.speech.models import Recognition, RecognitionError, Sentence, Word
from localcloud.speech.sidecar import parse_sidecar

_FRAME_MS = 10  # the decoder counts time in hundredths of a second
_STEREO = 2


class PocketSphinxEngine:
    """A loaded English model (about 0.4 s and 110 MB). One recording at a time."""

    def __init__(self) -> None:
        self._decoder = pocketsphinx.Decoder(samprate=SAMPLE_RATE, loglevel="FATAL")

    def recognise(self, recording: Path, *, channels: int, sidecar: Path | None) -> Recognition:
        """Hear one recording. Raises RecognitionError if it is not audio or not stereo where it has to be."""
        if count_channels(recording) < channels:
            raise RecognitionError(f"ChannelNum is {channels}, but the recording has one channel only")
        duration_ms = 0
        sentences: list[Sentence] = []
        for channel in range(channels):
            sound = iter_pcm(recording, channel=channel if channels == _STEREO else None)
            stream = PcmStream(sound)
            if sidecar is None:
                sentences += self._heard(stream, channel)
            else:
                spans = [(piece.start_ms, piece.end_ms) for piece in iter_speech_segments(stream)]
                sentences += parse_sidecar(sidecar, spans or [(0, stream.duration_ms)], channel, channels)
            duration_ms = max(duration_ms, stream.duration_ms)
        if not duration_ms:
            raise RecognitionError("the recording holds no sound at all")
        sentences.sort(key=lambda sentence: (sentence.start_ms, sentence.channel))
        return Recognition(duration_ms, channels, tuple(sentences))

    def _heard(self, stream: PcmStream, channel: int) -> Iterator[Sentence]:
        for piece in iter_speech_segments(stream):
            words = tuple(self._words(piece))
            if words:
                text = " ".join(word.text for word in words)
                yield Sentence(text, words[0].start_ms, words[-1].end_ms, channel, words)

    def _words(self, piece: SpeechSegment) -> Iterator[Word]:
        # Without this the adaptation to one utterance leaks into the next, and the words
        # depend on the order of the recordings. For the same reason always full_utt.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(piece.pcm, full_utt=True)
        self._decoder.end_utt()
        for segment in self._decoder.seg() or ():
            if segment.word.startswith(("<", "[", "+")):
                continue  # silence, noise and breath, not words
            start_ms = piece.start_ms + segment.start_frame * _FRAME_MS
            end_ms = piece.start_ms + (segment.end_frame + 1) * _FRAME_MS
            # Further pronunciations of a word are listed as word(2), word(3).
            yield Word(segment.word.partition("(")[0], start_ms, min(end_ms, piece.end_ms))
