"""What a recogniser gives back, and how it says that it could not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Word:
    """One word; milliseconds from the start of the recording."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """One piece of speech between two pauses; milliseconds from the start of the recording."""

    text: str
    start_ms: int
    end_ms: int
    channel: int
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Recognition:
    """Everything heard in one recording, the sentences of all channels in time order."""

    duration_ms: int
    channels: int
    sentences: tuple[Sentence, ...]


class RecognitionError(Exception):
    """The recording cannot be turned into text; the job ends Failed with this code and message."""

    def __init__(self, message: str, code: str = "FailedOperation.ErrorRecognize") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Recogniser(Protocol):
    """Turns recordings into words. Started once, used by many jobs at a time, closed once."""

    async def start(self) -> None:
        """Get ready: after this the first recording costs no more than any other."""

    async def recognise(
        self, recording: Path, *, engine: str, channels: int, sidecar: Path | None
    ) -> Recognition:
        """Recognise one file of audio, whatever its name.

        `channels` is the job's ChannelNum; with 2 each side of a stereo file is heard apart.
        `sidecar` is a text to be returned as if recognised. Raises RecognitionError.
        """

    async def close(self) -> None:
        """Stop, leaving no process behind. May be called twice."""
