"""From a receipt to a job: the one place where money is spent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from shared.errors import Busy, Refused
from shared.recordings import failure
from shared.recordings.desk import Desk
from shared.recordings.endings import end_failed
from shared.recordings.names import raw_key
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import Receipt
from shared.tencent.speech_values import Job, JobFilter, SpeechJob
from shared.tencent.xml import NotXml

# Longer than the upload function may run (serverless.yml: 60 s), so a live attempt is never taken for dead.
LEASE_SECONDS = 120.0
_BEIJING = timezone(timedelta(hours=8))
_MOST_PAGES = 20


def submit(desk: Desk, receipt: Receipt) -> Outcome:
    """Submits the job of an open receipt that is this attempt's own, and notes the job's id in it.

    Raises Busy or OutcomeUnknown when the platform should try again: the receipt stays open, and whoever comes next
    looks for the job before submitting.
    """
    try:
        job = desk.speech.submit(receipt.bucket, _job_for(desk, receipt))
    except NotXml:
        return end_failed(desk, receipt, _UNWRITABLE_NAME)
    except Refused as error:
        return end_failed(desk, receipt, failure.refused(error))
    except Busy:
        # Surely nothing was done: give the lease back, so that the next attempt need not wait for its end.
        desk.ledger_for(receipt.bucket).update(replace(receipt, lease_until_s=desk.now()))
        raise
    return _note(desk, receipt, job)


def take_over(desk: Desk, receipt: Receipt) -> Outcome:
    """Goes on with the receipt of an attempt that died before it noted a job: first looks whether there is one."""
    job = _find_job(desk, receipt)
    if job:
        return _note(desk, receipt, job)
    now = desk.now()
    mine = replace(
        receipt, nonce=desk.nonce(), attempt=receipt.attempt + 1, lease_until_s=now + LEASE_SECONDS
    )
    ledger = desk.ledger_for(receipt.bucket)
    ledger.update(mine)
    found = ledger.find_open(receipt.id)
    if found is None or found.nonce != mine.nonce:
        return Outcome(
            Step.UNDER_WAY, receipt.bucket, receipt.key, receipt.id, why="another attempt took over"
        )
    return submit(desk, mine)


def _note(desk: Desk, receipt: Receipt, job: Job) -> Outcome:
    desk.ledger_for(receipt.bucket).update(replace(receipt, job_id=job.job_id))
    return Outcome(Step.SUBMITTED, receipt.bucket, receipt.key, receipt.id, job.job_id)


def _job_for(desk: Desk, receipt: Receipt) -> SpeechJob:
    settings = desk.settings
    return SpeechJob(
        input_key=receipt.key,
        output_bucket=settings.output_bucket_for(receipt.bucket),
        output_region=desk.output_cos.region,
        output_key=raw_key(settings, receipt.id),
        engine=receipt.engine,
        channels=receipt.channels,
        user_data=receipt.id,
        queue_id=settings.queue_id,
    )


def _find_job(desk: Desk, receipt: Receipt) -> Job | None:
    """The job that carries this receipt's id, if an earlier attempt got as far as submitting it."""
    since = datetime.fromtimestamp(receipt.created_s - 60, _BEIJING).strftime("%Y-%m-%dT%H:%M:%S%z")
    wanted = JobFilter(queue_id=desk.settings.queue_id, created_from=since, newest_first=False)
    token = ""
    for _ in range(_MOST_PAGES):
        page = desk.speech.list_jobs(receipt.bucket, wanted, token=token)
        for job in page.jobs:
            if job.user_data == receipt.id:
                return job
        if not page.next_token:
            return None
        token = page.next_token
    return None


_UNWRITABLE_NAME = failure.unfit(
    "The recording's name holds a control character, which the speech service cannot be told.",
    "Rename the recording and upload it again.",
)
