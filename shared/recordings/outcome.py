"""What became of one recording in one step: for the function's answer and its log line."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Step(Enum):
    """Every way a step can end. The value is what the log says."""

    SUBMITTED = "submitted"
    WAITING = "waits to be submitted"
    REOPENED = "uploaded again: its transcript is written anew"
    UNDER_WAY = "already under way"
    ALREADY_DONE = "already done"
    NOT_A_RECORDING = "left alone"
    OTHER_BUCKET = "refused: not one of INPUT_BUCKETS"
    GONE = "the recording is gone"
    FAILED = "failed: see the error object"
    TRANSCRIBED = "transcribed"
    SUPERSEDED = "superseded by newer content"
    STILL_RUNNING = "the job is not finished"
    NOT_OURS = "no receipt belongs to this job"


class Outcome(NamedTuple):
    """A step's end. `why` adds what the step alone does not tell."""

    step: Step
    bucket: str = ""
    key: str = ""
    receipt_id: str = ""
    job_id: str = ""
    why: str = ""

    def summary(self) -> dict[str, str]:
        """The members that hold something, for an answer or a log line."""
        told = {
            "outcome": self.step.value,
            "bucket": self.bucket,
            "key": self.key,
            "receipt": self.receipt_id,
            "job": self.job_id,
            "why": self.why,
        }
        return {name: value for name, value in told.items() if value}
