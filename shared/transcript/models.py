"""The transcript of one recording as plain values. Times are whole milliseconds from the start of the recording."""

from typing import NamedTuple


class RecordingRef(NamedTuple):
    """The recording that was transcribed; size in bytes, or None where it is unknown."""

    bucket: str
    region: str
    key: str
    etag: str
    size: int | None = None


class Word(NamedTuple):
    """One word as the engine split the text. Times count from the start of the recording, not of the sentence."""

    text: str
    start_ms: int
    end_ms: int


class Sentence(NamedTuple):
    """A piece of speech by one speaker. The text is one line, never empty, without control characters.

    Speaker and channel count from 1. Speaker is None unless a mono recording has several speakers; channel is None
    unless the recording has several channels. Words are empty where the engine returned none.
    """

    start_ms: int
    end_ms: int
    text: str
    speaker: int | None = None
    channel: int | None = None
    chars_per_second: float | None = None
    words: tuple[Word, ...] = ()

    @property
    def label(self) -> str | None:
        """The name shown for the speaker: "Channel 2", "Speaker 1", or None where there is only one."""
        if self.channel is not None:
            return f"Channel {self.channel}"
        if self.speaker is not None:
            return f"Speaker {self.speaker}"
        return None


class Transcript(NamedTuple):
    """The sentences of a recording in order of start time. It depends on the job's result only, not on the time."""

    recording: RecordingRef
    engine: str
    job_id: str
    duration_ms: int | None
    channels: int
    sentences: tuple[Sentence, ...]
