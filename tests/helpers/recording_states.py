"""Recordings in every state in which `scribe why` may meet them, each in an in-memory cloud of its own."""

from __future__ import annotations

from typing import Any

from cli.operate.why import WhyOptions, explain_state
from shared.errors import RequestRejected
from shared.recordings.index import forgotten_key
from shared.recordings.receipt import SUPERSEDED, Recording
from shared.tencent.speech_models import Queue
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, FakeCloud, raise_error
from tests.helpers.operate import OperatedPipeline, Terminal

KEY = "calls/会议.mp3"


def ask(pipeline: OperatedPipeline, key: str = KEY, **options: Any) -> Terminal:
    """Run the command, which must know the recording."""
    terminal = Terminal()
    assert explain_state(terminal.create_console(), pipeline.open_workspace(), WhyOptions(key, **options))
    return terminal


def create_with_one_place(state: str = "Active") -> OperatedPipeline:
    """Create a pipeline whose queue is filled by one job."""
    queue = Queue("p1", "speech", state, max_size=1, max_concurrent=1)
    pipeline = OperatedPipeline(FakeCloud(queues=[queue]))
    pipeline.upload_and_ingest("first.mp3", b"first")
    pipeline.upload_and_ingest(KEY, b"words")
    return pipeline


def upload_only(**settings: Any) -> OperatedPipeline:
    pipeline = OperatedPipeline(**settings)
    pipeline.upload(KEY, b"words")
    return pipeline


def upload_long_ago() -> OperatedPipeline:
    pipeline = upload_only()
    pipeline.cloud.clock.advance(7200)
    return pipeline


def submit() -> OperatedPipeline:
    pipeline = OperatedPipeline()
    pipeline.upload_and_ingest(KEY, b"words")
    return pipeline


def transcribe(body: bytes = b"words") -> OperatedPipeline:
    pipeline = OperatedPipeline()
    pipeline.transcribe(KEY, body)
    return pipeline


def run_job() -> OperatedPipeline:
    pipeline = submit()
    job = pipeline.cloud.jobs["s1"]
    pipeline.cloud.jobs["s1"] = job._replace(state="Running", started=job.created)
    return pipeline


def end_job() -> OperatedPipeline:
    pipeline = submit()
    pipeline.cloud.run_jobs()
    return pipeline


def fail_job_unnoticed() -> OperatedPipeline:
    pipeline = submit()
    pipeline.cloud.end_job("s1", "Failed", "FailedOperation.Unlisted")
    return pipeline


def lose_job() -> OperatedPipeline:
    pipeline = submit()
    del pipeline.cloud.jobs["s1"]
    return pipeline


def hide_job() -> OperatedPipeline:
    pipeline = submit()
    denied = RequestRejected(resource=INPUT_BUCKET, status=403, code="AccessDenied")
    pipeline.cloud.before("GET", "/asr_jobs/", raise_error(denied), times=9)
    pipeline.cloud.before("GET", "/asrqueue", raise_error(denied), times=9)
    return pipeline


def pause_queue_after_submit() -> OperatedPipeline:
    pipeline = submit()
    pipeline.cloud.queues[0] = pipeline.cloud.queues[0]._replace(state="Paused")
    return pipeline


def upload_large() -> OperatedPipeline:
    pipeline = OperatedPipeline()
    pipeline.cloud.put_object(INPUT_BUCKET, KEY, b"words", size=600 * 2**20)
    pipeline.ingest(KEY)
    return pipeline


def begin_attempt(age_s: float = 0.0) -> OperatedPipeline:
    pipeline = upload_only()
    pipeline.put_open(pipeline.build_receipt(KEY, b"words"))
    pipeline.cloud.clock.advance(age_s)
    return pipeline


def refuse(times: int = 1) -> OperatedPipeline:
    pipeline = OperatedPipeline()
    pipeline.cloud.refused_keys.add(KEY)
    pipeline.upload_and_ingest(KEY, b"words")
    for _ in range(times - 1):
        pipeline.sweep_when_due()
    return pipeline


def give_up() -> OperatedPipeline:
    pipeline = submit()
    pipeline.cloud.clock.advance(90_000)
    pipeline.sweep()
    return pipeline


def give_up_too_early() -> OperatedPipeline:
    pipeline = give_up()
    pipeline.cloud.run_jobs()
    return pipeline


def lose_error_object() -> OperatedPipeline:
    pipeline = transcribe(NOT_AUDIO)
    del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.error.json"]
    return pipeline


def delete_transcripts(*extensions: str) -> OperatedPipeline:
    pipeline = transcribe()
    for extension in extensions:
        del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.{extension}"]
    return pipeline


def delete_recording(body: bytes = b"words") -> OperatedPipeline:
    pipeline = transcribe(body)
    pipeline.delete(KEY)
    return pipeline


def delete_while_running() -> OperatedPipeline:
    pipeline = run_job()
    pipeline.delete(KEY)
    return pipeline


def replace_content(*, is_submitted: bool) -> OperatedPipeline:
    pipeline = transcribe()
    pipeline.cloud.clock.advance(3600)
    pipeline.upload(KEY, b"new words")
    pipeline.cloud.clock.advance(3600)
    if is_submitted:
        pipeline.ingest(KEY)
    return pipeline


def supersede(*, comes_back: bool, is_touched: bool = False) -> OperatedPipeline:
    """Close a receipt as superseded; then the content comes back, or everything is deleted."""
    pipeline = upload_only() if comes_back else OperatedPipeline()
    receipt = pipeline.build_receipt(KEY, b"words").close(SUPERSEDED, pipeline.cloud.clock.now())
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/done/{receipt.id}", receipt.to_json())
    if is_touched:
        pipeline.touch(KEY)
    pipeline.cloud.clock.advance(600)
    return pipeline


def archive(**changes: Any) -> OperatedPipeline:
    pipeline = upload_only()
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
    pipeline.ingest(KEY)
    if changes:
        pipeline.cloud.change_object(INPUT_BUCKET, KEY, **changes)
    return pipeline


def archive_and_delete() -> OperatedPipeline:
    pipeline = archive()
    pipeline.delete(KEY)
    return pipeline


def hold(*, minutes: int = 10, **later: Any) -> OperatedPipeline:
    """Hold a recording of about seven minutes because of the budget; `later` are settings that were changed since."""
    pipeline = OperatedPipeline(monthly_minutes=minutes)
    for key in ("first.mp3", KEY):
        pipeline.cloud.put_object(INPUT_BUCKET, key, key.encode(), size=6_000_000)
        pipeline.ingest(key)
    if later:
        pipeline.ctx = pipeline.build_context(**later)
    return pipeline


def hold_in_the_month_before() -> OperatedPipeline:
    pipeline = hold()
    pipeline.cloud.clock.advance(30 * 86_400)
    return pipeline


def hold_without_error_object() -> OperatedPipeline:
    pipeline = hold()
    del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.error.json"]
    return pipeline


def forget() -> OperatedPipeline:
    pipeline = upload_only()
    etag = pipeline.build_receipt(KEY, b"words").etag
    forgotten = forgotten_key(pipeline.ctx.settings, Recording(INPUT_BUCKET, KEY, etag, 5))
    pipeline.cloud.put_object(OUTPUT_BUCKET, forgotten, b"")
    return pipeline


def refuse_options_later() -> OperatedPipeline:
    pipeline = transcribe()
    pipeline.cloud.clock.advance(60)
    pipeline.upload_and_ingest(KEY, b"words", **{"scribe-speakers": "1"})
    return pipeline


def upload_other_type() -> OperatedPipeline:
    pipeline = OperatedPipeline()
    pipeline.upload("calls/notes.pdf", b"words")
    return pipeline
