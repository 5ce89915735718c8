"""The operator's commands on an in-memory cloud, with the index of recordings that a deployment has."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.config import Commands
from cli.operate.workspace import Workspace
from cli.output import SafeConsole
from shared.recordings.index import RecordingIndex, index_prefix
from shared.recordings.models import Result
from shared.recordings.receipt import FAILED, TRANSCRIBED
from shared.tencent.clock import parse_timestamp
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET
from tests.helpers.fakes import FakeCos
from tests.helpers.in_memory_pipeline import InMemoryPipeline

SECONDS = 90.0  # of each recording that is indexed here


@dataclass
class Terminal:
    """Standard output and standard error of a command. Colours only `with_colours`, as on a real terminal."""

    width: int = 80
    with_colours: bool = False
    _streams: tuple[io.StringIO, io.StringIO] = field(default_factory=lambda: (io.StringIO(), io.StringIO()))

    def create_console(self, *, stderr: bool = False) -> SafeConsole:
        return SafeConsole(
            file=self._streams[stderr],
            width=self.width,
            highlight=False,
            force_terminal=self.with_colours,
            color_system="standard" if self.with_colours else None,
            legacy_windows=False,
        )

    @property
    def output(self) -> str:
        return self._streams[0].getvalue()

    @property
    def errors(self) -> str:
        return self._streams[1].getvalue()

    @property
    def document(self) -> Any:
        """Return the JSON on standard output."""
        return json.loads(self.output)


class OperatedPipeline(InMemoryPipeline):
    """A pipeline with what a command of the operator works with."""

    @classmethod
    def create_mixed(cls) -> OperatedPipeline:
        """Create one with a recording in each state, each begun a minute after the one before."""
        pipeline = cls()
        pipeline.transcribe("calls/完成.mp3", b"done")
        pipeline.cloud.clock.advance(60)
        pipeline.transcribe("calls/broken.mp3", NOT_AUDIO)
        pipeline.cloud.clock.advance(60)
        pipeline.upload("archive/old.mp3", b"old")
        pipeline.cloud.change_object(INPUT_BUCKET, "archive/old.mp3", storage="ARCHIVE")
        pipeline.ingest("archive/old.mp3")
        pipeline.cloud.clock.advance(60)
        pipeline.upload_and_ingest("calls/open.mp3", b"open")
        pipeline.take_requests()
        return pipeline

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
        """Write the index of the closed receipts again: each finished recording has SECONDS."""
        self.drop_index()
        index = RecordingIndex(FakeCos(self.cloud), self.ctx.settings, OUTPUT_BUCKET)
        for receipt in self.list_done():
            if receipt.state is TRANSCRIBED:
                index.add_finished(receipt, parse_timestamp(self.cloud.jobs[receipt.job_id].ended), SECONDS)
            elif receipt.state is FAILED:
                index.add_failed(receipt.id)
        self.take_requests()

    def drop_index(self) -> None:
        """Remove the index: that of a version before there was one."""
        for key in self.list_keys(index_prefix(self.ctx.settings, "")):
            del self.cloud.buckets[OUTPUT_BUCKET][key]


def build_workspace(
    pipeline: InMemoryPipeline, config: dict[str, str] | None = None, **settings: Any
) -> Workspace:
    """Build a workspace in the pipeline's cloud, with its settings unless others are passed."""
    ctx = pipeline.build_context(**settings) if settings else pipeline.ctx
    return Workspace(ctx, Commands(Path(".env")), config or {})


def build_console(width: int = 200) -> tuple[SafeConsole, io.StringIO]:
    """Return a console and what it prints to."""
    output = io.StringIO()
    return SafeConsole(file=output, width=width, highlight=False), output
