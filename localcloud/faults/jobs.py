"""Speech jobs: refused by a full queue, failed for no reason, or over before their submitter hears of them.

Jobs that are not what they seem are marked in the data folder, so that tools can tell them apart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from localcloud.asked import Asked
from localcloud.ci.exceptions import CiError
from localcloud.ci.models import Job, JobSpec
from localcloud.faults.dice import Dice
from localcloud.speech.models import RecognitionError
from localcloud.store import Store

FAILED, FOREIGN = "job_failed", "foreign"
_LONGEST_HOLD_S = 2.0
_LOOK_AGAIN_S = 0.01

_SCHEMA = "CREATE TABLE IF NOT EXISTS job_marks (job_id TEXT PRIMARY KEY, mark TEXT NOT NULL)"


def about_job(spec: JobSpec) -> str:
    """What a job is about, the same in every run."""
    return f"{spec.input_bucket}/{spec.input_key}"


class JobFaults:
    """What may go wrong with a job."""

    def __init__(self, dice: Dice, store: Store) -> None:
        self._dice = dice
        self._db = store.db
        store.create(_SCHEMA)

    def check_room(self, asked: Asked, spec: JobSpec) -> None:
        """Raises QueueFull for a submission that a function makes."""
        if _is_of_function(asked) and self._strikes("queue_full", spec):
            asked.fault = "queue_full"
            raise CiError(400, "QueueFull", "The queue holds too many open jobs already.")

    async def hold_answer(self, asked: Asked, job: Job, is_notified: Callable[[str], bool]) -> None:
        """Keep a function waiting for the answer to its submission until the job's end is told, 2 s at most."""
        if not _is_of_function(asked) or not self._strikes("early_notification", job.spec):
            return
        asked.fault = "early_notification"
        end_s = time.monotonic() + _LONGEST_HOLD_S
        while not is_notified(job.job_id) and time.monotonic() < end_s:  # noqa: ASYNC110 - it looks into the database
            await asyncio.sleep(_LOOK_AGAIN_S)

    def check_speech(self, job: Job) -> None:
        """Raises RecognitionError for a job that ends Failed."""
        if self._strikes("job_failed", job.spec):
            self.mark(job.job_id, FAILED)
            raise RecognitionError("the recording could not be recognised", "FailedOperation.ErrorRecognize")

    def _strikes(self, kind: str, spec: JobSpec) -> bool:
        return self._dice.strikes(kind, self._dice.opportunity(f"{kind} {about_job(spec)}"))

    def mark(self, job_id: str, mark: str) -> None:
        """Write down what is wrong with a job."""
        self._db.execute("INSERT OR REPLACE INTO job_marks VALUES (?, ?)", (job_id, mark))

    def marks(self) -> dict[str, str]:
        """The marked jobs: `job_failed`, or `foreign` for one that nobody submitted."""
        return dict(self._db.execute("SELECT job_id, mark FROM job_marks"))


def _is_of_function(asked: Asked) -> bool:
    return asked.signer is not None and bool(asked.signer.token)
