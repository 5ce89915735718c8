"""What one look at the deployment found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How it stands: `NOTE` is worth knowing and breaks nothing, `SKIPPED` could not be looked at."""

    OK = "ok"
    WRONG = "wrong"
    NOTE = "note"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report.

    `name` is the check's, the same in every version. `about` is what was looked at, where a check looks at several
    things: a bucket, a function, a trigger. `mend` is the command or the console page that mends it.
    """

    name: str
    state: State
    says: str
    mend: str = ""
    about: str = ""


def fine(says: str, *, about: str = "") -> Finding:
    """All is as it should be. `cli.doctor.examine` puts in the check's name, here and below."""
    return Finding("", State.OK, says, "", about)


def wrong(says: str, *, mend: str, about: str = "") -> Finding:
    """Something keeps recordings from being transcribed, or costs money, until it is mended."""
    return Finding("", State.WRONG, says, mend, about)


def note(says: str, *, mend: str = "", about: str = "") -> Finding:
    """Worth knowing; nothing is broken."""
    return Finding("", State.NOTE, says, mend, about)


def skipped(says: str, *, mend: str = "", about: str = "") -> Finding:
    """It could not be looked at; `says` tells why."""
    return Finding("", State.SKIPPED, says, mend, about)
