"""What the demo uploads, and what it expects to find afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a transcript must say: all its words, the words of each channel, or that there is none (`fails`)."""

    words: str | None = None
    channels: tuple[str, ...] = ()
    fails: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file and the name it gets in the bucket. `expected` is None for a user's own recording: anything is right."""

    path: Path
    key: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    expected: Expected | None = None

    @property
    def sidecar(self) -> Path:
        """A text that stands in for what the local engine cannot hear, such as Chinese."""
        return self.path.with_name(self.path.name + ".transcript.txt")


def sample_uploads() -> list[Upload]:
    """The five samples of this repository, with the words that must come out."""
    known: dict[str, dict[str, Any]] = json.loads((SAMPLES / "expected.json").read_text("utf-8"))
    return [_sample(name, told) for name, told in known.items()]


def _sample(name: str, told: Mapping[str, Any]) -> Upload:
    channels: Sequence[str] = told.get("channels", ())
    # A telephone call, one party on each channel: only the telephone engines take two.
    metadata = {"engine": "8k_en", "channels": "2"} if channels else {}
    return Upload(
        path=SAMPLES / name,
        key=name,
        metadata=metadata,
        expected=Expected(told.get("words"), tuple(channels), bool(told.get("error"))),
    )


def own_uploads(paths: Sequence[Path]) -> list[Upload]:
    """A user's own files. Two of one name get a number, so that neither overwrites the other."""
    uploads: list[Upload] = []
    taken: set[str] = set()
    for path in paths:
        key, number = path.name, 2
        while key in taken:
            key, number = f"{path.stem}-{number}{path.suffix}", number + 1
        taken.add(key)
        uploads.append(Upload(path=path, key=key))
    return uploads
