"""Runs `scribe backfill` and `scribe retry` on an in-memory cloud."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import Any

from cli.config import Commands
from cli.operate.backfill import BackfillOptions, run_backfill
from cli.operate.workspace import Workspace
from cli.output import SafeConsole
from tests.helpers.fake_cloud import INPUT_BUCKET
from tests.helpers.operate import OperatedPipeline
from tests.helpers.retries import A


@dataclass(frozen=True)
class Answer:
    """What a command printed, and whether it succeeded."""

    passed: bool
    output: str

    @property
    def document(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.output)
        return parsed


def open_workspace(pipeline: OperatedPipeline, config: dict[str, str] | None = None) -> Workspace:
    """Open a workspace with a context of its own, and this .env."""
    return replace(pipeline.open_workspace(), commands=Commands(), config=config or {})


def backfill(pipeline: OperatedPipeline, *, is_terminal: bool = False, **options: Any) -> Answer:
    """Run the command with these arguments."""
    output = io.StringIO()
    console = SafeConsole(file=output, width=100, highlight=False, force_terminal=is_terminal)
    workspace = open_workspace(pipeline, options.pop("config", None))
    passed = run_backfill(console, workspace, BackfillOptions(**options))
    return Answer(passed, output.getvalue())


def put_archive(pipeline: OperatedPipeline, number: int) -> list[str]:
    """Put recordings into the bucket that no event reported, and return their keys."""
    keys = [f"archive/{index:03}.mp3" for index in range(number)]
    for key in keys:
        pipeline.cloud.put_object(INPUT_BUCKET, key, A + key.encode())
    return keys


def count_jobs_by_key(pipeline: OperatedPipeline) -> dict[str, int]:
    """Count the jobs of each recording that were paid for."""
    counts: dict[str, int] = {}
    for request in pipeline.cloud.job_requests:
        counts[request.input_key] = counts.get(request.input_key, 0) + 1
    return counts
