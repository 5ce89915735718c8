"""Audio files to 16 kHz 16-bit PCM, a chunk at a time; and PCM to segments of speech, cut at the pauses."""

import importlib
import io
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import miniaudio
import pocketsphinx

from localcloud.speech.errors import build_missing_decoder_error
from localcloud.speech.models import RecognitionError

SAMPLE_RATE = 16_000
BYTES_PER_SECOND = 2 * SAMPLE_RATE
_FRAMES_PER_CHUNK = 16_384
_HEAD_BYTES = 64
_FILE_INFO: dict[str, Callable[[str], Any]] = {
    "wav": miniaudio.wav_get_file_info,
    "flac": miniaudio.flac_get_file_info,
    "vorbis": miniaudio.vorbis_get_file_info,
    "mp3": miniaudio.mp3_get_file_info,
}

# Formats that only PyAV reads, by the bytes they begin with (offset, bytes, name).
_PYAV_FORMATS = (
    (4, b"ftyp", "mp4 or m4a"),
    (28, b"OpusHead", "ogg opus"),
    (0, b"\x30\x26\xb2\x75", "wma"),
    (0, b"\x1a\x45\xdf\xa3", "webm or matroska"),
    (0, b"#!AMR", "amr"),
    (0, b"FORM", "aiff"),
)

# Speech without a pause is cut here: memory and time grow faster than the length of an utterance.
_MAX_SEGMENT_S = 30
_CUT_WINDOW_S = 5
_FRAME_BYTES = BYTES_PER_SECOND * 30 // 1000  # the frame of the voice activity detector


def count_channels(recording: Path) -> int:
    """Count the channels of an audio file. Raises RecognitionError if it is not audio."""
    audio_format = _detect_format(_read_head(recording))
    if audio_format is not None:
        try:
            return int(_FILE_INFO[audio_format](str(recording)).nchannels)
        except miniaudio.MiniaudioError:
            pass  # it only looks like that format: PyAV decides
    return int(_load_pyav_decoder(recording).count_channels(recording))


def read_duration_ms(recording: Path) -> int | None:
    """Read the length from the file's headers, in milliseconds; None if they do not say it."""
    audio_format = _detect_format(_read_head(recording))
    if audio_format is not None:
        with suppress(miniaudio.MiniaudioError):
            return round(_FILE_INFO[audio_format](str(recording)).duration * 1000) or None
    duration_ms: int | None = _load_pyav_decoder(recording).read_duration_ms(recording)
    return duration_ms


def iter_pcm(recording: Path, *, channel: int | None) -> Iterator[bytes]:
    """Decode a file to chunks of 16 kHz 16-bit mono PCM; only one chunk is in memory at a time.

    `channel` selects the left (0) or right (1) side of a stereo file; None mixes all channels into one.
    Raises RecognitionError if the file is not audio.
    """
    channels = 1 if channel is None else 2
    with closing(_iter_interleaved(recording, channels)) as chunks:
        for chunk in chunks:
            # A sample has two bytes, so the samples of one side are every second 16-bit value.
            yield chunk if channel is None else memoryview(chunk).cast("h")[channel::2].tobytes()


def _iter_interleaved(recording: Path, channels: int) -> Generator[bytes, None, None]:
    if _detect_format(_read_head(recording)) is not None:
        try:
            chunks = miniaudio.stream_file(
                str(recording), nchannels=channels, sample_rate=SAMPLE_RATE, frames_to_read=_FRAMES_PER_CHUNK
            )
        except miniaudio.MiniaudioError:
            pass  # as above
        else:
            with closing(chunks):
                for samples in chunks:
                    yield samples.tobytes()
            return
    yield from _load_pyav_decoder(recording).iter_interleaved(recording, channels)


def _read_head(recording: Path) -> bytes:
    with recording.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _detect_format(head: bytes) -> str | None:
    """Detect a format that miniaudio reads by its first bytes. Its own guess sees MP3 in any noise."""
    if head[:4] in (b"RIFF", b"RF64", b"RIFX"):
        return "wav"
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS" and b"vorbis" in head:
        return "vorbis"
    if head[:3] == b"ID3" or (_is_mpeg_frame(head) and not _is_aac_frame(head)):
        return "mp3"
    return None


def _is_mpeg_frame(head: bytes) -> bool:
    """Check for the eleven set bits that begin a frame of MPEG audio."""
    return int.from_bytes(head[:2], "big") & 0xFFE0 == 0xFFE0  # noqa: PLR2004 -- the bits themselves


def _is_aac_frame(head: bytes) -> bool:
    """Check for the twelve set bits and the layer 0 that begin a frame of AAC in ADTS."""
    return int.from_bytes(head[:2], "big") & 0xFFF6 == 0xFFF0  # noqa: PLR2004 -- the bits themselves


def _load_pyav_decoder(recording: Path) -> ModuleType:
    """Import the PyAV decoder. Raises RecognitionError without PyAV; it says how to install it if that would help."""
    try:
        return importlib.import_module("localcloud.speech.audio_av")
    except ImportError:
        format_name = _detect_pyav_format(_read_head(recording))
        if format_name is not None:
            raise build_missing_decoder_error(format_name) from None
        raise RecognitionError("the data could not be decoded as audio") from None


def _detect_pyav_format(head: bytes) -> str | None:
    """Return the name of a format that only PyAV reads."""
    names = [name for offset, magic, name in _PYAV_FORMATS if head[offset:].startswith(magic)]
    if _is_aac_frame(head):
        names.append("aac")
    return names[0] if names else None


@dataclass(frozen=True, slots=True)
class SpeechSegment:
    """A segment of speech: its times in the recording (ms) and its PCM."""

    start_ms: int
    end_ms: int
    pcm: bytes


class PcmStream(io.RawIOBase):
    """Chunks of PCM as the readable stream that the segmenter needs; counts the bytes that were read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._buffer = b""
        self._ended = False
        self._pcm_bytes = 0

    @property
    def duration_ms(self) -> int:
        """The length of what was read so far, in milliseconds: at the end that of the whole recording."""
        return self._pcm_bytes * 1000 // BYTES_PER_SECOND

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        while len(self._buffer) < size and not self._ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                # The segmenter ends its last segment only at an incomplete frame, so two zero
                # bytes must follow a recording whose length is a multiple of a frame.
                self._ended, chunk = True, b"\0\0"
            else:
                self._pcm_bytes += len(chunk)
            self._buffer += chunk
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data


def iter_speech_segments(stream: PcmStream) -> Iterator[SpeechSegment]:
    """Yield the segments of speech in time order; none for silence or noise. Reads the stream to its end."""
    for segment in pocketsphinx.Segmenter(sample_rate=SAMPLE_RATE).segment(stream):
        start_ms, pcm = round(segment.start_time * 1000), segment.pcm
        while pcm:
            cut = _find_cut(pcm)
            length_ms = cut * 1000 // BYTES_PER_SECOND
            if length_ms:
                yield SpeechSegment(start_ms, start_ms + length_ms, pcm[:cut])
            start_ms, pcm = start_ms + length_ms, pcm[cut:]


def _find_cut(pcm: bytes) -> int:
    """Return where to end a segment: at its end, or for a long one at the quietest frame before the limit."""
    limit = _MAX_SEGMENT_S * BYTES_PER_SECOND
    if len(pcm) <= limit:
        return len(pcm)
    starts = range(limit - _CUT_WINDOW_S * BYTES_PER_SECOND, limit, _FRAME_BYTES)
    return min(
        starts, key=lambda start: sum(map(abs, memoryview(pcm[start : start + _FRAME_BYTES]).cast("h")))
    )
