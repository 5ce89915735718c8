"""Invocations that are slower than their lease or than another one: what the other did stays, and is paid once."""

from __future__ import annotations

from functools import partial

import pytest

from shared.errors import OutcomeUnknown, QueueFull, Throttled
from shared.recordings.models import Result, Status
from shared.recordings.receipt import FAILED, TRANSCRIBED
from shared.recordings.resume import resume_attempt
from shared.recordings.submit import LONG_WAIT_S
from shared.recordings.sweep import reconcile
from shared.tencent.speech_models import JobFilter, JobPage, JobRequest
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, REGION, raise_error
from tests.helpers.fakes import FakeSpeech
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline, count_statuses
from tests.helpers.interleaving import run_interleaved

KEY, A = "calls/a.mp3", b"words of the recording"
LOST = OutcomeUnknown(resource=KEY, code="NoAnswer")
FULL = QueueFull(resource=KEY, status=403, code="QueueFull")
DAY_S = 86_400


def sweep_after_lease(pipeline: InMemoryPipeline) -> None:
    """Let the lease expire, and let another sweep do what it can."""
    pipeline.cloud.clock.advance(DUE_S)
    reconcile(pipeline.build_context())


def assert_paid(pipeline: InMemoryPipeline, jobs: int = 1) -> None:
    pipeline.settle()
    assert pipeline.get_text(KEY) == A.decode()
    assert pipeline.get_error(KEY) is None
    assert pipeline.list_claims() == []
    assert pipeline.count_jobs() == jobs


@pytest.mark.parametrize("is_submitted", [True, False])
def test_owner_whose_search_outlasts_its_lease_writes_nothing(
    pipeline: InMemoryPipeline, is_submitted: bool
) -> None:
    (pipeline.cloud.after if is_submitted else pipeline.cloud.before)("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    objects: dict[str, object] = {}

    def list_late() -> None:
        sweep_after_lease(pipeline)  # it finds the job or submits one, and notes it
        objects.update(pipeline.cloud.buckets[OUTPUT_BUCKET])

    # The first list of jobs is for the free places of the queue.
    pipeline.cloud.after("GET", "/asr_jobs", list_late, skip=1)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.IN_PROGRESS: 1}
    assert pipeline.get_events("warning")[-1] == "attempt_too_slow"
    assert pipeline.get_open().job_id == "s1"
    assert pipeline.cloud.buckets[OUTPUT_BUCKET] == objects
    assert_paid(pipeline)


def test_third_sweep_does_not_continue_beside_the_one_that_took_over(pipeline: InMemoryPipeline) -> None:
    """The first one, whose lease expired, leaves its claim: the number of the second one's counts on it."""
    pipeline.cloud.before("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    receipt = pipeline.get_open()

    def resume(*, wait_s: float = 0.0) -> Result:
        pipeline.cloud.clock.advance(wait_s)
        return resume_attempt(pipeline.build_context(), receipt)

    # The first claims, then lists jobs; then the second claims; the first ends; the third begins and ends.
    order = [*[0] * 5, *[1] * 7, *[0] * 2, *[2] * 20]
    results = run_interleaved(
        pipeline.cloud, order, partial(resume, wait_s=DUE_S), partial(resume, wait_s=DUE_S), resume
    )
    assert [result.reason for result in results if isinstance(result, Result)] == [
        "its lease expires soon",
        "",
        "another attempt claimed it",
    ]
    assert_paid(pipeline)


class LateList(FakeSpeech):
    """A list of jobs that does not have the last ones yet, and takes more than half a lease."""

    def list_jobs(self, bucket: str, job_filter: JobFilter, *, token: str = "", size: int = 100) -> JobPage:
        super().list_jobs(bucket, job_filter)
        self.cloud.clock.advance(70)
        return JobPage((), "")


def test_job_that_is_noted_while_a_slow_search_does_not_find_it_is_not_paid_again(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload(KEY, A)

    def resume() -> Result:
        pipeline.cloud.clock.advance(DUE_S)
        ctx = pipeline.build_context()
        ctx.speech = LateList(pipeline.cloud)
        return resume_attempt(ctx, pipeline.get_open())

    # The event is frozen after its submit; the search of another attempt ends; the event notes its job.
    order = [*[0] * 7, *[1] * 6, 0]
    _, result = run_interleaved(pipeline.cloud, order, lambda: pipeline.ingest(KEY), resume)
    assert isinstance(result, Result)
    assert (result.status, result.reason) == (Status.IN_PROGRESS, "its lease expires soon")
    assert pipeline.list_claims() == []
    assert pipeline.get_open().job_id == "s1"
    assert_paid(pipeline)


@pytest.mark.parametrize("deferred", [False, True])
def test_owner_whose_slow_answers_outlast_its_lease_writes_nothing(
    pipeline: InMemoryPipeline, deferred: bool
) -> None:
    """Its search, then its HEAD: another sweep submits in between, and its note stays."""
    pipeline.upload(KEY, A)
    receipt = pipeline.build_receipt(KEY, A)
    pipeline.put_open(receipt.defer(receipt.created_s) if deferred else receipt)
    pipeline.cloud.after("HEAD", KEY, lambda: sweep_after_lease(pipeline))
    assert count_statuses(pipeline.sweep_when_due()) == {Status.IN_PROGRESS: 1}
    assert pipeline.get_events("warning") == ["attempt_too_slow"]
    assert pipeline.get_open().job_id == "s1"
    assert_paid(pipeline)


def test_owner_whose_look_at_a_refused_recording_outlasts_its_lease_writes_nothing(
    pipeline: InMemoryPipeline,
) -> None:
    """The recording can be read again, and another sweep has submitted it: it does not fail."""
    pipeline.cloud.before("POST", "", raise_error(Throttled(resource=KEY, code="SlowDown")))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, refused=400)

    def list_late() -> None:
        pipeline.cloud.change_object(INPUT_BUCKET, KEY, refused=0)
        sweep_after_lease(pipeline)

    pipeline.cloud.after("LIST", KEY, list_late)
    assert count_statuses(pipeline.sweep_when_due()) == {Status.IN_PROGRESS: 1}
    assert pipeline.get_events("warning")[-1] == "attempt_too_slow"
    assert pipeline.get_open().job_id == "s1"
    assert (pipeline.get_error(KEY), pipeline.list_done()) == (None, [])
    assert_paid(pipeline)


def test_report_that_outlasts_its_lease_does_not_overwrite_the_note_of_a_job(
    pipeline: InMemoryPipeline,
) -> None:
    other_job = JobRequest("theirs.mp3", OUTPUT_BUCKET, REGION, "raw.txt", "16k_zh")
    pipeline.cloud.add_job(INPUT_BUCKET, other_job)
    pipeline.cloud.before("POST", "", raise_error(FULL))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(LONG_WAIT_S + 1)
    # This sweep has no place in the queue and reports the wait; the other one has a place, and submits.
    pipeline.ctx = pipeline.build_context(max_in_flight=1)
    pipeline.cloud.after("PUT", "error.json", lambda: sweep_after_lease(pipeline))
    assert count_statuses(pipeline.sweep()) == {Status.IN_PROGRESS: 1}
    assert pipeline.get_events("warning")[-1] == "attempt_too_slow"
    assert pipeline.get_open().job_id == "s2"
    assert_paid(pipeline, jobs=2)


def test_result_that_is_notified_while_its_job_is_being_noted_is_written_at_once(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload(KEY, A)
    pipeline.cloud.after("POST", "", pipeline.cloud.run_jobs)
    # Seven requests of the event, up to its submit; two of the callback, which then waits; the note; the callback.
    order = [*[0] * 8, *[1] * 3, 0]
    results = run_interleaved(
        pipeline.cloud, order, lambda: pipeline.ingest(KEY).status, lambda: pipeline.notify_one("s1").status
    )
    assert results == [Status.SUBMITTED, Status.TRANSCRIBED]
    assert len(pipeline.cloud.sleeps) == 1
    assert pipeline.list_open() == []
    assert_paid(pipeline)


def test_callback_that_waits_for_a_note_leaves_work_that_ended_as_it_is(pipeline: InMemoryPipeline) -> None:
    """Two sweeps find the job and write its transcript, while the callback was frozen."""
    pipeline.cloud.after("POST", "", raise_error(LOST))
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    outputs: list[dict[str, object]] = []

    def end_work() -> None:
        for _ in range(2):
            sweep_after_lease(pipeline)
        outputs.append(dict(pipeline.cloud.buckets[OUTPUT_BUCKET]))

    pipeline.cloud.before("SLEEP", "", end_work)
    assert pipeline.notify_one("s1").status is Status.IN_PROGRESS
    assert pipeline.get_done().state is TRANSCRIBED
    assert outputs == [pipeline.cloud.buckets[OUTPUT_BUCKET]]
    assert_paid(pipeline)


def test_late_result_leaves_a_recording_that_is_uploaded_again_to_its_new_job(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(DAY_S + 1)
    pipeline.sweep()
    assert pipeline.get_error(KEY) is not None
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("PUT", "open/", lambda: pipeline.upload_and_ingest(KEY, A))
    result = pipeline.notify_one("s1")
    assert (result.status, result.reason) == (Status.IN_PROGRESS, "it was uploaded again")
    assert pipeline.get_open().job_id == "s2"
    assert_paid(pipeline, jobs=2)


def test_note_of_a_job_that_comes_after_its_failure_is_cleaned_up(pipeline: InMemoryPipeline) -> None:
    """The event was frozen between the answer to its submit and the note; a sweep and a callback did all the work."""

    def fail() -> None:
        sweep_after_lease(pipeline)
        pipeline.cloud.end_job("s1", "Failed", "InternalError")
        assert pipeline.notify_one("s1").status is Status.FAILED

    pipeline.cloud.before("PUT", "open/", fail, skip=1)
    pipeline.upload_and_ingest(KEY, A)
    assert (pipeline.get_open().job_id, pipeline.get_done().state) == ("s1", FAILED)
    error, done = pipeline.get_error(KEY), pipeline.get_done()
    assert count_statuses(pipeline.sweep_when_due()) == {Status.ALREADY_DONE: 1}
    assert pipeline.list_open() == []
    assert (pipeline.get_error(KEY), pipeline.get_done()) == (error, done)
    assert pipeline.upload_and_ingest(KEY, A).status is Status.SUBMITTED
    assert_paid(pipeline, jobs=2)
