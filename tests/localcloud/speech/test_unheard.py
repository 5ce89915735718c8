"""The parts of a piece that Whisper left out, which are recognised again alone."""

import pytest

from localcloud.speech.audio import BYTES_PER_SECOND
from localcloud.speech.phrases import TimedText
from localcloud.speech.recording import Piece
from localcloud.speech.whisper import find_unheard

BYTES_PER_MS = BYTES_PER_SECOND // 1000
# Each millisecond of the recording has its own two samples; the piece is of 1 s to 11 s.
PCM = b"".join(time_ms.to_bytes(4, "little") * (BYTES_PER_MS // 4) for time_ms in range(1_000, 11_000))
PIECE = Piece(((1_000, 3_000), (4_000, 4_200), (6_000, 11_000)), PCM)


@pytest.mark.parametrize(
    ("words", "unheard"),
    [
        ([(1_000, 3_000), (6_000, 11_000)], []),
        ([(1_100, 1_500), (6_000, 9_100)], []),
        ([(1_000, 3_000)], [(6_000, 11_000)]),
        ([(6_000, 11_000)], [(1_000, 3_000)]),
        ([(1_000, 3_000), (6_000, 7_000)], [(7_000, 11_000)]),
        ([], [(1_000, 3_000), (6_000, 11_000)]),
    ],
)
def test_unheard_parts_have_their_times_and_samples(
    words: list[tuple[int, int]], unheard: list[tuple[int, int]]
) -> None:
    parts = list(find_unheard(PIECE, [TimedText("x", *times) for times in words]))
    assert [part.spans for part in parts] == [(times,) for times in unheard]
    for part in parts:
        assert len(part.pcm) == (part.end_ms - part.start_ms) * BYTES_PER_MS
        assert int.from_bytes(part.pcm[:4], "little") == part.start_ms
        assert int.from_bytes(part.pcm[-4:], "little") == part.end_ms - 1
