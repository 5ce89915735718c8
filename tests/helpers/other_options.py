"""The same content uploaded again with other options, in memory; each job says its engine before the words."""

from __future__ import annotations

import json
from typing import Any

from shared.recordings.models import Status
from shared.recordings.receipt import TRANSCRIBED
from shared.tencent.speech_models import JobResult
from tests.helpers.fake_cloud import INPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.invocations import KEY

A = b"words of the recording"
ENGLISH, CANTONESE = {"scribe-engine": "16k_en"}, {"scribe-engine": "16k_ca"}
SIDECAR = f"{KEY}.scribe.json"


def transcribe(pipeline: InMemoryPipeline, **metadata: str) -> None:
    pipeline.upload_and_ingest(KEY, A, **metadata)
    pipeline.run_and_notify()
    assert pipeline.get_done().state is TRANSCRIBED
    pipeline.cloud.clock.advance(2)


def upload_again(pipeline: InMemoryPipeline, **metadata: str) -> Status:
    pipeline.cloud.clock.advance(2)
    return pipeline.upload_and_ingest(KEY, A, **metadata).status


def finish(pipeline: InMemoryPipeline) -> None:
    """Finish the jobs; each says its engine before the words, so that a test sees whose words they are."""
    for job_id, job in list(pipeline.cloud.jobs.items()):
        pipeline.cloud.run_jobs(job_id)
        result = pipeline.cloud.jobs[job_id].result
        if result and result.details and job.result is None:
            words = f"[{job.engine}] {result.details[0]['FinalSentence']}"
            detail = {**result.details[0], "FinalSentence": words}
            pipeline.cloud.jobs[job_id] = pipeline.cloud.jobs[job_id]._replace(
                result=JobResult("1.5", "", (detail,), ())
            )


def settle(pipeline: InMemoryPipeline) -> None:
    for _ in range(6):
        finish(pipeline)
        pipeline.sweep_when_due()
        if not pipeline.list_open():
            return
    raise AssertionError(pipeline.list_open())


def list_outputs(pipeline: InMemoryPipeline) -> list[str]:
    return sorted(key.removeprefix(f"transcripts/{KEY}.") for key in pipeline.list_keys("transcripts/"))


def assert_words(pipeline: InMemoryPipeline, engine: str, jobs: int) -> None:
    """Every transcript is of the last job, no other output is there, and each job was paid once."""
    assert pipeline.count_jobs() == jobs
    assert pipeline.list_open() == []
    assert pipeline.list_claims() == []
    assert list_outputs(pipeline) == ["html", "json", "srt", "txt", "vtt"]
    assert pipeline.get_text(KEY) == f"[{engine}] {A.decode()}"
    for extension in ("json", "srt", "vtt"):
        assert f"[{engine}]".encode() in (pipeline.get_output(KEY, extension) or b"")
    done = pipeline.get_done()
    assert (done.state, done.engine, done.job_id) == (TRANSCRIBED, engine, f"s{jobs}")
    assert done.superseded_job_ids == tuple(f"s{number}" for number in range(1, jobs))
    assert [request.engine for request in pipeline.cloud.job_requests][-1] == engine


def put_sidecar(pipeline: InMemoryPipeline, **values: Any) -> None:
    pipeline.cloud.put_object(INPUT_BUCKET, SIDECAR, json.dumps(values).encode())
