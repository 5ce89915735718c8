"""Clients of the in-memory COS and CI, and a context that uses them: no request, no process, no pause."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from shared.errors import AlreadyExists, NotFound, QueueFull, RequestRejected
from shared.logger import Logger
from shared.recordings.context import Context, VersionedBuckets
from shared.settings import Settings
from shared.tencent.client import MAX_BODY_BYTES, TOO_LARGE
from shared.tencent.cos import CosClient, ListPage, ObjectContent, ObjectMetadata, ObjectSummary, PutResult
from shared.tencent.speech import SpeechClient
from shared.tencent.speech_models import (
    FINAL_STATES,
    Job,
    JobFilter,
    JobLookup,
    JobPage,
    JobRequest,
    QueuePage,
)
from shared.tencent.xml import XmlError
from tests.helpers.fake_cloud import (
    CALLBACK_TOKEN,
    INPUT_BUCKET,
    OUTPUT_BUCKET,
    REGION,
    FakeCloud,
    StoredObject,
)


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
        has_id = is_versioned and bucket not in self.cloud.suspended
        return PutResult(stored.etag, f"version-{len(self.cloud.requests)}" if has_id else "")

    def get(self, bucket: str, key: str, *, max_bytes: int = MAX_BODY_BYTES) -> ObjectContent:
        with self.cloud.request("GET", bucket, key, self.region):
            stored = self._load(bucket, key)
            if len(stored.body) > max_bytes:
                raise RequestRejected(resource=f"{bucket}/{key}", status=200, code=TOO_LARGE)
            return ObjectContent(_as_metadata(stored), stored.body)

    def head(self, bucket: str, key: str) -> ObjectMetadata:
        with self.cloud.request("HEAD", bucket, key, self.region):
            return _as_metadata(self._load(bucket, key))

    def delete(self, bucket: str, key: str) -> None:
        with self.cloud.request("DELETE", bucket, key, self.region):
            self.cloud.buckets[bucket].pop(key, None)

    def list_objects(
        self, bucket: str, *, prefix: str = "", delimiter: str = "", marker: str = "", limit: int = 1000
    ) -> ListPage:
        assert not delimiter, "nothing below shared/recordings lists folders"
        page_size = min(limit, self.cloud.page_size)
        with self.cloud.request("LIST", bucket, prefix, self.region):
            after = _as_utf8(marker)
            keys = [key for key in self.cloud.buckets[bucket] if key.startswith(prefix)]
            keys = sorted((key for key in keys if _as_utf8(key) > after), key=_as_utf8)
            objects = tuple(self._summarize(bucket, key) for key in keys[:page_size])
        return ListPage(objects, (), objects[-1].key if len(keys) > page_size else "")

    def has_versioning(self, bucket: str) -> bool:
        with self.cloud.request("GET", bucket, "?versioning", self.region):
            return bucket in self.cloud.versioned

    def _summarize(self, bucket: str, key: str) -> ObjectSummary:
        stored = self.cloud.buckets[bucket][key]
        modified = datetime.fromtimestamp(stored.modified_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return ObjectSummary(key, stored.etag, stored.size, modified, stored.storage)

    def _load(self, bucket: str, key: str) -> StoredObject:
        if key not in self.cloud.buckets[bucket]:
            raise NotFound(resource=f"{bucket}/{key}", status=404, code="NoSuchKey")
        stored = self.cloud.buckets[bucket][key]
        if stored.refused:
            raise RequestRejected(resource=f"{bucket}/{key}", status=stored.refused)
        return stored


def _as_utf8(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _as_metadata(stored: StoredObject) -> ObjectMetadata:
    return ObjectMetadata(
        stored.etag,
        stored.size,
        stored.content_type,
        float(stored.modified_s),
        stored.metadata,
        stored.storage,
        stored.restore,
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
            if job.input_key in self.cloud.refused_keys:
                raise RequestRejected(resource=bucket, status=403, code="ResourceAccessDenied")
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


class WarmVersionedBuckets(VersionedBuckets):
    """What a process knows that has checked its buckets a moment ago: no request."""

    def __init__(self, cloud: FakeCloud) -> None:
        super().__init__()
        self._cloud = cloud

    def check(self, cos: CosClient, bucket: str, now_s: float) -> bool:
        return bucket in self._cloud.versioned


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
    """Build a context on the fakes. Log lines are parsed and collected; secrets are secret-1, secret-2, and so on."""
    built = build_test_settings(**settings)
    lines = log_lines if log_lines is not None else []
    return Context(
        settings=built,
        input_cos=FakeCos(cloud, built.region),
        output_cos=FakeCos(cloud, built.output_region or built.region),
        speech=FakeSpeech(cloud, built.region),
        log=Logger({}, lambda line: lines.append(json.loads(line))),
        now=cloud.clock.now,
        create_secret=lambda: f"secret-{next(cloud.secret_numbers)}",
        versioned_buckets=WarmVersionedBuckets(cloud),
        known_templates={},
    )
