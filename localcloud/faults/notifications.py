"""Notifications of the ends of jobs: lost, late, sent twice, or beside forged ones."""

from __future__ import annotations

import secrets
from dataclasses import replace

from localcloud.ci.models import Job, JobSpec, JobStore, Output
from localcloud.ci.notifier import OutgoingNotification
from localcloud.ci.serializers import render_notification
from localcloud.faults.dice import Dice
from localcloud.faults.jobs import FOREIGN, JobFaults, about_job
from localcloud.speech.models import Recognition, Sentence

FORGED_WORDS = "forged words that nobody said"
_SOMEBODY_ELSE = "somebody-else"
_FORGED = Recognition(1000, 1, (Sentence(FORGED_WORDS, 0, 1000, 0, ()),))


class NotificationFaults:
    """Says what is posted when a job has ended."""

    def __init__(self, dice: Dice, jobs: JobStore, job_faults: JobFaults) -> None:
        self._dice = dice
        self._jobs = jobs
        self._job_faults = job_faults

    def posts(self, job: Job, form: str) -> list[OutgoingNotification]:
        """What goes to the job's callback address: as a rule one notification, now. `form` is XML or JSON."""
        real, about = (
            OutgoingNotification(render_notification(job, form)),
            self._dice.opportunity(f"end of {about_job(job.spec)}"),
        )
        posts: list[OutgoingNotification] = []
        if self._dice.strikes("forged_notification", about):
            # Some before the real one, some after it.
            late_s = self._dice.delay_s("forged_notification", about)
            bodies = self._forged(job, form)
            posts += [
                OutgoingNotification(body, late_s * (number % 2), is_only_try=True)
                for number, body in enumerate(bodies)
            ]
        if self._dice.strikes("lost_notification", about):
            return posts
        if self._dice.strikes("duplicate_notification", about):
            posts.append(replace(real, wait_s=self._dice.delay_s("duplicate_notification", about)))
        if self._dice.strikes("late_notification", about):
            real = replace(real, wait_s=self._dice.delay_s("late_notification", about))
        return [*posts, real]

    def _forged(self, job: Job, form: str) -> list[bytes]:
        success = replace(job, state="Success", code="Success", message="", recognition=_FORGED)
        other = self._jobs.find_other(job)
        told = [
            replace(success, job_id=other.job_id, spec=other.spec) if other else success,
            replace(success, job_id="s" + secrets.token_hex(16)),
            self._of_somebody_else(job),
            replace(success, spec=_elsewhere(job)),
        ]
        whole = render_notification(success, form)
        return [*(render_notification(each, form) for each in told), whole[: len(whole) // 2] + b"\xff\x00"]

    def _of_somebody_else(self, job: Job) -> Job:
        """A job that really is in the queue, but was submitted by nobody who keeps receipts."""
        key = f"theirs/{secrets.token_hex(4)}.mp3"
        output = replace(job.spec.output, object=f"{key}.txt")
        spec = replace(
            job.spec, input_object=key, input_key=key, output=output, user_data=_SOMEBODY_ELSE, input_url=""
        )
        theirs = self._jobs.add(spec, "Running")
        self._jobs.start(theirs)
        self._jobs.finish(theirs, "Success", "Success", "", _FORGED)
        self._job_faults.mark(theirs.job_id, FOREIGN)
        return self._jobs.require(theirs.job_id)


def _elsewhere(job: Job) -> JobSpec:
    name, _, appid = job.spec.bucket.rpartition("-")
    bucket = f"{name}-elsewhere-{appid}"
    output = Output(job.spec.output.region, bucket, job.spec.output.object)
    return replace(job.spec, bucket=bucket, input_bucket=bucket, output=output)
