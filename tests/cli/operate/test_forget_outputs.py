"""`scribe forget` deletes an output only if it is certainly of the recording: others may write to the same folder."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.errors import OperatorError
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET
from tests.helpers.forgotten import ForgottenPipeline

OTHER_BUCKET = "interviews-1250000000"


def share_output(**settings: Any) -> ForgottenPipeline:
    """Return a deployment that has the outputs of another one in its folder: of another bucket, with one job each."""
    pipeline = ForgottenPipeline(**settings)
    pipeline.transcribe("calls/a.mp3", b"own words")
    pipeline.transcribe("calls/b.mp3", b"words of the other deployment")
    pipeline.transcribe("calls/c.mp3", NOT_AUDIO)
    objects = pipeline.cloud.buckets[OUTPUT_BUCKET]
    for name in list(objects):
        if name.startswith(".scribe/") and "calls-2Fa" not in name:
            del objects[name]
        elif name.startswith("transcripts/calls/") and name.endswith(".json") and "/a." not in name:
            body = objects[name].body.replace(INPUT_BUCKET.encode(), OTHER_BUCKET.encode())
            objects[name] = objects[name]._replace(body=body)
    for key in ("calls/b.mp3", "calls/c.mp3"):
        pipeline.delete(key)
    return pipeline


def list_foreign(pipeline: ForgottenPipeline) -> dict[str, bytes]:
    return {
        name: body
        for name, body in pipeline.stored.items()
        if name.startswith(("transcripts/calls/b.", "transcripts/calls/c."))
    }


@pytest.mark.parametrize("formats", [("txt", "json"), ("txt", "srt")])
@pytest.mark.parametrize("output_names", ["full", "short"])
@pytest.mark.parametrize("key", ["calls/b.mp3", "calls/c.mp3"])
def test_outputs_of_another_deployment_stay(formats: tuple[str, ...], output_names: str, key: str) -> None:
    pipeline = share_output(formats=formats, output_names=output_names)
    before = pipeline.stored
    with pytest.raises(OperatorError, match=f"{key} is unknown"):
        pipeline.forget(key)
    assert pipeline.stored == before


@pytest.mark.parametrize("formats", [("txt", "json"), ("txt", "srt")])
def test_outputs_of_another_deployment_stay_when_a_folder_is_forgotten(formats: tuple[str, ...]) -> None:
    pipeline = share_output(formats=formats)
    foreign = list_foreign(pipeline)
    assert len(foreign) == 3
    assert pipeline.forget("calls/", as_json=True), pipeline.printed
    assert list_foreign(pipeline) == foreign
    assert not any(name.startswith("transcripts/calls/a.") for name in pipeline.stored)
    unexplained = json.loads(pipeline.printed)["unexplained"]
    left = [] if "json" in formats else [f"transcripts/calls/b.mp3.{each}" for each in ("srt", "txt")]
    assert unexplained == left


def test_transcript_without_receipt_or_json_stays_and_is_named() -> None:
    pipeline = share_output(formats=("txt",))
    with pytest.raises(
        OperatorError, match=r"they stay: .*/transcripts/calls/b\.mp3\.txt\. Delete them yourself"
    ):
        pipeline.forget("calls/b.mp3")
    assert pipeline.forget("calls/")
    assert "they stay: " in pipeline.printed
    pipeline.cloud.buckets[INPUT_BUCKET].clear()
    pipeline.upload("calls/new.mp3", b"not transcribed")
    assert pipeline.forget("calls/")
    assert "Scribe has nothing of the recordings there." in pipeline.printed
    assert "they stay: " in pipeline.printed


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"recording": 1}', b"[" * 100_000])
def test_json_that_does_not_say_its_recording_proves_nothing(body: bytes) -> None:
    pipeline = share_output(formats=("txt", "json"))
    name = "transcripts/calls/b.mp3.json"
    objects = pipeline.cloud.buckets[OUTPUT_BUCKET]
    objects[name] = objects[name]._replace(body=body)
    assert pipeline.forget("calls/", as_json=True)
    assert name in json.loads(pipeline.printed)["unexplained"]
    assert objects[name].body == body
