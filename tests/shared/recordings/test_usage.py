"""The estimated length of a recording."""

from __future__ import annotations

import pytest

from shared.recordings.usage import DEFAULT_KBIT_PER_S, KBIT_PER_S, MAX_SECONDS, estimate_seconds
from shared.settings import DEFAULT_EXTENSIONS

MB = 1_000_000


@pytest.mark.parametrize(
    ("key", "size", "seconds"),
    [
        ("calls/a.mp3", 9_600_000, 600),
        ("a.MP3", 9_600_000, 600),
        ("a.wav", 32_000, 1),
        ("a.wav", 32_001, 2),
        ("voice.m4a", 480_000, 60),
        ("meeting.mp4", 225 * MB, 3600),
        ("Call at 14.30 with Li", 16_000, 1),
        ("recording", 16_000, 1),
        ("folder.mp4/recording", 160_000, 10),
        ("a.mp3", 0, 1),
    ],
)
def test_size_and_extension_give_the_length(key: str, size: int, seconds: int) -> None:
    assert estimate_seconds(key, size) == seconds


def test_no_recording_is_longer_than_the_speech_service_takes() -> None:
    assert estimate_seconds("a.amr", 512 * MB) == MAX_SECONDS == 18_000


def test_every_extension_of_a_recording_has_a_bit_rate() -> None:
    assert set(KBIT_PER_S) == set(DEFAULT_EXTENSIONS)
    assert all(0 < rate <= 10_000 for rate in (*KBIT_PER_S.values(), DEFAULT_KBIT_PER_S))
