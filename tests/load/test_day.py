"""The simulated day of docs/scale.md: its costs are the counted ones, its figures are exact, its picture is current."""

from __future__ import annotations

from math import inf

import pytest

from shared.tencent.speech_models import Queue
from tests.helpers.fake_cloud import FakeCloud
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.load import day as costs
from tests.load.day import (
    Day,
    Latency,
    Simulation,
    build_table,
    format_seconds,
    simulate,
    summarize_latency,
)
from tests.load.day_picture import draw
from tests.load.day_zh import translate, translate_table
from tests.load.simulate_day import CHINESE_PAGE, CHINESE_PICTURE, PAGE, PICTURE, find_table, simulate_day

HEADER = build_table([]).partition("\n")[0]


def test_simulated_costs_are_the_counted_ones() -> None:
    pipeline = InMemoryPipeline(
        FakeCloud(queues=[Queue("p1", "queue", "Active", max_size=1, max_concurrent=1)])
    )
    pipeline.upload_and_ingest("a.wav", b"one")
    assert len(pipeline.take_requests()) == costs.UPLOAD_REQUESTS
    for key in ("b.wav", "c.wav"):
        pipeline.upload_and_ingest(key, key.encode())
        assert len(pipeline.take_requests()) == costs.UPLOAD_REQUESTS  # the queue is full
    pipeline.sweep_when_due()
    look_at_queue = 2
    sweep = costs.SWEEP_REQUESTS + 3 * costs.READ_REQUESTS + costs.QUERY_REQUESTS + look_at_queue
    assert len(pipeline.take_requests()) == sweep
    pipeline.cloud.run_jobs()
    pipeline.notify("s1")
    assert len(pipeline.take_requests()) == costs.CALLBACK_REQUESTS
    pipeline.sweep_when_due()
    sweep = costs.SWEEP_REQUESTS + 2 * costs.READ_REQUESTS + look_at_queue + costs.RESUME_REQUESTS
    assert len(pipeline.take_requests()) == sweep
    pipeline.cloud.run_jobs()
    pipeline.notify("s2")
    assert len(pipeline.take_requests()) == costs.CALLBACK_REQUESTS + costs.CLEAN_UP_REQUESTS


def test_jobs_run_in_their_order_and_a_full_queue_is_left_to_the_sweep() -> None:
    """One job of 100 s at once, two in the queue: uploads at 0, 1, 2 and 3 s, so two of them wait for the sweep."""
    day = Day(uploads=4, max_size=2)
    outcome = Simulation(day, 1, [0.0, 1.0, 2.0, 3.0], [100.0] * 4).run()
    assert (outcome.finished, outcome.deferred, outcome.resumed) == (4, 2, 2)
    # Submitted 0.7 s after the upload, and transcripts written in 1.2 s: at 101.9 and 201.9 s. The sweep at 300 s
    # finds nothing that is 300 s old, the one at 600 s both: it lists, reads two, looks at the queue, and resumes.
    first_resumed_s = 600 + (2 + 2 + 2 + 8) * 0.1
    latencies = [101.9, 201.9 - 1, first_resumed_s + 101.2 - 2, first_resumed_s + 201.2 - 3]
    assert outcome.all_day.slow_s == pytest.approx(max(latencies))
    assert outcome.all_day.median_s == pytest.approx((latencies[1] + latencies[2]) / 2)
    assert [point.backlog for point in outcome.backlog[:5]] == [0, 2, 2, 0, 0]
    sweeps = 287 * 2  # at each fifth minute but midnight
    assert outcome.requests == 4 * (8 + 12) + sweeps + (2 + 2 + 2 * 8) + 2


def test_small_day_has_exact_counts() -> None:
    day = Day(uploads=2_000, max_size=20)
    few, enough = simulate(day, [1, 10])
    assert (few.finished, few.deferred, few.resumed, few.max_backlog) == (2_000, 69, 69, 38)
    assert (enough.finished, enough.deferred, enough.max_backlog) == (2_000, 0, 4)
    assert [len(outcome.backlog) for outcome in (few, enough)] == [289, 289]


def test_sweep_that_ran_out_of_time_goes_on_at_its_cursor() -> None:
    day = Day(uploads=20_000, max_size=100)
    (outcome,) = simulate(day, [1])
    assert outcome.sweeps_stopped_early > 0
    assert (outcome.finished, outcome.resumed) == (3_951, 22)


def test_unfinished_recordings_count_as_slower_than_all_others() -> None:
    assert summarize_latency(0, [3.0, inf, 1.0]) == Latency(0, 3.0, inf)
    assert [format_seconds(value) for value in (119.0, 120.0, 9_000.0, inf)] == [
        "119 s",
        "2 min",
        "2.5 h",
        "after midnight",
    ]


def test_picture_shows_each_queue_and_stays_on_its_page() -> None:
    picture = draw(simulate(Day(uploads=2_000, max_size=20), [1, 10]))
    assert "A day of 2,000 uploads" in picture
    assert "1 jobs at once" in picture
    assert "nan" not in picture
    assert "inf" not in picture


def test_chinese_picture_is_the_english_one_with_other_words() -> None:
    assert translate(PICTURE.read_text("utf-8")) == CHINESE_PICTURE.read_text("utf-8")
    with pytest.raises(ValueError, match="'Weekday'"):
        translate("<text x='1'>Weekday</text>")


def test_chinese_page_has_the_table_of_the_english_one_with_other_words() -> None:
    table = translate_table(find_table(PAGE.read_text("utf-8"), HEADER))
    assert find_table(CHINESE_PAGE.read_text("utf-8"), table.partition("\n")[0]) == table
    assert "| 20 秒 | 3 分钟 |" in table
    with pytest.raises(ValueError, match="'7 days'"):
        translate_table("| 7 days |")


@pytest.mark.process  # it starts none, but takes as long
def test_page_has_the_figures_and_the_picture_of_the_program() -> None:
    table, picture = simulate_day()
    assert table in PAGE.read_text("utf-8")
    assert translate_table(table) in CHINESE_PAGE.read_text("utf-8")
    assert picture == PICTURE.read_text("utf-8")
