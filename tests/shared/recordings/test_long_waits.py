"""What waits has no deadline, and is reported after a day; what was taken out of INPUT_BUCKETS ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.errors import OutcomeUnknown, QueueFull, RequestRejected
from shared.recordings.context import Context
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED
from shared.recordings.submit import LONG_WAIT_S
from shared.recordings.sweep import reconcile
from shared.tencent.clock import parse_timestamp
from shared.tencent.speech import TOO_MANY_JOBS
from shared.tencent.speech_models import Job, JobFilter, JobPage, Queue
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, FakeCloud, raise_error
from tests.helpers.fakes import FakeSpeech
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses

A, KEY = b"words of the recording", "a.mp3"
SECOND_BUCKET = "calls-1250000000"
FULL = QueueFull(resource=KEY, status=403, code="QueueFull")
LOST = OutcomeUnknown(resource=KEY, code="NoAnswer")
WEEK_S = 7 * 86_400


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    return InMemoryPipeline(formats=("txt",))


def fill_queue(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.before("POST", "", raise_error(FULL), times=10_000)


def test_recording_that_waits_for_a_day_is_reported_once(pipeline: InMemoryPipeline) -> None:
    fill_queue(pipeline)
    pipeline.ctx = pipeline.build_context(max_in_flight=1)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.upload_and_ingest("other.mp3", A)
    assert pipeline.get_error(KEY) is None
    pipeline.cloud.clock.advance(LONG_WAIT_S + 1)
    for _ in range(4):
        pipeline.sweep_when_due()
    for key in (KEY, "other.mp3"):
        error = pipeline.get_error(key) or {}
        assert "more than a day" in error["message"]
        assert error["retried_automatically"]
    assert pipeline.get_events("error").count("recording_waits_long") == 2
    assert len(pipeline.list_open()) == 2
    assert pipeline.list_claims() == []


def test_reported_recording_is_transcribed_at_last(pipeline: InMemoryPipeline) -> None:
    fill_queue(pipeline)
    pipeline.upload_and_ingest(KEY, A)
    for _ in range(20):
        pipeline.cloud.clock.advance(WEEK_S / 20)
        pipeline.sweep()
    assert pipeline.get_error(KEY) is not None
    pipeline.cloud.clear_hooks()
    pipeline.settle()
    assert (pipeline.get_text(KEY), pipeline.get_error(KEY)) == (A.decode(), None)
    assert pipeline.count_jobs() == 1


def test_report_keeps_the_reason_of_a_refusal(pipeline: InMemoryPipeline) -> None:
    refusal = RequestRejected(resource=KEY, status=403, code="AccessDenied")
    pipeline.cloud.before("POST", "", raise_error(refusal), times=10_000)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(LONG_WAIT_S + 1)
    for _ in range(3):
        pipeline.sweep_when_due()
    assert (pipeline.get_error(KEY) or {})["code"] == "AccessDenied"


@pytest.mark.parametrize("number", range(12))
def test_report_beside_another_sweep_pays_once(number: int) -> None:
    pipeline = InMemoryPipeline(formats=("txt",))
    fill_queue(pipeline)
    pipeline.ctx = pipeline.build_context(max_in_flight=1)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.upload_and_ingest("other.mp3", A)
    pipeline.cloud.clock.advance(LONG_WAIT_S + 1)
    pipeline.cloud.clear_hooks()

    def sweep() -> None:
        reconcile(pipeline.build_context())

    pipeline.cloud.before("", "", sweep, skip=number)
    pipeline.sweep()
    pipeline.settle()
    assert pipeline.count_jobs() == 2
    assert {pipeline.get_text(key) for key in (KEY, "other.mp3")} == {A.decode()}


def build_context(pipeline: InMemoryPipeline, deployment: str, *buckets: str) -> Context:
    ctx = pipeline.build_context(input_buckets=buckets, formats=("txt",))
    ctx.deployment = deployment
    return ctx


def build_two_buckets() -> InMemoryPipeline:
    cloud = FakeCloud(buckets={INPUT_BUCKET: {}, SECOND_BUCKET: {}, OUTPUT_BUCKET: {}})
    pipeline = InMemoryPipeline(cloud)
    pipeline.ctx = build_context(pipeline, "ours", INPUT_BUCKET)
    return pipeline


def test_paid_job_of_a_removed_bucket_is_finished() -> None:
    pipeline = build_two_buckets()
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.cloud.clock.advance(DUE_S)
    reconcile(build_context(pipeline, "ours", SECOND_BUCKET))
    assert pipeline.list_keys("transcripts/") == [f"transcripts/{INPUT_BUCKET}/{KEY}.txt"]
    assert pipeline.list_open() == []


def test_job_of_a_removed_bucket_that_may_not_be_read_is_reported_in_the_end() -> None:
    pipeline = build_two_buckets()
    pipeline.upload_and_ingest(KEY, A)
    ctx = build_context(pipeline, "ours", SECOND_BUCKET)
    denied = RequestRejected(resource=INPUT_BUCKET, status=403, code="AccessDenied")
    pipeline.cloud.before("GET", "/asr_jobs", raise_error(denied), times=99)
    pipeline.cloud.before("HEAD", KEY, raise_error(denied), times=99)
    pipeline.cloud.clock.advance(DUE_S)
    assert reconcile(ctx).errors == 1
    pipeline.cloud.clock.advance(2 * 86_400)
    reconcile(ctx)
    assert pipeline.list_keys("transcripts/") == [f"transcripts/{INPUT_BUCKET}/{KEY}.error.json"]
    assert pipeline.get_done().state is FAILED


def test_recording_of_a_removed_bucket_that_was_not_submitted_costs_nothing_and_is_reported() -> None:
    pipeline = build_two_buckets()
    pipeline.cloud.before("POST", "", raise_error(FULL))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(DUE_S)
    reconcile(build_context(pipeline, "ours", SECOND_BUCKET))
    assert pipeline.list_keys("transcripts/") == [f"transcripts/{INPUT_BUCKET}/{KEY}.error.json"]
    assert pipeline.count_jobs() == 0
    assert pipeline.list_open() == []


@pytest.mark.parametrize("deployment", ["others", ""])
def test_receipts_of_another_deployment_are_left_alone(deployment: str) -> None:
    pipeline = build_two_buckets()
    pipeline.ctx.deployment = deployment
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.cloud.clock.advance(DUE_S)
    assert reconcile(build_context(pipeline, "ours", SECOND_BUCKET)).counts == {}
    assert len(pipeline.list_open()) == 1
    pipeline.sweep()
    assert pipeline.list_open() == []


class Pages(FakeSpeech):
    """A list of jobs whose pages are as they may be: empty in between, in a queue that is listed second."""

    def list_jobs(self, bucket: str, job_filter: JobFilter, *, token: str = "", size: int = 100) -> JobPage:
        if token == "":
            super().list_jobs(bucket, job_filter)
            return JobPage((), "first")
        return super().list_jobs(bucket, job_filter, token="" if token == "first" else token, size=size)


QUEUES = (Queue("theirs", "", "Active"), Queue("ours", "", "Active"))


@pytest.mark.parametrize("queue_id", ["", "ours", "a-new-one"])
@pytest.mark.parametrize("clock_s", [0, -200, -600, 240])
def test_lost_job_is_found_on_any_page_of_any_queue_by_any_clock(queue_id: str, clock_s: int) -> None:
    pipeline = InMemoryPipeline(FakeCloud(queues=list(QUEUES)), formats=("txt",))
    pipeline.ctx.speech = Pages(pipeline.cloud)
    pipeline.cloud.after("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    job = pipeline.cloud.jobs["s1"]
    assert job.queue_id == "theirs"
    pipeline.cloud.jobs["s1"] = job._replace(queue_id="ours")
    # The function's clock differs from the service's.
    pipeline.put_open(shift_times(pipeline, clock_s))
    pipeline.ctx = pipeline.build_context(queue_id=queue_id, formats=("txt",))
    pipeline.ctx.speech = Pages(pipeline.cloud)
    pipeline.cloud.clock.advance(1000)
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert pipeline.get_text(KEY) == A.decode()


def shift_times(pipeline: InMemoryPipeline, seconds: int):  # type: ignore[no-untyped-def] # noqa: ANN201
    receipt = pipeline.get_open()
    return receipt._replace(
        created_s=receipt.created_s + seconds, lease_expires_s=receipt.lease_expires_s + seconds
    )


class EndlessJobs(FakeSpeech):
    """A bucket with more jobs in any time than a search may read."""

    def iter_jobs(self, bucket: str, job_filter: JobFilter, *, max_pages: int = 100) -> Iterator[Job]:
        yield from ()
        raise OutcomeUnknown(resource=bucket, code=TOO_MANY_JOBS)


def test_attempt_whose_search_never_ends_is_reported_and_never_paid_again(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.after("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.ctx.speech = EndlessJobs(pipeline.cloud)
    pipeline.cloud.clock.advance(LONG_WAIT_S + 1)
    for _ in range(3):
        assert pipeline.sweep_when_due().errors
    assert "more than a day" in (pipeline.get_error(KEY) or {})["message"]
    pipeline.ctx.speech = FakeSpeech(pipeline.cloud)
    pipeline.settle()
    assert (pipeline.get_text(KEY), pipeline.get_error(KEY)) == (A.decode(), None)
    assert pipeline.count_jobs() == 1


class CrowdedJobs(FakeSpeech):
    """A list that ends early unless it is for a short time."""

    def iter_jobs(self, bucket: str, job_filter: JobFilter, *, max_pages: int = 100) -> Iterator[Job]:
        times = [parse_timestamp(text) for text in (job_filter.created_from, job_filter.created_to)]
        if times[1] - times[0] > 200:
            raise OutcomeUnknown(resource=bucket, code=TOO_MANY_JOBS)
        yield from super().iter_jobs(bucket, job_filter, max_pages=max_pages)


def test_lost_job_is_found_among_more_jobs_than_one_search_reads(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.after("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.ctx.speech = CrowdedJobs(pipeline.cloud)
    pipeline.settle()
    assert pipeline.count_jobs() == 1


def test_lost_job_of_a_removed_bucket_is_found_before_it_is_given_up() -> None:
    pipeline = build_two_buckets()
    pipeline.cloud.after("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    for _ in range(2):
        pipeline.cloud.clock.advance(DUE_S)
        reconcile(build_context(pipeline, "ours", SECOND_BUCKET))
    assert pipeline.list_keys("transcripts/") == [f"transcripts/{INPUT_BUCKET}/{KEY}.txt"]
    assert pipeline.count_jobs() == 1


DENIED = RequestRejected(resource=INPUT_BUCKET, status=403, code="AccessDenied")


def lose_job_of_removed_bucket() -> InMemoryPipeline:
    """Submit a job whose answer is lost, then take its bucket out of INPUT_BUCKETS."""
    pipeline = build_two_buckets()
    pipeline.cloud.after("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.ctx = build_context(pipeline, "ours", SECOND_BUCKET)
    return pipeline


@pytest.mark.parametrize("path", ["/asrqueue", "/asr_jobs"])
def test_lost_job_of_a_removed_bucket_is_not_given_up_while_jobs_may_not_be_listed(path: str) -> None:
    pipeline = lose_job_of_removed_bucket()
    pipeline.cloud.before("GET", path, raise_error(DENIED))
    assert pipeline.sweep_when_due().errors == 1
    assert len(pipeline.list_open()) == 1
    pipeline.settle()
    assert pipeline.list_keys("transcripts/") == [f"transcripts/{INPUT_BUCKET}/{KEY}.txt"]
    assert pipeline.count_jobs() == 1


def test_lost_job_of_a_removed_bucket_is_reported_if_jobs_may_not_be_listed_for_a_day() -> None:
    pipeline = lose_job_of_removed_bucket()
    pipeline.cloud.before("GET", "/asr_jobs", raise_error(DENIED), times=99)
    pipeline.cloud.clock.advance(LONG_WAIT_S + 1)
    assert count_statuses(pipeline.sweep()) == {Status.FAILED: 1}
    assert pipeline.list_keys("transcripts/") == [f"transcripts/{INPUT_BUCKET}/{KEY}.error.json"]
    assert (pipeline.list_open(), pipeline.get_done().state) == ([], FAILED)
