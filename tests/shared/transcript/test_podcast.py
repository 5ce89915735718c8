"""The transcript for podcast apps, after the specification of Podcasting 2.0."""

from __future__ import annotations

import json

import jsonschema
import pytest

from shared.transcript import FORMATS
from tests.helpers.format_readers import PODCAST_SCHEMA
from tests.helpers.hostile_texts import build_hostile_transcript

# The example of the specification.
SPECIFICATION_EXAMPLE = {
    "version": "1.0.0",
    "segments": [
        {"speaker": "Darth Vader", "startTime": 0.5, "endTime": 0.75, "body": "I"},
        {"speaker": "Luke", "startTime": 2.75, "endTime": 3.0, "body": "Nooooo"},
    ],
}


def test_segment_is_a_sentence_with_its_speaker_and_seconds() -> None:
    transcript = build_hostile_transcript(["您好。", "Hi."], names=("客服", "Anna"))
    assert json.loads(FORMATS["podcast"].render(transcript)) == {
        "version": "1.0.0",
        "segments": [
            {"speaker": "客服", "startTime": 0, "endTime": 1.9, "body": "您好。"},
            {"speaker": "Anna", "startTime": 2, "endTime": 3.9, "body": "Hi."},
        ],
    }


def test_one_voice_has_no_speaker() -> None:
    document = json.loads(FORMATS["podcast"].render(build_hostile_transcript(["One."])))
    assert document["segments"] == [{"startTime": 0, "endTime": 1.9, "body": "One."}]


def test_silence_has_no_segments() -> None:
    document = json.loads(FORMATS["podcast"].render(build_hostile_transcript([])))
    assert document == {"version": "1.0.0", "segments": []}


def test_check_accepts_the_example_of_the_specification() -> None:
    PODCAST_SCHEMA.validate(SPECIFICATION_EXAMPLE)


@pytest.mark.parametrize("name", ["version", "segments"])
def test_check_refuses_a_document_without_a_member(name: str) -> None:
    document = {key: value for key, value in SPECIFICATION_EXAMPLE.items() if key != name}
    with pytest.raises(jsonschema.ValidationError):
        PODCAST_SCHEMA.validate(document)
