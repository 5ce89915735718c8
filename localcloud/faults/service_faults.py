"""Injects faults of the services: speech jobs, their notifications, COS events and create-only writes.

Jobs that failed or were added by a fault are marked in the data folder, so that tools can recognise them.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from localcloud.auth.credentials import Credential
from localcloud.ci.exceptions import CiError
from localcloud.ci.models import Job, JobSpec, JobStore, Output
from localcloud.ci.notifier import OutgoingNotification
from localcloud.ci.serializers import render_notification
from localcloud.faults.decisions import FaultDecisions, SkewedClock
from localcloud.faults.job_answers import JobAnswers
from localcloud.faults.plan import FaultPlan
from localcloud.faults.request_faults import InstanceKiller, RequestFaults, is_from_function
from localcloud.faults.switches import Switches
from localcloud.http.request import Request
from localcloud.speech.models import Recognition, RecognitionError, Sentence
from localcloud.store import Store

FAILED, FAILED_NO_MONEY, FOREIGN = "job_failed", "job_failed_no_money", "foreign"  # marks
# CI's own code for an account without money is unconfirmed; this is that of the speech product behind it.
_NO_MONEY_CODE = "FailedOperation.UserHasNoAmount"
# What gateways of the cloud answer for an account in arrears or without permission, whatever the service; whether CI
# uses all of them is unconfirmed.
_ACCOUNT_ERRORS = (
    (
        451,
        "UnavailableForLegalReasons",
        "The account is in arrears; it is unavailable until it is recharged.",
    ),
    (402, "PaymentRequired", "The account has no money left."),
    (403, "UnauthorizedOperation", "you are not authorized"),
)
_STRETCH_LENGTH = 5  # submits
FORGED_TEXT = "forged words that no recording has"
_FOREIGN_USER_DATA = "another-client"
_FORGED_RECOGNITION = Recognition(1000, 1, (Sentence(FORGED_TEXT, 0, 1000, 0, ()),))
_REGION_IN_HOST = re.compile(r"(//[^./]+)\.cos\.[a-z0-9-]+\.")
_MAX_HOLD_S = 2.0
_POLL_INTERVAL_S = 0.01
_RACE_WINDOW_S = 0.05

_MARK_SCHEMA = "CREATE TABLE IF NOT EXISTS job_marks (job_id TEXT PRIMARY KEY, mark TEXT NOT NULL)"


class Faults:
    """All faults of one cloud: one plan, one injector, one object for each kind of operation."""

    def __init__(
        self, plan: FaultPlan, store: Store, kill: Callable[[Credential], bool] = lambda _credential: False
    ) -> None:
        """`kill` kills the function instance that holds a credential."""
        self._injector = FaultDecisions(plan)
        self._job_store = JobStore(store)
        self._killer = InstanceKiller(self._injector, kill)
        self.clock = SkewedClock(self._injector)
        self.switches = Switches()
        self.objects = ObjectFaults(self._injector)
        self.events = EventFaults(self._injector)
        self.jobs = JobFaults(self._injector, store, self.switches)
        self.job_answers = JobAnswers(self._injector)
        self.notifications = NotificationFaults(self._injector, self._job_store, self.jobs)
        self.requests = RequestFaults(self._injector, self._killer, self._get_job_label)

    def _get_job_label(self, job_id: str) -> str:
        job = self._job_store.find(job_id)
        return job_label(job.spec) if job else job_id

    def set_plan(self, plan: FaultPlan) -> None:
        """Replace the plan. An empty one ends the faults and keeps the numbers of injected faults."""
        self._injector.set_plan(plan)
        self._killer.reset()
        self.job_answers.reset()

    def report(self) -> dict[str, Any]:
        """Return the current plan, and the number of injected faults by kind."""
        return {
            "plan": self._injector.plan.as_json(),
            "struck": dict(sorted(self._injector.injected.items())),
        }

    @property
    def is_idle(self) -> bool:
        """Whether no event is delayed; delayed notifications are counted by the notifier."""
        return self.events.is_idle

    def close(self) -> None:
        """Drop the delayed events."""
        self.events.close()


def job_label(spec: JobSpec) -> str:
    """Return a label for a job that is the same in every run."""
    return f"{spec.input_bucket}/{spec.input_key}"


class JobFaults:
    """Faults of speech jobs: rejected by a full queue, failed, or finished before the submitter has its response."""

    def __init__(self, injector: FaultDecisions, store: Store, switches: Switches) -> None:
        self._injector = injector
        self._switches = switches
        self._db = store.db
        store.create(_MARK_SCHEMA)

    def maybe_refuse_account(self, request: Request) -> None:
        """Raise 451, 402 or 403 for a function's submit, if the plan says so; all submits of a stretch get the same."""
        if not is_from_function(request) or "refused_account" not in self._injector.plan.rates:
            return
        stretch = self._injector.stretch_id("submits of functions", _STRETCH_LENGTH)
        if self._injector.should_inject("refused_account", stretch):
            request.fault = "refused_account"
            number = self._injector.choose("refused_account", stretch, len(_ACCOUNT_ERRORS))
            raise CiError(*_ACCOUNT_ERRORS[number])

    def maybe_reject_full(self, request: Request, spec: JobSpec) -> None:
        """Raise QueueFull for a function's submit, if the plan says so."""
        if is_from_function(request) and self._should_inject("queue_full", spec):
            request.fault = "queue_full"
            raise CiError(400, "QueueFull", "The queue holds too many open jobs already.")

    async def maybe_delay_response(
        self, request: Request, job: Job, is_notified: Callable[[str], bool]
    ) -> None:
        """Delay the response to a function's submit until its job was notified, for 2 s at most."""
        if not is_from_function(request) or not self._should_inject("early_notification", job.spec):
            return
        request.fault = "early_notification"
        deadline_s = time.monotonic() + _MAX_HOLD_S
        while not is_notified(job.job_id) and time.monotonic() < deadline_s:  # noqa: ASYNC110 - reads the database
            await asyncio.sleep(_POLL_INTERVAL_S)

    def maybe_fail(self, job: Job) -> None:
        """Raise RecognitionError for a job that must fail by a switch or by the plan."""
        failure = self._switches.job_failure
        if failure is not None:
            raise RecognitionError(failure.message, failure.code)
        if self._should_inject("job_failed_no_money", job.spec):
            self.mark(job.job_id, FAILED_NO_MONEY)
            raise RecognitionError("the account has no money left", _NO_MONEY_CODE)
        if self._should_inject("job_failed", job.spec):
            self.mark(job.job_id, FAILED)
            raise RecognitionError("the recording could not be recognised", "FailedOperation.ErrorRecognize")

    def _should_inject(self, kind: str, spec: JobSpec) -> bool:
        return self._injector.should_inject(kind, self._injector.event_id(f"{kind} {job_label(spec)}"))

    def mark(self, job_id: str, mark: str) -> None:
        """Save a mark for a job."""
        self._db.execute("INSERT OR REPLACE INTO job_marks VALUES (?, ?)", (job_id, mark))

    def marks(self) -> dict[str, str]:
        """Return the marked jobs: by the kind of their failure, or `foreign` for one that was not submitted."""
        return dict(self._db.execute("SELECT job_id, mark FROM job_marks"))


class NotificationFaults:
    """Faults of notifications: lost, late, duplicate, or accompanied by forged ones."""

    def __init__(self, injector: FaultDecisions, jobs: JobStore, job_faults: JobFaults) -> None:
        self._injector = injector
        self._jobs = jobs
        self._job_faults = job_faults

    def build_posts(self, job: Job, form: str) -> list[OutgoingNotification]:
        """Build what is posted to a job's callback address: normally one notification, now. `form` is XML or JSON."""
        injector, event_id = self._injector, self._injector.event_id(f"end of {job_label(job.spec)}")
        post = OutgoingNotification(render_notification(job, form))
        posts: list[OutgoingNotification] = []
        if injector.should_inject("forged_notification", event_id):
            # Some before the real one, some after it.
            delay_s = injector.delay_s("forged_notification", event_id)
            posts += [
                OutgoingNotification(body, delay_s * (number % 2), is_only_try=True)
                for number, body in enumerate(self._build_forged(job, form))
            ]
        if injector.should_inject("lost_notification", event_id):
            return posts
        if injector.should_inject("duplicate_notification", event_id):
            posts.append(replace(post, wait_s=injector.delay_s("duplicate_notification", event_id)))
        if injector.should_inject("late_notification", event_id):
            post = replace(post, wait_s=injector.delay_s("late_notification", event_id))
        return [*posts, post]

    def _build_forged(self, job: Job, form: str) -> list[bytes]:
        success = replace(job, state="Success", code="Success", message="", recognition=_FORGED_RECOGNITION)
        other = self._jobs.find_other(job)
        forged_jobs = [
            replace(success, job_id=other.job_id, spec=other.spec) if other else success,
            replace(success, job_id="s" + secrets.token_hex(16)),
            self._add_foreign_job(job),
            replace(success, spec=_move_to_other_bucket(job)),
        ]
        body = render_notification(success, form)
        return [
            *(render_notification(forged, form) for forged in forged_jobs),
            body[: len(body) // 2] + b"\xff\x00",
        ]

    def _add_foreign_job(self, job: Job) -> Job:
        """Add a finished job that is really in the queue, but was submitted by a client without receipts."""
        key = f"theirs/{secrets.token_hex(4)}.mp3"
        output = replace(job.spec.output, object=f"{key}.txt")
        spec = replace(
            job.spec,
            input_object=key,
            input_key=key,
            output=output,
            user_data=_FOREIGN_USER_DATA,
            input_url="",
            submitter="",
        )
        foreign = self._jobs.add(spec, "Running")
        self._jobs.start(foreign)
        self._jobs.finish(foreign, "Success", "Success", "", _FORGED_RECOGNITION)
        self._job_faults.mark(foreign.job_id, FOREIGN)
        return self._jobs.require(foreign.job_id)


def _move_to_other_bucket(job: Job) -> JobSpec:
    name, _, appid = job.spec.bucket.rpartition("-")
    bucket = f"{name}-elsewhere-{appid}"
    output = Output(job.spec.output.region, bucket, job.spec.output.object)
    return replace(job.spec, bucket=bucket, input_bucket=bucket, output=output)


class EventFaults:
    """Faults of COS events for functions: lost, late, duplicate, or with an odd URL.

    Delayed events are lost when the cloud stops.
    """

    def __init__(self, injector: FaultDecisions) -> None:
        self._injector = injector
        self._delayed: set[asyncio.TimerHandle] = set()

    def change_url(self, label: str, url: str) -> str:
        """Return the URL that an event names: normally the given one.

        It may be on the domain of global acceleration, or have a `+` for each blank of the key. Whether COS ever writes
        such URLs is unconfirmed.
        """
        event_id = self._injector.event_id(f"URL of event {label}")
        if self._injector.should_inject("accelerate_event", event_id):
            url = _REGION_IN_HOST.sub(r"\1.cos.accelerate.", url, count=1)
        if "%20" in url and self._injector.should_inject("plus_in_url_event", event_id):
            url = url.replace("%20", "+")
        return url

    def deliver(self, label: str, send: Callable[[], None]) -> None:
        """Deliver an event: normally once and now."""
        event_id = self._injector.event_id(f"event {label}")
        if self._injector.should_inject("lost_event", event_id):
            return
        if self._injector.should_inject("duplicate_event", event_id):
            self._send_later(self._injector.delay_s("duplicate_event", event_id), send)
        if self._injector.should_inject("late_event", event_id):
            self._send_later(self._injector.delay_s("late_event", event_id), send)
        else:
            send()

    def _send_later(self, delay_s: float, send: Callable[[], None]) -> None:
        def send_now() -> None:
            self._delayed.discard(handle)
            send()

        handle = asyncio.get_running_loop().call_later(delay_s, send_now)
        self._delayed.add(handle)

    @property
    def is_idle(self) -> bool:
        """Whether no event is delayed."""
        return not self._delayed

    def close(self) -> None:
        """Drop the delayed events."""
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()


class ObjectFaults:
    """Faults of create-only writes that race: the check of the second may not see the first."""

    def __init__(self, injector: FaultDecisions) -> None:
        self._injector = injector

    def maybe_miss_existing(self, label: str, age_s: float) -> bool:
        """Whether a create-only write does not see the existing object, which is less than 50 ms old."""
        return age_s < _RACE_WINDOW_S and self._injector.should_inject(
            "racy_create_only", self._injector.event_id(f"race {label}")
        )
