"""Transcribed content uploaded again with options that cannot be used, or with a receipt of an earlier version."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.recordings.models import Status
from shared.recordings.receipt import TRANSCRIBED, Receipt
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.invocations import KEY
from tests.helpers.other_options import (
    ENGLISH,
    A,
    assert_words,
    list_outputs,
    settle,
    transcribe,
    upload_again,
)


def test_invalid_options_keep_the_paid_transcripts(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    before = {key: pipeline.cloud.buckets[OUTPUT_BUCKET][key] for key in pipeline.list_keys("transcripts/")}
    assert upload_again(pipeline, **{"scribe-speakers": "1"}) is Status.FAILED
    assert list_outputs(pipeline) == ["error.json", "html", "json", "srt", "txt", "vtt"]
    assert before.items() <= pipeline.cloud.buckets[OUTPUT_BUCKET].items()
    assert "x-cos-meta-scribe-speakers is '1'" in (pipeline.get_error(KEY) or {})["message"]
    assert pipeline.get_done().state is TRANSCRIBED
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    pipeline.audit_when_due()
    assert pipeline.count_jobs() == 1
    assert upload_again(pipeline) is Status.REOPENED
    pipeline.settle()
    assert list_outputs(pipeline) == ["html", "json", "srt", "txt", "vtt"]
    assert pipeline.count_jobs() == 1


def test_good_options_after_invalid_ones_are_new_work(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    upload_again(pipeline, **{"scribe-engine": "16k en"})
    upload_again(pipeline, **ENGLISH)
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)


def test_invalid_options_while_new_work_is_open_wait_for_it(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    upload_again(pipeline, **ENGLISH)
    assert upload_again(pipeline, **{"scribe-engine": "16k en"}) is Status.IN_PROGRESS
    assert pipeline.get_error(KEY) is None


def test_archived_recording_keeps_its_words_until_it_is_restored(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    pipeline.touch(KEY)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, metadata=ENGLISH, storage="ARCHIVE")
    assert pipeline.ingest(KEY, is_upload=False).status is Status.ALREADY_DONE
    assert list_outputs(pipeline) == ["html", "json", "srt", "txt", "vtt"]
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, restore='ongoing-request="false"')
    assert pipeline.ingest(KEY, is_restore=True).status is Status.SUBMITTED
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)


# Receipts of earlier versions


@pytest.mark.parametrize(
    ("members", "is_upload", "jobs"),
    [
        # The engine may have been that of the settings, which changed since: a copy is no choice.
        ({"engine": "16k_en"}, False, 1),
        ({"engine": "16k_en"}, True, 2),
        # Every other option was one of the metadata.
        ({"options": {"speakers": "2"}}, False, 2),
        ({"engine": "8k_zh", "channels": 2}, False, 2),
        ({}, True, 1),
    ],
)
def test_receipt_of_an_earlier_version_has_options_of_metadata(
    pipeline: InMemoryPipeline, members: dict[str, Any], is_upload: bool, jobs: int
) -> None:
    transcribe(pipeline)
    raw = json.loads(pipeline.get_done().to_json()) | {"version": 3} | members
    receipt = Receipt.from_json(json.dumps(raw).encode())
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/done/{receipt.id}", json.dumps(raw).encode())
    pipeline.touch(KEY)
    pipeline.ingest(KEY, is_upload=is_upload)
    assert pipeline.count_jobs() == jobs
