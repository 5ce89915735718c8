"""CI says that jobs are finished: look at each, in the buckets that the operator named."""

from __future__ import annotations

from collections.abc import Iterable

from shared.errors import RequestRejected, safe_error_message
from shared.events import NotifiedJob
from shared.recordings.desk import Desk
from shared.recordings.finish import ask_for, finish
from shared.recordings.outcome import Outcome, Step

_NO_SUCH_JOB = frozenset({400, 404})


def finish_named(desk: Desk, named: Iterable[NotifiedJob]) -> list[Outcome]:
    """Brings every named job to its end. Raises CloudError or OutOfTime if one could not be, after trying all."""
    outcomes: list[Outcome] = []
    problem: Exception | None = None
    for job in named:
        try:
            outcome = _finish_one(desk, job)
        except Exception as error:  # noqa: BLE001 - told below, once the other jobs had their turn
            problem = error
            desk.log.error("could not finish a job", job=job.job_id, error=safe_error_message(error))
            continue
        outcomes.append(outcome)
        desk.log.info("looked at a job", **outcome.summary())
    if problem:
        raise problem
    return outcomes


def _finish_one(desk: Desk, named: NotifiedJob) -> Outcome:
    for bucket in _likeliest_first(desk.settings.input_buckets, named.bucket_hint):
        try:
            found = ask_for(desk, bucket, [named.job_id])
        except RequestRejected as error:
            if error.status not in _NO_SUCH_JOB:
                raise
            # An unknown id is no error in the published answers, but an id of odd form may be.
            desk.log.warning("a job cannot be asked for", job=named.job_id, bucket=bucket, error=str(error))
            continue
        for job in found.jobs:
            if job.job_id == named.job_id:
                return finish(desk, bucket, job)
    return Outcome(Step.NOT_OURS, job_id=named.job_id, why="no input bucket knows the job")


def _likeliest_first(buckets: tuple[str, ...], hint: str) -> list[str]:
    """The operator's buckets and no others; the hint of a stranger's body only sorts them."""
    return sorted(buckets, key=lambda bucket: bucket != hint)
