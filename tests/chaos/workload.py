"""What is uploaded in a run and done to it, generated from a seed: the same seed gives the same keys and contents."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import NamedTuple

from tests.chaos.deployment import Deployment

THREADS = 4
# About as many uploads per second as two cores transcribe, so that all stages are busy while faults are injected.
MAX_PAUSE_S = 0.3
MIN_REFUSAL_S = 2.0  # so that a small run has refused submits and failed jobs, too

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
    "{}-" + "长" * 270,
)
_KEY_LIKE_AN_ERROR = "named.error-{}.mp3.error"  # a recording if INPUT_EXTENSIONS has its extension
_OTHER_KEY_TEMPLATES = (
    "notes-{}.pdf",
    "mac-{}/.DS_Store",
    "calls/{}.mp3.part",
    "photo-{}.JPG",
    "no-extension-{}",
)
_OTHER_KEY_TEMPLATES_UNLESS_MOVED = ("data-{}.json", "readme-{}.txt")


class Kind(Enum):
    """What an object in the input bucket is."""

    RECORDING = "recordings"
    OTHER = "objects that are no recordings"
    ARCHIVED = "archived recordings"
    ENCRYPTED = "recordings encrypted with a customer's key"
    DENIED = "recordings that no one may read"
    DENIED_LATER = "recordings that no one may read any more after a while"
    OLD = "recordings from before SINCE"
    OLD_ARCHIVED = "archived recordings from before SINCE"


# The first objects of each run, so that a small run has each kind; afterwards at random.
_FIRST_KINDS = (
    *(Kind.OTHER, Kind.ARCHIVED, Kind.ENCRYPTED, Kind.DENIED, Kind.OLD_ARCHIVED, Kind.OLD),
    *(Kind.ARCHIVED, Kind.OTHER, Kind.ARCHIVED, Kind.DENIED_LATER),
)
_KIND_WEIGHTS = {
    Kind.RECORDING: 80,
    Kind.OTHER: 8,
    Kind.ARCHIVED: 5,
    Kind.ENCRYPTED: 2,
    Kind.DENIED: 2,
    Kind.DENIED_LATER: 2,
    Kind.OLD: 2,
    Kind.OLD_ARCHIVED: 1,
}
NEVER_TRANSCRIBED = frozenset({Kind.OTHER, Kind.OLD, Kind.OLD_ARCHIVED})
UNREADABLE = frozenset({Kind.ENCRYPTED, Kind.DENIED})
_FROM_BEFORE = frozenset({Kind.OLD, Kind.OLD_ARCHIVED})
_ARCHIVED_KINDS = frozenset({Kind.ARCHIVED, Kind.OLD_ARCHIVED})


class Restore(Enum):
    """When an archived recording is restored: during the faults, after them while every event is lost, or never."""

    NEVER = "never"
    EARLY = "early"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Recording:
    """A key, and the contents that are uploaded to it one after the other.

    `touches` counts how often it is copied onto itself after the upload. `storage_class` is that of the upload.
    """

    key: str
    bodies: tuple[bytes, ...]
    kind: Kind = Kind.RECORDING
    content_type: str = "audio/mpeg"
    storage_class: str = "STANDARD"
    restore: Restore = Restore.NEVER
    touches: int = 0

    @property
    def current(self) -> bytes:
        """Return the last content."""
        return self.bodies[-1]

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder marker, which gets no results."""
        return self.key.endswith("/")

    @property
    def is_from_before(self) -> bool:
        """Whether it is in the bucket before Scribe is deployed."""
        return self.kind in _FROM_BEFORE


class Action(Enum):
    """What one step does. The last three are done to the whole account."""

    UPLOAD = "uploaded"
    TOUCH = "touched"
    RESTORE = "restored"
    DENY = "denied"
    REFUSE = "submits are refused"
    FAIL_JOBS = "jobs fail for want of money"
    END_REFUSALS = "refusals end"


class Refusal(NamedTuple):
    """How CI refuses every submit of the account. `body` is xml, html or empty."""

    status: int
    code: str
    body: str


_REFUSALS = (
    Refusal(451, "UnavailableForLegalReasons", "xml"),
    Refusal(403, "", "html"),
    Refusal(402, "PaymentRequired", "xml"),
    Refusal(401, "", "empty"),
    Refusal(403, "AccountIsolated", "xml"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step, after a pause."""

    action: Action
    recording: Recording | None = None
    body: bytes = b""
    pause_s: float = 0.0
    refusal: Refusal | None = None


class Schedule(NamedTuple):
    """The steps of a run: one list per thread for each of two stages with faults, then the late restores."""

    stages: tuple[list[list[Step]], list[list[Step]]]
    late: list[Step]


def compute_etag(body: bytes) -> str:
    """Compute the ETag that COS gives an object uploaded in one part: the MD5 of its bytes."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def generate_recordings(uploads: int, seed: int, deployment: Deployment) -> list[Recording]:
    """Generate recordings, and other objects, with this number of uploads in total."""
    random = Random(seed)  # noqa: S311 - repeatable, not a secret
    recordings: list[Recording] = []
    remaining = uploads
    while remaining:
        number = len(recordings)
        kind = random.choices(tuple(_KIND_WEIGHTS), tuple(_KIND_WEIGHTS.values()))[0]
        if number < len(_FIRST_KINDS):
            kind = _FIRST_KINDS[number]
        recording = _generate_recording(random, number, f"{seed}-{number}", kind, deployment)
        recording = replace(recording, bodies=recording.bodies[:remaining])
        recordings.append(recording)
        remaining -= len(recording.bodies)
    return recordings


def _generate_recording(
    random: Random, number: int, label: str, kind: Kind, deployment: Deployment
) -> Recording:
    templates = (*_KEY_TEMPLATES, _KEY_LIKE_AN_ERROR) if deployment.moves else _KEY_TEMPLATES
    key = random.choice(templates).format(number)
    speech = (_generate_speech(random, label, "only"),)
    if kind is Kind.RECORDING:
        bodies = _choose_contents(random, label)
        if bodies == (b"",) and number % 2:
            return Recording(f"folder-{number}/", bodies)
        touches = random.choice((0, 0, 0, 0, 1, 2)) if len(bodies) == 1 else 0
        return Recording(key, bodies, touches=touches)
    if kind in UNREADABLE | {Kind.DENIED_LATER}:
        # Without an extension the Content-Type decides, which COS does not show.
        key = random.choice([template for template in _KEY_TEMPLATES if "." in template]).format(number)
    if kind is Kind.OTHER:
        templates_unless_moved = () if deployment.moves else _OTHER_KEY_TEMPLATES_UNLESS_MOVED
        other_templates = (*_OTHER_KEY_TEMPLATES, *templates_unless_moved)
        other_key = random.choice(other_templates).format(number)
        return Recording(other_key, speech, kind, content_type="application/octet-stream")
    if kind in _ARCHIVED_KINDS:
        restore = tuple(Restore)[number % len(Restore)]
        storage_class = random.choice(("ARCHIVE", "DEEP_ARCHIVE"))
        return Recording(key, speech, kind, storage_class=storage_class, restore=restore)
    return Recording(key, speech, kind)


def schedule_steps(recordings: Sequence[Recording], seed: int, *, has_refusals: bool) -> Schedule:
    """Distribute the steps over two stages and threads. Keys are mixed; the steps of a key stay in order.

    Half of the recordings get their contents one right after the other, so that their events overlap; the other half
    at long intervals, when the first content may be transcribed already. Those from before SINCE are not uploaded here.
    With `has_refusals`, CI refuses every submit for a part of the first stage, and fails every job for a part of the
    second.
    """
    random = Random(seed + 1)  # noqa: S311 - repeatable, not a secret
    threads = [_schedule_thread(random, recordings[first::THREADS]) for first in range(THREADS)]
    first = [[step for position, step in steps if position < 0.5] for steps in threads]
    second = [[step for position, step in steps if position >= 0.5] for steps in threads]
    if has_refusals:
        _add_refusal(random, first[0], Step(Action.REFUSE, refusal=random.choice(_REFUSALS)))
        _add_refusal(random, second[0], Step(Action.FAIL_JOBS))
    late = [Step(Action.RESTORE, recording) for recording in recordings if recording.restore is Restore.LATE]
    return Schedule((first, second), late)


def _add_refusal(random: Random, steps: list[Step], refusal: Step) -> None:
    """Let it begin after a fifth of the steps or later, and end before the stage does."""
    start = int(len(steps) * random.uniform(0.2, 0.4))
    end = Step(Action.END_REFUSALS, pause_s=MIN_REFUSAL_S)
    steps.insert(start + max(2, len(steps) // 4), end)
    steps.insert(start, refusal)


def _schedule_thread(random: Random, recordings: Sequence[Recording]) -> list[tuple[float, Step]]:
    positioned: list[tuple[float, Step]] = []
    for recording in recordings:
        actions = [] if recording.is_from_before else [(Action.UPLOAD, body) for body in recording.bodies]
        actions += [(Action.TOUCH, b"")] * recording.touches
        if recording.kind is Kind.DENIED_LATER:
            actions.append((Action.DENY, b""))
        if recording.restore is Restore.EARLY:
            actions.append((Action.RESTORE, b""))
        positions = sorted(random.random() for _ in actions)
        is_burst = random.random() < 0.5
        for number, (action, body) in enumerate(actions):
            pause_s = 0.0 if is_burst and number else random.uniform(0, MAX_PAUSE_S)
            position = positions[0] if is_burst else positions[number]
            positioned.append((position, Step(action, recording, body, pause_s)))
    return sorted(positioned, key=lambda item: item[0])


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
