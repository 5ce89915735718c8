"""The result of a recognition, its errors, and the interface of all recognisers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Word:
    """One word; milliseconds from the start of the recording."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """One segment of speech between two pauses; milliseconds from the start of the recording.

    Channels and the speakers of a mono recording count from 0.
    """

    text: str
    start_ms: int
    end_ms: int
    channel: int
    words: tuple[Word, ...]
    speaker: int = 0


@dataclass(frozen=True, slots=True)
class Recognition:
    """The text of one recording: the sentences of all channels in time order."""

    duration_ms: int
    channels: int
    sentences: tuple[Sentence, ...]

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Recognition":
        """Build it from the members that `dataclasses.asdict` returns."""
        sentences = (
            Sentence(**{**sentence, "words": tuple(Word(**word) for word in sentence["words"])})
            for sentence in fields["sentences"]
        )
        return cls(fields["duration_ms"], fields["channels"], tuple(sentences))


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a recording has been recognised, and its length if the file says it; in milliseconds."""

    done_ms: int
    duration_ms: int | None


class SpeechSetupError(Exception):
    """A recogniser cannot start; the message is one line that says what to do."""


class RecognitionError(Exception):
    """The recording cannot be recognised; the job ends Failed with this code and message."""

    def __init__(self, message: str, code: str = "FailedOperation.ErrorRecognize") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def ignore_progress(_progress: Progress) -> None:
    """Do nothing; for callers of `recognise` that do not show progress."""


class Recogniser(Protocol):
    """Turns recordings into words. Started once, used by many jobs at a time, closed once."""

    async def start(self) -> None:
        """Load what is needed: afterwards the first recording takes no longer than any other.

        Raises SpeechSetupError.
        """

    async def recognise(
        self,
        recording: Path,
        *,
        engine: str,
        channels: int,
        sidecar: Path | None,
        on_progress: Callable[[Progress], None] = ignore_progress,
    ) -> Recognition:
        """Recognise one audio file; its name does not matter.

        `engine` is the job's EngineModelType. `channels` is its ChannelNum; with 2 each side of a stereo file is
        recognised separately. `sidecar` is a text file to return as if recognised. `on_progress` is called from time
        to time. Raises RecognitionError.
        """

    async def close(self) -> None:
        """Stop, leaving no process behind. May be called twice."""
