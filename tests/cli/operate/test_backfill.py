"""`scribe backfill`: what it prints, what it answers to programs, and when it waits or stops."""

from __future__ import annotations

import io
from collections.abc import Callable
from unittest.mock import ANY

import pytest
import typer

from cli.errors import OperatorError
from cli.operate.backfill import BackfillOptions, run_backfill
from cli.operate.backfill_run import COUNTED, POLL_S
from cli.operate.prices import load_price
from cli.output import SafeConsole
from shared.errors import CloudError, OutcomeUnknown, QueueFull, RequestRejected, Throttled
from shared.recordings.index import forgotten_key
from shared.tencent.speech_models import FINAL_STATES, Queue
from tests.helpers.backfills import backfill, count_jobs_by_key, open_workspace, put_archive
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.operate import OperatedPipeline
from tests.helpers.retries import A

SECOND_BUCKET = "calls-1250000000"
BUSY = Throttled(resource=INPUT_BUCKET, status=503, code="SlowDown")
READ_METHODS = {"LIST", "HEAD", "GET"}


@pytest.fixture
def pipeline() -> OperatedPipeline:
    return OperatedPipeline()


def count_unfinished(pipeline: OperatedPipeline) -> int:
    return sum(job.state not in FINAL_STATES for job in pipeline.cloud.jobs.values())


def test_without_yes_nothing_is_changed(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 3)
    pipeline.cloud.put_object(INPUT_BUCKET, "archive/long.mp3", b"x", size=57_600_000)
    pipeline.transcribe("archive/done.mp3", A)
    pipeline.cloud.put_object(INPUT_BUCKET, "archive/notes.txt", b"x")
    pipeline.take_requests()
    answer = backfill(pipeline, prefix="archive/")
    assert answer.passed
    assert answer.output.splitlines() == [
        f"4 recordings without a transcript in {INPUT_BUCKET}/archive/: 57.6 MB, about 1 h 3 s of speech, estimated",
        f"Cost: about 1.75 CNY. {load_price({}).note}",
        "Time: about 40 s at the pace of the queue, if it recognises 20 times as fast as speech",
        "1 are known already: transcribed, failed, or in progress",
        "Left out: 1 not a recording by extension or Content-Type",
        "Nothing was changed. The same command with --yes submits them",
    ]
    assert {request.method for request in pipeline.take_requests()} <= READ_METHODS
    assert pipeline.count_jobs() == 1


def test_answer_for_programs_has_every_name(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 2)
    pipeline.cloud.put_object(INPUT_BUCKET, "empty.mp3", b"")
    config = {"PRICE_PER_HOUR": "3600", "PRICE_CURRENCY": "USD"}
    answer = backfill(pipeline, as_json=True, config=config)
    assert answer.passed
    names = dict.fromkeys(COUNTED, 0)
    assert answer.document == {
        "dry_run": True,
        "found": 2,
        "bytes": 2 * len(A + b"archive/000.mp3"),
        "hours": 0.0,
        "cost": 2.0,
        "currency": "USD",
        "price_per_hour": 3600.0,
        "queue_hours": 0.0,
        "known": 0,
        "left_out": {
            "not_a_recording": 0,
            "too_large": 0,
            "empty": 1,
            "archived": 0,
            "forgotten": 0,
            "other_time": 0,
            "before_since": 0,
            "young": 0,
        },
        **names,
        "errors": [],
        "problems": [],
        "stopped": "",
    }
    done = backfill(pipeline, as_json=True, yes=True, config=config).document
    assert done == {**answer.document, "dry_run": False, "submitted": 2}


def test_with_yes_each_is_submitted_once(pipeline: OperatedPipeline) -> None:
    keys = put_archive(pipeline, 5)
    answer = backfill(pipeline, yes=True)
    assert answer.passed
    assert answer.output.splitlines()[-1] == "Done: 5 submitted."
    again = backfill(pipeline, yes=True)
    assert "Nothing to transcribe" in again.output
    assert "5 are known already" in again.output
    assert count_jobs_by_key(pipeline) == dict.fromkeys(keys, 1)
    pipeline.settle()
    assert [pipeline.get_text(key) for key in keys] == [(A + key.encode()).decode() for key in keys]


@pytest.mark.parametrize(("max_in_flight", "limit"), [(3, 3), (0, 7)])
def test_never_more_in_flight_than_allowed(max_in_flight: int, limit: int) -> None:
    pipeline = OperatedPipeline(max_in_flight=max_in_flight)
    pipeline.cloud.queues = [Queue("p1", "queue", "Active", max_size=7, max_concurrent=5)]
    keys = put_archive(pipeline, 20)
    seen: list[int] = []
    pipeline.cloud.after("POST", "", lambda: seen.append(count_unfinished(pipeline)), times=99)
    finish_one = iter(range(1, 99))
    pipeline.cloud.before("SLEEP", "", lambda: pipeline.cloud.run_jobs(f"s{next(finish_one)}"), times=99)
    assert backfill(pipeline, yes=True, as_json=True).document["submitted"] == 20
    assert max(seen) == limit
    assert count_jobs_by_key(pipeline) == dict.fromkeys(keys, 1)
    assert set(pipeline.cloud.sleeps) == {POLL_S}


def test_place_that_no_job_took_is_used_for_the_next() -> None:
    pipeline = OperatedPipeline(max_in_flight=1)
    put_archive(pipeline, 1)
    for key in ("0.mp3", "1.mp3"):
        pipeline.cloud.put_object(INPUT_BUCKET, key, A, {"scribe-engine": "no such"})
    answer = backfill(pipeline, yes=True, as_json=True)
    assert not answer.passed
    assert (answer.document["failed"], answer.document["submitted"]) == (2, 1)
    assert pipeline.cloud.sleeps == []


def test_queue_that_fills_up_defers_one_and_then_waits(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 3)
    pipeline.cloud.before("POST", "", raise_error(QueueFull(resource="x", status=403, code="QueueFull")))
    document = backfill(pipeline, yes=True, as_json=True).document
    assert (document["submitted"], document["deferred"]) == (2, 1)
    assert pipeline.cloud.sleeps == [POLL_S]
    pipeline.settle()
    assert count_jobs_by_key(pipeline) == {f"archive/00{number}.mp3": 1 for number in range(3)}


def test_error_of_one_recording_does_not_stop_the_others(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 3)
    pipeline.cloud.before("HEAD", "archive/001.mp3", raise_error(BUSY))
    answer = backfill(pipeline, yes=True)
    assert not answer.passed
    assert f"{INPUT_BUCKET}: 503 SlowDown" in answer.output
    assert answer.output.splitlines()[-1] == "Done: 2 submitted, 1 with an error."
    document = backfill(pipeline, yes=True, as_json=True).document
    assert (document["submitted"], document["errors"]) == (1, [])


def test_unusual_error_of_one_recording_names_it(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 2)
    done = pipeline.build_receipt("archive/000.mp3", A + b"archive/000.mp3")
    pipeline.cloud.put_object(OUTPUT_BUCKET, f".scribe/done/{done.id}", b"no receipt")
    answer = backfill(pipeline, yes=True)
    assert not answer.passed
    assert f"{INPUT_BUCKET}/archive/000.mp3: InvalidReceipt" in answer.output
    assert pipeline.count_jobs() == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RequestRejected(resource="x", status=403, code="AccessDenied"), "scribe policy operator"),
        (RequestRejected(resource="x", status=401, code="SignatureDoesNotMatch"), "scribe policy operator"),
        (RequestRejected(resource="x", status=402, code="Arrears"), "Top up the account"),
        (RequestRejected(resource="x", status=451, code="AccountProblem"), "Top up the account"),
    ],
)
def test_refusal_of_the_account_stops_with_one_line(
    pipeline: OperatedPipeline, error: CloudError, words: str
) -> None:
    keys = put_archive(pipeline, 9)
    pipeline.cloud.before("POST", "", raise_error(error), skip=2, times=99)
    with pytest.raises(OperatorError) as caught:
        backfill(pipeline, yes=True)
    message = str(caught.value)
    assert message.startswith(f"{INPUT_BUCKET}/archive/002.mp3 was refused: ")
    assert words in message
    assert message.endswith(
        "So far: 2 submitted, 1 refused. The same command goes on when the cause is removed"
    )
    assert "\n" not in message
    pipeline.cloud.clear_hooks()
    assert backfill(pipeline, yes=True).passed
    pipeline.settle()
    assert count_jobs_by_key(pipeline) == dict.fromkeys(keys, 1)


def test_key_that_may_not_read_stops_with_one_line(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 9)
    denied = RequestRejected(resource="done", status=403, code="AccessDenied")
    pipeline.cloud.before("GET", ".scribe/done", raise_error(denied), times=99)
    with pytest.raises(OperatorError, match=r"AccessDenied.*scribe policy operator.*So far: nothing yet"):
        backfill(pipeline, yes=True)
    assert pipeline.count_jobs() == 0


def test_cloud_that_is_gone_stops_after_some_recordings(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 30)
    gone = Throttled(resource="x", code="NoConnection")
    pipeline.cloud.before("HEAD", "", raise_error(gone), skip=10, times=99)
    with pytest.raises(OperatorError, match=r"NoConnection.*So far: 10 submitted"):
        backfill(pipeline, yes=True)
    assert pipeline.count_jobs() == 10


def test_queue_that_cannot_be_looked_at_for_a_moment_is_looked_at_again(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 1)
    pipeline.cloud.before("GET", "/asrqueue", raise_error(BUSY), times=3)
    assert backfill(pipeline, yes=True).passed
    pipeline.cloud.before("GET", "/asrqueue", raise_error(BUSY), times=99)
    put_archive(pipeline, 2)
    with pytest.raises(OperatorError, match="SlowDown"):
        backfill(pipeline, yes=True)


def test_key_that_may_not_look_at_the_queue_stops(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 1)
    denied = RequestRejected(resource="queue", status=403, code="AccessDenied")
    pipeline.cloud.before("GET", "/asrqueue", raise_error(denied), times=9)
    with pytest.raises(OperatorError, match=r"queue: 403 AccessDenied.*scribe policy operator"):
        backfill(pipeline, yes=True)
    assert pipeline.cloud.sleeps == []


def test_recordings_that_one_rule_refuses_do_not_stop_the_others(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 4)
    pipeline.cloud.refused_keys.add("archive/001.mp3")
    answer = backfill(pipeline, yes=True, as_json=True)
    assert not answer.passed
    assert (answer.document["submitted"], answer.document["refused"]) == (3, 1)
    pipeline.cloud.refused_keys.clear()
    pipeline.settle()
    assert pipeline.count_jobs() == 4


def test_many_refused_in_a_row_stop(pipeline: OperatedPipeline) -> None:
    pipeline.cloud.refused_keys.update(put_archive(pipeline, 9))
    with pytest.raises(OperatorError, match="So far: 5 refused"):
        backfill(pipeline, yes=True)


def test_archived_recordings_are_reported_and_go_on_after_their_restore(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 2)
    pipeline.cloud.change_object(INPUT_BUCKET, "archive/000.mp3", storage="ARCHIVE")
    document = backfill(pipeline, yes=True, as_json=True).document
    assert (document["submitted"], document["waiting"], document["left_out"]["archived"]) == (1, 1, 1)
    assert pipeline.get_error("archive/000.mp3") is not None
    pipeline.cloud.change_object(INPUT_BUCKET, "archive/000.mp3", storage="")
    assert backfill(pipeline, yes=True, as_json=True).document["submitted"] == 1
    assert pipeline.list_keys(".scribe/waiting/") == []
    assert pipeline.count_jobs() == 2


def test_recording_that_is_forgotten_at_the_same_time_is_not_taken(pipeline: OperatedPipeline) -> None:
    keys = put_archive(pipeline, 2)
    recording = pipeline.build_receipt(keys[1], A + keys[1].encode()).recording

    def forget() -> None:
        pipeline.cloud.put_object(OUTPUT_BUCKET, forgotten_key(pipeline.ctx.settings, recording), b"")

    pipeline.cloud.after("POST", "", forget)
    document = backfill(pipeline, yes=True, as_json=True).document
    assert (document["submitted"], document["forgotten"], pipeline.count_jobs()) == (1, 1, 1)


def test_lost_response_to_a_submit_is_left_to_the_sweep(pipeline: OperatedPipeline) -> None:
    keys = put_archive(pipeline, 2)
    pipeline.cloud.after("POST", "", raise_error(OutcomeUnknown(resource="x", code="NoAnswer")))
    document = backfill(pipeline, yes=True, as_json=True).document
    assert (document["submitted"], document["in_progress"]) == (1, 1)
    pipeline.settle()
    assert count_jobs_by_key(pipeline) == dict.fromkeys(keys, 1)


def test_lines_on_a_file_come_every_ten_seconds(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 40)
    pipeline.cloud.after("POST", "", lambda: pipeline.cloud.clock.advance(1), times=99)
    lines = [line for line in backfill(pipeline, yes=True).output.splitlines() if " of 40: " in line]
    assert lines == [f"{number} of 40: {number} submitted" for number in (10, 20, 30, 40)]


def test_line_says_that_the_queue_is_full(pipeline: OperatedPipeline) -> None:
    pipeline.cloud.queues = [Queue("p1", "queue", "Active", max_size=1, max_concurrent=1)]
    put_archive(pipeline, 2)
    looks = iter(range(99))
    pipeline.cloud.before(
        "SLEEP", "", lambda: pipeline.cloud.run_jobs() if next(looks) == 3 else None, times=9
    )
    output = backfill(pipeline, yes=True).output
    assert "1 of 2: the queue is full: waits for a free place" in output


def test_terminal_has_a_bar(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 3)
    output = backfill(pipeline, yes=True, is_terminal=True).output
    assert "3/3" in output
    assert "3 submitted" in output


def interrupt() -> Callable[[], object]:
    return raise_error(KeyboardInterrupt())


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_says_what_was_done_and_ends_with_130(pipeline: OperatedPipeline, as_json: bool) -> None:
    keys = put_archive(pipeline, 5)
    pipeline.cloud.before("HEAD", "archive/003.mp3", interrupt())
    output = io.StringIO()
    console = SafeConsole(file=output, width=100, highlight=False)
    options = BackfillOptions(yes=True, as_json=as_json)
    with pytest.raises(typer.Exit) as caught:
        run_backfill(console, open_workspace(pipeline), options)
    assert caught.value.exit_code == 130
    if as_json:
        assert '"stopped": "interrupted"' in output.getvalue()
        assert '"submitted": 3' in output.getvalue()
    else:
        assert output.getvalue().splitlines()[-1] == "Stopped: 3 submitted. The same command goes on."
    assert backfill(pipeline, yes=True, as_json=True).document["submitted"] == 2
    assert count_jobs_by_key(pipeline) == dict.fromkeys(keys, 1)


def test_prefix_that_matches_nothing_is_one_line(pipeline: OperatedPipeline) -> None:
    with pytest.raises(OperatorError, match=f"^nothing is below {INPUT_BUCKET}/no such/$"):
        backfill(pipeline, prefix="no such/")


def test_bounds_in_the_wrong_order_are_one_line(pipeline: OperatedPipeline) -> None:
    with pytest.raises(OperatorError, match="--until is not after --since"):
        backfill(pipeline, since_s=20.0, until_s=10.0)


def build_two_buckets() -> OperatedPipeline:
    pipeline = OperatedPipeline(input_buckets=(SECOND_BUCKET, INPUT_BUCKET))
    pipeline.cloud.buckets[SECOND_BUCKET] = {}
    put_archive(pipeline, 1)
    pipeline.cloud.put_object(SECOND_BUCKET, "b.mp3", A)
    return pipeline


def test_all_buckets_are_taken_or_one() -> None:
    assert backfill(build_two_buckets(), as_json=True, yes=True).document["submitted"] == 2
    pipeline = build_two_buckets()
    answer = backfill(pipeline, yes=True, bucket=SECOND_BUCKET)
    assert f"1 recording without a transcript in {SECOND_BUCKET}/" in answer.output
    assert count_jobs_by_key(pipeline) == {"b.mp3": 1}
    with pytest.raises(OperatorError, match="other is not in INPUT_BUCKETS"):
        backfill(pipeline, bucket="other")


def test_bucket_without_permission_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    pipeline = build_two_buckets()
    del pipeline.cloud.buckets[SECOND_BUCKET]
    answer = backfill(pipeline, as_json=True, yes=True)
    assert not answer.passed
    assert answer.document["submitted"] == 1
    assert answer.document["problems"] == [ANY]
    assert f"{SECOND_BUCKET}: 404 NoSuchBucket" in answer.document["problems"][0]
    assert f"{SECOND_BUCKET}: 404 NoSuchBucket" in capsys.readouterr().err


def test_only_bucket_without_permission_is_one_line(pipeline: OperatedPipeline) -> None:
    denied = RequestRejected(resource=INPUT_BUCKET, status=403, code="AccessDenied")
    pipeline.cloud.before("LIST", "", raise_error(denied), times=9)
    with pytest.raises(OperatorError, match=r"AccessDenied.*scribe policy operator"):
        backfill(pipeline)


def test_missed_takes_what_the_audit_takes_and_says_so(pipeline: OperatedPipeline) -> None:
    put_archive(pipeline, 2)
    pipeline.cloud.clock.advance(DUE_S)
    answer = backfill(pipeline, missed=True, yes=True)
    assert f"2 recordings that no event reported in {INPUT_BUCKET}/" in answer.output
    assert pipeline.count_jobs() == 2
    assert pipeline.audit_when_due().counts == {}


def test_paused_queue_is_named(pipeline: OperatedPipeline) -> None:
    pipeline.cloud.queues = [Queue("p1", "queue", "Paused", max_size=1000, max_concurrent=5)]
    put_archive(pipeline, 1)
    assert "queue is paused" in backfill(pipeline).output


def test_names_cannot_move_the_cursor(pipeline: OperatedPipeline) -> None:
    key = "a\x1b[31m\u202e\n.mp3"
    pipeline.cloud.put_object(INPUT_BUCKET, key, A)
    pipeline.cloud.before("HEAD", key, raise_error(RequestRejected(resource=key, status=400, code="Bad")))
    pipeline.cloud.before("LIST", key, raise_error(BUSY))
    output = backfill(pipeline, yes=True).output
    assert "\x1b" not in output
    assert "\u202e" not in output
