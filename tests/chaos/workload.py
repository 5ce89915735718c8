"""The uploads of a run, generated from a seed: the same seed gives the same keys and contents."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

THREADS = 4
# About as many uploads per second as two cores transcribe, so that all stages are busy while faults are injected.
MAX_PAUSE_S = 0.3

# Each has something unusual in a key; `{}` makes it unique.
_KEY_TEMPLATES = (
    "calls/{}.mp3",
    "plain-{}.wav",
    "会议/录音 {}.mp3",
    "with space {}.m4a",
    "plus+and%2Fcent {}.mp3",
    "emoji-🎙️-{}.mp3",
    "quotes<&>'\"{}.wav",
    "line\nfeed {}.mp3",
    "/leading-{}.mp3",
    "double//slash-{}.mp3",
    "dots/../up-{}.mp3",
    "question?mark#{}.mp3",
    "e\u0301-composed-{}.mp3",
    "no-extension-{}",
    "named.error-{}.mp3.error",
    "{}-" + "长" * 270,
)


@dataclass(frozen=True, slots=True)
class Recording:
    """A key, and the contents that are uploaded to it one after the other."""

    key: str
    bodies: tuple[bytes, ...]

    @property
    def current(self) -> bytes:
        """Return the last content."""
        return self.bodies[-1]

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder marker, which gets no results."""
        return self.key.endswith("/")


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload, after a pause."""

    key: str
    body: bytes
    pause_s: float


def compute_etag(body: bytes) -> str:
    """Compute the ETag that COS gives an object uploaded in one part: the MD5 of its bytes."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def generate_recordings(uploads: int, seed: int) -> list[Recording]:
    """Generate recordings with this number of uploads in total."""
    random = Random(seed)  # noqa: S311 - repeatable, not a secret
    recordings: list[Recording] = []
    remaining = uploads
    while remaining:
        number = len(recordings)
        bodies = _choose_contents(random, f"{seed}-{number}")[:remaining]
        key = random.choice(_KEY_TEMPLATES).format(number)
        is_folder = bodies == (b"",) and number % 2
        recordings.append(Recording(f"folder-{number}/" if is_folder else key, bodies))
        remaining -= len(bodies)
    return recordings


def schedule_uploads(recordings: Sequence[Recording], seed: int) -> list[list[Upload]]:
    """Distribute the uploads over threads. Keys are mixed; the contents of a key stay in order and in one thread.

    Half of the recordings get their contents one right after the other, so that their events overlap; the other half
    at long intervals, when the first content may be transcribed already.
    """
    random = Random(seed + 1)  # noqa: S311 - repeatable, not a secret
    return [_schedule_thread(random, recordings[first::THREADS]) for first in range(THREADS)]


def _schedule_thread(random: Random, recordings: Sequence[Recording]) -> list[Upload]:
    positioned: list[tuple[float, Upload]] = []
    for recording in recordings:
        positions = sorted(random.random() for _ in recording.bodies)
        is_burst = random.random() < 0.5
        for number, body in enumerate(recording.bodies):
            pause_s = 0.0 if is_burst and number else random.uniform(0, MAX_PAUSE_S)
            position = positions[0] if is_burst else positions[number]
            positioned.append((position, Upload(recording.key, body, pause_s)))
    return [upload for _, upload in sorted(positioned, key=lambda item: item[0])]


def _choose_contents(random: Random, label: str) -> tuple[bytes, ...]:
    first, other = _generate_speech(random, label, "first"), _generate_speech(random, label, "other")
    not_audio = b"NOT AUDIO " + label.encode()
    weights: dict[tuple[bytes, ...], int] = {
        (first,): 60,
        (first, first): 10,
        (first, other): 8,
        (first, other, first): 3,
        (first, not_audio, first): 2,
        (b"SILENCE " + label.encode(),): 5,
        (not_audio,): 5,
        (not_audio, not_audio): 2,
        (not_audio, first): 3,
        (first, not_audio): 2,
        (b"",): 2,
    }
    return random.choices(tuple(weights), tuple(weights.values()))[0]


def _generate_speech(random: Random, label: str, name: str) -> bytes:
    return f"speech {label} {name} ".encode() * random.randint(20, 400)
