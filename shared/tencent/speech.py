"""The CI speech API: one method per endpoint of the published documents. `speech_xml.py` has its XML.

Job requests go to the host of the recording's bucket. Every call raises a CloudError or DeadlineExceeded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.errors import OutcomeUnknown
from shared.tencent import xml
from shared.tencent.client import MAX_BODY_BYTES, MAX_RESPONSE_S, Request, RetryPolicy, TencentClient
from shared.tencent.hosts import build_ci_account_host, build_ci_host
from shared.tencent.speech_models import (
    TAG,
    BucketPage,
    Job,
    JobFilter,
    JobLookup,
    JobPage,
    JobRequest,
    Queue,
    QueuePage,
    SpeechBucket,
)
from shared.tencent.speech_xml import (
    build_queue_body,
    build_submit_body,
    parse_bucket,
    parse_bucket_page,
    parse_job_page,
    parse_jobs,
    parse_queue,
    parse_queue_page,
)
from shared.tencent.xml import as_mapping

TOO_MANY_JOBS = "TooManyJobs"  # Scribe's own code for a list that is longer than what may be read
MAX_JOBS_PER_PAGE = 100
MAX_BUCKETS_PER_PAGE = 100
MAX_QUEUES_PER_PAGE = 100
RESULT_TIMEOUT_S = 40.0  # for reading results of several hours
MAX_JOB_PAGES, MAX_QUEUE_PAGES = 100, 10
MAX_RESULT_BYTES = (
    48 * 1024 * 1024
)  # results are parsed while they are received; five hours of speech are 13 MB

# A hundred results of hours each would not fit into a function's memory.
_WITHOUT_RESULTS = dict.fromkeys(("SpeechRecognitionResult", "ResultDetail", "FlashResult"), xml.drop_element)

# The CAM action of each request, by its method and the first part of its path, and whether an id follows (CI document
# 1045/49896; of `jobs`, 436/120621).
_ACTIONS = {
    ("POST", "asrbucket", False): "CreateAsrBucket",
    ("GET", "asrbucket", False): "DescribeAsrBuckets",
    ("GET", "ai_bucket", False): "DescribeAiProcessBucket",
    ("POST", "asr_jobs", False): "CreateAsrJobs",
    ("GET", "asr_jobs", True): "DescribeAsrJob",
    ("GET", "asr_jobs", False): "DescribeAsrJobs",
    ("POST", "jobs", False): "CreateAsrJobs",
    ("GET", "jobs", True): "DescribeMediaJob",
    ("GET", "jobs", False): "DescribeMediaJobs",
    ("GET", "asrqueue", False): "DescribeAsrQueues",
    ("PUT", "asrqueue", True): "UpdateAsrQueue",
}


class SpeechClient:
    """Calls the speech API in `region`.

    `jobs_path` is `asr_jobs` (2020, Python and Go SDK) or `jobs` (current pages).
    """

    def __init__(self, client: TencentClient, region: str, jobs_path: str = "asr_jobs") -> None:
        self.client = client
        self.region = region
        self.jobs_path = jobs_path

    def for_region(self, region: str) -> SpeechClient:
        """Return a client for another region."""
        return SpeechClient(self.client, region, self.jobs_path)

    def enable_bucket(self, bucket: str) -> SpeechBucket:
        """POST /asrbucket: enable the service for a bucket and create its queue. Harmless if it is enabled already."""
        # The 2020 form sends a body that names a bucket; current pages have no body.
        response = self._send("POST", self._bucket_host(bucket), "/asrbucket", resource=bucket)
        return parse_bucket(response)

    def list_buckets(
        self,
        *,
        regions: Sequence[str] = (),
        names: Sequence[str] = (),
        name_prefix: str = "",
        page: int = 1,
        page_size: int = MAX_BUCKETS_PER_PAGE,
    ) -> BucketPage:
        """GET /asrbucket: list buckets with speech recognition. `names` match exactly, `name_prefix` does not."""
        response = self._get_bucket_list("/asrbucket", regions, names, name_prefix, page, page_size)
        return parse_bucket_page(response, "AsrBucketList")

    def list_ai_buckets(
        self,
        *,
        regions: Sequence[str] = (),
        names: Sequence[str] = (),
        name_prefix: str = "",
        page: int = 1,
        page_size: int = MAX_BUCKETS_PER_PAGE,
    ) -> BucketPage:
        """GET /ai_bucket: list buckets with asynchronous AI content recognition."""
        response = self._get_bucket_list("/ai_bucket", regions, names, name_prefix, page, page_size)
        return parse_bucket_page(response, "AiBucketList")

    def create_job(self, bucket: str, job: JobRequest) -> Job:
        """POST /asr_jobs. This request costs money, so it is never retried here.

        Raises OutcomeUnknown if a job may have been created: look for its `user_data` before the next try. Raises
        xml.XmlError for a key with a control character.
        """
        resource = f"{bucket}/{job.input_key}"
        response = self._send(
            "POST",
            self._bucket_host(bucket),
            f"/{self.jobs_path}",
            resource=resource,
            body=build_submit_body(job),
            retry=RetryPolicy.NON_IDEMPOTENT,
        )
        jobs = parse_jobs(response).jobs
        if not jobs or not jobs[0].job_id:
            raise OutcomeUnknown(resource=resource, code="NoJobInAnswer")
        return jobs[0]

    def get_jobs(
        self, bucket: str, job_ids: Sequence[str], *, detail_parser: xml.ElementParser | None = None
    ) -> JobLookup:
        """GET /asr_jobs/<id>[,<id>...]: return the jobs with their results.

        `detail_parser` converts each ResultDetail to a value while the response is parsed, so that hours of speech are
        never held as raw mappings.
        """
        response = self._send(
            "GET",
            self._bucket_host(bucket),
            f"/{self.jobs_path}/{','.join(job_ids)}",
            resource=f"{bucket}, job {','.join(job_ids)}",
            parsers={"ResultDetail": detail_parser} if detail_parser else {},
            timeout_s=RESULT_TIMEOUT_S,
        )
        return parse_jobs(response)

    def list_jobs(
        self, bucket: str, job_filter: JobFilter, *, token: str = "", size: int = MAX_JOBS_PER_PAGE
    ) -> JobPage:
        """GET /asr_jobs: return a page of jobs without results. Pass `next_token` as `token` for the next page."""
        parameters = {
            "tag": TAG,
            "queueId": job_filter.queue_id,
            "orderByTime": "Desc" if job_filter.newest_first else "Asc",
            "states": ",".join(job_filter.states) or "All",
            "size": str(size),
            "nextToken": token,
            "startCreationTime": job_filter.created_from,
            "endCreationTime": job_filter.created_to,
        }
        response = self._send(
            "GET",
            self._bucket_host(bucket),
            f"/{self.jobs_path}",
            resource=f"{bucket}, jobs",
            parameters=parameters,
            parsers=_WITHOUT_RESULTS,
        )
        return parse_job_page(response)

    def iter_jobs(
        self, bucket: str, job_filter: JobFilter, *, max_pages: int = MAX_JOB_PAGES
    ) -> Iterator[Job]:
        """Yield the jobs of all pages, without results.

        Raises OutcomeUnknown if the list has more pages or cannot be followed: a job that is not found would not mean
        that there is none.
        """
        tokens = {""}
        token = ""
        for _ in range(max_pages):
            page = self.list_jobs(bucket, job_filter, token=token)
            yield from page.jobs
            token = page.next_token
            if not token:
                return
            if token in tokens:
                raise _build_list_error(
                    f"{bucket}, jobs", "BadListing", "it names a page that was read already"
                )
            tokens.add(token)
        raise _build_list_error(f"{bucket}, jobs", TOO_MANY_JOBS, f"it has more than {max_pages} pages")

    def list_queues(
        self,
        bucket: str,
        *,
        queue_ids: Sequence[str] = (),
        state: str = "",
        page: int = 1,
        page_size: int = 10,
    ) -> QueuePage:
        """GET /asrqueue: list the queues of a bucket. `state` is Active, Paused or "" for all."""
        parameters = {
            "queueIds": ",".join(queue_ids),
            "state": state,
            "pageNumber": str(page),
            "pageSize": str(page_size),
        }
        response = self._send(
            "GET",
            self._bucket_host(bucket),
            "/asrqueue",
            resource=f"{bucket}, queues",
            parameters=parameters,
        )
        return parse_queue_page(response)

    def iter_queues(self, bucket: str) -> Iterator[Queue]:
        """Yield every queue of a bucket. Raises OutcomeUnknown if the pages do not have as many as the list says."""
        queue_ids: set[str] = set()
        resource = f"{bucket}, queues"
        for number in range(1, MAX_QUEUE_PAGES + 1):
            page = self.list_queues(bucket, page=number, page_size=MAX_QUEUES_PER_PAGE)
            new_queues = [queue for queue in page.queues if queue.queue_id not in queue_ids]
            queue_ids.update(queue.queue_id for queue in new_queues)
            yield from new_queues
            if not page.total and (not new_queues or len(page.queues) < MAX_QUEUES_PER_PAGE):
                return  # the list does not say how many there are, and this is its last page
            if page.total and len(queue_ids) >= page.total:
                return
            if not new_queues:
                counts = f"{len(queue_ids)} of {page.total} queues"
                raise _build_list_error(resource, "BadListing", f"its pages show {counts}")
        raise _build_list_error(resource, "TooManyQueues", f"it has more than {MAX_QUEUE_PAGES} pages")

    def update_queue(self, bucket: str, queue: Queue) -> Queue:
        """PUT /asrqueue/<id>: replace name, state and notification. Read the queue first and change that value."""
        response = self._send(
            "PUT",
            self._bucket_host(bucket),
            f"/asrqueue/{queue.queue_id}",
            resource=f"{bucket}, queue {queue.queue_id}",
            body=build_queue_body(queue),
        )
        return parse_queue(as_mapping(response.get("Queue")))

    def _bucket_host(self, bucket: str) -> str:
        return build_ci_host(bucket, self.region)

    def _get_bucket_list(
        self,
        path: str,
        regions: Sequence[str],
        names: Sequence[str],
        name_prefix: str,
        page: int,
        page_size: int,
    ) -> Mapping[str, Any]:
        parameters = {
            "regions": ",".join(regions),
            "bucketNames": ",".join(names),
            "bucketName": name_prefix,
            "pageNumber": str(page),
            "pageSize": str(page_size),
        }
        host = build_ci_account_host(self.region)
        return self._send("GET", host, path, resource=f"{path} in {self.region}", parameters=parameters)

    def _send(
        self,
        method: str,
        host: str,
        path: str,
        *,
        resource: str,
        parameters: Mapping[str, str] | None = None,
        body: bytes = b"",
        retry: RetryPolicy = RetryPolicy.IDEMPOTENT,
        parsers: Mapping[str, xml.ElementParser] | None = None,
        timeout_s: float = MAX_RESPONSE_S,
    ) -> Mapping[str, Any]:
        """Send a request and return the Response element. Parameters without a value are left out.

        With `parsers`, even if there are none in it, the response may be long and is parsed while it is received.
        """

        def parse(body: Iterator[bytes]) -> Mapping[str, Any]:
            document = xml.parse(b"".join(body)) if parsers is None else xml.parse_stream(body, parsers)
            return xml.get_root(document, "Response")

        return self.client.stream(
            Request(
                method=method,
                host=host,
                path=path,
                resource=resource,
                parameters=tuple((name, value) for name, value in (parameters or {}).items() if value),
                headers={"Content-Type": "application/xml"},
                body=body,
                retry=retry,
                timeout_s=timeout_s,
                max_bytes=MAX_BODY_BYTES if parsers is None else MAX_RESULT_BYTES,
                action=_get_action(method, path),
            ),
            parse,
        )


def _build_list_error(resource: str, code: str, message: str) -> OutcomeUnknown:
    return OutcomeUnknown(resource=resource, code=code, message=f"the list is not complete: {message}")


def _get_action(method: str, path: str) -> str:
    _, first, *rest = path.split("/", 2)
    return f"ci:{_ACTIONS[method, first, bool(rest)]}"
