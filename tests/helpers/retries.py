"""Recordings in every state in which an operator tries them again, on an in-memory cloud."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from cli.operate.reasons import RefusalWatch
from cli.operate.retry_core import Outcome, Retrier
from shared.errors import RequestRejected
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.operate import OperatedPipeline

KEY, A = "calls/a.mp3", b"words of the recording"
GIVE_UP_S = 86_401.0

Prepare = Callable[[OperatedPipeline], object]


class Scenario(NamedTuple):
    """What happened before, the outcome of a retry, and the jobs that are paid for in the end."""

    prepare: Prepare
    outcome: str
    jobs: int


def retry(pipeline: OperatedPipeline, key: str = KEY, *, writes_results: bool = True) -> Outcome:
    """Try a recording again, in a context of its own."""
    workspace = pipeline.open_workspace()
    retrier = Retrier(workspace.ctx, RefusalWatch(workspace), writes_results=writes_results)
    return retrier.retry(INPUT_BUCKET, key)


def fail_job(pipeline: OperatedPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")
    pipeline.notify("s1")


def give_up(pipeline: OperatedPipeline) -> None:
    """No result came in time, but the job is still running."""
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(GIVE_UP_S)
    pipeline.sweep()


def succeed_late(pipeline: OperatedPipeline) -> None:
    give_up(pipeline)
    pipeline.cloud.run_jobs()


def reject(pipeline: OperatedPipeline) -> None:
    """The service does not take the job at all: there is none."""
    rejected = RequestRejected(resource=KEY, status=400, code="InvalidArgument")
    pipeline.cloud.before("POST", "", raise_error(rejected))
    pipeline.upload_and_ingest(KEY, A)


def remove_transcripts(pipeline: OperatedPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    pipeline.cloud.clock.advance(DUE_S)
    for key in pipeline.list_keys("transcripts/"):
        del pipeline.cloud.buckets[OUTPUT_BUCKET][key]


def defer(pipeline: OperatedPipeline) -> None:
    pipeline.upload(KEY, A)
    pipeline.put_open(pipeline.build_receipt(KEY, A).defer(pipeline.cloud.clock.now()))


def refuse(pipeline: OperatedPipeline) -> None:
    pipeline.cloud.refused_keys.add(KEY)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.refused_keys.clear()


def die(pipeline: OperatedPipeline, *, is_submitted: bool) -> None:
    """An attempt was killed right before or after its submit, and its lease has ended."""
    (pipeline.cloud.after if is_submitted else pipeline.cloud.before)("POST", "", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(DUE_S)


def lose_notification(pipeline: OperatedPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()


def restore(pipeline: OperatedPipeline) -> None:
    """An archived recording was restored, and no event reported it."""
    pipeline.upload(KEY, A)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    pipeline.ingest(KEY)
    restored = 'ongoing-request="false", expiry-date="Fri, 01 Jan 2027 00:00:00 GMT"'
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore=restored)


def upload_again(pipeline: OperatedPipeline) -> None:
    """The same content was uploaded again after its failure, and its event is lost."""
    fail_job(pipeline)
    pipeline.touch(KEY)


SCENARIOS = {
    "failed job": Scenario(fail_job, "submitted", 2),
    "job that still runs after GIVE_UP_AFTER": Scenario(give_up, "running", 1),
    "job that succeeded after GIVE_UP_AFTER": Scenario(succeed_late, "transcribed", 1),
    "rejected job": Scenario(reject, "submitted", 1),
    "removed transcripts": Scenario(remove_transcripts, "transcribed", 1),
    "deferred": Scenario(defer, "submitted", 1),
    "refused": Scenario(refuse, "submitted", 1),
    "attempt that died before its submit": Scenario(
        lambda pipeline: die(pipeline, is_submitted=False), "submitted", 1
    ),
    "attempt that died after its submit": Scenario(
        lambda pipeline: die(pipeline, is_submitted=True), "submitted", 1
    ),
    "lost notification": Scenario(lose_notification, "transcribed", 1),
    "restored": Scenario(restore, "submitted", 1),
    "uploaded again": Scenario(upload_again, "submitted", 2),
}
