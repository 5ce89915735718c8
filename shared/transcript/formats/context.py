"""What a format is written from: the transcript, and what several formats need of it."""

from __future__ import annotations

from functools import cached_property

from shared.transcript.captions import Cue, build_cues
from shared.transcript.models import Transcript
from shared.transcript.text import clean_name


class RenderContext:
    """A transcript and its cues, which are built once for all formats that need them."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript

    @cached_property
    def cues(self) -> list[Cue]:
        """The cues, built on first use."""
        return build_cues(self.transcript)

    @property
    def heading(self) -> str:
        """The title, or the recording's name without its folders: one line, never empty."""
        name = self.transcript.title or self.transcript.recording.key.rpartition("/")[2]
        return clean_name(name) or "Recording"
