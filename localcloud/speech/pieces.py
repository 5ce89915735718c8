"""Where in a recording somebody speaks: voice activity cuts it at its pauses."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import pocketsphinx

from localcloud.speech.decode import BYTES_PER_SECOND, SAMPLE_RATE

# Speech without a pause is cut here: memory and time grow faster than the length of an utterance.
_LONGEST_S = 30
_CUT_WITHIN_S = 5
_FRAME_BYTES = BYTES_PER_SECOND * 30 // 1000  # what the voice activity detector looks at


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of speech: its place in the recording (ms) and its sound."""

    start_ms: int
    end_ms: int
    pcm: bytes


class SoundStream(io.RawIOBase):
    """Chunks of sound as the readable stream that the segmenter wants, counting what went through."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._held = b""
        self._ended = False
        self._sound_bytes = 0

    @property
    def duration_ms(self) -> int:
        """How much sound was read so far, in milliseconds: the whole recording once it is at its end."""
        return self._sound_bytes * 1000 // BYTES_PER_SECOND

    def read(self, size: int = -1) -> bytes:
        """Give `size` bytes, fewer only at the end."""
        while len(self._held) < size and not self._ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                # The segmenter closes its last piece only on a frame that is not full, so two
                # zero bytes must follow a recording whose length is a multiple of a frame.
                self._ended, chunk = True, b"\0\0"
            else:
                self._sound_bytes += len(chunk)
            self._held += chunk
        given, self._held = self._held[:size], self._held[size:]
        return given


def speech_pieces(stream: SoundStream) -> Iterator[Piece]:
    """Yield the pieces of speech in time order; none for silence or noise. Reads the stream to its end."""
    for segment in pocketsphinx.Segmenter(sample_rate=SAMPLE_RATE).segment(stream):
        start_ms, pcm = round(segment.start_time * 1000), segment.pcm
        while pcm:
            cut = _cut_at(pcm)
            length_ms = cut * 1000 // BYTES_PER_SECOND
            if length_ms:
                yield Piece(start_ms, start_ms + length_ms, pcm[:cut])
            start_ms, pcm = start_ms + length_ms, pcm[cut:]


def _cut_at(pcm: bytes) -> int:
    """Find where to end a piece: at its end, or for a long one at the quietest frame before the limit."""
    limit = _LONGEST_S * BYTES_PER_SECOND
    if len(pcm) <= limit:
        return len(pcm)
    starts = range(limit - _CUT_WITHIN_S * BYTES_PER_SECOND, limit, _FRAME_BYTES)
    return min(starts, key=lambda at: sum(map(abs, memoryview(pcm[at : at + _FRAME_BYTES]).cast("h"))))
