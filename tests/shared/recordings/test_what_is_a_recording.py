"""Other objects beside recordings in a bucket cost no job and no error object, by event and in the audit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.recordings.models import Status
from shared.settings import DEFAULT_EXTENSIONS
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET
from tests.helpers.fakes import build_test_settings
from tests.helpers.in_memory_pipeline import InMemoryPipeline, count_statuses

A = b"words of the recording"
NO_RECORDINGS = [
    *(".DS_Store", "calls/.DS_Store", "notes.pdf", "photo.JPG", "a.json", "Thumbs.db", "a.mp3.txt", ".mp3"),
    *("upload.wav.part", "a.mp3.tmp", "a.mp3~", "a.mp3.crdownload", "archive.tar.gz", "film.ts", "list.m3u8"),
]
STEMS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=20)
EXTENSIONS = st.sampled_from(DEFAULT_EXTENSIONS)
OTHER_EXTENSIONS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=16).filter(
    lambda extension: extension not in DEFAULT_EXTENSIONS
)


@pytest.mark.parametrize("key", [key for key in NO_RECORDINGS if "~" not in key])
def test_object_with_another_extension_costs_no_request(pipeline: InMemoryPipeline, key: str) -> None:
    result = pipeline.upload_and_ingest(key, A)
    assert (result.status, result.reason) == (Status.SKIPPED, "its extension is not in INPUT_EXTENSIONS")
    assert pipeline.take_requests() == []


def test_audit_leaves_other_objects_alone_without_a_word(pipeline: InMemoryPipeline) -> None:
    for key in NO_RECORDINGS:
        pipeline.upload(key, A)
    pipeline.upload("a.mp3", A)
    pipeline.audit_when_due()
    assert [line.get("key") for line in pipeline.log_lines] == ["a.mp3"]
    assert pipeline.count_jobs() == 1
    assert pipeline.list_keys("transcripts/") == []


@given(stem=STEMS, extension=EXTENSIONS, is_upper=st.booleans())
@settings(max_examples=100, deadline=None)
def test_every_audio_and_video_extension_is_a_recording(stem: str, extension: str, is_upper: bool) -> None:
    key = f"calls/{stem}.{extension.upper() if is_upper else extension.title()}"
    assert build_test_settings().has_recording_extension(key) is True


@given(stem=STEMS, extension=OTHER_EXTENSIONS, folder=st.sampled_from(["", "a.mp3/", "wav/"]))
@settings(max_examples=100, deadline=None)
def test_any_other_extension_is_no_recording(stem: str, extension: str, folder: str) -> None:
    assert build_test_settings().has_recording_extension(f"{folder}{stem}.{extension}") is False


@given(key=st.text("./am34p 会~\n", min_size=1, max_size=12) | STEMS)
@settings(max_examples=200, deadline=None)
def test_any_key_has_one_answer(key: str) -> None:
    answer = build_test_settings().has_recording_extension(key)
    assert answer in {True, False, None}
    if answer:
        assert key.lower().endswith(tuple(f".{extension}" for extension in DEFAULT_EXTENSIONS))
    assert build_test_settings(input_extensions=("*",)).has_recording_extension(key) is True


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("audio/mpeg", Status.SUBMITTED),
        ("AUDIO/WAV", Status.SUBMITTED),
        ("video/mp4", Status.SUBMITTED),
        ("application/octet-stream", Status.SKIPPED),
        ("audiobook/x", Status.SKIPPED),
        ("text/plain", Status.SKIPPED),
        ("", Status.SKIPPED),
    ],
)
@pytest.mark.parametrize(
    "key", ["call-17", "folder.mp3/call-17", "name.", "Call at 14.30 with Li", "会议.录音"]
)
def test_content_type_decides_for_a_key_without_an_extension(
    pipeline: InMemoryPipeline, key: str, content_type: str, status: Status
) -> None:
    pipeline.upload(key, A)
    pipeline.cloud.change_object(INPUT_BUCKET, key, content_type=content_type)
    assert pipeline.ingest(key).status is status
    assert pipeline.count_jobs() == (status is Status.SUBMITTED)
    assert pipeline.list_keys("transcripts/") == []


def test_audit_asks_for_the_content_type_and_stays_silent(pipeline: InMemoryPipeline) -> None:
    for key, content_type in (("song", "audio/flac"), ("readme", "text/plain")):
        pipeline.upload(key, A)
        pipeline.cloud.change_object(INPUT_BUCKET, key, content_type=content_type)
    assert count_statuses(pipeline.audit_when_due()) == {Status.SUBMITTED: 1, Status.SKIPPED: 1}
    assert [line["key"] for line in pipeline.log_lines] == ["song"]


def test_extensions_of_the_settings_replace_the_default() -> None:
    pipeline = InMemoryPipeline(input_extensions=("MP3", "dat"))
    statuses = {key: pipeline.upload_and_ingest(key, A).status for key in ("a.mp3", "b.DAT", "c.wav")}
    assert statuses == {"a.mp3": Status.SUBMITTED, "b.DAT": Status.SUBMITTED, "c.wav": Status.SKIPPED}


def test_star_takes_everything_but_folders_and_own_outputs() -> None:
    pipeline = InMemoryPipeline(input_extensions=("*",), output_bucket="")
    for key in ("a.dat", ".DS_Store", "b", "transcripts/a.dat.txt", ".scribe/open/x", "folder/"):
        pipeline.upload(key, A)
    pipeline.audit_when_due()
    assert sorted(request.input_key for request in pipeline.cloud.job_requests) == [".DS_Store", "a.dat", "b"]


def test_folder_marker_of_any_kind_is_no_recording(pipeline: InMemoryPipeline) -> None:
    pipeline.upload("x.mp3/", b"")
    assert pipeline.ingest("x.mp3/").status is Status.SKIPPED
    assert pipeline.list_keys(bucket=OUTPUT_BUCKET) == []
