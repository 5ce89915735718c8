"""What the demo uploads, and the transcripts that it expects."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.config import PROJECT_FOLDER

SAMPLES = PROJECT_FOLDER / "samples"


@dataclass(frozen=True, slots=True)
class ExpectedTranscript:
    """All words of a transcript, the words of each channel, or that there is an error object instead (`fails`)."""

    words: str | None = None
    channels: tuple[str, ...] = ()
    fails: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file and its key in the bucket. `expected` is None for a user's own recording: any words are right."""

    path: Path
    key: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    expected: ExpectedTranscript | None = None

    @property
    def sidecar(self) -> Path:
        """A text file to return as the transcript, for speech that the local recogniser does not know (Chinese)."""
        return self.path.with_name(self.path.name + ".transcript.txt")


def load_sample_uploads() -> list[Upload]:
    """Load the samples of this repository with the words that they hold."""
    samples: dict[str, dict[str, Any]] = json.loads((SAMPLES / "expected.json").read_text("utf-8"))
    return [_parse_sample(name, sample) for name, sample in samples.items()]


def _parse_sample(name: str, sample: Mapping[str, Any]) -> Upload:
    channels: Sequence[str] = sample.get("channels", ())
    metadata = {"engine": str(sample["engine"])} if "engine" in sample else {}
    if channels:
        metadata["channels"] = str(len(channels))
    return Upload(
        path=SAMPLES / name,
        key=name,
        metadata=metadata,
        expected=ExpectedTranscript(sample.get("words"), tuple(channels), bool(sample.get("error"))),
    )


def build_uploads(paths: Sequence[Path]) -> list[Upload]:
    """Build uploads of a user's own files. The second file of one name gets `-2`, so that it overwrites nothing."""
    uploads: list[Upload] = []
    keys: set[str] = set()
    for path in paths:
        key, number = path.name, 2
        while key in keys:
            key, number = f"{path.stem}-{number}{path.suffix}", number + 1
        keys.add(key)
        uploads.append(Upload(path=path, key=key))
    return uploads
