"""Audio files to 16 kHz 16-bit sound, a chunk at a time, whatever the format."""

import importlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import miniaudio

from localcloud.speech.recognition import NotRecognised

SAMPLE_RATE = 16_000
BYTES_PER_SECOND = 2 * SAMPLE_RATE
_FRAMES_A_CHUNK = 16_384
_INFO_OF: dict[str, Callable[[str], Any]] = {
    "wav": miniaudio.wav_get_file_info,
    "flac": miniaudio.flac_get_file_info,
    "vorbis": miniaudio.vorbis_get_file_info,
    "mp3": miniaudio.mp3_get_file_info,
}

# Formats that only PyAV reads, by the bytes they begin with (offset, bytes, name).
_FOR_PYAV = (
    (4, b"ftyp", "mp4 or m4a"),
    (28, b"OpusHead", "ogg opus"),
    (0, b"\x30\x26\xb2\x75", "wma"),
    (0, b"\x1a\x45\xdf\xa3", "webm or matroska"),
    (0, b"#!AMR", "amr"),
    (0, b"FORM", "aiff"),
)


def count_channels(recording: Path) -> int:
    """Say how many channels the file holds. Raises NotRecognised if it is not audio."""
    known = _format_of(_first_bytes(recording))
    if known is not None:
        try:
            return int(_INFO_OF[known](str(recording)).nchannels)
        except miniaudio.MiniaudioError:
            pass  # looks like a format it knows, but is not: PyAV has the last word
    return int(_extra(recording).count_channels(recording))


def sound_of(recording: Path, *, channel: int | None) -> Iterator[bytes]:
    """Give the sound as 16 kHz 16-bit mono chunks.

    `channel` picks the left (0) or right (1) side of a stereo file; None mixes all channels into one.
    Never holds more than a chunk in memory. Raises NotRecognised if the file is not audio.
    """
    wanted = 1 if channel is None else 2
    with closing(_interleaved(recording, wanted)) as chunks:
        for chunk in chunks:
            # Two bytes a sample, so samples of one side are every second 16-bit value.
            yield chunk if channel is None else memoryview(chunk).cast("h")[channel::2].tobytes()


def _interleaved(recording: Path, channels: int) -> Generator[bytes, None, None]:
    if _format_of(_first_bytes(recording)) is not None:
        try:
            chunks = miniaudio.stream_file(
                str(recording), nchannels=channels, sample_rate=SAMPLE_RATE, frames_to_read=_FRAMES_A_CHUNK
            )
        except miniaudio.MiniaudioError:
            pass  # as above
        else:
            with closing(chunks):
                for samples in chunks:
                    yield samples.tobytes()
            return
    yield from _extra(recording).interleaved(recording, channels)


def _first_bytes(recording: Path) -> bytes:
    with recording.open("rb") as file:
        return file.read(64)


def _format_of(head: bytes) -> str | None:
    """Name the format, if miniaudio reads it, by its first bytes: left to guess, it finds MP3 in any noise."""
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
    """See the eleven set bits that begin a frame of MPEG audio."""
    return int.from_bytes(head[:2], "big") & 0xFFE0 == 0xFFE0  # noqa: PLR2004 -- the bits themselves


def _is_aac_frame(head: bytes) -> bool:
    """See the twelve set bits and the layer 0 that begin a frame of AAC in ADTS."""
    return int.from_bytes(head[:2], "big") & 0xFFF6 == 0xFFF0  # noqa: PLR2004 -- the bits themselves


def _extra(recording: Path) -> ModuleType:
    """Give the PyAV side. Raises NotRecognised, naming the extra if it would help, where PyAV is missing."""
    try:
        return importlib.import_module("localcloud.speech.decode_extra")
    except ImportError:
        raise NotRecognised(
            "the data could not be decoded as audio" + _hint(_first_bytes(recording))
        ) from None


def _hint(head: bytes) -> str:
    names = [name for offset, magic, name in _FOR_PYAV if head[offset:].startswith(magic)]
    if _is_aac_frame(head):
        names.append("aac")
    if not names:
        return ""
    return f"; it looks like {names[0]}, which needs the `av` extra: pip install 'scribe-cos[av]'"
