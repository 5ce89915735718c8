"""The operator's commands on an in-memory cloud, with the index of recordings that a deployment has."""

from __future__ import annotations

from typing import Any

from cli.config import Commands
from cli.operate.workspace import Workspace
from shared.recordings.index import RecordingIndex, index_prefix
from shared.recordings.models import Result
from shared.recordings.receipt import FAILED, TRANSCRIBED
from shared.tencent.clock import parse_timestamp
from tests.helpers.fake_cloud import OUTPUT_BUCKET
from tests.helpers.fakes import FakeCos
from tests.helpers.in_memory_pipeline import InMemoryPipeline

SECONDS = 90.0  # of each recording that is indexed here


class OperatedPipeline(InMemoryPipeline):
    """A pipeline with what a command of the operator works with."""

    def open_workspace(self, **settings: Any) -> Workspace:
        """Return the settings and clients of a command; `settings` override the pipeline's."""
        ctx = self.build_context(**settings) if settings else self.ctx
        return Workspace(ctx, Commands(), {})

    def transcribe(self, key: str, body: bytes) -> Result:
        """Upload a recording, finish its job, write its transcripts, and note it in the index."""
        result = self.upload_and_ingest(key, body)
        self.run_and_notify()
        self.write_index()
        return result

    def write_index(self) -> None:
        """Note every closed receipt, as the functions do. Existing entries stay as they are."""
        index = RecordingIndex(FakeCos(self.cloud), self.ctx.settings, OUTPUT_BUCKET)
        known = "\n".join(self.list_keys(index_prefix(self.ctx.settings, "")))
        for receipt in self.list_done():
            if receipt.id in known:
                continue
            if receipt.state is TRANSCRIBED:
                index.add_finished(receipt, parse_timestamp(self.cloud.jobs[receipt.job_id].ended), SECONDS)
            elif receipt.state is FAILED:
                index.add_failed(receipt.id)
        self.take_requests()

    def drop_index(self) -> None:
        """Remove the index: that of a version before there was one."""
        for key in self.list_keys(index_prefix(self.ctx.settings, "")):
            del self.cloud.buckets[OUTPUT_BUCKET][key]
