"""Formats that need the optional `av` extra. The tests encode them with the extra itself."""

from pathlib import Path
from typing import Any

import pytest

from localcloud.speech import RecognitionError
from tests.localcloud.speech.recogniser import join_words, recognise
from tests.localcloud.stand_in import SAMPLES

pytestmark = pytest.mark.process


def encode(av: Any, source: Path, target: Path, container: str, codec: str, rate: int) -> None:
    with av.open(str(source)) as read, av.open(str(target), "w", format=container) as written:
        stream = written.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(
            stream.codec_context.format, "mono", rate, stream.codec_context.frame_size
        )
        for frame in [*read.decode(audio=0), None]:
            for resampled in resampler.resample(frame):
                written.mux(stream.encode(resampled))
        written.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("mp4", "aac", 16_000), ("adts", "aac", 16_000), ("ogg", "libopus", 48_000), ("flac", "flac", 16_000)],
)
def test_phone_recording_is_recognised(tmp_path: Path, container: str, codec: str, rate: int) -> None:
    av = pytest.importorskip("av", reason="needs the `av` extra")
    recording = tmp_path / "object"  # the file of an object has no extension either
    encode(av, SAMPLES / "welcome.wav", recording, container, codec, rate)
    recognition = recognise(recording)
    assert join_words(recognition) == "welcome to the meeting we will start in a few minutes"
    assert abs(recognition.duration_ms - 4_191) < 150


def test_error_without_extra_names_it(tmp_path: Path) -> None:
    recording = tmp_path / "object"
    recording.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0 cut off")
    try:
        import av  # noqa: F401 -- only to check whether it is installed
    except ImportError:
        expected = r"mp4 or m4a, which needs one more package.*install.*\[av\]"
    else:
        expected = "could not be decoded"
    with pytest.raises(RecognitionError, match=expected):
        recognise(recording)
