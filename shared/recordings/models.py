"""What one step did with a recording, and what a sweep or an audit did with many."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from shared.recordings.receipt import Receipt


class Status(Enum):
    """What one step did with a recording. The values appear in logs and responses."""

    SUBMITTED = "submitted"
    DEFERRED = "deferred"  # the sweep submits it later
    REOPENED = "reopened"  # the same content was uploaded again: its transcripts are written again
    IN_PROGRESS = "in_progress"  # another attempt or a later step continues the work
    ALREADY_DONE = "already_done"
    SKIPPED = "skipped"  # the object is not a recording
    UNKNOWN_BUCKET = "unknown_bucket"  # not in INPUT_BUCKETS
    OBJECT_NOT_FOUND = "object_not_found"
    WAITING = "waiting"  # in an archive: the error object says so
    FAILED = "failed"  # the error object says why
    TRANSCRIBED = "transcribed"
    SUPERSEDED = "superseded"  # other content was uploaded under the key
    JOB_RUNNING = "job_running"
    UNKNOWN_JOB = "unknown_job"  # the job has no receipt


class Result(NamedTuple):
    """What one step did with a recording, and why if the status does not say it."""

    status: Status
    bucket: str = ""
    key: str = ""
    receipt_id: str = ""
    job_id: str = ""
    reason: str = ""

    @classmethod
    def of(cls, receipt: Receipt, status: Status, *, job_id: str | None = None, reason: str = "") -> Result:
        """Build the result of a receipt; `job_id` is the receipt's own unless another one is passed."""
        return cls(
            status,
            receipt.bucket,
            receipt.key,
            receipt.id,
            receipt.job_id if job_id is None else job_id,
            reason,
        )

    def as_log_fields(self) -> dict[str, str]:
        """Return the members with a value, for a log line or a function's response."""
        fields = {
            "status": self.status.value,
            "bucket": self.bucket,
            "key": self.key,
            "receipt_id": self.receipt_id,
            "job_id": self.job_id,
            "reason": self.reason,
        }
        return {name: value for name, value in fields.items() if value}


class Summary:
    """Counts the results of a sweep or an audit, its errors, and whether it stopped before the end."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.errors = 0
        self.stopped_early = False

    def add(self, status: Status) -> None:
        """Count one result."""
        self.counts[status.value] = self.counts.get(status.value, 0) + 1

    def add_error(self) -> None:
        """Count one recording that could not be processed."""
        self.errors += 1
