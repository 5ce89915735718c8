"""The operator's commands on the cloud in memory: a workspace whose requests go to it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from cli.config import Commands
from cli.operate.workspace import Workspace
from cli.output import SafeConsole
from tests.helpers.in_memory_pipeline import InMemoryPipeline


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
