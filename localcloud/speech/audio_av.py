"""Decodes the formats that miniaudio cannot read (m4a, mp4, aac, opus, wma, ...) with the optional PyAV.

Importing this module fails where the `av` extra is not installed.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av

from localcloud.speech.models import RecognitionError

_SAMPLE_RATE = 16_000
_NOT_AUDIO = "the data could not be decoded as audio"
_NO_SOUND = "the file has no sound track"


def count_channels(recording: Path) -> int:
    """Count the channels of the first audio track. Raises RecognitionError if there is none."""
    try:
        with av.open(str(recording)) as container:
            if not container.streams.audio:
                raise RecognitionError(_NO_SOUND if container.streams.video else _NOT_AUDIO)
            # A track in a format that FFmpeg does not know has no codec context.
            if container.streams.audio[0].codec_context:
                return int(container.streams.audio[0].codec_context.layout.nb_channels)
    except (av.FFmpegError, ValueError):
        pass
    raise RecognitionError(_NOT_AUDIO)


def read_duration_ms(recording: Path) -> int | None:
    """Read the length of the file from its headers, in milliseconds; None if they do not say it."""
    try:
        with av.open(str(recording)) as container:
            return None if container.duration is None else container.duration * 1000 // av.time_base
    except (av.FFmpegError, ValueError):
        return None


def iter_interleaved(recording: Path, channels: int) -> Iterator[bytes]:
    """Decode to 16 kHz 16-bit PCM with one or two channels. Raises RecognitionError on data it cannot read."""
    try:
        with av.open(str(recording)) as container:
            if not container.streams.audio:
                raise RecognitionError(_NOT_AUDIO)
            layout = "mono" if channels == 1 else "stereo"
            resampler = av.AudioResampler(format="s16", layout=layout, rate=_SAMPLE_RATE)
            for decoded in chain(container.decode(audio=0), [None]):
                for frame in resampler.resample(decoded):
                    # A plane is padded; only this many bytes of it are PCM.
                    yield bytes(frame.planes[0])[: frame.samples * 2 * channels]
    except (av.FFmpegError, ValueError):
        raise RecognitionError(_NOT_AUDIO) from None
