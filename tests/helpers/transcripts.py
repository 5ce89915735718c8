"""Transcripts from the parts of a CI result that a test needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.transcript import RecordingRef, Sentence, Transcript, build_transcript


def build_test_transcript(
    *,
    details: Sequence[Sentence | None] = (),
    lines: str = "",
    flash: Sequence[Mapping[str, Any]] = (),
    channels: int = 1,
    audio_time: str = "30.12",
) -> Transcript:
    """Build the transcript of a recording. `details` come from `parse_sentence`, and none of them may be None."""
    sentences = [sentence for sentence in details if sentence is not None]
    assert len(sentences) == len(details)
    return build_transcript(
        recording=RecordingRef("calls-1250000000", "ap-chongqing", "a.mp3", "9a4b", 482_133),
        engine="16k_zh",
        job_id="s1",
        channels=channels,
        audio_time=audio_time,
        details=sentences,
        lines=lines,
        flash=flash,
    )
