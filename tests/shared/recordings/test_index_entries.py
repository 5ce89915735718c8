"""What the functions write to the index: each job that gave a transcript, and each recording that has failed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shared.recordings.index import (
    FinishedEntry,
    finished_key,
    forgotten_key,
    get_month,
    get_month_start_s,
    get_next_month,
    is_forgotten,
    open_index,
    parse_finished_key,
    read_receipt_id,
    select_longest,
)
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED, TRANSCRIBED, Recording
from shared.tencent.clock import parse_timestamp
from shared.tencent.speech_models import SUCCESS, JobResult
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, Killed
from tests.helpers.fakes import build_test_settings
from tests.helpers.in_memory_pipeline import InMemoryPipeline

KEY, A = "calls/录音 1.mp3", b"words of the first content"
LATE_S = 90_000.0  # after GIVE_UP_AFTER


def list_finished(pipeline: InMemoryPipeline) -> list[FinishedEntry]:
    return list(open_index(pipeline.ctx, INPUT_BUCKET).iter_finished())


def list_failed(pipeline: InMemoryPipeline) -> list[str]:
    prefix = ".scribe/index/failed/"
    return [key.removeprefix(prefix) for key in pipeline.list_keys(prefix)]


def end_with(pipeline: InMemoryPipeline, audio_seconds: str, *details: dict[str, str]) -> None:
    """Finish the only job with this length and these sentences."""
    pipeline.cloud.run_jobs()
    (job,) = pipeline.cloud.jobs.values()
    pipeline.cloud.jobs[job.job_id] = job._replace(result=JobResult(audio_seconds, "", details, ()))


def test_transcribed_recording_has_one_entry_with_its_billed_seconds_and_end(
    pipeline: InMemoryPipeline,
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(70)
    pipeline.cloud.run_jobs()
    ended_s = int(pipeline.cloud.clock.now())
    pipeline.cloud.clock.advance(400)
    assert pipeline.notify_one("s1").status is Status.TRANSCRIBED
    (entry,) = list_finished(pipeline)
    assert entry == FinishedEntry(ended_s, pipeline.get_done().id, 2)  # 1.5 s
    assert read_receipt_id(entry.receipt_id).key == KEY
    assert list_failed(pipeline) == []
    (stored,) = pipeline.list_keys(".scribe/index/")
    assert pipeline.cloud.buckets[OUTPUT_BUCKET][stored].metadata == {"scribe-output": "state"}


SENTENCE = {"StartMs": "1000", "EndMs": "61500", "FinalSentence": "words", "SpeakerId": "0"}


@pytest.mark.parametrize(
    ("audio_seconds", "details", "seconds"),
    [
        ("600", (SENTENCE,), 600),
        ("", (SENTENCE,), 62),
        ("", (), 0),
        ("0", (SENTENCE,), 0),
    ],
)
def test_length_is_that_of_the_result_or_of_the_last_sentence(
    pipeline: InMemoryPipeline, audio_seconds: str, details: tuple[dict[str, str], ...], seconds: int
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    end_with(pipeline, audio_seconds, *details)
    pipeline.notify("s1")
    assert [entry.seconds for entry in list_finished(pipeline)] == [seconds]


@pytest.mark.parametrize(("ended", "created"), [("", "2026-11-10T12:00:00+0800"), ("", "")])
def test_job_without_an_end_has_the_same_entry_whenever_it_is_written(
    pipeline: InMemoryPipeline, ended: str, created: str
) -> None:
    pipeline.upload_and_ingest(KEY, A)
    created_s = pipeline.get_open().created_s
    pipeline.cloud.run_jobs()
    pipeline.cloud.jobs["s1"] = pipeline.cloud.jobs["s1"]._replace(ended=ended, created=created)
    pipeline.notify("s1")
    (entry,) = list_finished(pipeline)
    assert entry.ended_s == int(parse_timestamp(created) or created_s)


def test_transcripts_that_are_written_again_add_no_entry(pipeline: InMemoryPipeline) -> None:
    """First with the job as the speech service still knows it, then without it."""
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    before = list_finished(pipeline)
    for is_known in (True, False):
        if not is_known:
            pipeline.cloud.jobs.clear()
        for extension in ("srt", "txt"):
            del pipeline.cloud.buckets[OUTPUT_BUCKET][f"transcripts/{KEY}.{extension}"]
        pipeline.cloud.clock.advance(10)
        pipeline.upload(KEY, A)
        assert pipeline.ingest(KEY).status is Status.REOPENED
        pipeline.sweep_when_due()
        assert pipeline.get_text(KEY) == A.decode()
        assert list_finished(pipeline) == before


def test_second_job_of_the_same_content_has_an_entry_of_its_own(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    pipeline.cloud.clock.advance(10)
    pipeline.upload_and_ingest(KEY, A, **{"scribe-engine": "16k_en"})
    pipeline.cloud.clock.advance(10)
    pipeline.run_and_notify()
    newest, oldest = list_finished(pipeline)
    assert pipeline.count_jobs() == 2
    assert newest.receipt_id == oldest.receipt_id
    assert newest.ended_s > oldest.ended_s


def fail_job(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, NOT_AUDIO)
    pipeline.run_and_notify()


def fail_upload(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, b"")


def fail_in_time(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(LATE_S)
    pipeline.sweep()


@pytest.mark.parametrize("fail", [fail_job, fail_upload, fail_in_time])
def test_failed_recording_is_in_the_index(
    pipeline: InMemoryPipeline, fail: Callable[[InMemoryPipeline], None]
) -> None:
    fail(pipeline)
    assert list_failed(pipeline) == [pipeline.get_done().id]
    assert pipeline.get_done().state is FAILED
    assert list_finished(pipeline) == []


def test_late_result_removes_the_failure(pipeline: InMemoryPipeline) -> None:
    fail_in_time(pipeline)
    pipeline.run_and_notify()
    assert pipeline.get_done().state is TRANSCRIBED
    assert list_failed(pipeline) == []
    assert len(list_finished(pipeline)) == 1


def test_new_upload_after_a_failure_removes_it(pipeline: InMemoryPipeline) -> None:
    fail_job(pipeline)
    pipeline.cloud.clock.advance(2)
    assert pipeline.upload_and_ingest(KEY, NOT_AUDIO).status is Status.SUBMITTED
    assert list_failed(pipeline) == []


def test_redelivered_event_keeps_the_failure(pipeline: InMemoryPipeline) -> None:
    fail_job(pipeline)
    before = list_failed(pipeline)
    assert pipeline.ingest(KEY).status is Status.ALREADY_DONE
    assert list_failed(pipeline) == before != []


def succeed(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()


def fail_soon(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, NOT_AUDIO)
    pipeline.cloud.run_jobs()


def succeed_late(pipeline: InMemoryPipeline) -> None:
    fail_in_time(pipeline)
    pipeline.cloud.run_jobs()


NOTIFIED = {"finished": (succeed, 1, 0), "failed": (fail_soon, 0, 1), "late": (succeed_late, 1, 0)}


def count_requests(name: str) -> int:
    pipeline = InMemoryPipeline()
    NOTIFIED[name][0](pipeline)
    pipeline.take_requests()
    pipeline.notify("s1")
    return len(pipeline.take_requests())


CASES = [(name, number) for name in NOTIFIED for number in range(count_requests(name))]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_callback_killed_before_any_request_leaves_the_right_entries(name: str, number: int) -> None:
    """An entry of a failure may be left, not be missing: a reader looks at the receipt."""
    prepare, finished, failed = NOTIFIED[name]
    pipeline = InMemoryPipeline()
    prepare(pipeline)
    pipeline.cloud.kill_before(number)
    with pytest.raises(Killed):
        pipeline.notify("s1")
    pipeline.settle()
    if name == "late" and pipeline.get_done().state is FAILED:
        pipeline.notify("s1")  # it was killed before it reopened the receipt; Cloud Infinite notifies again
    assert len(list_finished(pipeline)) == finished
    assert pipeline.count_jobs() == 1
    assert len(list_failed(pipeline)) >= failed
    state = pipeline.get_done().state
    assert state is (FAILED if failed else TRANSCRIBED)


def test_entries_are_listed_newest_first_and_a_month_alone(pipeline: InMemoryPipeline) -> None:
    index = open_index(pipeline.ctx, INPUT_BUCKET)
    receipts = [pipeline.build_receipt(f"{number}.mp3", A) for number in range(4)]
    start_s, end_s = get_month_start_s("2026-11"), get_month_start_s("2026-12")
    times = [start_s - 1, start_s, end_s - 1, end_s]
    for receipt, ended_s in zip(receipts, times, strict=True):
        index.add_finished(receipt, ended_s, 59.2)
    assert [entry.ended_s for entry in index.iter_finished()] == times[::-1]
    assert [entry.ended_s for entry in index.iter_finished(from_s=start_s, before_s=end_s)] == times[2:0:-1]
    assert {entry.seconds for entry in index.iter_finished()} == {60}
    assert [get_month(time_s) for time_s in times] == ["2026-10", "2026-11", "2026-11", "2026-12"]
    assert get_next_month("2026-12") == "2027-01"


@pytest.mark.parametrize("key", ["a", "x/" * 60 + "录音.mp3", "録" * 90 + ".mp3", "a!b #1.mp3", "a.0/b.60"])
def test_entry_can_be_read_from_its_key(key: str) -> None:
    settings = build_test_settings()
    recording = Recording(INPUT_BUCKET, key, "etag", 1)
    entry = FinishedEntry(1_794_300_000, recording.id, 61)
    assert parse_finished_key(settings, finished_key(settings, entry)) == entry
    assert parse_finished_key(settings, "index/finished/other") is None
    readable = read_receipt_id(recording.id)
    assert readable.bucket == INPUT_BUCKET
    assert key.startswith(readable.key)
    assert readable.is_whole is (readable.key == key)
    with pytest.raises(ValueError, match="other"):
        read_receipt_id("other")


def test_other_objects_below_finished_are_passed_over(pipeline: InMemoryPipeline) -> None:
    pipeline.cloud.put_object(OUTPUT_BUCKET, ".scribe/index/finished/readme.txt", b"")
    pipeline.upload_and_ingest(KEY, A)
    pipeline.run_and_notify()
    assert len(list_finished(pipeline)) == 1


def test_forgotten_recording_is_known_by_its_content_until_it_is_uploaded_again(
    pipeline: InMemoryPipeline,
) -> None:
    recording, now_s = pipeline.build_receipt(KEY, A).recording, int(pipeline.cloud.clock.now())
    assert not is_forgotten(pipeline.ctx, recording, now_s)
    pipeline.cloud.put_object(OUTPUT_BUCKET, forgotten_key(pipeline.ctx.settings, recording), b"")
    assert is_forgotten(pipeline.ctx, recording, now_s)
    assert not is_forgotten(pipeline.ctx, recording._replace(etag="other"), now_s)
    assert not is_forgotten(pipeline.ctx, recording, now_s + 60)
    assert "录音" not in forgotten_key(pipeline.ctx.settings, recording)


def test_unfinished_job_has_no_entry(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    assert pipeline.cloud.jobs["s1"].state != SUCCESS
    pipeline.notify("s1")
    assert list_finished(pipeline) == []


def test_job_with_two_lengths_counts_once_with_the_longer(pipeline: InMemoryPipeline) -> None:
    index = open_index(pipeline.ctx, INPUT_BUCKET)
    receipt = pipeline.build_receipt(KEY, A)
    for seconds in (2, 11, 9):
        index.add_finished(receipt, 1000, seconds)
    index.add_finished(receipt, 1001, 5)
    entries = select_longest(index.iter_finished())
    assert [(entry.ended_s, entry.seconds) for entry in entries] == [(1001, 5), (1000, 11)]
