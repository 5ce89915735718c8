"""The same content uploaded again with other options: one more job, the new words, nothing left of the old ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.options.parse import Choice
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED
from shared.tencent.speech_models import JobResult
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import DUE_S, InMemoryPipeline
from tests.helpers.invocations import KEY
from tests.helpers.other_options import (
    CANTONESE,
    ENGLISH,
    SIDECAR,
    A,
    assert_words,
    finish,
    list_outputs,
    put_sidecar,
    settle,
    transcribe,
    upload_again,
)


def test_wrong_language_is_put_right_with_metadata(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    assert pipeline.get_text(KEY) == f"[16k_zh] {A.decode()}"
    assert upload_again(pipeline, **ENGLISH) is Status.SUBMITTED
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)
    assert pipeline.get_done().sources == {"engine": "x-cos-meta-scribe-engine"}
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    assert "uploaded_with_other_options" in pipeline.get_events("info")


def test_wrong_language_is_put_right_with_the_setting_and_another_upload(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    changed = InMemoryPipeline(pipeline.cloud, engine="16k_en")
    changed.touch(KEY)
    assert changed.ingest(KEY, is_upload=False).status is Status.ALREADY_DONE
    assert upload_again(changed) is Status.SUBMITTED
    settle(changed)
    assert_words(changed, "16k_en", 2)


def restore(pipeline: InMemoryPipeline) -> None:
    pipeline.touch(KEY)
    pipeline.ingest(KEY, is_restore=True)


def copy(pipeline: InMemoryPipeline) -> None:
    pipeline.touch(KEY)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="STANDARD_IA")
    pipeline.ingest(KEY, is_upload=False)


def redeliver(pipeline: InMemoryPipeline) -> None:
    pipeline.ingest(KEY)


def lose_the_event_of_a_copy(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.touch(KEY)
    pipeline.audit_when_due()


@pytest.mark.parametrize("change", [restore, copy, redeliver, lose_the_event_of_a_copy])
@pytest.mark.parametrize("metadata", [{}, {"scribe-speakers": "2"}])
def test_changed_settings_pay_nothing_for_what_was_not_uploaded(
    pipeline: InMemoryPipeline, change: Callable[[InMemoryPipeline], None], metadata: dict[str, str]
) -> None:
    transcribe(pipeline, **metadata)
    other = {"fillers": Choice("none", "settings"), "title": Choice("t", "settings")}
    changed = InMemoryPipeline(pipeline.cloud, engine="16k_zh_video", options=other)
    for _ in range(2):
        change(changed)
        changed.settle()
    assert changed.count_jobs() == 1
    assert changed.get_text(KEY) == A.decode()
    assert changed.get_done().recording_options.title == ""


@pytest.mark.parametrize("is_event_lost", [True, False])
def test_copy_with_other_metadata_is_new_work(pipeline: InMemoryPipeline, is_event_lost: bool) -> None:
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    pipeline.touch(KEY)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, metadata=ENGLISH)
    if is_event_lost:
        pipeline.audit_when_due()
    else:
        pipeline.ingest(KEY, is_upload=False)
    settle(pipeline)
    pipeline.audit_when_due()
    assert_words(pipeline, "16k_en", 2)


def test_metadata_that_is_gone_is_another_choice(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A, **ENGLISH)
    settle(pipeline)
    pipeline.touch(KEY)
    pipeline.cloud.change_object(INPUT_BUCKET, KEY, metadata={})
    assert pipeline.ingest(KEY, is_upload=False).status is Status.SUBMITTED
    settle(pipeline)
    assert_words(pipeline, "16k_zh", 2)


def test_new_sidecar_and_another_upload_is_new_work(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    put_sidecar(pipeline, engine="16k_en")
    assert upload_again(pipeline) is Status.SUBMITTED
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)
    assert pipeline.get_done().sources == {"engine": SIDECAR}


@pytest.mark.parametrize(("is_upload", "jobs"), [(False, 1), (True, 2)])
def test_removed_sidecar_counts_only_with_an_upload(
    pipeline: InMemoryPipeline, is_upload: bool, jobs: int
) -> None:
    """Sidecars may be cleaned up when they have served; a copy to a cheaper class is then no choice of options."""
    put_sidecar(pipeline, engine="16k_en")
    transcribe(pipeline)
    pipeline.delete(SIDECAR)
    pipeline.touch(KEY)
    pipeline.ingest(KEY, is_upload=is_upload)
    pipeline.settle()
    assert pipeline.count_jobs() == jobs


def test_denied_sidecar_is_no_other_choice(pipeline: InMemoryPipeline) -> None:
    put_sidecar(pipeline, engine="16k_en")
    transcribe(pipeline)
    pipeline.cloud.change_object(INPUT_BUCKET, SIDECAR, refused=403)
    upload_again(pipeline)
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    assert "sidecar_denied" in pipeline.get_events("warning")


@pytest.mark.parametrize(("name", "value"), [("priority", "2"), ("notify", "0"), ("notify", "wecom-sales")])
def test_option_that_changes_no_word_is_no_new_work(
    pipeline: InMemoryPipeline, name: str, value: str
) -> None:
    transcribe(pipeline)
    assert upload_again(pipeline, **{f"scribe-{name}": value}) is Status.ALREADY_DONE
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize(
    ("metadata", "field", "value"),
    [
        ({"scribe-title": "b"}, "title", "b"),
        ({"scribe-speaker-names": "x,y"}, "speaker_names", ("x", "y")),
        ({"scribe-formats": "txt"}, "formats", ("txt",)),
        ({"scribe-caption-width": "20"}, "caption_width", 20),
        ({"scribe-caption-lines": "1"}, "caption_lines", 1),
        ({"scribe-caption-seconds": "3"}, "caption_seconds", 3),
        ({"scribe-times": "yes"}, "times", True),
    ],
)
def test_option_of_the_files_writes_them_again_without_a_job(
    pipeline: InMemoryPipeline, metadata: dict[str, str], field: str, value: object
) -> None:
    transcribe(pipeline, **{"scribe-speakers": "2"})
    assert upload_again(pipeline, **{"scribe-speakers": "2"}, **metadata) is Status.REOPENED
    (receipt,) = pipeline.list_open()
    assert getattr(receipt.recording_options, field) == value
    pipeline.settle()
    assert pipeline.count_jobs() == 1
    done = pipeline.get_done()
    assert getattr(done.recording_options, field) == value
    assert done.recording_options.speakers == "2"
    assert set(done.sources) == {"speakers", next(iter(metadata)).removeprefix("scribe-")}
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    pipeline.touch(KEY)
    assert pipeline.ingest(KEY, is_upload=False).status in {Status.ALREADY_DONE, Status.REOPENED}
    pipeline.settle()
    assert pipeline.count_jobs() == 1


def test_rewritten_titles_keep_the_options_of_the_job() -> None:
    """The speakers of the settings changed since: the job is the old one, so its options stay."""
    pipeline = InMemoryPipeline(options={"fillers": Choice("none", "settings")})
    transcribe(pipeline)
    changed = InMemoryPipeline(pipeline.cloud, engine="16k_ca")
    changed.touch(KEY)
    changed.cloud.change_object(INPUT_BUCKET, KEY, metadata={"scribe-title": "b"})
    assert changed.ingest(KEY, is_upload=False).status is Status.REOPENED
    options = changed.get_open().recording_options
    assert (options.engine, options.fillers, options.title) == ("16k_zh", "none", "b")


@pytest.mark.parametrize("number", range(8))
def test_attempt_that_is_killed_at_new_work_is_continued(number: int) -> None:
    pipeline = InMemoryPipeline()
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    pipeline.cloud.clock.advance(2)
    pipeline.upload(KEY, A, **ENGLISH)
    pipeline.cloud.kill_before(number)
    with pytest.raises(Killed):
        pipeline.ingest(KEY)
    pipeline.cloud.clear_hooks()
    settle(pipeline)
    pipeline.audit_when_due()
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)


@pytest.mark.parametrize("is_noted", [True, False])
def test_lost_answer_to_the_new_submit_pays_no_third_job(pipeline: InMemoryPipeline, is_noted: bool) -> None:
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    pipeline.cloud.after("POST", "", raise_error(Killed()))
    pipeline.cloud.clock.advance(2)
    pipeline.upload(KEY, A, **ENGLISH)
    with pytest.raises(Killed):
        pipeline.ingest(KEY)
    if is_noted:
        finish(pipeline)
        pipeline.notify("s1", "s2")
    settle(pipeline)
    assert_words(pipeline, "16k_en", 2)


def test_silence_in_the_new_language_leaves_nothing_of_the_old_words(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    pipeline.put_raw_result(KEY, A)
    upload_again(pipeline, **ENGLISH)
    job = pipeline.cloud.jobs["s2"]
    pipeline.cloud.jobs["s2"] = job._replace(state="Success", result=JobResult("1.5", "", (), ()))
    pipeline.settle()
    assert pipeline.get_text(KEY) == ""
    assert A not in (pipeline.get_output(KEY, "json") or A)
    assert pipeline.get_done().job_id == "s2"
    assert pipeline.count_jobs() == 2


def test_raw_text_of_the_old_job_is_not_that_of_the_new_one(pipeline: InMemoryPipeline) -> None:
    """The service sends no text for the new job, and the raw text below the receipt's id is of the old one."""
    transcribe(pipeline)
    pipeline.put_raw_result(KEY, A)
    upload_again(pipeline, **ENGLISH)
    job = pipeline.cloud.jobs["s2"]
    pipeline.cloud.jobs["s2"] = job._replace(state="Success", result=None, ended=pipeline.cloud._format_now())
    pipeline.sweep_when_due()
    assert pipeline.get_open().job_id == "s2"
    assert "raw_result_too_old" in pipeline.get_events("warning")
    pipeline.cloud.put_object(
        OUTPUT_BUCKET, f".scribe/raw/{pipeline.get_open().id}.txt", b"[0:0.000,0:1.500]  new words\n"
    )
    pipeline.cloud.change_object(
        OUTPUT_BUCKET,
        f".scribe/raw/{pipeline.get_open().id}.txt",
        modified_s=int(pipeline.get_open().created_s) + 1,
    )
    pipeline.settle()
    assert pipeline.get_text(KEY) == "new words"


def test_expired_new_job_leaves_nothing_of_the_old_words(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    upload_again(pipeline, **ENGLISH)
    pipeline.cloud.clock.advance(90_000)
    pipeline.sweep()
    assert list_outputs(pipeline) == ["error.json"]
    assert (pipeline.get_done().state, pipeline.get_done().all_job_ids) == (FAILED, ("s1", "s2"))
    pipeline.notify("s1")
    assert list_outputs(pipeline) == ["error.json"]
    finish(pipeline)
    pipeline.notify("s1", "s2")
    assert_words(pipeline, "16k_en", 2)


def test_new_job_that_the_service_forgets_takes_no_old_words(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    pipeline.put_raw_result(KEY, A)
    upload_again(pipeline, **ENGLISH)
    del pipeline.cloud.jobs["s2"]
    pipeline.sweep_when_due()
    assert pipeline.get_open().job_id == "s2"
    pipeline.cloud.clock.advance(90_000)
    pipeline.sweep()
    assert list_outputs(pipeline) == ["error.json"]
    assert pipeline.count_jobs() == 2


def test_job_that_fails_with_the_new_options_leaves_nothing_of_the_old_words(
    pipeline: InMemoryPipeline,
) -> None:
    transcribe(pipeline)
    upload_again(pipeline, **ENGLISH)
    pipeline.cloud.end_job("s2", "Failed", "FailedOperation.Unlisted")
    pipeline.notify("s2")
    assert list_outputs(pipeline) == ["error.json"]
    assert upload_again(pipeline, **CANTONESE) is Status.SUBMITTED
    settle(pipeline)
    assert_words(pipeline, "16k_ca", 3)


def test_options_of_three_uploads_make_three_jobs(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    for metadata in (ENGLISH, CANTONESE):
        upload_again(pipeline, **metadata)
        settle(pipeline)
    assert_words(pipeline, "16k_ca", 3)


def test_late_notification_of_the_old_job_changes_nothing(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    settle(pipeline)
    upload_again(pipeline, **ENGLISH)
    pipeline.notify("s1")
    assert pipeline.get_open().job_id == "s2"
    settle(pipeline)
    pipeline.notify("s1")
    assert_words(pipeline, "16k_en", 2)
