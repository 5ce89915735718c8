"""A deployment with MONTHLY_MINUTES in memory: recordings of any length, and what is used of the budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.recordings.budget import Usage, read_usage
from shared.recordings.context import Context
from shared.recordings.ingest import ingest
from shared.recordings.models import Result
from shared.recordings.usage import MAX_SECONDS
from shared.tencent.speech_models import SUCCESS, JobResult
from tests.helpers.fake_cloud import INPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline

BYTES_PER_S = 16_000  # of an MP3 file, as it is estimated


class BudgetPipeline(InMemoryPipeline):
    """The three functions with a budget of some minutes."""

    def __init__(self, minutes: int, **settings: Any) -> None:
        super().__init__(monthly_minutes=minutes, **settings)

    def set_budget(self, minutes: int) -> None:
        """Change MONTHLY_MINUTES, as a deployment does. 0 is none."""
        self.ctx.settings = replace(self.ctx.settings, monthly_minutes=minutes)

    def put_recording(self, key: str, estimated_s: int, bucket: str = INPUT_BUCKET) -> None:
        """Write an MP3 file that is estimated to be this long. The event comes with `ingest`."""
        assert estimated_s <= MAX_SECONDS
        self.cloud.put_object(bucket, key, key.encode(), size=estimated_s * BYTES_PER_S)

    def upload_minutes(self, key: str, minutes: int) -> Result:
        self.put_recording(key, minutes * 60)
        return self.ingest(key)

    def build_upload(self, key: str, bucket: str = INPUT_BUCKET) -> Callable[[], Result]:
        """Return the upload function for the event of this recording, as a process of its own."""
        ctx = self._copy_context()
        return lambda: ingest(ctx, bucket, key, is_upload=True)

    def _copy_context(self) -> Context:
        ctx = self.build_context()
        ctx.settings = self.ctx.settings
        return ctx

    def finish(self, job_id: str, seconds: int) -> None:
        """End a job of a recording that is this long in reality, and notify of it."""
        detail = {"StartMs": "0", "EndMs": "1000", "FinalSentence": "words", "SpeakerId": "0"}
        self.cloud.run_jobs(job_id)
        job = self.cloud.jobs[job_id]
        assert job.state == SUCCESS
        self.cloud.jobs[job_id] = job._replace(result=JobResult(str(seconds), "", (detail,), ()))
        self.notify(job_id)

    def get_usage(self) -> Usage:
        return read_usage(self.ctx)

    def list_reserved(self) -> list[str]:
        return self.list_keys(".scribe/index/reserved/")

    def list_waiting(self) -> list[str]:
        return self.list_keys(".scribe/waiting/")
