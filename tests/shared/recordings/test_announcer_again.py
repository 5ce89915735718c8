"""Transcripts that an earlier invocation wrote, or that are written again, are announced once for each outcome."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from shared.notices.models import NoticeType
from tests.helpers.announced_pipeline import BODY, KEY, AnnouncedPipeline
from tests.helpers.fake_cloud import OUTPUT_BUCKET, Killed, raise_error

DAY_S = 86_400.0


def kill_before_the_notice(pipeline: AnnouncedPipeline, step: Callable[[], object]) -> None:
    """The transcripts are written, but not the notice; then the service forgets the job and its text."""
    pipeline.cloud.before("PUT", "notices/", raise_error(Killed()))
    with pytest.raises(Killed):
        step()
    pipeline.cloud.jobs.clear()
    stored = pipeline.cloud.buckets[OUTPUT_BUCKET]
    for key in [key for key in stored if "/raw/" in key]:
        del stored[key]
    pipeline.begin()


def sweep_for_days(pipeline: AnnouncedPipeline) -> None:
    for _ in range(6):
        pipeline.cloud.clock.advance(DAY_S / 2)
        pipeline.begin()
        pipeline.sweep()


def build_pipeline(*formats: str) -> AnnouncedPipeline:
    return AnnouncedPipeline(give_up_after_s=DAY_S, formats=formats or ("json", "txt"))


def test_transcript_is_announced_by_the_invocation_that_finds_it() -> None:
    pipeline = build_pipeline()
    pipeline.upload_and_ingest(KEY, BODY)
    pipeline.cloud.run_jobs()
    kill_before_the_notice(pipeline, partial(pipeline.notify, "s1"))
    sweep_for_days(pipeline)
    (notice,) = pipeline.notices
    assert (notice.type, notice.job_id) == (NoticeType.DONE, "s1")
    assert notice.duration_ms == 1500
    assert pipeline.list_open() == []
    assert pipeline.get_error(KEY) is None


def test_transcript_that_is_found_is_not_announced_if_its_recording_wants_no_notices() -> None:
    pipeline = build_pipeline()
    pipeline.upload_and_ingest(KEY, BODY, **{"scribe-notify": "no"})
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("PUT", ".scribe/done/", raise_error(Killed()))
    with pytest.raises(Killed):
        pipeline.notify("s1")
    pipeline.cloud.jobs.clear()
    sweep_for_days(pipeline)
    assert pipeline.notices == []
    assert pipeline.list_open() == []


@pytest.mark.parametrize("body", [None, b"{}"], ids=["no JSON", "other JSON"])
def test_transcript_without_its_json_is_announced_without_counts(body: bytes | None) -> None:
    pipeline = build_pipeline("txt") if body is None else build_pipeline()
    pipeline.upload_and_ingest(KEY, BODY)
    pipeline.cloud.run_jobs()
    kill_before_the_notice(pipeline, partial(pipeline.notify, "s1"))
    if body:
        pipeline.cloud.change_object(OUTPUT_BUCKET, f"transcripts/{KEY}.json", body=body)
    sweep_for_days(pipeline)
    (notice,) = pipeline.notices
    assert notice.type is NoticeType.DONE
    assert (notice.duration_ms, notice.words, notice.speakers) == (None, None, None)


def test_invocation_that_finds_transcripts_is_killed_and_loses_no_notice() -> None:
    for number in range(100):
        pipeline = build_pipeline()
        pipeline.upload_and_ingest(KEY, BODY)
        pipeline.cloud.run_jobs()
        kill_before_the_notice(pipeline, partial(pipeline.notify, "s1"))
        pipeline.cloud.clock.advance(DAY_S + 60)
        pipeline.cloud.kill_before(number)
        is_killed = False
        try:
            pipeline.sweep()
        except Killed:
            is_killed = True
        pipeline.cloud.clear_hooks()
        sweep_for_days(pipeline)
        assert {notice.type for notice in pipeline.notices} == {NoticeType.DONE}
        assert len(set(pipeline.ids)) == 1
        assert pipeline.list_open_notices() == []
        if not is_killed:
            assert number > 5
            return
    pytest.fail("it has too many requests")


def upload_again(pipeline: AnnouncedPipeline, **metadata: str) -> None:
    pipeline.cloud.clock.advance(60)
    pipeline.begin()
    pipeline.upload_and_ingest(KEY, BODY, **metadata)
    pipeline.ctx.send_notices()


def test_recording_that_was_announced_has_no_other_id_when_it_is_written_again() -> None:
    pipeline = build_pipeline("txt")
    pipeline.upload_all(pipeline.run_and_notify)
    assert len(pipeline.notices) == 1
    upload_again(pipeline)
    pipeline.begin()
    pipeline.sweep_when_due()
    pipeline.cloud.jobs.clear()
    upload_again(pipeline)
    sweep_for_days(pipeline)
    assert len(set(pipeline.ids)) == 1
    assert pipeline.count_jobs() == 1
    assert pipeline.list_open() == []


def change_formats(pipeline: AnnouncedPipeline, formats: str) -> None:
    upload_again(pipeline, **{"scribe-formats": formats})
    pipeline.begin()
    pipeline.cloud.clock.advance(DAY_S / 24)
    pipeline.sweep()


def test_other_text_options_of_a_paid_job_are_another_outcome_with_another_id() -> None:
    pipeline = build_pipeline()
    pipeline.upload_all(pipeline.run_and_notify)
    change_formats(pipeline, "json,srt")
    assert len(set(pipeline.ids)) == len(pipeline.ids) == 2
    assert pipeline.notices[1].output_keys == (f"transcripts/{KEY}.json", f"transcripts/{KEY}.srt")
    upload_again(pipeline, **{"scribe-formats": "json,srt", "scribe-title": "Another title"})
    sweep_for_days(pipeline)
    assert len(set(pipeline.ids)) == 3
    assert pipeline.count_jobs() == 1
    stored = str([notice.as_document() for notice in pipeline.notices])
    assert "Another title" not in stored


def test_other_formats_of_a_paid_job_have_one_id_however_often_the_invocation_is_killed() -> None:
    for number in range(100):
        pipeline = build_pipeline()
        pipeline.upload_all(pipeline.run_and_notify)
        upload_again(pipeline, **{"scribe-formats": "srt"})
        pipeline.cloud.clock.advance(DAY_S / 24)
        pipeline.cloud.kill_before(number)
        is_killed = False
        try:
            pipeline.sweep()
        except Killed:
            is_killed = True
        pipeline.cloud.clear_hooks()
        sweep_for_days(pipeline)
        assert len(set(pipeline.ids)) == 2
        assert pipeline.list_open_notices() == []
        if not is_killed:
            assert number > 5
            return
    pytest.fail("it has too many requests")


def test_other_formats_that_are_there_when_the_job_is_forgotten_are_announced() -> None:
    pipeline = build_pipeline("txt")
    pipeline.upload_all(pipeline.run_and_notify)
    upload_again(pipeline, **{"scribe-formats": "srt"})
    pipeline.cloud.clock.advance(DAY_S / 24)
    kill_before_the_notice(pipeline, pipeline.sweep)
    sweep_for_days(pipeline)
    assert len(set(pipeline.ids)) == 2
    assert pipeline.notices[-1].output_keys == (f"transcripts/{KEY}.srt",)
    assert pipeline.list_open() == []
