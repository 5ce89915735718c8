"""Formats, title and names that one recording chooses: written, complete, removed, and kept whatever changes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from shared.errors import RequestRejected
from shared.recordings.keys import OUTPUT_MARK
from shared.recordings.models import Status
from shared.recordings.outputs import formats_for
from shared.recordings.receipt import FAILED, TRANSCRIBED, Receipt
from shared.tencent.client import MAX_BODY_BYTES
from shared.tencent.speech_models import FAILED as JOB_FAILED
from tests.helpers.fake_cloud import NOT_AUDIO, OUTPUT_BUCKET, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline, count_statuses
from tests.helpers.receipts import build_receipt

KEY, A, B = "calls/a.mp3", b"words of the first content", b"other words"
DAY_S = 86_400.0


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    return InMemoryPipeline(formats=("json", "txt"))


def list_extensions(pipeline: InMemoryPipeline) -> list[str]:
    prefix = f"transcripts/{KEY}."
    return sorted(key.removeprefix(prefix) for key in pipeline.list_keys(prefix))


def transcribe(pipeline: InMemoryPipeline, body: bytes = A, **options: str) -> None:
    pipeline.cloud.clock.advance(2)
    metadata = {f"scribe-{name.replace('_', '-')}": quote(value, safe=",") for name, value in options.items()}
    pipeline.upload_and_ingest(KEY, body, **metadata)
    pipeline.run_and_notify()


def reopen(pipeline: InMemoryPipeline, **choices: Any) -> Receipt:
    """Reopen the receipt with its paid job and these options, as an upload with other metadata does."""
    done = pipeline.get_done()
    sources = dict.fromkeys(choices, "x-cos-meta-scribe-test")
    options = done.recording_options._replace(
        **{name.replace("-", "_"): value for name, value in choices.items()}
    )
    now_s = pipeline.cloud.clock.now()
    reopened = done.reopen(done.modified_s, now_s).with_options(options, sources)
    return pipeline.put_open(reopened)


def forget_jobs(pipeline: InMemoryPipeline) -> None:
    """CI forgets every job: the speech service behind it promises 24 hours."""
    pipeline.cloud.jobs.clear()


def read_json(pipeline: InMemoryPipeline) -> dict[str, Any]:
    body = pipeline.get_output(KEY, "json")
    assert body is not None
    document: dict[str, Any] = json.loads(body)
    return document


def test_recording_gets_its_own_formats_whatever_the_settings_say(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, formats="srt,vtt")
    assert list_extensions(pipeline) == ["srt", "vtt"]
    assert pipeline.get_done().sources == {"formats": "x-cos-meta-scribe-formats"}


def test_all_formats_of_a_recording_are_its_own_too(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, formats="json,txt,srt,vtt,html")
    assert list_extensions(pipeline) == ["html", "json", "srt", "txt", "vtt"]


def test_settings_that_change_during_the_job_decide_for_other_recordings_only(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload_and_ingest("own.mp3", A, **{"scribe-formats": "srt"})
    pipeline.upload_and_ingest("other.mp3", B)
    pipeline.ctx = pipeline.build_context(formats=("vtt",))
    pipeline.run_and_notify()
    outputs = sorted(pipeline.list_keys("transcripts/"))
    assert outputs == ["transcripts/other.mp3.vtt", "transcripts/own.mp3.srt"]


@pytest.mark.parametrize("formats", [("vtt",), ("json", "txt", "srt", "vtt")])
def test_touched_recording_with_its_own_formats_is_complete(
    pipeline: InMemoryPipeline, formats: tuple[str, ...]
) -> None:
    transcribe(pipeline, formats="srt")
    pipeline.ctx = pipeline.build_context(formats=formats)
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    assert list_extensions(pipeline) == ["srt"]
    assert pipeline.count_jobs() == 1


def test_touched_recording_gets_its_own_missing_format_again(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, formats="srt,vtt")
    del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.vtt"]
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY).status is Status.REOPENED
    pipeline.settle()
    assert list_extensions(pipeline) == ["srt", "vtt"]
    assert pipeline.count_jobs() == 1


def test_formats_that_are_not_chosen_any_more_are_removed(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.vtt", b"a user's own file", {})
    reopen(pipeline, formats=("srt",))
    pipeline.settle()
    assert list_extensions(pipeline) == ["srt", "vtt"]
    assert pipeline.get_output(KEY, "vtt") == b"a user's own file"
    assert pipeline.count_jobs() == 1


def test_new_content_without_options_has_the_formats_of_the_settings(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, formats="srt,vtt")
    transcribe(pipeline, B)
    assert list_extensions(pipeline) == ["json", "txt"]
    assert read_json(pipeline)["options"] == {}


@pytest.mark.parametrize("failing", [NOT_AUDIO, b""], ids=["job", "empty"])
def test_error_object_replaces_transcripts_in_own_formats(pipeline: InMemoryPipeline, failing: bytes) -> None:
    transcribe(pipeline, formats="srt,vtt")
    transcribe(pipeline, failing, formats="srt")
    assert list_extensions(pipeline) == ["error.json"]
    transcribe(pipeline, B, formats="vtt")
    assert list_extensions(pipeline) == ["vtt"]


def test_late_result_is_written_in_own_formats(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A, **{"scribe-formats": "vtt"})
    pipeline.cloud.clock.advance(2 * DAY_S)
    pipeline.sweep()
    assert list_extensions(pipeline) == ["error.json"]
    assert pipeline.get_done().state is FAILED
    pipeline.run_and_notify()
    assert list_extensions(pipeline) == ["vtt"]
    assert pipeline.get_done().state is TRANSCRIBED


def test_failure_beside_all_own_formats_of_its_job_is_no_failure(pipeline: InMemoryPipeline) -> None:
    """Another invocation wrote the only format of the recording while this one saw the job fail."""
    pipeline.upload_and_ingest(KEY, A, **{"scribe-formats": "srt"})
    job_id = pipeline.get_open().job_id
    mark = {OUTPUT_MARK: f"transcript {job_id}"}
    pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.srt", b"1\n", mark)
    pipeline.cloud.end_job(job_id, JOB_FAILED, "FailedOperation.ErrorRecognize", "no")
    assert pipeline.notify_one(job_id).status is Status.ALREADY_DONE
    assert list_extensions(pipeline) == ["srt"]
    assert pipeline.get_done().state is TRANSCRIBED


def test_half_of_its_own_formats_do_not_hide_a_failure(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A, **{"scribe-formats": "srt,vtt"})
    job_id = pipeline.get_open().job_id
    for name in ("json", "txt", "srt"):
        mark = {OUTPUT_MARK: f"transcript {job_id}"}
        pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.{name}", b"1\n", mark)
    pipeline.cloud.end_job(job_id, JOB_FAILED, "FailedOperation.ErrorRecognize", "no")
    assert pipeline.notify_one(job_id).status is Status.FAILED
    assert "error.json" in list_extensions(pipeline)


def test_title_and_names_are_written_again_without_a_second_job(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    reopen(pipeline, **{"title": "周会", "speaker-names": ("客服",)})
    pipeline.settle()
    document = read_json(pipeline)
    assert (document["title"], document["speaker_names"]) == ("周会", ["客服"])
    assert document["options"] == {
        "title": {"value": "周会", "source": "x-cos-meta-scribe-test"},
        "speaker-names": {"value": ["客服"], "source": "x-cos-meta-scribe-test"},
    }
    assert (pipeline.get_text(KEY) or "").startswith("周会\n\n")
    assert pipeline.count_jobs() == 1


def test_forgotten_job_gets_another_title_and_format_from_its_json(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    before = read_json(pipeline)
    pipeline.put_raw_result(KEY, A, "words without their times")
    forget_jobs(pipeline)
    reopen(pipeline, title="周会", formats=("json", "vtt"))
    assert count_statuses(pipeline.sweep_when_due()) == {Status.TRANSCRIBED: 1}
    after = read_json(pipeline)
    assert after["sentences"] == before["sentences"]
    assert after["title"] == "周会"
    assert list_extensions(pipeline) == ["json", "vtt"]
    assert pipeline.get_done().recording_options.title == "周会"
    assert (pipeline.count_jobs(), pipeline.list_open()) == (1, [])


@pytest.mark.parametrize(
    "body", [b"{}", b"no JSON", b'{"schema":"urn:scribe:transcript","version":2}', b"[[["]
)
def test_forgotten_job_with_unreadable_json_gets_its_raw_result(
    pipeline: InMemoryPipeline, body: bytes
) -> None:
    transcribe(pipeline)
    mark = {OUTPUT_MARK: f"transcript {pipeline.get_done().job_id}"}
    pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.json", body, mark)
    pipeline.put_raw_result(KEY, A, "words from the raw result")
    forget_jobs(pipeline)
    reopen(pipeline, formats=("txt", "srt"))
    pipeline.sweep_when_due()
    assert "transcript_unreadable" in pipeline.get_events("warning")
    assert pipeline.get_text(KEY) == "words from the raw result"
    assert list_extensions(pipeline) == ["srt", "txt"]


def test_json_of_another_job_is_not_used_for_a_forgotten_one(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    body = pipeline.get_output(KEY, "json") or b""
    pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.json", body, {OUTPUT_MARK: "transcript s99"})
    pipeline.put_raw_result(KEY, A, "words from the raw result")
    forget_jobs(pipeline)
    reopen(pipeline, title="周会")
    pipeline.sweep_when_due()
    assert pipeline.get_text(KEY) == "周会\n\nwords from the raw result"


def test_json_that_is_too_large_is_left_for_the_raw_result(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    mark = {OUTPUT_MARK: f"transcript {pipeline.get_done().job_id}"}
    pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.json", bytes(MAX_BODY_BYTES + 1), mark)
    pipeline.put_raw_result(KEY, A, "words from the raw result")
    forget_jobs(pipeline)
    reopen(pipeline, title="周会", formats=("txt", "srt"))
    pipeline.sweep_when_due()
    assert pipeline.get_text(KEY) == "周会\n\nwords from the raw result"


def test_json_that_the_role_may_not_read_keeps_the_work_open(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    forget_jobs(pipeline)
    reopen(pipeline, title="周会")
    refusal = RequestRejected(resource="x", status=403, code="AccessDenied")
    pipeline.cloud.before("GET", f"transcripts/{KEY}.json", raise_error(refusal), times=1)
    assert pipeline.sweep_when_due().errors == 1
    assert len(pipeline.list_open()) == 1
    pipeline.sweep_when_due()
    assert (pipeline.get_text(KEY) or "").startswith("周会\n\n")
    assert pipeline.list_open() == []


def test_forgotten_job_without_json_keeps_what_is_written_and_says_so(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, formats="txt,srt", title="before")
    forget_jobs(pipeline)
    reopen(pipeline, title="after", formats=("srt",))
    assert count_statuses(pipeline.sweep_when_due()) == {Status.ALREADY_DONE: 1}
    assert list_extensions(pipeline) == ["srt"]
    assert "names_not_written" in pipeline.get_events("warning")
    done = pipeline.get_done()
    assert (done.recording_options.title, done.recording_options.formats) == ("before", ("srt",))
    assert done.sources == {"title": "x-cos-meta-scribe-title", "formats": "x-cos-meta-scribe-test"}


def test_other_formats_uploaded_later_replace_the_first_ones(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, formats="srt")
    transcribe(pipeline, formats="vtt,json", title="周会")
    pipeline.settle()
    assert list_extensions(pipeline) == ["json", "vtt"]
    assert read_json(pipeline)["title"] == "周会"
    transcribe(pipeline)
    pipeline.settle()
    assert list_extensions(pipeline) == ["json", "txt"]
    assert (read_json(pipeline)["title"], read_json(pipeline)["options"]) == (None, {})
    assert pipeline.count_jobs() == 1


def test_formats_and_title_uploaded_during_the_job_are_those_of_its_result(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload_and_ingest(KEY, A, **{"scribe-formats": "srt"})
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest(KEY, A, **{"scribe-formats": "vtt,json", "scribe-title": "later"})
    pipeline.cloud.clock.advance(2)
    pipeline.run_and_notify()
    assert list_extensions(pipeline) == ["json", "vtt"]
    assert read_json(pipeline)["title"] == "later"
    assert (pipeline.count_jobs(), pipeline.list_open()) == (1, [])


def test_stale_invocation_takes_the_formats_of_the_later_upload(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A, **{"scribe-formats": "srt"})
    stale = pipeline.get_open()
    pipeline.run_and_notify()
    transcribe(pipeline, formats="vtt")
    pipeline.settle()
    assert list_extensions(pipeline) == ["vtt"]
    pipeline.put_open(stale)
    pipeline.settle()
    assert list_extensions(pipeline) == ["vtt"]
    assert pipeline.count_jobs() == 1


def test_receipt_without_places_has_the_formats_of_the_settings(pipeline: InMemoryPipeline) -> None:
    receipt = build_receipt(options={"formats": ["srt"]})
    assert formats_for(pipeline.ctx, receipt) == ("json", "txt")
    own = receipt._replace(sources={"formats": "rules.yml line 3"})
    assert formats_for(pipeline.ctx, own) == ("srt",)


@pytest.mark.parametrize(
    "sources", [{"colour": "rules.yml line 3"}, {"title": 3}, [], None, 7, "title"], ids=str
)
def test_receipt_with_wrong_places_is_rejected(sources: Any) -> None:
    raw = json.loads(build_receipt().to_json())
    body = json.dumps({**raw, "sources": sources}).encode()
    with pytest.raises(ValueError, match="not a receipt"):
        Receipt.from_json(body)


def test_forgotten_job_without_json_keeps_its_layout(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, formats="srt", caption_width="20")
    forget_jobs(pipeline)
    reopen(pipeline, **{"caption-width": 40, "formats": ("srt",)})
    pipeline.sweep_when_due()
    assert pipeline.get_done().recording_options.caption_width == 20
    assert "names_not_written" in pipeline.get_events("warning")


LONG_WORDS = b"words that need two lines of forty-two columns, but five of twenty"


def test_layout_of_the_captions_is_that_of_the_option(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline, LONG_WORDS, formats="srt")
    before = pipeline.get_output(KEY, "srt") or b""
    transcribe(pipeline, LONG_WORDS, formats="srt", caption_width="20", caption_lines="1")
    pipeline.settle()
    after = pipeline.get_output(KEY, "srt") or b""
    assert max(map(len, before.splitlines())) > 20 + len("words")
    assert after.count(b"\n\n") > before.count(b"\n\n")
    assert pipeline.count_jobs() == 1
