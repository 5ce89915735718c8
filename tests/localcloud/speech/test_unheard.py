"""The parts of a piece that Whisper left out, which are recognised again alone; phrases that it invented."""

import pytest

from localcloud.speech.audio import BYTES_PER_SECOND
from localcloud.speech.phrases import TimedText
from localcloud.speech.recording import Piece
from localcloud.speech.whisper import find_unheard, is_noise, is_too_fast

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


@pytest.mark.parametrize(
    ("words", "duration_ms", "expected"),
    [
        (["作词 ", *["作曲 "] * 60], 260, True),
        ([" 作"] * 10, 0, True),
        ([" Thank", " you", " very", " much."], 700, False),
        (["谢谢", "大家", "。"], 400, False),
        ([], 0, True),
    ],
)
def test_phrase_that_is_too_fast_for_speech_is_not_kept(
    words: list[str], duration_ms: int, expected: bool
) -> None:
    step_ms = duration_ms // max(1, len(words))
    parts = [
        TimedText(word, 5_000 + step_ms * number, 5_000 + step_ms * (number + 1))
        for number, word in enumerate(words)
    ]
    assert is_too_fast(parts) is expected


@pytest.mark.parametrize(
    ("no_speech", "log_probability", "compression", "expected"),
    [
        # As measured: pink, white and brown noise, a plucked string, silence after speech.
        (0.64, -0.27, 9.7, True),
        (0.86, -0.95, 1.5, True),
        (0.88, -0.09, 16.0, True),
        (0.87, -0.76, 1.6, True),
        (0.62, -0.09, 16.2, True),
        # Speech; the last two: a sentence said again and again, and speech that is hard to hear.
        (0.04, -0.20, 1.2, False),
        (0.08, -0.10, 3.1, False),
        (0.65, -0.40, 1.3, False),
    ],
)
def test_phrase_of_noise(
    no_speech: float, log_probability: float, compression: float, expected: bool
) -> None:
    assert is_noise(no_speech, log_probability, compression) is expected
