"""What a run uploads: drawn from a seed, so that the same seed uploads the same bytes under the same names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

THREADS = 4
LONGEST_PAUSE_SECONDS = (
    0.3  # about as many uploads a second as two cores transcribe: the storm has all stages at once
)

# Each names a way in which a key can be odd. `{}` makes it one of a kind.
_NAMES = (
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
    """One name, and the contents that are put under it one after the other; the last one counts."""

    key: str
    bodies: tuple[bytes, ...]

    @property
    def current(self) -> bytes:
        """What lies under the name in the end."""
        return self.bodies[-1]

    @property
    def is_folder(self) -> bool:
        """A folder mark is left alone."""
        return self.key.endswith("/")


@dataclass(frozen=True, slots=True)
class Put:
    """One upload, after a pause."""

    key: str
    body: bytes
    pause_s: float


def etag_of(body: bytes) -> str:
    """The ETag of an object that was put in one piece: the MD5 of its bytes, as COS shows it."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def draw(count: int, seed: int) -> list[Recording]:
    """Names with contents, `count` puts in all."""
    random = Random(seed)  # noqa: S311 - a repeatable draw, no secret
    drawn: list[Recording] = []
    left = count
    while left:
        number = len(drawn)
        bodies = _contents(random, f"{seed}-{number}")[:left]
        key = random.choice(_NAMES).format(number)
        drawn.append(Recording(f"folder-{number}/" if bodies == (b"",) and number % 2 else key, bodies))
        left -= len(bodies)
    return drawn


def in_turns(recordings: Sequence[Recording], seed: int) -> list[list[Put]]:
    """The puts of each thread. Names are mixed, the contents of one name come in their order and in one thread:

    half of them in one breath, so that their events meet; half far apart, when the first may be transcribed already.
    """
    random = Random(seed + 1)  # noqa: S311 - a repeatable draw, no secret
    return [_mixed(random, recordings[first::THREADS]) for first in range(THREADS)]


def _mixed(random: Random, recordings: Sequence[Recording]) -> list[Put]:
    placed: list[tuple[float, Put]] = []
    for recording in recordings:
        places = sorted(random.random() for _ in recording.bodies)
        at_once = random.random() < 0.5
        for number, body in enumerate(recording.bodies):
            pause_s = 0.0 if at_once and number else random.uniform(0, LONGEST_PAUSE_SECONDS)
            placed.append((places[0] if at_once else places[number], Put(recording.key, body, pause_s)))
    return [put for _, put in sorted(placed, key=lambda one: one[0])]


def _contents(random: Random, mark: str) -> tuple[bytes, ...]:
    first, other = _speech(random, mark, "first"), _speech(random, mark, "other")
    not_audio = b"NOT AUDIO " + mark.encode()
    choices: dict[tuple[bytes, ...], int] = {
        (first,): 60,
        (first, first): 10,
        (first, other): 8,
        (first, other, first): 3,
        (first, not_audio, first): 2,
        (b"SILENCE " + mark.encode(),): 5,
        (not_audio,): 5,
        (not_audio, not_audio): 2,
        (not_audio, first): 3,
        (first, not_audio): 2,
        (b"",): 2,
    }
    return random.choices(tuple(choices), tuple(choices.values()))[0]


def _speech(random: Random, mark: str, which: str) -> bytes:
    return f"speech {mark} {which} ".encode() * random.randint(20, 400)
