"""Formats of every extension: written, complete, written again if they are missing, and removed."""

from __future__ import annotations

import pytest

from shared.options.model import FORMATS
from shared.recordings.keys import get_extension
from shared.recordings.models import Status
from tests.helpers.fake_cloud import OUTPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline

KEY, BODY, OTHER = "calls/a.mp3", b"words of the first content", b"other words"
ALL_EXTENSIONS = sorted(map(get_extension, FORMATS))


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    return InMemoryPipeline(formats=FORMATS)


def list_extensions(pipeline: InMemoryPipeline) -> list[str]:
    prefix = f"transcripts/{KEY}."
    return sorted(key.removeprefix(prefix) for key in pipeline.list_keys(prefix))


def transcribe(pipeline: InMemoryPipeline, body: bytes = BODY, **metadata: str) -> None:
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest(KEY, body, **metadata)
    pipeline.run_and_notify()


def test_every_format_is_written_with_its_extension(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    assert list_extensions(pipeline) == ALL_EXTENSIONS


def test_touched_recording_with_every_format_is_complete(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    assert list_extensions(pipeline) == ALL_EXTENSIONS


@pytest.mark.parametrize("extension", ALL_EXTENSIONS)
def test_missing_file_is_written_again_without_a_second_job(
    pipeline: InMemoryPipeline, extension: str
) -> None:
    transcribe(pipeline)
    del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.{extension}"]
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.REOPENED
    pipeline.settle()
    assert list_extensions(pipeline) == ALL_EXTENSIONS
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("kept", ["podcast", "docx", "json"])
def test_formats_that_are_no_longer_chosen_go(pipeline: InMemoryPipeline, kept: str) -> None:
    transcribe(pipeline)
    transcribe(pipeline, OTHER, **{"scribe-formats": kept})
    assert list_extensions(pipeline) == [get_extension(kept)]
