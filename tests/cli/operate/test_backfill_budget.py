"""`scribe backfill` with MONTHLY_MINUTES: it takes what fits, and names what does not."""

from __future__ import annotations

import pytest

from cli.errors import OperatorError
from shared.errors import RequestRejected
from tests.helpers.backfills import backfill, count_jobs_by_key
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET, raise_error
from tests.helpers.operate import OperatedPipeline

HALF_MINUTE = 480_000  # bytes


def put(pipeline: OperatedPipeline, sizes: dict[str, int]) -> None:
    for key, half_minutes in sizes.items():
        pipeline.cloud.put_object(INPUT_BUCKET, key, key.encode(), size=half_minutes * HALF_MINUTE)


def test_budget_that_is_reached_stops_and_says_so() -> None:
    pipeline = OperatedPipeline(monthly_minutes=1)
    put(pipeline, {f"{number}.mp3": 1 for number in range(4)})
    with pytest.raises(OperatorError) as caught:
        backfill(pipeline, yes=True)
    assert "2.mp3 waits: the budget of this month is reached" in str(caught.value)
    assert "So far: 2 submitted, 1 waiting" in str(caught.value)
    assert pipeline.count_jobs() == 2
    pipeline.ctx = pipeline.build_context(monthly_minutes=10)
    assert backfill(pipeline, yes=True, as_json=True).document["submitted"] == 2
    assert pipeline.count_jobs() == 4


def test_recording_longer_than_the_budget_does_not_stop_those_that_fit() -> None:
    pipeline = OperatedPipeline(monthly_minutes=2)
    longer = {f"{number}-long.mp3": 5 for number in (0, 2, 4, 5, 6)}
    put(pipeline, {**longer, "1.mp3": 1, "3.mp3": 1, "7.mp3": 1})
    for _ in range(2):
        with pytest.raises(OperatorError) as caught:
            backfill(pipeline, yes=True)
        names = ", ".join(f"{INPUT_BUCKET}/{number}-long.mp3" for number in (0, 2, 4))
        assert f"the budget of this month has no room for {names} and 2 others. So far: " in str(caught.value)
        assert "1 waiting" in str(caught.value)
        assert "4 no room" in str(caught.value)
        assert count_jobs_by_key(pipeline) == {"1.mp3": 1, "3.mp3": 1, "7.mp3": 1}


def test_what_was_submitted_at_the_same_time_counts() -> None:
    pipeline = OperatedPipeline(monthly_minutes=2)
    put(pipeline, {"0.mp3": 5, "1.mp3": 2, "2.mp3": 3, "3.mp3": 2})
    pipeline.take_requests()
    with pytest.raises(OperatorError, match=r"no room for \S+/0\.mp3, \S+/2\.mp3\. So far: 2 submitted"):
        backfill(pipeline, yes=True)
    assert not any(request.key == "2.mp3" for request in pipeline.take_requests())


def test_budget_that_cannot_be_looked_at_stops() -> None:
    pipeline = OperatedPipeline(monthly_minutes=2)
    put(pipeline, {"0.mp3": 5, "1.mp3": 1})
    denied = RequestRejected(resource=OUTPUT_BUCKET, status=403, code="AccessDenied")
    pipeline.cloud.after(
        "PUT",
        ".scribe/waiting/",
        lambda: pipeline.cloud.before("LIST", ".scribe/index/reserved/", raise_error(denied)),
    )
    with pytest.raises(OperatorError, match="AccessDenied"):
        backfill(pipeline, yes=True)
    assert pipeline.count_jobs() == 0
