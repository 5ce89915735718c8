"""Success, failure and waiting replace one another completely, whatever was written before."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import RequestRejected
from shared.recordings.keys import OUTPUT_MARK
from shared.recordings.models import Status
from shared.recordings.receipt import FAILED, TRANSCRIBED
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, Killed, raise_error
from tests.helpers.in_memory_pipeline import InMemoryPipeline

KEY = "calls/a.mp3"
A, B = b"words of the first content", b"other words"
ALL_FORMATS = ("json", "txt", "srt", "vtt")


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    return InMemoryPipeline(formats=ALL_FORMATS)


def list_extensions(pipeline: InMemoryPipeline) -> list[str]:
    prefix = f"transcripts/{KEY}."
    return sorted(key.removeprefix(prefix) for key in pipeline.list_keys(prefix))


def transcribe(pipeline: InMemoryPipeline, body: bytes = A) -> None:
    pipeline.cloud.clock.advance(2)
    pipeline.upload_and_ingest(KEY, body)
    pipeline.run_and_notify()


def upload_failing(pipeline: InMemoryPipeline, kind: str) -> None:
    """Upload content that gets no transcript, for a reason of this kind."""
    pipeline.cloud.clock.advance(2)
    body = kind.encode()
    if kind == "job":
        pipeline.upload_and_ingest(KEY, NOT_AUDIO)
        pipeline.run_and_notify()
    elif kind == "empty":
        pipeline.upload_and_ingest(KEY, b"")
    elif kind == "metadata":
        pipeline.upload_and_ingest(KEY, body, engine="no engine")
    elif kind == "refused":
        refusal = RequestRejected(resource="x", status=403, code="AccessDenied")
        pipeline.cloud.before("POST", "", raise_error(refusal))
        pipeline.upload_and_ingest(KEY, body)
    elif kind == "archived":
        pipeline.upload(KEY, body)
        pipeline.cloud.change_object(INPUT_BUCKET, KEY, storage="ARCHIVE")
        assert pipeline.ingest(KEY).status is Status.WAITING
    elif kind == "expired":
        pipeline.upload_and_ingest(KEY, body)
        pipeline.cloud.clock.advance(2 * 86_400)
        pipeline.sweep()


FAILING = ["job", "empty", "metadata", "refused", "archived", "expired"]


@pytest.mark.parametrize("kind", FAILING)
def test_words_of_earlier_content_do_not_stay_beside_a_failure(pipeline: InMemoryPipeline, kind: str) -> None:
    transcribe(pipeline)
    upload_failing(pipeline, kind)
    assert list_extensions(pipeline) == ["error.json"]


@pytest.mark.parametrize("kind", FAILING)
def test_error_object_does_not_stay_beside_later_words(pipeline: InMemoryPipeline, kind: str) -> None:
    upload_failing(pipeline, kind)
    assert list_extensions(pipeline) == ["error.json"]
    pipeline.cloud.clear_hooks()
    transcribe(pipeline)
    assert list_extensions(pipeline) == sorted(ALL_FORMATS)
    assert pipeline.get_text(KEY) == A.decode()


def test_formats_that_are_written_no_more_do_not_keep_earlier_words(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    pipeline.ctx = pipeline.build_context(formats=("txt",))
    transcribe(pipeline, B)
    assert list_extensions(pipeline) == ["txt"]
    assert pipeline.get_text(KEY) == B.decode()


def test_file_of_a_user_beside_the_transcripts_stays(pipeline: InMemoryPipeline) -> None:
    transcribe(pipeline)
    pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.docx", b"notes of a user")
    pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.summary.txt", b"more notes")
    upload_failing(pipeline, "job")
    assert list_extensions(pipeline) == ["docx", "error.json", "summary.txt"]


def test_outputs_of_other_recordings_with_a_longer_name_stay(pipeline: InMemoryPipeline) -> None:
    longer = f"{KEY}.wav"
    pipeline.upload_and_ingest(longer, A)
    transcribe(pipeline, B)
    upload_failing(pipeline, "job")
    assert pipeline.get_text(longer) == A.decode()


def test_more_outputs_than_one_page_lists_are_replaced_too() -> None:
    pipeline = InMemoryPipeline(formats=("txt",))
    pipeline.cloud.page_size = 3
    for number in range(6):
        mark = {OUTPUT_MARK: "transcript s77"}
        pipeline.cloud.put_object(OUTPUT_BUCKET, f"transcripts/{KEY}.0{number}.txt", b"others", mark)
    transcribe(pipeline)
    upload_failing(pipeline, "job")
    assert [key for key in list_extensions(pipeline) if not key.startswith("0")] == ["error.json"]


def test_success_costs_no_more_requests_than_before(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.run_jobs()
    pipeline.take_requests()
    pipeline.notify("s1")
    # Job, receipt, recording; the index, the transcripts, one listing; the closed receipt, the open one deleted.
    assert len(pipeline.take_requests()) == 3 + 1 + len(ALL_FORMATS) + 1 + 2


@given(steps=st.lists(st.sampled_from(["transcribe", "other words", *FAILING]), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_order_of_outcomes_leaves_the_last_one_only(steps: list[str]) -> None:
    pipeline = InMemoryPipeline(formats=ALL_FORMATS)
    for number, step in enumerate(steps):
        pipeline.cloud.clear_hooks()
        pipeline.cloud.clock.advance(10)
        if step == "transcribe":
            transcribe(pipeline, A + str(number).encode())
        elif step == "other words":
            transcribe(pipeline, B + str(number).encode())
        else:
            upload_failing(pipeline, step)
        extensions = list_extensions(pipeline)
        assert extensions in (["error.json"], sorted(ALL_FORMATS)), (step, extensions)


@pytest.mark.parametrize("number", range(14))
def test_result_that_arrives_while_the_recording_expires_is_the_only_outcome(number: int) -> None:
    """At any request of the sweep; the receipt says what is there."""
    pipeline = InMemoryPipeline(formats=ALL_FORMATS)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(2 * 86_400)

    def finish_late() -> None:
        pipeline.cloud.run_jobs()
        pipeline.notify("s1")

    pipeline.cloud.before("", "", finish_late, skip=number)
    pipeline.sweep()
    pipeline.cloud.clear_hooks()
    finish_late()
    assert list_extensions(pipeline) == sorted(ALL_FORMATS)
    assert pipeline.get_done().state is TRANSCRIBED
    assert pipeline.list_open() == []
    pipeline.touch(KEY)
    pipeline.ingest(KEY)
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize("number", range(10))
def test_upload_that_corrects_another_is_transcribed_whatever_the_first_event_is_doing(number: int) -> None:
    """The first event still fails the wrong metadata, at any request, when the corrected upload is taken."""
    pipeline = InMemoryPipeline(formats=ALL_FORMATS)
    pipeline.upload(KEY, A, channels="7")

    def correct() -> None:
        pipeline.cloud.clock.advance(2)
        pipeline.upload_and_ingest(KEY, A, channels="1")
        if number % 2:
            pipeline.run_and_notify()

    pipeline.cloud.before("", "", correct, skip=number)
    pipeline.ingest(KEY)
    pipeline.cloud.clear_hooks()
    if pipeline.count_jobs() == 0:  # the first event ended before the correction
        correct()
    pipeline.run_and_notify()
    assert list_extensions(pipeline) == sorted(ALL_FORMATS)
    assert pipeline.list_open() == []
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize(
    "number", [0, 1, 2, 3, 4, 5, 6, 7, 9]
)  # 8, the last request, stays open (docs/reliability.md)
def test_new_upload_after_a_failure_keeps_its_receipt_whatever_the_slow_callback_does(number: int) -> None:
    pipeline = InMemoryPipeline(formats=ALL_FORMATS)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")

    def fail_and_upload_again() -> None:
        pipeline.notify("s1")
        pipeline.cloud.clock.advance(2)
        pipeline.upload_and_ingest(KEY, A)

    pipeline.cloud.before("", "", fail_and_upload_again, skip=number)
    pipeline.notify("s1")
    pipeline.cloud.clear_hooks()
    if pipeline.count_jobs() == 1:
        fail_and_upload_again()
    pipeline.settle()
    assert list_extensions(pipeline) == sorted(ALL_FORMATS)
    assert pipeline.count_jobs() == 2


@pytest.mark.parametrize("number", range(8))
def test_late_failure_removes_no_words_of_newer_content(number: int) -> None:
    """The callback of the failed job is slow; other content is uploaded and transcribed at any of its requests."""
    pipeline = InMemoryPipeline(formats=ALL_FORMATS)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.end_job("s1", "Failed", "InternalError")

    def transcribe_other() -> None:
        transcribe(pipeline, B)

    pipeline.cloud.before("", "", transcribe_other, skip=number)
    pipeline.notify("s1")
    pipeline.cloud.clear_hooks()
    if pipeline.count_jobs() == 1:
        transcribe_other()
    pipeline.settle()
    assert list_extensions(pipeline) == sorted(ALL_FORMATS)
    assert pipeline.get_text(KEY) == B.decode()


@pytest.mark.parametrize("number", range(16))
def test_late_result_whose_writer_is_killed_is_written_by_the_sweep(number: int) -> None:
    pipeline = InMemoryPipeline(formats=ALL_FORMATS)
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(2 * 86_400)
    pipeline.sweep()
    assert list_extensions(pipeline) == ["error.json"]
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("", "", raise_error(Killed()), skip=number)
    with suppress(Killed):
        pipeline.notify("s1")
    pipeline.cloud.clear_hooks()
    if pipeline.list_open():
        pipeline.settle()
    is_written = list_extensions(pipeline) == sorted(ALL_FORMATS)
    assert is_written or list_extensions(pipeline) == ["error.json"]
    assert pipeline.get_done().state is (TRANSCRIBED if is_written else FAILED)
    assert pipeline.count_jobs() == 1


def test_late_result_that_another_invocation_wrote_is_not_written_again(pipeline: InMemoryPipeline) -> None:
    pipeline.upload_and_ingest(KEY, A)
    pipeline.cloud.clock.advance(86_402)
    pipeline.sweep()
    pipeline.cloud.run_jobs()
    pipeline.cloud.before("PUT", ".scribe/open/", lambda: pipeline.notify("s1"))
    assert pipeline.notify_one("s1").status is Status.ALREADY_DONE
    assert pipeline.list_open() == []
    assert (pipeline.get_done().state, pipeline.get_text(KEY)) == (TRANSCRIBED, A.decode())
    written = [request for request in pipeline.take_requests() if request.key.endswith(".txt")]
    assert [request.method for request in written].count("PUT") == 1
