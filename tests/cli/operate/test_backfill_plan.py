"""What a backfill would take, without changing anything: exactly what has no receipt, and why the rest is left out."""

from __future__ import annotations

import pytest

from cli.errors import OperatorError
from cli.operate.backfill_plan import Plan, Selection, choose_prefix, iter_candidates, plan_bucket
from shared.errors import Throttled
from shared.recordings.audit import audit
from shared.recordings.index import forgotten_key
from shared.recordings.options import MAX_RECORDING_BYTES
from shared.recordings.usage import estimate_seconds
from shared.tencent.speech_models import Queue
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, OUTPUT_BUCKET, START_S, raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.operate import OperatedPipeline
from tests.helpers.retries import A

RESTORED = 'ongoing-request="false", expiry-date="Fri, 01 Jan 2027 00:00:00 GMT"'
DAY_S = 86_400.0
EVERYTHING = Selection()
MISSED = Selection(missed=True)


@pytest.fixture
def pipeline() -> OperatedPipeline:
    return OperatedPipeline()


def plan(pipeline: OperatedPipeline, selection: Selection = EVERYTHING) -> Plan:
    """Plan the input bucket. Fails if anything is changed."""
    made = Plan()
    pipeline.take_requests()
    plan_bucket(pipeline.ctx, INPUT_BUCKET, selection, made)
    assert {request.method for request in pipeline.take_requests()} <= {"LIST", "HEAD", "GET"}
    return made


def put(pipeline: OperatedPipeline, key: str, body: bytes = A, *, size: int | None = None) -> None:
    pipeline.cloud.put_object(INPUT_BUCKET, key, body, size=size)


def test_counts_what_has_no_receipt(pipeline: OperatedPipeline) -> None:
    pipeline.transcribe("done.mp3", A)
    pipeline.transcribe("failed.mp3", NOT_AUDIO)
    pipeline.upload_and_ingest("open.mp3", A)
    put(pipeline, "a.mp3", size=16_000_000)
    put(pipeline, "b.wav", size=32_000_000)
    made = plan(pipeline)
    assert (made.found, made.known, made.size_bytes) == (2, 3, 48_000_000)
    assert made.seconds == estimate_seconds("a.mp3", 16_000_000) + estimate_seconds("b.wav", 32_000_000)
    assert not made.left_out


def test_every_reason_to_leave_out_is_counted(pipeline: OperatedPipeline) -> None:
    put(pipeline, "notes.txt")
    put(pipeline, "no extension")
    put(pipeline, "folder/")
    put(pipeline, "a.mp3.scribe.json")
    put(pipeline, "huge.mp3", size=MAX_RECORDING_BYTES + 1)
    put(pipeline, "empty.mp3", b"")
    put(pipeline, "archived.mp3")
    pipeline.cloud.change_object(INPUT_BUCKET, "archived.mp3", storage="DEEP_ARCHIVE")
    put(pipeline, "forgotten.mp3")
    recording = pipeline.build_receipt("forgotten.mp3", A).recording
    pipeline.cloud.put_object(OUTPUT_BUCKET, forgotten_key(pipeline.ctx.settings, recording), b"")
    made = plan(pipeline)
    assert made.left_out == {
        "not_a_recording": 2,
        "too_large": 1,
        "empty": 1,
        "archived": 1,
        "forgotten": 1,
    }
    assert (made.found, made.objects) == (0, 8)


def test_scribes_own_objects_are_not_counted() -> None:
    pipeline = OperatedPipeline(output_bucket="")
    for key in ("transcripts/a.mp3.txt", ".scribe/raw/x.txt", ".scribe/done/y"):
        put(pipeline, key)
    made = plan(pipeline)
    assert (made.found, made.known, dict(made.left_out)) == (0, 0, {})


def test_object_without_an_extension_is_known_by_its_type(pipeline: OperatedPipeline) -> None:
    put(pipeline, "call 7")
    pipeline.cloud.change_object(INPUT_BUCKET, "call 7", content_type="audio/mpeg")
    assert plan(pipeline).found == 1


def test_restored_recording_counts(pipeline: OperatedPipeline) -> None:
    put(pipeline, "a.mp3")
    pipeline.cloud.change_object(INPUT_BUCKET, "a.mp3", storage="ARCHIVE", restore=RESTORED)
    assert plan(pipeline).found == 1


def test_waiting_recording_counts_when_it_can_be_read(pipeline: OperatedPipeline) -> None:
    put(pipeline, "a.mp3")
    pipeline.cloud.change_object(INPUT_BUCKET, "a.mp3", storage="ARCHIVE")
    pipeline.ingest("a.mp3")
    assert plan(pipeline).left_out == {"archived": 1}
    pipeline.cloud.change_object(INPUT_BUCKET, "a.mp3", storage="")
    assert plan(pipeline).found == 1


def test_recording_of_the_second_of_its_receipt_is_known(pipeline: OperatedPipeline) -> None:
    pipeline.upload_and_ingest("a.mp3", A)
    pipeline.upload_and_ingest("b.mp3", A)
    pipeline.cloud.run_jobs("s1")
    pipeline.notify("s1")
    made = plan(pipeline)
    assert (made.found, made.known) == (0, 2)


def test_same_content_uploaded_again_after_a_failure_is_found(pipeline: OperatedPipeline) -> None:
    pipeline.transcribe("a.mp3", NOT_AUDIO)
    pipeline.touch("a.mp3")
    assert plan(pipeline).found == 1


def test_bounds_of_time_are_those_of_the_upload(pipeline: OperatedPipeline) -> None:
    for number in range(4):
        put(pipeline, f"{number}.mp3")
        pipeline.cloud.clock.advance(DAY_S)
    made = plan(pipeline, Selection(since_s=int(START_S) + DAY_S, until_s=int(START_S) + 3 * DAY_S))
    assert (made.found, made.left_out) == (2, {"other_time": 2})


def test_missed_are_exactly_those_of_the_audit() -> None:
    since_s = START_S + 10
    pipeline = OperatedPipeline(since_s=since_s)
    put(pipeline, "old.mp3")
    pipeline.cloud.clock.advance(20)
    put(pipeline, "empty.mp3", b"")
    put(pipeline, "missed.mp3")
    put(pipeline, "known.mp3")
    pipeline.cloud.clock.advance(DUE_S)
    pipeline.ingest("known.mp3")
    put(pipeline, "young.mp3")
    made = plan(pipeline, MISSED)
    assert (made.found, made.known) == (2, 1)
    assert made.left_out == {"before_since": 1, "young": 1}
    taken = {each.key for each in iter_candidates(pipeline.ctx, INPUT_BUCKET, MISSED) if not each.reason}
    pipeline.cloud.before("HEAD", "", raise_error(Throttled(resource="x", status=503)), times=99)
    audit(pipeline.ctx)
    tried = {line["key"] for line in pipeline.log_lines if line["event"] == "ingest_failed"}
    assert tried == taken == {"empty.mp3", "missed.mp3"}


def test_everything_ignores_since() -> None:
    pipeline = OperatedPipeline(since_s=START_S + DAY_S)
    put(pipeline, "old.mp3")
    assert plan(pipeline).found == 1


def test_prefix_is_inside_input_prefix() -> None:
    settings = OperatedPipeline(input_prefix="calls/").ctx.settings
    assert choose_prefix(settings, "") == "calls/"
    assert choose_prefix(settings, "ca") == "calls/"
    assert choose_prefix(settings, "calls/2026") == "calls/2026"
    with pytest.raises(OperatorError, match="archive/ is outside INPUT_PREFIX"):
        choose_prefix(settings, "archive/")


@pytest.mark.parametrize(("page_size", "prefix"), [(1, "b"), (2, "b/会"), (1000, "b")])
def test_prefix_reads_only_its_own_receipts(page_size: int, prefix: str) -> None:
    pipeline = OperatedPipeline()
    pipeline.cloud.page_size = page_size
    for key in ("a.mp3", "b/会1.mp3", "b/会2.mp3", "b/会3.mp3", "c.mp3"):
        put(pipeline, key)
    pipeline.cloud.clock.advance(2)
    for key in ("a.mp3", "b/会2.mp3", "c.mp3"):
        pipeline.ingest(key)
    made = plan(pipeline, Selection(prefix))
    assert (made.objects, made.found, made.known) == (3, 2, 1)


def test_time_follows_the_queue(pipeline: OperatedPipeline) -> None:
    put(pipeline, "a.mp3", size=57_600_000)  # an hour
    pipeline.cloud.queues = [Queue("p1", "queue", "Active", max_size=1000, max_concurrent=1)]
    one_at_once = plan(pipeline).queue_s
    assert one_at_once is not None
    assert one_at_once == pytest.approx(3600 / 20 + 5)
    pipeline.cloud.queues = [Queue("p1", "queue", "Paused", max_size=1000, max_concurrent=5)]
    made = plan(pipeline)
    assert made.queue_s == pytest.approx(one_at_once / 5)
    assert made.is_paused
    pipeline.cloud.before("GET", "/asrqueue", raise_error(Throttled(resource="x", status=503)))
    assert plan(pipeline).queue_s is None


def test_recording_whose_head_fails_is_left_to_the_run(pipeline: OperatedPipeline) -> None:
    put(pipeline, "no extension")
    pipeline.cloud.before("HEAD", "", raise_error(Throttled(resource="x", status=503)))
    assert plan(pipeline).found == 1
