"""What a format is written from: the transcript, and what several formats need of it."""

from __future__ import annotations

from functools import cached_property

from shared.transcript.captions import Cue, build_cues
from shared.transcript.models import Transcript


class RenderContext:
    """A transcript and its cues, which are built once for all formats that need them."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript

    @cached_property
    def cues(self) -> list[Cue]:
        """The cues, built on first use."""
        return build_cues(self.transcript)
