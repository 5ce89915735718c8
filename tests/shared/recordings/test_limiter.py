"""How many deferred recordings a sweep submits: never more than the queue has room for."""

from __future__ import annotations

import pytest

from shared.errors import Throttled
from shared.recordings.limiter import InFlightLimiter
from shared.recordings.models import Status
from shared.tencent.speech_models import JobRequest, Queue
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, REGION, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline, count_statuses

BUSY = Throttled(resource=INPUT_BUCKET, status=503, code="SlowDown")


def add_jobs(pipeline: InMemoryPipeline, count: int, queue_id: str = "p1") -> None:
    for _ in range(count):
        request = JobRequest("other.mp3", OUTPUT_BUCKET, REGION, "raw.txt", "16k_zh", queue_id=queue_id)
        pipeline.cloud.add_job(INPUT_BUCKET, request)


def count_slots(pipeline: InMemoryPipeline) -> int:
    """Take slots until none is left."""
    limiter = InFlightLimiter(pipeline.ctx)
    slots = 0
    while limiter.acquire(INPUT_BUCKET):
        slots += 1
        assert slots <= 1000
    return slots


@pytest.mark.parametrize(
    ("max_in_flight", "max_size", "max_concurrent", "slots"),
    [
        (0, 1000, 5, 100),  # 20 jobs for each worker
        (0, 1000, 0, 20),
        (0, 30, 5, 30),  # the queue's size
        (0, 0, 5, 20),  # unknown size
        (50, 1000, 5, 50),  # the operator's limit
        (500, 1000, 5, 500),
        (500, 200, 5, 200),  # the operator's limit, but no more than the queue takes
        (500, 0, 5, 20),
    ],
)
def test_limit_comes_from_the_settings_and_the_queue(
    max_in_flight: int, max_size: int, max_concurrent: int, slots: int
) -> None:
    pipeline = InMemoryPipeline(max_in_flight=max_in_flight)
    pipeline.cloud.queues = [Queue("p1", "queue", "Active", max_size=max_size, max_concurrent=max_concurrent)]
    assert count_slots(pipeline) == slots


@pytest.mark.parametrize(
    ("state", "slots"),
    [("Submitted", 6), ("Running", 6), ("Pause", 6), ("Success", 10), ("Failed", 10), ("Cancel", 10)],
)
def test_job_that_waits_in_a_paused_queue_takes_a_slot(state: str, slots: int) -> None:
    pipeline = InMemoryPipeline(max_in_flight=10)
    add_jobs(pipeline, 4)
    for job_id, job in pipeline.cloud.jobs.items():
        pipeline.cloud.jobs[job_id] = job._replace(state=state)
    assert count_slots(pipeline) == slots


def test_sweeps_add_nothing_to_a_paused_queue_that_is_full() -> None:
    pipeline = InMemoryPipeline(max_in_flight=2)
    pipeline.cloud.before("POST", "", raise_error(BUSY), times=4)
    for number in range(4):
        pipeline.upload_and_ingest(f"{number}.mp3", b"words")
    for _ in range(3):
        pipeline.sweep_when_due()
        for job_id, job in pipeline.cloud.jobs.items():
            pipeline.cloud.jobs[job_id] = job._replace(state="Pause")
    assert pipeline.count_jobs() == 2


@pytest.mark.parametrize(("unfinished", "slots"), [(0, 10), (4, 6), (10, 0), (40, 0)])
def test_unfinished_jobs_take_slots(unfinished: int, slots: int) -> None:
    pipeline = InMemoryPipeline(max_in_flight=10)
    add_jobs(pipeline, unfinished)
    assert count_slots(pipeline) == slots


def test_finished_jobs_and_jobs_of_other_queues_take_none() -> None:
    pipeline = InMemoryPipeline(max_in_flight=10)
    add_jobs(pipeline, 3)
    pipeline.cloud.run_jobs()
    add_jobs(pipeline, 3, "p2")
    assert count_slots(pipeline) == 10


def test_queue_of_the_settings_decides() -> None:
    pipeline = InMemoryPipeline(queue_id="p2")
    pipeline.cloud.queues = [
        Queue("p1", "first", "Active", max_size=1000, max_concurrent=5),
        Queue("p2", "second", "Active", max_size=7, max_concurrent=5),
    ]
    add_jobs(pipeline, 3, "p2")
    assert count_slots(pipeline) == 4


def test_without_a_queue_the_setting_decides() -> None:
    pipeline = InMemoryPipeline(max_in_flight=3)
    pipeline.cloud.queues.clear()
    add_jobs(pipeline, 1)
    assert count_slots(pipeline) == 2


def test_jobs_are_counted_once_and_only_up_to_the_limit() -> None:
    pipeline = InMemoryPipeline(max_in_flight=5)
    pipeline.cloud.page_size = 2
    add_jobs(pipeline, 40)
    assert count_slots(pipeline) == 0
    assert [request.key for request in pipeline.take_requests()] == ["/asrqueue", *["/asr_jobs"] * 3]


def defer_many(pipeline: InMemoryPipeline, count: int) -> None:
    for number in range(count):
        pipeline.cloud.before("POST", "", raise_error(BUSY))
        result = pipeline.upload_and_ingest(f"{number}.mp3", b"%d" % number)
        assert result.status is Status.DEFERRED


def test_sweep_submits_only_what_the_limit_allows() -> None:
    pipeline = InMemoryPipeline(max_in_flight=2)
    defer_many(pipeline, 5)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.SUBMITTED: 2, Status.DEFERRED: 3}
    assert pipeline.count_jobs() == 2
    pipeline.settle()
    assert pipeline.count_jobs() == 5
    assert [pipeline.get_text(f"{number}.mp3") for number in range(5)] == ["0", "1", "2", "3", "4"]


def test_deferred_recordings_wait_for_a_slot_without_a_deadline() -> None:
    pipeline = InMemoryPipeline(max_in_flight=2)
    defer_many(pipeline, 3)
    pipeline.cloud.clock.advance(90_000)
    assert count_statuses(pipeline.sweep()) == {Status.SUBMITTED: 2, Status.DEFERRED: 1}


def test_queue_that_cannot_be_queried_gets_no_job_and_stops_nothing_else(pipeline: InMemoryPipeline) -> None:
    defer_many(pipeline, 2)
    pipeline.upload_and_ingest("submitted.mp3", b"words")
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("GET", "/asrqueue", raise_error(BUSY))
    pipeline.take_requests()
    summary = pipeline.sweep_when_due()
    assert count_statuses(summary) == {Status.TRANSCRIBED: 1, Status.DEFERRED: 2}
    assert summary.errors == 1
    assert pipeline.get_events("error") == ["queue_lookup_failed"]
    assert pipeline.count_jobs() == 1
    pipeline.settle()
    assert pipeline.count_jobs() == 3


@pytest.mark.parametrize("bad", [60, 150])
def test_recordings_refused_for_their_own_reasons_hold_up_no_other(bad: int) -> None:
    """Neither one whose upload died before its submit, nor one whose cause was removed."""
    pipeline = InMemoryPipeline(formats=("txt",))
    keys = [f"a/{number:03}.mp3" for number in range(bad)]
    pipeline.cloud.refused_keys.update(keys)
    for key in keys:
        pipeline.upload_and_ingest(key, b"words")
    pipeline.upload("b/good.mp3", b"good words")
    pipeline.put_open(pipeline.build_receipt("b/good.mp3", b"good words"))
    pipeline.sweep_when_due()
    pipeline.cloud.run_jobs()
    pipeline.sweep_when_due()
    assert pipeline.get_text("b/good.mp3") == "good words"
    pipeline.cloud.refused_keys.discard(keys[-1])
    for _ in range(24 * 12):
        pipeline.cloud.clock.advance(301)
        pipeline.sweep()
        pipeline.cloud.run_jobs()
    assert pipeline.get_text(keys[-1]) == "words"
