"""The transcript of one recording, as plain values. Times are whole milliseconds from the recording's start."""

from typing import NamedTuple


class RecordingRef(NamedTuple):
    """Which recording was transcribed; size in bytes where it is known."""

    bucket: str
    region: str
    key: str
    etag: str
    size: int | None = None


class Word(NamedTuple):
    """One word as the engine cut it, with times from the start of the recording, not of the sentence."""

    text: str
    start_ms: int
    end_ms: int


class Sentence(NamedTuple):
    """A stretch of speech by one voice. Its text is one line, never empty, and free of control characters.

    Speaker and channel count from 1. Speaker is None unless several speakers were told apart in a mono recording;
    channel is None unless the recording has several channels. Words are empty where the engine gave none.
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
        """Who speaks, for a reader: "Channel 2", "Speaker 1", or None where there is only one voice."""
        if self.channel is not None:
            return f"Channel {self.channel}"
        if self.speaker is not None:
            return f"Speaker {self.speaker}"
        return None


class Transcript(NamedTuple):
    """All that was said in a recording, in order of start. It follows from the job's result alone: no clock is read."""

    recording: RecordingRef
    engine: str
    job_id: str
    duration_ms: int | None
    channels: int
    sentences: tuple[Sentence, ...]
