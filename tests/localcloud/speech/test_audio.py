"""Splitting a recording into segments of speech at its pauses."""

from collections.abc import Iterator
from itertools import pairwise

from localcloud.speech.audio import BYTES_PER_SECOND, PcmStream, SpeechSegment, iter_pcm, iter_speech_segments
from tests.localcloud.stand_in import SAMPLES

FRAME_BYTES = 960


def find_segments(pcm: bytes, chunk_bytes: int = 10_000) -> tuple[list[SpeechSegment], int]:
    def chunks() -> Iterator[bytes]:
        for start in range(0, len(pcm), chunk_bytes):
            yield pcm[start : start + chunk_bytes]

    stream = PcmStream(chunks())
    segments = list(iter_speech_segments(stream))
    return segments, stream.duration_ms


def load_welcome() -> bytes:
    return b"".join(iter_pcm(SAMPLES / "welcome.wav", channel=None))


def test_segments_are_between_pauses() -> None:
    segments, duration_ms = find_segments(load_welcome())
    assert duration_ms == len(load_welcome()) * 1000 // BYTES_PER_SECOND
    first, second = segments
    assert first.end_ms < second.start_ms
    assert len(first.pcm) == (first.end_ms - first.start_ms) * BYTES_PER_SECOND // 1000


def test_chunk_size_does_not_matter() -> None:
    assert find_segments(load_welcome(), 777) == find_segments(load_welcome(), 1 << 20)


def test_speech_up_to_end_is_kept() -> None:
    pcm = load_welcome()[: 3_000 * BYTES_PER_SECOND // 1000]  # in the middle of the second sentence
    whole_frames = pcm[: len(pcm) // FRAME_BYTES * FRAME_BYTES]
    assert len(find_segments(whole_frames)[0]) == 2


def test_silence_has_no_segments() -> None:
    assert find_segments(bytes(BYTES_PER_SECOND)) == ([], 1000)
    assert find_segments(b"") == ([], 0)


def test_long_speech_is_cut_below_30_seconds() -> None:
    speech = find_segments(load_welcome())[0][1].pcm
    segments, _ = find_segments(speech * (40 * BYTES_PER_SECOND // len(speech)))
    assert sum(segment.end_ms - segment.start_ms for segment in segments) > 35_000
    assert max(segment.end_ms - segment.start_ms for segment in segments) <= 30_000
    assert all(earlier.end_ms <= later.start_ms for earlier, later in pairwise(segments))


def test_stereo_channels_are_decoded_separately() -> None:
    left, right = (b"".join(iter_pcm(SAMPLES / "support-call.wav", channel=side)) for side in (0, 1))
    assert len(left) == len(right)
    assert [len(find_segments(side)[0]) for side in (left, right)] == [1, 2]
