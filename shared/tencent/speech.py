"""The CI speech API: one method per endpoint of the published documents.

Jobs are asked for on the host of the recording's bucket. Every call raises the CloudError that fits, or OutOfTime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from shared.errors import OutcomeUnknown
from shared.tencent import speech_xml, xml
from shared.tencent.speech_values import (
    EnabledBucket,
    EnabledPage,
    FoundJobs,
    Job,
    JobFilter,
    JobPage,
    Queue,
    QueuePage,
    SpeechJob,
)
from shared.tencent.wire import Repeat, Request, Wire

UNREADABLE = "UnreadableAnswer"  # the code, of our own making, of an answer that is no XML
MOST_JOBS_A_PAGE = 100
MOST_BUCKETS_A_PAGE = 100


class Speech(NamedTuple):
    """Speech recognition in `region`; `jobs_path` is `asr_jobs` (2020, Python and Go SDK) or `jobs` (current pages)."""

    wire: Wire
    region: str
    jobs_path: str = "asr_jobs"

    def enable(self, bucket: str) -> EnabledBucket:
        """POST /asrbucket: switches the service on for a bucket, and makes its queue. Harmless when it is on."""
        # The 2020 form sends a body that names a bucket, current pages say there is none.
        response = self._ask("POST", self._host(bucket), "/asrbucket", about=bucket)
        return speech_xml.enabled_bucket(response)

    def enabled_buckets(
        self,
        *,
        regions: Sequence[str] = (),
        names: Sequence[str] = (),
        name_prefix: str = "",
        page: int = 1,
        page_size: int = MOST_BUCKETS_A_PAGE,
    ) -> EnabledPage:
        """GET /asrbucket: where speech recognition is on. `names` are exact, `name_prefix` is not."""
        response = self._bucket_list("/asrbucket", regions, names, name_prefix, page, page_size)
        return speech_xml.enabled_page(response, "AsrBucketList")

    def content_recognition_buckets(
        self,
        *,
        regions: Sequence[str] = (),
        names: Sequence[str] = (),
        name_prefix: str = "",
        page: int = 1,
        page_size: int = MOST_BUCKETS_A_PAGE,
    ) -> EnabledPage:
        """GET /ai_bucket: where the asynchronous AI content recognition is on."""
        response = self._bucket_list("/ai_bucket", regions, names, name_prefix, page, page_size)
        return speech_xml.enabled_page(response, "AiBucketList")

    def submit(self, bucket: str, job: SpeechJob) -> Job:
        """POST /asr_jobs. This is what costs money, so it is never repeated here.

        Raises OutcomeUnknown when a job may have been made: look for its `user_data` before trying again. Raises
        xml.NotXml for a key with a control character.
        """
        response = self._ask(
            "POST",
            self._host(bucket),
            f"/{self.jobs_path}",
            about=f"{bucket}/{job.input_key}",
            body=speech_xml.submit_body(job),
            repeat=Repeat.NEVER,
        )
        jobs = speech_xml.found_jobs(response).jobs
        if not jobs or not jobs[0].job_id:
            raise OutcomeUnknown(about=f"{bucket}/{job.input_key}", code="NoJobInAnswer")
        return jobs[0]

    def jobs(
        self, bucket: str, job_ids: Sequence[str], *, read_detail: xml.Reader | None = None
    ) -> FoundJobs:
        """GET /asr_jobs/<id>[,<id>...]: the truth about jobs.

        `read_detail` turns each ResultDetail into a value while the answer is read, so that hours of speech never
        stand in memory as raw mappings.
        """
        response = self._ask(
            "GET",
            self._host(bucket),
            f"/{self.jobs_path}/{','.join(job_ids)}",
            about=f"{bucket}, job {','.join(job_ids)}",
            readers={"ResultDetail": read_detail} if read_detail else None,
        )
        return speech_xml.found_jobs(response)

    def list_jobs(
        self, bucket: str, chosen: JobFilter, *, token: str = "", size: int = MOST_JOBS_A_PAGE
    ) -> JobPage:
        """GET /asr_jobs: a page of jobs without their results. Give `next_token` back as `token` for the next one."""
        parameters = {
            "tag": speech_xml.TAG,
            "queueId": chosen.queue_id,
            "orderByTime": "Desc" if chosen.newest_first else "Asc",
            "states": ",".join(chosen.states) or "All",
            "size": str(size),
            "nextToken": token,
            "startCreationTime": chosen.created_from,
            "endCreationTime": chosen.created_to,
        }
        response = self._ask(
            "GET",
            self._host(bucket),
            f"/{self.jobs_path}",
            about=f"{bucket}, jobs",
            parameters=parameters,
            readers={"SpeechRecognitionResult": _drop},
        )
        page = speech_xml.job_page(response)
        # A token that repeats, or a page with nothing on it, would go round for ever.
        return page if page.jobs and page.next_token != token else JobPage(page.jobs, "")

    def queues(
        self,
        bucket: str,
        *,
        queue_ids: Sequence[str] = (),
        state: str = "",
        page: int = 1,
        page_size: int = 10,
    ) -> QueuePage:
        """GET /asrqueue: the queues of a bucket. `state` is Active, Paused or "" for all."""
        parameters = {
            "queueIds": ",".join(queue_ids),
            "state": state,
            "pageNumber": str(page),
            "pageSize": str(page_size),
        }
        response = self._ask(
            "GET", self._host(bucket), "/asrqueue", about=f"{bucket}, queues", parameters=parameters
        )
        return speech_xml.queue_page(response)

    def update_queue(self, bucket: str, queue: Queue) -> Queue:
        """PUT /asrqueue/<id>: replaces name, state and notification, so read the queue first and change that."""
        response = self._ask(
            "PUT",
            self._host(bucket),
            f"/asrqueue/{queue.queue_id}",
            about=f"{bucket}, queue {queue.queue_id}",
            body=speech_xml.queue_body(queue),
        )
        return speech_xml.queue_of(xml.mapping(response.get("Queue")))

    def _host(self, bucket: str) -> str:
        return f"{bucket}.ci.{self.region}.myqcloud.com"

    def _bucket_list(
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
        host = f"ci.{self.region}.myqcloud.com"
        return self._ask("GET", host, path, about=f"{path} in {self.region}", parameters=parameters)

    def _ask(
        self,
        method: str,
        host: str,
        path: str,
        *,
        about: str,
        parameters: Mapping[str, str] | None = None,
        body: bytes = b"",
        repeat: Repeat = Repeat.ALWAYS,
        readers: Mapping[str, xml.Reader] | None = None,
    ) -> Mapping[str, Any]:
        """Sends it and gives the Response element. Parameters without a value are left out."""
        answer = self.wire.send(
            Request(
                method=method,
                host=host,
                path=path,
                about=about,
                parameters=tuple((name, value) for name, value in (parameters or {}).items() if value),
                headers={"Content-Type": "application/xml"},
                body=body,
                repeat=repeat,
            )
        )
        try:
            return xml.response(answer.body, "Response", readers=readers)
        except xml.NotXml as error:
            raise OutcomeUnknown(
                about=about,
                status=answer.status,
                code=UNREADABLE,
                message=str(error),
                request_id=answer.headers.get("x-ci-request-id", ""),
            ) from None


def _drop(_: Any) -> None:
    """A hundred results of hours each would not fit into a function's memory."""
