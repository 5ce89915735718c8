"""From a receipt to a job: the one place where money is spent."""

from __future__ import annotations

from shared.errors import OutcomeUnknown, QueueFull, RequestRejected, Throttled
from shared.recordings.desk import Desk
from shared.recordings.endings import end_failed, tell
from shared.recordings.failure import Failure, refused
from shared.recordings.failure_texts import UNWRITABLE_NAME
from shared.recordings.names import raw_key
from shared.recordings.outcome import Outcome, Step
from shared.recordings.receipt import Receipt
from shared.tencent.speech_models import Job, JobRequest
from shared.tencent.xml import XmlError

# What a submit may take at worst, as a share of the lease: with less left, another attempt could begin meanwhile.
LONGEST_SUBMIT = 0.2


def submit(desk: Desk, receipt: Receipt) -> Outcome:
    """Submits the job of an open receipt that is this attempt's own, and notes the job's id in it.

    Whatever the answer, the receipt stays open until the work is closed, and the sweep goes on from there. Raises
    CloudError or OutOfTime when even that could not be noted.
    """
    if desk.now() > receipt.lease_until_s - LONGEST_SUBMIT * desk.settings.lease_s:
        # Too slow so far: another attempt may begin while this one submits. Nothing is paid; the sweep goes on.
        return Outcome(
            Step.UNDER_WAY, receipt.bucket, receipt.key, receipt.id, why="its lease is nearly over"
        )
    try:
        job = desk.speech.create_job(receipt.bucket, _job_for(desk, receipt))
    except XmlError:
        return end_failed(desk, receipt, Failure(UNWRITABLE_NAME))
    except Throttled as error:
        desk.log.warning("not submitted for now", key=receipt.key, error=str(error))
        return wait_for_sweep(
            desk, receipt, why="the queue is full" if isinstance(error, QueueFull) else "throttled"
        )
    except OutcomeUnknown as error:
        desk.log.warning("submitted or not: the sweep looks for its job", key=receipt.key, error=str(error))
        return Outcome(Step.UNDER_WAY, receipt.bucket, receipt.key, receipt.id, why="the answer was lost")
    except RequestRejected as error:
        failure = refused(error)
        if not failure.explanation.waits:
            return end_failed(desk, receipt, failure)
        # The operator must mend something; meanwhile whoever waits for the transcript can read what.
        tell(desk, receipt, failure)
        desk.log.error("the operator must mend this", key=receipt.key, error=str(error))
        return wait_for_sweep(desk, receipt, why=failure.explanation.what)
    return note_job(desk, receipt, job)


def note_job(desk: Desk, receipt: Receipt, job: Job) -> Outcome:
    """Notes the job that was made for an open receipt in it."""
    desk.ledger_for(receipt.bucket).update(receipt._replace(job_id=job.job_id))
    return Outcome(Step.SUBMITTED, receipt.bucket, receipt.key, receipt.id, job.job_id)


def wait_for_sweep(desk: Desk, receipt: Receipt, *, why: str) -> Outcome:
    """Surely nothing was submitted: gives the lease back, so that the next attempt need not wait for its end."""
    waiting = receipt._replace(lease_until_s=desk.now(), waiting=True)
    desk.ledger_for(receipt.bucket).update(waiting)
    return Outcome(Step.WAITING, receipt.bucket, receipt.key, receipt.id, why=why)


def _job_for(desk: Desk, receipt: Receipt) -> JobRequest:
    settings = desk.settings
    return JobRequest(
        input_key=receipt.key,
        output_bucket=settings.output_bucket_for(receipt.bucket),
        output_region=desk.output_cos.region,
        output_key=raw_key(settings, receipt.id),
        engine=receipt.engine,
        channels=receipt.channels,
        user_data=receipt.id,
        queue_id=settings.queue_id,
    )
