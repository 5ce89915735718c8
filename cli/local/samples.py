"""What the demo uploads, and the transcripts that it expects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.config import PROJECT_FOLDER
from shared.settings import DEFAULT_FORMATS

SAMPLES = PROJECT_FOLDER / "samples"
SIDECAR_SUFFIX = ".transcript.txt"
MAX_ERROR_RATE = 0.3  # of a recogniser for every language: the share of wrong words, or characters in Chinese


@dataclass(frozen=True, slots=True)
class ExpectedTranscript:
    """All words of a transcript, the words of each channel, or that there is an error object instead (`fails`).

    `max_error_rate` is the accepted share (0 to 1) of wrong words, in Chinese (`language` zh) of wrong characters.
    """

    words: str | None = None
    channels: tuple[str, ...] = ()
    fails: bool = False
    language: str = "en"
    max_error_rate: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file and its key in the bucket. `expected` is None for a user's own recording: any words are right.

    `formats` are the files that will be written for it.
    """

    path: Path
    key: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    expected: ExpectedTranscript | None = None
    uses_sidecar: bool = True
    formats: tuple[str, ...] = DEFAULT_FORMATS

    @property
    def sidecar(self) -> Path | None:
        """A text file to return as the transcript, for speech that the local recogniser does not know."""
        path = self.path.with_name(self.path.name + SIDECAR_SUFFIX)
        return path if self.uses_sidecar and path.is_file() else None

    @property
    def language(self) -> str:
        """The language of a sample; empty for a user's own recording."""
        return self.expected.language if self.expected else ""


def load_sample_uploads(*, reads_every_language: bool = False) -> list[Upload]:
    """Load the samples of this repository with the words that they hold.

    A recogniser that reads every language gets no sidecar texts, and may hear some words wrongly.
    """
    samples: dict[str, dict[str, Any]] = json.loads((SAMPLES / "expected.json").read_text("utf-8"))
    return [_parse_sample(name, sample, reads_every_language) for name, sample in samples.items()]


def _parse_sample(name: str, sample: Mapping[str, Any], reads_every_language: bool) -> Upload:
    channels: Sequence[str] = sample.get("channels", ())
    metadata = {"engine": sample["engine"]} if "engine" in sample else {}
    if channels:
        # A telephone call with one person on each channel: only the telephone engines accept two channels.
        metadata = {"engine": "8k_en", **metadata, "channels": str(len(channels))}
    return Upload(
        path=SAMPLES / name,
        key=name,
        metadata=metadata,
        expected=ExpectedTranscript(
            sample.get("words"),
            tuple(channels),
            bool(sample.get("error")),
            sample.get("language", "en"),
            MAX_ERROR_RATE if reads_every_language else 0.0,
        ),
        uses_sidecar=not reads_every_language,
    )
