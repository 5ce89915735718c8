from collections.abc import Callable
from typing import Any

import pytest

from shared.transcript import RecordingRef, Transcript, build_transcript


@pytest.fixture
def make_transcript() -> Callable[..., Transcript]:
    """Build a transcript from the parts of a CI result that the test needs."""

    def build(**parts: Any) -> Transcript:
        recording = RecordingRef("calls-1250000000", "ap-chongqing", "a.mp3", "9a4b", 482_133)
        defaults = {"channels": 1, "audio_time": "30.12", "details": [], "lines": "", "flash": []}
        return build_transcript(recording=recording, engine="16k_zh", job_id="s1", **{**defaults, **parts})

    return build
