"""`scribe retry`: what it prints, what it answers to programs, what it asks, and when it stops."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from cli.errors import OperatorError
from cli.operate.retry import RetryOptions, run_retry
from cli.output import SafeConsole
from shared.errors import RequestRejected, Throttled
from tests.helpers.backfills import Answer, count_jobs_by_key, open_workspace
from tests.helpers.fake_cloud import INPUT_BUCKET, NOT_AUDIO, raise_error
from tests.helpers.in_memory_pipeline import DUE_S
from tests.helpers.operate import OperatedPipeline
from tests.helpers.retries import KEY, A, fail_job, succeed_late

BUSY = Throttled(resource=INPUT_BUCKET, status=503, code="SlowDown")


@pytest.fixture
def pipeline() -> OperatedPipeline:
    return OperatedPipeline()


def run(
    pipeline: OperatedPipeline,
    *keys: str,
    confirm: Callable[[str], bool] | None = None,
    config: dict[str, str] | None = None,
    **options: Any,
) -> Answer:
    output = io.StringIO()
    console = SafeConsole(file=output, width=60, highlight=False)
    workspace = open_workspace(pipeline, config)
    passed = run_retry(console, workspace, RetryOptions(keys, **options), confirm)
    return Answer(passed, output.getvalue())


def fail_many(pipeline: OperatedPipeline, number: int) -> list[str]:
    """Let the jobs of so many recordings fail, and return their keys."""
    keys = [f"calls/{index:02}.mp3" for index in range(number)]
    for key in keys:
        pipeline.upload_and_ingest(key, A + key.encode())
    for job_id in pipeline.cloud.jobs:
        pipeline.cloud.end_job(job_id, "Failed", "InternalError")
    pipeline.notify(*pipeline.cloud.jobs)
    pipeline.write_index()
    pipeline.cloud.clock.advance(DUE_S)
    return keys


def test_one_recording_has_one_line(pipeline: OperatedPipeline) -> None:
    fail_job(pipeline)
    answer = run(pipeline, KEY)
    assert (answer.passed, answer.output) == (True, f"{KEY}: submitted, job s2\n")
    answer = run(pipeline, KEY)
    assert (answer.passed, answer.output) == (
        True,
        f"{KEY}: running: its job is Submitted at the speech service\n",
    )
    pipeline.run_and_notify()
    answer = run(pipeline, KEY)
    assert (answer.passed, answer.output) == (True, f"{KEY}: done: its transcripts are there\n")


def test_several_have_a_last_line(pipeline: OperatedPipeline) -> None:
    fail_job(pipeline)
    pipeline.cloud.put_object(INPUT_BUCKET, "new.mp3", A)
    answer = run(pipeline, KEY, "new.mp3", KEY)
    assert not answer.passed
    assert answer.output.splitlines() == [
        f"{KEY}: submitted, job s2",
        "new.mp3: without a receipt: `scribe backfill new.mp3` takes it",
        "2 recordings: 1 submitted, 1 without a receipt",
    ]


def test_answer_for_programs(pipeline: OperatedPipeline) -> None:
    succeed_late(pipeline)
    answer = run(pipeline, KEY, "no such.mp3", as_json=True)
    assert not answer.passed
    assert answer.document == {
        "results": [
            {
                "bucket": INPUT_BUCKET,
                "key": KEY,
                "outcome": "transcribed",
                "detail": "written from the job that was paid for",
                "job_id": "s1",
            },
            {
                "bucket": INPUT_BUCKET,
                "key": "no such.mp3",
                "outcome": "unknown",
                "detail": "no object has this key, and no receipt",
                "job_id": "",
            },
        ],
        "counts": {"transcribed": 1, "unknown": 1},
        "stopped": "",
    }


def test_unknown_key_is_one_line(pipeline: OperatedPipeline) -> None:
    with pytest.raises(
        OperatorError, match=r"^no such\.mp3: unknown: no object has this key, and no receipt"
    ):
        run(pipeline, "no such.mp3")


def test_empty_key_is_one_line(pipeline: OperatedPipeline) -> None:
    with pytest.raises(OperatorError, match="KEY is empty"):
        run(pipeline, "")


def test_error_of_one_recording_does_not_stop_the_others(pipeline: OperatedPipeline) -> None:
    first, second = fail_many(pipeline, 2)
    pipeline.cloud.before("HEAD", first, raise_error(BUSY))
    answer = run(pipeline, first, second)
    assert not answer.passed
    assert answer.output.splitlines() == [
        f"{first}: with an error: {INPUT_BUCKET}: 503 SlowDown",
        f"{second}: submitted, job s3",
        "2 recordings: 1 with an error, 1 submitted",
    ]


def test_failed_ones_are_listed_and_asked_for_once(pipeline: OperatedPipeline) -> None:
    keys = fail_many(pipeline, 3)
    pipeline.upload_and_ingest("other.mp3", NOT_AUDIO)
    pipeline.cloud.end_job("s4", "Failed", "Unlisted")
    pipeline.notify("s4")
    pipeline.write_index()
    questions: list[str] = []

    def confirm(question: str) -> bool:
        questions.append(question)
        assert pipeline.count_jobs() == 4
        return True

    answer = run(pipeline, "calls/", failed=True, confirm=confirm)
    assert answer.passed
    assert questions == ["Try them again?"]
    lines = answer.output.splitlines()
    assert sorted(lines[:3]) == [
        f"{key}: The speech service failed while it worked on this recording." for key in keys
    ]
    assert lines[3].startswith("3 recordings, about 0.1 minutes: at most about 0.00 CNY. Price: 1.75 CNY")
    assert lines[-1] == "3 recordings: 3 submitted"
    assert count_jobs_by_key(pipeline) == {**dict.fromkeys(keys, 2), "other.mp3": 1}


def test_nothing_is_tried_if_declined(pipeline: OperatedPipeline) -> None:
    fail_many(pipeline, 1)
    pipeline.take_requests()
    with pytest.raises(OperatorError, match="nothing was changed"):
        run(pipeline, failed=True, confirm=lambda _: False)
    assert {request.method for request in pipeline.take_requests()} <= {"LIST", "GET", "HEAD"}


def test_answer_for_programs_is_not_mixed_with_a_question(pipeline: OperatedPipeline) -> None:
    fail_many(pipeline, 1)
    with pytest.raises(OperatorError, match="Use --yes"):
        run(pipeline, failed=True, as_json=True, confirm=lambda _: True)
    assert run(pipeline, failed=True, as_json=True).document["counts"] == {"submitted": 1}


def test_many_failed_ones_are_not_all_listed(pipeline: OperatedPipeline) -> None:
    fail_many(pipeline, 23)
    answer = run(pipeline, failed=True)
    assert "and 3 more" in answer.output.splitlines()
    assert answer.output.splitlines()[-1] == "23 recordings: 23 submitted"


def test_nothing_failed_is_one_line(pipeline: OperatedPipeline) -> None:
    answer = run(pipeline, failed=True)
    assert (answer.passed, answer.output) == (True, "No recording has failed.\n")
    assert run(pipeline, failed=True, as_json=True).document["results"] == []
    with pytest.raises(OperatorError, match="no recording below calls/ has failed"):
        run(pipeline, "calls/", failed=True)


def test_unknown_bucket_is_one_line(pipeline: OperatedPipeline) -> None:
    with pytest.raises(OperatorError, match="other is not in INPUT_BUCKETS"):
        run(pipeline, KEY, bucket="other")
    with pytest.raises(OperatorError, match="other is not in INPUT_BUCKETS"):
        run(pipeline, failed=True, bucket="other")


@pytest.mark.parametrize("as_json", [False, True])
def test_refusal_of_the_account_stops_the_command(pipeline: OperatedPipeline, as_json: bool) -> None:
    keys = fail_many(pipeline, 4)
    denied = RequestRejected(resource="x", status=403, code="AccessDenied")
    pipeline.cloud.before("POST", "", raise_error(denied), skip=1, times=99)
    with pytest.raises(OperatorError) as caught:
        run(pipeline, *keys, as_json=as_json)
    message = str(caught.value)
    assert message.startswith(f"{INPUT_BUCKET}/{keys[1]} was refused: ")
    assert "`scribe policy operator` prints what it needs" in message
    assert message.endswith("2 more were not tried. What was deferred is submitted by the sweep")
    assert pipeline.count_jobs() == 5
    pipeline.cloud.clear_hooks()
    pipeline.settle()
    assert run(pipeline, *keys).passed
    assert count_jobs_by_key(pipeline) == dict.fromkeys(keys, 2)


def test_cloud_that_is_gone_stops_the_command(pipeline: OperatedPipeline) -> None:
    keys = fail_many(pipeline, 9)
    gone = Throttled(resource="x", code="NoConnection")
    pipeline.cloud.before("HEAD", "", raise_error(gone), times=99)
    with pytest.raises(OperatorError, match=r"NoConnection.*4 more were not tried"):
        run(pipeline, *keys)


def test_deployment_with_targets_leaves_the_result_to_the_sweep(pipeline: OperatedPipeline) -> None:
    succeed_late(pipeline)
    answer = run(pipeline, KEY, config={"NOTIFY_WEBHOOK": "https://hooks.example.com/scribe"})
    assert answer.passed
    assert "reopened" in answer.output
    assert pipeline.get_text(KEY) is None


def test_names_cannot_move_the_cursor(pipeline: OperatedPipeline) -> None:
    key = "a\x1b[31m\n.mp3"
    pipeline.cloud.put_object(INPUT_BUCKET, key, A)
    answer = run(pipeline, key)
    assert len(answer.output.splitlines()) == 1
    assert "\x1b" not in answer.output
