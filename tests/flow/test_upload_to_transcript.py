"""From upload to transcript over real HTTP, with the functions in their own processes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.local.emulator import INPUT_BUCKET, OUTPUT_BUCKET
from shared.recordings.keys import ERROR_EXTENSION, transcript_key
from shared.settings import Settings
from tests.helpers.flow import Flow

pytestmark = pytest.mark.process

FORMATS = ("json", "txt", "srt", "vtt", "html")


def list_statuses(invocation: dict[str, Any]) -> list[str]:
    assert invocation["outcome"] == "ok", invocation
    return [recording["status"] for recording in invocation["result"]["recordings"]]


def test_upload_gets_a_transcript_in_each_format(flow: Flow) -> None:
    flow.upload("first/plain.wav", b"some speech " * 400)
    flow.settle()
    for name in FORMATS:
        assert flow.output(f"transcripts/first/plain.wav.{name}")
    document = flow.transcript("first/plain.wav")
    assert document["recording"]["key"] == "first/plain.wav"
    assert document["sentences"]
    assert not flow.has("transcripts/first/plain.wav.error.json")


def test_receipt_moves_to_done(flow: Flow) -> None:
    flow.upload("receipt/a.wav", b"speech " * 400)
    flow.settle()
    receipts = [json.loads(flow.output(key)) for key in flow.receipts("done")]
    matching = [receipt for receipt in receipts if receipt["key"] == "receipt/a.wav"]
    assert len(matching) == 1
    assert matching[0]["outcome"] == "transcribed"
    assert not [key for key in flow.receipts("open") if matching[0]["id"] in key]


ODD_KEYS = [
    "会议/录音 01.mp3",
    "plus+and space.mp3",
    "per%2Fcent%20.mp3",
    "100%.mp3",
    "&<>'\"quotes.mp3",
    "emoji-🎙️.mp3",
    "line\nfeed.mp3",
    "tab\tkey.mp3",
    "/leading-slash.mp3",
    "double//slash.mp3",
    "dots/../up.mp3",
    "./dot.mp3",
    "no-extension",
    "question?mark#hash.mp3",
    "é-composed-e\u0301.mp3",
    "k" * 850,
    "长" * 283,
    " blank at both ends ",
]


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_any_key_is_transcribed(flow: Flow, key: str) -> None:
    flow.upload(key, b"speech " * 300 + key.encode())
    flow.settle()
    settings = Settings((INPUT_BUCKET,), ("x" * 16,), "ap-guangzhou", output_bucket=OUTPUT_BUCKET)
    document = json.loads(flow.output(transcript_key(settings, INPUT_BUCKET, key, "json")))
    assert document["recording"]["key"] == key


def test_control_character_in_key_gives_error_object(flow: Flow) -> None:
    flow.upload("bell\x07.mp3", b"speech " * 300)
    flow.settle()
    document = json.loads(flow.output("transcripts/bell\x07.mp3.error.json"))
    assert "control character" in document["message"]


def test_silence_gives_valid_empty_transcripts(flow: Flow) -> None:
    flow.upload("quiet.wav", b"SILENCE" + b"\0" * 4000)
    flow.settle()
    assert flow.transcript("quiet.wav")["sentences"] == []
    assert flow.output("transcripts/quiet.wav.txt") == b""
    assert flow.output("transcripts/quiet.wav.vtt").startswith(b"WEBVTT")


def test_file_without_audio_gets_error_object(flow: Flow) -> None:
    flow.upload("broken.mp3", b"NOT AUDIO at all")
    flow.settle()
    document = json.loads(flow.output("transcripts/broken.mp3.error.json"))
    assert document["message"]
    assert document["next_step"]
    assert document["job_id"]
    assert not flow.has("transcripts/broken.mp3.json")


def test_fixed_recording_is_transcribed_after_failure(flow: Flow) -> None:
    flow.upload("fixed.mp3", b"NOT AUDIO at all")
    flow.settle()
    assert flow.has("transcripts/fixed.mp3.error.json")
    flow.upload("fixed.mp3", b"speech " * 300)
    flow.settle()
    assert flow.has("transcripts/fixed.mp3.json")
    assert not flow.has("transcripts/fixed.mp3.error.json")


def test_empty_file_costs_no_job(flow: Flow) -> None:
    before = len(flow.jobs())
    flow.upload("empty.wav", b"")
    flow.settle()
    assert "0 bytes" in json.loads(flow.output("transcripts/empty.wav.error.json"))["message"]
    assert len(flow.jobs()) == before


def test_invalid_metadata_costs_no_job(flow: Flow) -> None:
    before = len(flow.jobs())
    flow.upload("wrong.wav", b"speech " * 300, channels="7")
    flow.settle()
    assert "x-cos-meta-channels" in json.loads(flow.output("transcripts/wrong.wav.error.json"))["message"]
    assert len(flow.jobs()) == before


def test_metadata_selects_engine_and_channels(flow: Flow) -> None:
    flow.upload("call.wav", b"speech " * 300, engine="8k_zh", channels="2")
    flow.settle()
    document = flow.transcript("call.wav")
    assert document["engine"] == "8k_zh"
    assert document["channels"] == 2


def test_folder_markers_outputs_and_other_buckets_are_skipped(own_flow: Flow) -> None:
    first = own_flow.invoke("upload", own_flow.build_event("folder/"))
    assert list_statuses(first) == ["skipped"]
    second = own_flow.invoke("upload", own_flow.build_event("a.wav", bucket="strangers-1250000000"))
    assert list_statuses(second) == ["unknown_bucket"]
    assert first["requests"] == second["requests"] == []
    assert own_flow.jobs() == []


def test_deleted_recording_writes_nothing(own_flow: Flow) -> None:
    invocation = own_flow.invoke("upload", own_flow.build_event("never-there.wav"))
    assert list_statuses(invocation) == ["object_not_found"]
    assert own_flow.outputs() == []


def test_every_record_of_an_event_is_processed(own_flow: Flow) -> None:
    event = {
        "Records": [
            {"cos": 5},
            *own_flow.build_event("gone.wav")["Records"],
            *own_flow.build_event("folder/")["Records"],
        ]
    }
    invocation = own_flow.invoke("upload", event)
    assert list_statuses(invocation) == ["invalid_record", "object_not_found", "skipped"]


@pytest.mark.parametrize("event", [{}, [], {"Records": []}, {"Records": "x"}, "text", None, 7])
def test_other_event_raises_readable_error(flow: Flow, event: Any) -> None:
    invocation = flow.invoke("upload", event)
    assert invocation["outcome"] == "error"
    assert "Records" in invocation["error"]


def test_redelivered_event_submits_no_second_job(own_flow: Flow) -> None:
    own_flow.upload("once.wav", b"speech " * 300)
    own_flow.settle()
    again = own_flow.invoke("upload", own_flow.build_event("once.wav"))
    assert list_statuses(again) == ["already_done"]
    assert len(own_flow.jobs()) == 1


def test_new_content_under_same_key_is_new_work(own_flow: Flow) -> None:
    own_flow.upload("twice.wav", b"first speech " * 300)
    own_flow.settle()
    before = own_flow.transcript("twice.wav")
    own_flow.upload("twice.wav", b"other speech " * 300)
    own_flow.settle()
    after = own_flow.transcript("twice.wav")
    assert after["recording"]["etag"] != before["recording"]["etag"]
    assert len(own_flow.jobs()) == 2


def test_error_object_is_beside_the_transcripts(flow: Flow) -> None:
    settings = Settings((INPUT_BUCKET,), ("x" * 16,), "ap-guangzhou")
    assert (
        transcript_key(settings, INPUT_BUCKET, "calls/a.mp3", ERROR_EXTENSION)
        == "transcripts/calls/a.mp3.error.json"
    )
