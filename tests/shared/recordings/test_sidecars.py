"""A sidecar beside a recording: read before the job, and reported when it comes too late."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import RequestRejected, Throttled
from shared.options.sidecar import MAX_SIDECAR_BYTES
from shared.recordings.filters import check_skipped
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED
from tests.helpers.fake_cloud import INPUT_BUCKET, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline

KEY, A = "calls/周会.mp3", b"words of the recording"
SIDECAR = f"{KEY}.scribe.json"
NAME = "周会.mp3.scribe.json"


def put_sidecar(pipeline: InMemoryPipeline, body: bytes | dict[str, Any]) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    pipeline.cloud.put_object(INPUT_BUCKET, SIDECAR, content)


def get_line(pipeline: InMemoryPipeline, event: str) -> dict[str, Any]:
    (line,) = [line for line in pipeline.log_lines if line["event"] == event]
    return line


def test_sidecar_that_is_there_before_its_recording_is_used(pipeline: InMemoryPipeline) -> None:
    values = {"speakers": 2, "speaker-names": ["客服", "客户"], "title": "周会", "recording": "周会.mp3"}
    put_sidecar(pipeline, values)
    assert pipeline.ingest(SIDECAR).reason == "a sidecar"
    assert pipeline.upload_and_ingest(KEY, A).status is Status.SUBMITTED
    (request,) = pipeline.cloud.job_requests
    assert request.speech["SpeakerNumber"] == "2"
    receipt = pipeline.get_open()
    assert receipt.sources == dict.fromkeys(("speakers", "title", "speaker-names"), NAME)
    assert receipt.recording_options.speaker_names == ("客服", "客户")


def test_choice_is_logged_without_words_of_people(pipeline: InMemoryPipeline) -> None:
    put_sidecar(pipeline, {"speakers": "auto", "title": "秘密", "speaker-names": ["王芳"]})
    pipeline.upload_and_ingest(KEY, A)
    line = get_line(pipeline, "options_chosen")
    assert line["options"] == {"speakers": "auto", "title": "...", "speaker-names": "..."}
    assert line["sources"] == dict.fromkeys(("speakers", "title", "speaker-names"), NAME)
    assert "秘密" not in json.dumps(pipeline.log_lines, ensure_ascii=False)
    assert "王芳" not in json.dumps(pipeline.log_lines, ensure_ascii=False)


def test_defaults_are_not_logged(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    assert "options_chosen" not in pipeline.get_events()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b" " * 10_000_000, f"has more than {MAX_SIDECAR_BYTES} bytes"),
        ({"speakers": 1}, f"speakers in {NAME} is 1"),
        ({"recording": "b.mp3"}, "is for another recording"),
        ({"hot-words": "a"}, "hot-words cannot be set by"),
        (
            {"channels": 2},
            f"channels is 2 ({NAME}), which needs the engine 8k_zh, not 16k_zh (engine: settings)",
        ),
    ],
    ids=["cut", "list", "10 MB", "value", "other recording", "operator", "combination"],
)
def test_wrong_sidecar_costs_no_job_and_is_explained(
    pipeline: InMemoryPipeline, body: bytes | dict[str, Any], message: str
) -> None:
    put_sidecar(pipeline, body)
    assert pipeline.upload_and_ingest(KEY, A).status is Status.FAILED
    error = pipeline.get_error(KEY) or {}
    assert message in error["message"]
    assert NAME in error["message"]
    assert NAME in error["message_zh"]
    assert pipeline.count_jobs() == 0
    assert pipeline.get_done().state is FAILED


def test_sidecar_is_never_a_recording() -> None:
    for extensions in (("mp3",), ("*",), ("json",)):
        pipeline = InMemoryPipeline(input_extensions=extensions)
        put_sidecar(pipeline, {})
        pipeline.ingest(SIDECAR)
        pipeline.audit_when_due()
        skipped = check_skipped(pipeline.ctx.settings, INPUT_BUCKET, SIDECAR)
        assert skipped is not None
        assert skipped.reason == "a sidecar"
        assert pipeline.list_open() + pipeline.list_done() == []
        assert pipeline.count_jobs() == 0


@pytest.mark.parametrize("is_done", [True, False])
def test_sidecar_that_comes_after_its_recording_is_logged(pipeline: InMemoryPipeline, is_done: bool) -> None:
    pipeline.upload_and_ingest(KEY, A)
    if is_done:
        pipeline.run_and_notify()
    put_sidecar(pipeline, {"speakers": 2})
    pipeline.take_requests()
    result = pipeline.ingest(SIDECAR)
    assert len(pipeline.take_requests()) <= 3
    assert (result.status, result.reason) == (Status.SKIPPED, "a sidecar")
    line = get_line(pipeline, "sidecar_too_late")
    assert (line["level"], line["key"], line["sidecar"]) == ("warning", KEY, SIDECAR)
    assert "upload the recording again" in line["next_step"]
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("is_done", [True, False])
def test_late_event_of_a_sidecar_that_was_used_says_nothing(
    pipeline: InMemoryPipeline, is_done: bool
) -> None:
    put_sidecar(pipeline, {"speakers": 2})
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest(KEY, A)
    if is_done:
        pipeline.run_and_notify()
    pipeline.take_requests()
    pipeline.ingest(SIDECAR)
    assert len(pipeline.take_requests()) <= 3
    assert "sidecar_too_late" not in pipeline.get_events()
    if is_done:
        pipeline.cloud.clock.advance(2)
        put_sidecar(pipeline, {"speakers": 3})
        pipeline.ingest(SIDECAR)
        assert "sidecar_too_late" in pipeline.get_events()


@pytest.mark.parametrize(
    "key", ["b.mp3.scribe.json", "notes.txt.scribe.json", "transcripts/a.scribe.json", ".scribe.json"]
)
def test_sidecar_without_a_recording_says_nothing(pipeline: InMemoryPipeline, key: str) -> None:
    pipeline.upload(key, b"{}")
    pipeline.ingest(key)
    assert len(pipeline.take_requests()) <= 1
    assert pipeline.get_events("warning") == []


def test_event_of_a_sidecar_beside_a_hidden_recording_says_nothing(pipeline: InMemoryPipeline) -> None:
    pipeline.upload(KEY, A)
    put_sidecar(pipeline, {})
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, refused=403)
    assert pipeline.ingest(SIDECAR).status is Status.SKIPPED
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, refused=451)
    with pytest.raises(RequestRejected):
        pipeline.ingest(SIDECAR)


def test_role_that_may_not_read_sidecars_transcribes_as_before(pipeline: InMemoryPipeline) -> None:
    put_sidecar(pipeline, {"speakers": 2})
    pipeline.cloud.change_object(INPUT_BUCKET, SIDECAR, refused=403)
    assert pipeline.upload_and_ingest(KEY, A).status is Status.SUBMITTED
    line = get_line(pipeline, "sidecar_denied")
    assert (line["level"], line["key"], line["sidecar"]) == ("warning", KEY, SIDECAR)
    assert pipeline.get_open().sources == {}


@pytest.mark.parametrize(
    ("status", "code", "shown"),
    [
        (400, "", "400"),
        (400, "InvalidArgument", "InvalidArgument"),
        (403, "InvalidObjectState", "InvalidObjectState"),
    ],
)
def test_sidecar_that_cannot_be_read_is_explained(
    pipeline: InMemoryPipeline, status: int, code: str, shown: str
) -> None:
    """One that is encrypted with a customer's key, or in an archive: the recording must not run without it."""
    put_sidecar(pipeline, {"speakers": 2})
    pipeline.cloud.before(
        "GET", ".scribe.json", raise_error(RequestRejected(resource="x", status=status, code=code))
    )
    assert pipeline.upload_and_ingest(KEY, A).status is Status.FAILED
    assert f"{NAME} cannot be read: {shown}" in (pipeline.get_error(KEY) or {})["message"]
    assert pipeline.count_jobs() == 0


@pytest.mark.parametrize(
    "error",
    [Throttled(resource="x", status=503), RequestRejected(resource="x", status=451)],
    ids=["503", "451"],
)
def test_fault_while_reading_a_sidecar_leaves_the_recording_to_the_next_event(
    pipeline: InMemoryPipeline, error: Exception
) -> None:
    put_sidecar(pipeline, {"speakers": 2})
    pipeline.cloud.before("GET", ".scribe.json", raise_error(error))
    pipeline.upload(KEY, A)
    with pytest.raises(type(error)):
        pipeline.ingest(KEY)
    assert pipeline.list_open() + pipeline.list_done() == []
    assert pipeline.ingest(KEY).status is Status.SUBMITTED
    assert pipeline.get_open().recording_options.speakers == "2"


def test_key_too_long_for_a_sidecar_has_none(pipeline: InMemoryPipeline) -> None:
    key = "a" * 840 + ".mp3"
    assert pipeline.upload_and_ingest(key, A).status is Status.SUBMITTED
    assert not [request for request in pipeline.take_requests() if request.key.endswith(".scribe.json")]
