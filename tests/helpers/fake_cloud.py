"""In-memory state of COS and CI: buckets, a speech queue, jobs, a clock, and every request.

A test can run a function before or after a chosen request: to raise an error, to kill the invocation, or to let another
invocation work at that moment. `fakes.py` has the clients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from shared.errors import DeadlineExceeded, NotFound
from shared.tencent.auth import Credentials
from shared.tencent.client import MIN_REMAINING_S, TencentClient
from shared.tencent.speech_models import (
    CANCELLED,
    FAILED,
    FINAL_STATES,
    SUCCESS,
    TAG,
    Job,
    JobRequest,
    JobResult,
    Queue,
)

REGION = "ap-guangzhou"
INPUT_BUCKET = "recordings-1250000000"
OUTPUT_BUCKET = "transcripts-1250000000"
CALLBACK_TOKEN = "a-token-of-some-length"
START_S = 1_794_300_000.25  # November 2026, a quarter of a second after the full second
NOT_AUDIO = b"NOT AUDIO"


class Killed(BaseException):
    """The platform ended the invocation. No `except Exception` in the product catches it."""


class FakeClock:
    """A clock in Unix seconds that moves only when a test moves it."""

    def __init__(self, now_s: float = START_S) -> None:
        self.now_s = now_s

    def now(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


class FakeRequest(NamedTuple):
    """A recorded request. For CI, `key` is the path: /asr_jobs, /asr_jobs/<ids>, /asrqueue."""

    method: str
    bucket: str
    key: str


class StoredObject(NamedTuple):
    """An object in a bucket. `size` may differ from the body, so that a test can store a large recording."""

    body: bytes
    size: int
    modified_s: float
    content_type: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})
    storage: str = ""
    restore: str = ""
    refused: int = 0  # the status of HEAD and GET, if they are refused for this object only

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()


@dataclass
class _Hook:
    """A function to run before or after requests whose method and key match, except the first `skip` of them."""

    is_before: bool
    method: str
    key_part: str
    action: Callable[[], object]
    skip: int
    times: int

    def is_hit(self, request: FakeRequest, *, is_before: bool) -> bool:
        is_match = self.method in {"", request.method} and self.key_part in request.key
        if is_before is not self.is_before or not is_match or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass
class FakeCloud:
    """Buckets, jobs and queues in memory, the clock, and every request so far.

    `regions` names the region of a bucket outside `REGION`. `versioned` buckets ignore create-only, as COS does; those
    also in `suspended` send no version id. The speech service may not read `refused_keys`.
    `remaining_s` is what is left of the function's time limit.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    buckets: dict[str, dict[str, StoredObject]] = field(
        default_factory=lambda: {INPUT_BUCKET: {}, OUTPUT_BUCKET: {}}
    )
    regions: dict[str, str] = field(default_factory=dict)
    versioned: set[str] = field(default_factory=set)
    suspended: set[str] = field(default_factory=set)
    refused_keys: set[str] = field(default_factory=set)
    queues: list[Queue] = field(
        default_factory=lambda: [Queue("p1", "queue", "Active", max_size=1000, max_concurrent=5)]
    )
    jobs: dict[str, Job] = field(default_factory=dict)
    job_requests: list[JobRequest] = field(default_factory=list)
    requests: list[FakeRequest] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)
    remaining_s: float = 60.0
    page_size: int = 1000
    secret_numbers: Iterator[int] = field(default_factory=lambda: count(1))
    wait_for_turn: Callable[[], None] = lambda: None
    _hooks: list[_Hook] = field(default_factory=list)
    _job_buckets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Only its clock and its time limit are used.
        self.client = TencentClient(
            Credentials("AKIDEXAMPLE", "example"),
            remaining_s=lambda: self.remaining_s,
            http_client=raise_error(AssertionError("a fake must handle this request itself")),
            sleep=self.sleep,
            hidden=(CALLBACK_TOKEN,),
        )

    def before(
        self, method: str, key_part: str, action: Callable[[], object], *, skip: int = 0, times: int = 1
    ) -> None:
        """Run `action` before matching requests; "" matches every method or key. What it raises ends the request."""
        self._hooks.append(_Hook(True, method, key_part, action, skip, times))

    def after(
        self, method: str, key_part: str, action: Callable[[], object], *, skip: int = 0, times: int = 1
    ) -> None:
        """Run `action` after the effect of matching requests. What it raises takes the place of the response."""
        self._hooks.append(_Hook(False, method, key_part, action, skip, times))

    def kill_before(self, number: int) -> None:
        """Kill the invocation before its request `number`, counted from 0 from now on."""
        self.before("", "", raise_error(Killed()), skip=number)

    def clear_hooks(self) -> None:
        self._hooks.clear()

    @contextmanager
    def request(self, method: str, bucket: str, key: str, region: str) -> Iterator[None]:
        """Record a request and run the hooks around its effect. Raises DeadlineExceeded and NotFound as COS would."""
        self.wait_for_turn()
        request = FakeRequest(method, bucket, key)
        self._run_hooks(request, is_before=True)
        if self.remaining_s < MIN_REMAINING_S:
            raise DeadlineExceeded(
                f"{bucket}/{key}: only {self.remaining_s} s of the function's time are left"
            )
        self.requests.append(request)
        if bucket not in self.buckets or self.regions.get(bucket, REGION) != region:
            raise NotFound(resource=bucket, status=404, code="NoSuchBucket")
        yield
        self._run_hooks(request, is_before=False)

    def _run_hooks(self, request: FakeRequest, *, is_before: bool) -> None:
        for hook in [hook for hook in self._hooks if hook.is_hit(request, is_before=is_before)]:
            hook.action()

    def sleep(self, seconds: float) -> None:
        """Let time pass without a wait. Hooks with the method SLEEP run first."""
        self._run_hooks(FakeRequest("SLEEP", "", ""), is_before=True)
        self.sleeps.append(seconds)
        self.clock.advance(seconds)

    def put_object(
        self,
        bucket: str,
        key: str,
        body: bytes,
        metadata: Mapping[str, str] = MappingProxyType({}),
        *,
        size: int | None = None,
    ) -> StoredObject:
        """Write an object as a user does, without a recorded request."""
        modified_s = int(self.clock.now())
        stored = StoredObject(body, len(body) if size is None else size, modified_s, metadata=metadata)
        self.buckets[bucket][key] = stored
        return stored

    def change_object(self, bucket: str, key: str, **changes: Any) -> StoredObject:
        """Change what COS says about an object, without a recorded request."""
        self.buckets[bucket][key] = self.buckets[bucket][key]._replace(**changes)
        return self.buckets[bucket][key]

    def add_job(self, bucket: str, request: JobRequest, queue_id: str = "") -> Job:
        """Create a job, as CI does for POST /asr_jobs and for other programs."""
        queue_id = queue_id or request.queue_id or (self.queues[0].queue_id if self.queues else "")
        job = Job(
            job_id=f"s{len(self.job_requests) + 1}",
            state="Submitted",
            code=SUCCESS,
            queue_id=queue_id,
            created=self._format_now(),
            input_key=request.input_key,
            user_data=request.user_data,
            tag=TAG,
            engine=request.engine,
            channels=request.channels,
            output_bucket=request.output_bucket,
            output_key=request.output_key,
        )
        self.job_requests.append(request)
        self.jobs[job.job_id] = job
        self._job_buckets[job.job_id] = bucket
        return job

    def _format_now(self) -> str:
        return datetime.fromtimestamp(self.clock.now(), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S%z")

    def get_job_bucket(self, job: Job) -> str:
        return self._job_buckets[job.job_id]

    def run_jobs(self, *job_ids: str) -> None:
        """Finish these jobs, or all: each reads the content that its key has now, and says those words."""
        for job in [self.jobs[job_id] for job_id in job_ids] or list(self.jobs.values()):
            if job.state in FINAL_STATES:
                continue
            stored = self.buckets[self.get_job_bucket(job)].get(job.input_key)
            if stored is None:
                self.end_job(job.job_id, FAILED, "FailedOperation.ErrorDownFile")
            elif stored.body.startswith(NOT_AUDIO):
                self.end_job(job.job_id, FAILED, "FailedOperation.Unlisted")
            else:
                text = stored.body.decode("utf-8", "replace")
                detail = {"StartMs": "0", "EndMs": "1500", "FinalSentence": text, "SpeakerId": "0"}
                result = JobResult("1.5", "", (detail,), ()) if text.strip() else JobResult("1.5", "", (), ())
                self.jobs[job.job_id] = job._replace(state=SUCCESS, result=result, ended=self._format_now())

    def end_job(self, job_id: str, state: str = CANCELLED, code: str = "", message: str = "") -> None:
        """End a job without a result."""
        ended = self._format_now()
        self.jobs[job_id] = self.jobs[job_id]._replace(state=state, code=code, message=message, ended=ended)


def raise_error(error: BaseException) -> Callable[[], NoReturn]:
    """Return a function that raises this error, for `before` and `after`."""

    def action() -> NoReturn:
        raise error

    return action
