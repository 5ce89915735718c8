"""Cutting a recording at its pauses."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from localcloud.speech.audio import BYTES_PER_SECOND, PcmStream, SpeechSegment, iter_pcm, iter_speech_segments

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
FRAME_BYTES = 960


def pieces_of(pcm: bytes, chunk_bytes: int = 10_000) -> tuple[list[SpeechSegment], int]:
    def chunks() -> Iterator[bytes]:
        for at in range(0, len(pcm), chunk_bytes):
            yield pcm[at : at + chunk_bytes]

    stream = PcmStream(chunks())
    pieces = list(iter_speech_segments(stream))
    return pieces, stream.duration_ms


def welcome() -> bytes:
    return b"".join(iter_pcm(SAMPLES / "welcome.wav", channel=None))


def test_speech_is_found_between_the_pauses() -> None:
    pieces, duration_ms = pieces_of(welcome())
    assert duration_ms == len(welcome()) * 1000 // BYTES_PER_SECOND
    first, second = pieces
    assert first.end_ms < second.start_ms
    assert len(first.pcm) == (first.end_ms - first.start_ms) * BYTES_PER_SECOND // 1000


def test_the_size_of_the_chunks_does_not_matter() -> None:
    assert pieces_of(welcome(), 777) == pieces_of(welcome(), 1 << 20)


def test_speech_up_to_the_very_end_is_not_lost() -> None:
    sound = welcome()[: 3_000 * BYTES_PER_SECOND // 1000]  # in the middle of the second sentence
    whole_frames = sound[: len(sound) // FRAME_BYTES * FRAME_BYTES]
    assert len(pieces_of(whole_frames)[0]) == 2


def test_silence_and_nothing_have_no_pieces() -> None:
    assert pieces_of(bytes(BYTES_PER_SECOND)) == ([], 1000)
    assert pieces_of(b"") == ([], 0)


def test_speech_without_a_pause_is_cut_below_half_a_minute() -> None:
    spoken = pieces_of(welcome())[0][1].pcm
    pieces, _ = pieces_of(spoken * (40 * BYTES_PER_SECOND // len(spoken)))
    assert sum(piece.end_ms - piece.start_ms for piece in pieces) > 35_000
    assert max(piece.end_ms - piece.start_ms for piece in pieces) <= 30_000
    assert all(earlier.end_ms <= later.start_ms for earlier, later in pairwise(pieces))


def test_the_sides_of_a_stereo_recording_are_heard_apart() -> None:
    left, right = (b"".join(iter_pcm(SAMPLES / "support-call.wav", channel=side)) for side in (0, 1))
    assert len(left) == len(right)
    assert [len(pieces_of(side)[0]) for side in (left, right)] == [1, 2]
