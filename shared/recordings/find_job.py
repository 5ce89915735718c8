"""Looks for the job of an attempt whose answer was lost: it carries the receipt's id as its UserData."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from shared.errors import OutcomeUnknown
from shared.recordings.desk import Desk
from shared.recordings.receipt import Receipt
from shared.tencent.speech_models import Job, JobFilter

MOST_PAGES = 100
CLOCK_SLACK_SECONDS = 60

_BEIJING = timezone(timedelta(hours=8))


def find_job(desk: Desk, receipt: Receipt) -> Job | None:
    """The job with this receipt's id, or None when there surely is none. One request for 100 jobs since the receipt.

    Raises OutcomeUnknown when there are too many to look through: not found is not the same as not there.
    """
    queue_id = desk.settings.queue_id or _only_queue(desk, receipt.bucket)
    wanted = JobFilter(
        queue_id=queue_id,
        created_from=_as_ci_writes(receipt.created_s - CLOCK_SLACK_SECONDS),
        created_to=_as_ci_writes(
            receipt.lease_until_s + CLOCK_SLACK_SECONDS
        ),  # no attempt submits after its lease
        newest_first=False,
    )
    token = ""
    for _ in range(MOST_PAGES):
        page = desk.speech.list_jobs(receipt.bucket, wanted, token=token)
        for job in page.jobs:
            if job.user_data == receipt.id and job.job_id not in receipt.older_jobs:
                return job
        if not page.next_token:
            return None
        token = page.next_token
    raise OutcomeUnknown(
        resource=f"{receipt.bucket}/{receipt.key}",
        code="TooManyJobs",
        message="cannot tell whether it was submitted",
    )


def _as_ci_writes(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, _BEIJING).strftime("%Y-%m-%dT%H:%M:%S%z")


def _only_queue(desk: Desk, bucket: str) -> str:
    """The list of jobs is documented to need the queue's id (DescribeSpeechJobs 460/46230); a bucket has one queue."""
    queues = desk.speech.list_queues(bucket).queues
    return queues[0].queue_id if queues else ""
