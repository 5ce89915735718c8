"""PocketSphinx in this process: recordings to words with their times. It holds the GIL while it recognises."""

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
        """Recognise one recording. Raises RecognitionError if it is not audio, or mono where `channels` is 2."""
        if count_channels(recording) < channels:
            raise RecognitionError(f"ChannelNum is {channels}, but the recording has one channel only")
        duration_ms = 0
        sentences: list[Sentence] = []
        for channel in range(channels):
            stream = PcmStream(iter_pcm(recording, channel=channel if channels == _STEREO else None))
            if sidecar is None:
                sentences += self._recognise_channel(stream, channel)
            else:
                spans = [(segment.start_ms, segment.end_ms) for segment in iter_speech_segments(stream)]
                sentences += parse_sidecar(sidecar, spans or [(0, stream.duration_ms)], channel, channels)
            duration_ms = max(duration_ms, stream.duration_ms)
        if not duration_ms:
            raise RecognitionError("the recording holds no sound at all")
        sentences.sort(key=lambda sentence: (sentence.start_ms, sentence.channel))
        return Recognition(duration_ms, channels, tuple(sentences))

    def _recognise_channel(self, stream: PcmStream, channel: int) -> Iterator[Sentence]:
        for segment in iter_speech_segments(stream):
            words = tuple(self._recognise_segment(segment))
            if words:
                text = " ".join(word.text for word in words)
                yield Sentence(text, words[0].start_ms, words[-1].end_ms, channel, words)

    def _recognise_segment(self, segment: SpeechSegment) -> Iterator[Word]:
        # Without reinit_feat the adaptation to one utterance changes the words of the next, so
        # that they depend on the order of the recordings. full_utt is for the same reason.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        self._decoder.process_raw(segment.pcm, full_utt=True)
        self._decoder.end_utt()
        for token in self._decoder.seg() or ():
            if token.word.startswith(("<", "[", "+")):
                continue  # silence, noise and breath, not words
            start_ms = segment.start_ms + token.start_frame * _FRAME_MS
            end_ms = segment.start_ms + (token.end_frame + 1) * _FRAME_MS
            # Further pronunciations of a word are named word(2), word(3).
            yield Word(token.word.partition("(")[0], start_ms, min(end_ms, segment.end_ms))
