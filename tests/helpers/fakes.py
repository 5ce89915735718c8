"""In-memory COS and CI: what buckets and a speech queue do, without a request, a process or a pause.

`FakeCloud` holds the state and records every request. `FakeCos` and `FakeSpeech` are the clients that a `Context` uses.
A test can run a function before or after a chosen request: to raise an error, to kill the invocation, or to let another
invocation work at that moment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import count
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn

from shared.errors import AlreadyExists, DeadlineExceeded, NotFound, QueueFull
from shared.logger import Logger
from shared.recordings.context import Context
from shared.settings import Settings
from shared.tencent.auth import Credentials
from shared.tencent.client import MIN_REMAINING_S, TencentClient
from shared.tencent.cos import CosClient, ListPage, ObjectContent, ObjectMetadata, ObjectSummary, PutResult
from shared.tencent.speech import SpeechClient
from shared.tencent.speech_models import (
    CANCELLED,
    FAILED,
    FINAL_STATES,
    SUCCESS,
    Job,
    JobFilter,
    JobLookup,
    JobPage,
    JobRequest,
    JobResult,
    Queue,
    QueuePage,
)
from shared.tencent.xml import XmlError

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


class _OfflineClient(TencentClient):
    """A client for the fakes, which need its clock and its time limit only."""

    def send(self, request: Any) -> NoReturn:
        raise AssertionError(f"a fake must handle this request itself: {request}")


@dataclass
class FakeCloud:
    """Buckets, jobs and queues in memory, the clock, and every request so far.

    `regions` names the region of a bucket outside `REGION`. `versioned` buckets ignore create-only, as COS does.
    `remaining_s` is what is left of the function's time limit.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    buckets: dict[str, dict[str, StoredObject]] = field(
        default_factory=lambda: {INPUT_BUCKET: {}, OUTPUT_BUCKET: {}}
    )
    regions: dict[str, str] = field(default_factory=dict)
    versioned: set[str] = field(default_factory=set)
    queues: list[Queue] = field(
        default_factory=lambda: [Queue("p1", "queue", "Active", max_size=1000, max_concurrent=5)]
    )
    jobs: dict[str, Job] = field(default_factory=dict)
    job_requests: list[JobRequest] = field(default_factory=list)
    requests: list[FakeRequest] = field(default_factory=list)
    sleeps: list[float] = field(default_factory=list)
    remaining_s: float = 60.0
    page_size: int = 1000
    nonce_numbers: Iterator[int] = field(default_factory=lambda: count(1))
    wait_for_turn: Callable[[], None] = lambda: None
    _hooks: list[_Hook] = field(default_factory=list)
    _job_buckets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = _OfflineClient(
            Credentials("AKIDEXAMPLE", "example"), remaining_s=lambda: self.remaining_s, sleep=self.sleep
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

    def add_job(self, bucket: str, request: JobRequest, queue_id: str = "") -> Job:
        """Create a job, as CI does for POST /asr_jobs and for other programs."""
        queue_id = queue_id or request.queue_id or (self.queues[0].queue_id if self.queues else "")
        created = datetime.fromtimestamp(self.clock.now(), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S%z")
        job = Job(
            job_id=f"s{len(self.job_requests) + 1}",
            state="Submitted",
            code=SUCCESS,
            queue_id=queue_id,
            created=created,
            input_key=request.input_key,
            user_data=request.user_data,
            engine=request.engine,
            channels=request.channels,
        )
        self.job_requests.append(request)
        self.jobs[job.job_id] = job
        self._job_buckets[job.job_id] = bucket
        return job

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
                self.jobs[job.job_id] = job._replace(state=SUCCESS, result=result)

    def end_job(self, job_id: str, state: str = CANCELLED, code: str = "", message: str = "") -> None:
        """End a job without a result."""
        self.jobs[job_id] = self.jobs[job_id]._replace(state=state, code=code, message=message)


class FakeCos(CosClient):
    """COS in memory: MD5 ETags, modified times in whole seconds, listings in UTF-8 byte order."""

    def __init__(self, cloud: FakeCloud, region: str = REGION) -> None:
        super().__init__(cloud.client, region)
        self.cloud = cloud

    def for_region(self, region: str) -> FakeCos:
        return FakeCos(self.cloud, region)

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        create_only: bool = False,
    ) -> PutResult:
        with self.cloud.request("PUT", bucket, key, self.region):
            is_versioned = bucket in self.cloud.versioned
            if create_only and not is_versioned and key in self.cloud.buckets[bucket]:
                raise AlreadyExists(resource=f"{bucket}/{key}", status=409, code="FileAlreadyExists")
            stored = self.cloud.put_object(bucket, key, body, metadata or {})
            self.cloud.buckets[bucket][key] = stored._replace(content_type=content_type)
        return PutResult(stored.etag, f"version-{len(self.cloud.requests)}" if is_versioned else "")

    def get(self, bucket: str, key: str) -> ObjectContent:
        with self.cloud.request("GET", bucket, key, self.region):
            stored = self._load(bucket, key)
            return ObjectContent(_as_metadata(stored), stored.body)

    def head(self, bucket: str, key: str) -> ObjectMetadata:
        with self.cloud.request("HEAD", bucket, key, self.region):
            return _as_metadata(self._load(bucket, key))

    def delete(self, bucket: str, key: str) -> None:
        with self.cloud.request("DELETE", bucket, key, self.region):
            self.cloud.buckets[bucket].pop(key, None)

    def list_objects(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", marker: str = ""
    ) -> ListPage:
        assert not delimiter, "nothing below shared/recordings lists folders"
        with self.cloud.request("LIST", bucket, prefix, self.region):
            keys = sorted(
                filter(lambda key: key.startswith(prefix), self.cloud.buckets[bucket]), key=_as_utf8
            )
            keys = [key for key in keys if _as_utf8(key) > _as_utf8(marker)]
            objects = tuple(self._summarize(bucket, key) for key in keys[: self.cloud.page_size])
        return ListPage(objects, (), objects[-1].key if len(keys) > self.cloud.page_size else "")

    def _summarize(self, bucket: str, key: str) -> ObjectSummary:
        stored = self.cloud.buckets[bucket][key]
        modified = datetime.fromtimestamp(stored.modified_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return ObjectSummary(key, stored.etag, stored.size, modified)

    def _load(self, bucket: str, key: str) -> StoredObject:
        if key not in self.cloud.buckets[bucket]:
            raise NotFound(resource=f"{bucket}/{key}", status=404, code="NoSuchKey")
        return self.cloud.buckets[bucket][key]


def _as_utf8(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _as_metadata(stored: StoredObject) -> ObjectMetadata:
    return ObjectMetadata(
        stored.etag, stored.size, stored.content_type, float(stored.modified_s), stored.metadata
    )


class FakeSpeech(SpeechClient):
    """The CI speech API in memory. Unfinished jobs count against the queue's MaxSize."""

    def __init__(self, cloud: FakeCloud, region: str = REGION) -> None:
        super().__init__(cloud.client, region)
        self.cloud = cloud

    def for_region(self, region: str) -> FakeSpeech:
        return FakeSpeech(self.cloud, region)

    def create_job(self, bucket: str, job: JobRequest) -> Job:
        if any(character < " " and character not in "\t\r\n" for character in job.input_key):
            raise XmlError("a control character")
        with self.cloud.request("POST", bucket, "/asr_jobs", self.region):
            unfinished = [known for known in self.cloud.jobs.values() if known.state not in FINAL_STATES]
            if any(queue.max_size and len(unfinished) >= queue.max_size for queue in self.cloud.queues):
                raise QueueFull(resource=bucket, status=403, code="QueueFull")
            return self.cloud.add_job(bucket, job)

    def get_jobs(
        self, bucket: str, job_ids: Sequence[str], *, detail_parser: Callable[[Any], Any] | None = None
    ) -> JobLookup:
        with self.cloud.request("GET", bucket, f"/asr_jobs/{','.join(job_ids)}", self.region):
            jobs = [job for job in self._list_jobs(bucket) if job.job_id in job_ids]
        known = {job.job_id for job in jobs}
        parsed = tuple(_parse_details(job, detail_parser) for job in jobs)
        return JobLookup(parsed, tuple(job_id for job_id in job_ids if job_id not in known))

    def list_jobs(self, bucket: str, job_filter: JobFilter, *, token: str = "", size: int = 100) -> JobPage:
        with self.cloud.request("GET", bucket, "/asr_jobs", self.region):
            jobs = [
                job._replace(result=None) for job in self._list_jobs(bucket) if _is_listed(job, job_filter)
            ]
        if job_filter.newest_first:
            jobs.reverse()
        start, size = int(token or 0), min(size, self.cloud.page_size)
        return JobPage(
            tuple(jobs[start : start + size]), str(start + size) if start + size < len(jobs) else ""
        )

    def list_queues(
        self,
        bucket: str,
        *,
        queue_ids: Sequence[str] = (),
        state: str = "",
        page: int = 1,
        page_size: int = 10,
    ) -> QueuePage:
        with self.cloud.request("GET", bucket, "/asrqueue", self.region):
            queues = [queue for queue in self.cloud.queues if state in {"", queue.state}]
        queues = [queue for queue in queues if not queue_ids or queue.queue_id in queue_ids]
        return QueuePage(len(queues), tuple(queues), ())

    def _list_jobs(self, bucket: str) -> list[Job]:
        return [job for job in self.cloud.jobs.values() if self.cloud.get_job_bucket(job) == bucket]


def _parse_details(job: Job, detail_parser: Callable[[Any], Any] | None) -> Job:
    if job.result is None or detail_parser is None:
        return job
    return job._replace(result=job.result._replace(details=tuple(map(detail_parser, job.result.details))))


def _is_listed(job: Job, job_filter: JobFilter) -> bool:
    created = _parse_ci_time(job.created)
    return (
        job_filter.queue_id in {"", job.queue_id}
        and (not job_filter.states or job.state in job_filter.states)
        and (not job_filter.created_from or created >= _parse_ci_time(job_filter.created_from))
        and (not job_filter.created_to or created <= _parse_ci_time(job_filter.created_to))
    )


def _parse_ci_time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")


def raise_error(error: BaseException) -> Callable[[], NoReturn]:
    """Return a function that raises this error, for `before` and `after`."""

    def action() -> NoReturn:
        raise error

    return action


def build_test_settings(**settings: Any) -> Settings:
    """Build settings with one input bucket and one output bucket, overridden by these."""
    defaults: dict[str, Any] = {
        "input_buckets": (INPUT_BUCKET,),
        "callback_tokens": (CALLBACK_TOKEN,),
        "region": REGION,
        "output_bucket": OUTPUT_BUCKET,
    }
    return Settings(**{**defaults, **settings})


def build_test_context(
    cloud: FakeCloud, log_lines: list[dict[str, Any]] | None = None, **settings: Any
) -> Context:
    """Build a context on the fakes. Log lines are parsed and collected; the nonces of a cloud are n1, n2, and so on."""
    built = build_test_settings(**settings)
    lines = log_lines if log_lines is not None else []
    return Context(
        settings=built,
        input_cos=FakeCos(cloud, built.region),
        output_cos=FakeCos(cloud, built.output_region or built.region),
        speech=FakeSpeech(cloud, built.region),
        log=Logger({}, lambda line: lines.append(json.loads(line))),
        now=cloud.clock.now,
        create_nonce=lambda: f"n{next(cloud.nonce_numbers)}",
    )
