"""Invocations of the functions on the in-memory cloud, to be run one after the other or at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared.events import NotifiedJob
from shared.recordings.audit import audit
from shared.recordings.complete import process_notification
from shared.recordings.ingest import ingest
from shared.recordings.sweep import reconcile
from tests.helpers.fake_cloud import INPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.interleaving import run_interleaved

KEY = "a.mp3"
Invocation = Callable[[], object]


def build_event(pipeline: InMemoryPipeline, *, is_upload: bool = False) -> Invocation:
    """Build the upload function's work for the event of KEY."""
    ctx = pipeline.build_context()
    return lambda: ingest(ctx, INPUT_BUCKET, KEY, is_upload=is_upload)


def build_callback(pipeline: InMemoryPipeline, *job_ids: str) -> Invocation:
    """Build the callback's work for one notification of these jobs."""
    ctx = pipeline.build_context()
    return lambda: process_notification(ctx, [NotifiedJob(job_id, "") for job_id in job_ids])


def build_sweep(pipeline: InMemoryPipeline) -> Invocation:
    """Build the work of a sweep."""
    ctx = pipeline.build_context()
    return lambda: reconcile(ctx)


def build_audit(pipeline: InMemoryPipeline) -> Invocation:
    """Build the work of an audit."""
    ctx = pipeline.build_context()
    return lambda: audit(ctx)


def run(pipeline: InMemoryPipeline, order: Iterable[int], *invocations: Invocation) -> None:
    """Run the invocations at once, request by request in this order; none may fail."""
    results = run_interleaved(pipeline.cloud, order, *invocations)
    assert [result for result in results if isinstance(result, BaseException)] == []
