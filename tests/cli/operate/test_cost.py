"""What a month cost: exact sums, months in UTC+8, and tables that a spreadsheet does not compute."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.operate.cost import (
    CSV_HEADER,
    FORGOTTEN_FOLDER,
    CostReport,
    build_report,
    format_csv,
    print_costs,
    read_costs,
    round_together,
)
from cli.operate.prices import Price, load_price
from shared.recordings.index import FinishedEntry, RecordingIndex, get_month_start_s, get_next_month
from shared.recordings.receipt import Recording
from tests.helpers.fake_cloud import INPUT_BUCKET, OUTPUT_BUCKET
from tests.helpers.in_memory_pipeline import InMemoryPipeline
from tests.helpers.operate import build_console, build_workspace

MONTH, PRICE = "2026-11", load_price({})
START_S = get_month_start_s(MONTH)
BEIJING = timezone(timedelta(hours=8))


def build_entry(
    key: str, seconds: int = 60, ended_s: int = START_S, bucket: str = INPUT_BUCKET
) -> FinishedEntry:
    return FinishedEntry(ended_s, Recording(bucket, key, "etag", 1).id, seconds)


def put_entry(pipeline: InMemoryPipeline, entry: FinishedEntry) -> None:
    receipt = pipeline.build_receipt("a", b"")._replace(id=entry.receipt_id)
    index = RecordingIndex(pipeline.ctx.output_cos, pipeline.ctx.settings, OUTPUT_BUCKET)
    index.add_finished(receipt, entry.ended_s, entry.seconds)


def list_rows(report: CostReport) -> list[tuple[str, int, str, str]]:
    return [(row.folder, row.recordings, str(row.minutes), str(row.cost)) for row in report.rows]


def test_minutes_are_summed_by_first_folder() -> None:
    entries = [
        build_entry("calls/2026/a.mp3", 3600),
        build_entry("calls/b.mp3", 1800),
        build_entry("会议/c.mp3", 1),
        build_entry("top.mp3", 60),
    ]
    report = build_report(MONTH, entries, PRICE)
    assert list_rows(report) == [
        ("", 1, "1.0", "0.03"),
        ("calls", 2, "90.0", "2.62"),
        ("会议", 1, "0.0", "0.00"),
    ]
    assert (report.total.recordings, report.total.seconds) == (4, 5461)
    assert (str(report.total.minutes), str(report.total.cost)) == ("91.0", "2.65")


@given(st.lists(st.decimals(0, 10**6, places=5), max_size=60))
def test_rounded_column_adds_up_to_its_rounded_total(values: list[Decimal]) -> None:
    rounded = round_together(values, Decimal("0.01"))
    assert abs(sum(rounded, Decimal(0)) - sum(values, Decimal(0))) <= Decimal("0.005")
    assert all(abs(value - exact) < Decimal("0.01") for value, exact in zip(rounded, values, strict=True))


def test_ten_thousand_seconds_of_a_thousand_folders_cost_what_the_sum_costs() -> None:
    report = build_report(MONTH, [build_entry(f"{number}/a.mp3", 10) for number in range(1000)], PRICE)
    assert str(report.total.cost) == str(PRICE.cost(10_000)) == "4.86"


@pytest.mark.parametrize(
    ("moment", "month"),
    [
        (datetime(2026, 10, 31, 15, 59, 59, tzinfo=timezone.utc), "2026-10"),
        (datetime(2026, 10, 31, 16, 0, 0, tzinfo=timezone.utc), "2026-11"),
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=BEIJING), "2026-11"),
        (datetime(2026, 12, 1, 0, 0, 0, tzinfo=BEIJING), "2026-12"),
        (datetime(2027, 1, 1, 0, 0, 0, tzinfo=BEIJING), "2027-01"),
    ],
)
def test_month_begins_at_midnight_in_china(moment: datetime, month: str) -> None:
    pipeline = InMemoryPipeline()
    put_entry(pipeline, build_entry("a.mp3", ended_s=int(moment.timestamp())))
    workspace = build_workspace(pipeline)
    months = ["2026-09", "2026-10", "2026-11", "2026-12", "2027-01"]
    counts = {name: read_costs(workspace, name).total.recordings for name in months}
    assert counts == {name: int(name == month) for name in months}


def test_every_month_ends_where_the_next_one_begins() -> None:
    month = "2026-01"
    for _ in range(24):
        following = get_next_month(month)
        assert 28 * 86_400 <= get_month_start_s(following) - get_month_start_s(month) <= 31 * 86_400
        month = following
    assert month == "2028-01"


def test_transcribed_recordings_are_counted_with_one_request() -> None:
    pipeline = InMemoryPipeline()
    for number in range(20):
        put_entry(pipeline, build_entry(f"calls/{number}.mp3", ended_s=START_S + number))
    pipeline.take_requests()
    assert read_costs(build_workspace(pipeline), MONTH).total.recordings == 20
    assert len(pipeline.take_requests()) == 1


def test_forgotten_recordings_still_cost_without_a_name() -> None:
    entry = FinishedEntry(START_S, f"{INPUT_BUCKET}/-00!{'0' * 32}", 600)
    report = build_report(MONTH, [entry], PRICE)
    assert list_rows(report) == [(FORGOTTEN_FOLDER, 1, "10.0", "0.29")]


def test_object_that_is_no_entry_is_left_out() -> None:
    assert build_report(MONTH, [FinishedEntry(START_S, "../evil", 10**6)], PRICE).total.recordings == 0


HOSTILE = [
    "=HYPERLINK(1)",
    "+1",
    "-1+1",
    "@SUM(A1)",
    "＝1",
    ' "=1',
    "a;=1",
    'say "hi", you',
    "a\nb",
    "\x1b[31m",
]


def test_csv_is_read_by_the_csv_module_and_no_cell_is_a_formula() -> None:
    report = build_report(MONTH, [build_entry(f"{name}/a.mp3") for name in [*HOSTILE, "会议", "top"]], PRICE)
    rows = list(csv.reader(io.StringIO(format_csv(report))))
    assert tuple(rows[0]) == CSV_HEADER
    assert len(rows) == len(HOSTILE) + 3
    for bucket, folder, *numbers, currency, month in rows[1:]:
        assert bucket == INPUT_BUCKET
        assert not folder.lstrip(" \"'\t").startswith(tuple("=+-@＝＋－＠")) or folder.lstrip().startswith(
            "'"
        )
        assert folder.isprintable()
        assert month == MONTH
        assert numbers == ["1", numbers[1], numbers[2]]
        assert Decimal(numbers[1]) >= 1
        assert currency == "CNY"
    assert {"会议", "'=HYPERLINK(1)", "'+1", "'-1+1", "'@SUM(A1)", "'＝1", "a;'=1"} <= {
        row[1] for row in rows
    }


def test_csv_adds_up_to_the_total_of_the_json() -> None:
    report = build_report(MONTH, [build_entry(f"{number}/a", 7 * number) for number in range(99)], PRICE)
    rows = list(csv.DictReader(io.StringIO(format_csv(report))))
    document = report.as_json()
    assert float(sum(Decimal(row["cost"]) for row in rows)) == document["cost"]
    assert float(sum(Decimal(row["minutes"]) for row in rows)) == document["minutes"]
    assert sum(folder["seconds"] for folder in document["folders"]) == document["seconds"]


def test_printed_csv_has_the_mark_that_excel_needs() -> None:
    console, output = build_console()
    print_costs(console, build_report(MONTH, [build_entry("会议/a.mp3")], PRICE), as_csv=True)
    assert output.getvalue() == (
        "\ufeffbucket,folder,recordings,minutes,cost,currency,month\n"
        f"{INPUT_BUCKET},会议,1,1.0,0.03,CNY,{MONTH}\n"
    )


def test_text_has_the_folders_the_total_and_the_price() -> None:
    console, output = build_console(width=80)
    entries = [
        build_entry("calls/a.mp3", 5400),
        build_entry("[red]x\x1b[31m/b.mp3", 60),
        build_entry("c.mp3", 60),
    ]
    print_costs(console, build_report(MONTH, entries, PRICE))
    text = output.getvalue()
    assert "calls/" in text
    assert "[red]x\\x1b[31m/" in text
    assert "(top)" in text
    assert "2026-11: 3 recordings, 92.0 minutes, 2.68 CNY" in text
    assert "not confirmed by a bill. Set PRICE_PER_HOUR" in text


def test_month_without_recordings_says_so_with_zeros() -> None:
    console, output = build_console()
    print_costs(console, build_report(MONTH, [], Price(Decimal(2), "USD")))
    assert output.getvalue() == (
        "2026-11: 0 recordings, 0 minutes, 0.00 USD\nMonths are in UTC+8. Price: 2 USD an hour, from PRICE_PER_HOUR\n"
    )


@pytest.mark.parametrize(("budget", "left"), [(100, 90.0), (5, 0.0)])
def test_budget_shows_what_is_used_and_left(budget: int, left: float) -> None:
    pipeline = InMemoryPipeline()
    put_entry(pipeline, build_entry("a.mp3", 600))
    report = read_costs(build_workspace(pipeline, monthly_minutes=budget), MONTH)
    console, output = build_console()
    print_costs(console, report)
    assert f"Budget: 10.0 of {budget} minutes are used, {left} are left" in output.getvalue()
    console, output = build_console()
    print_costs(console, report, as_json=True)
    document = json.loads(output.getvalue())
    assert (document["monthly_minutes"], document["minutes_left"]) == (budget, left)


def test_json_has_every_member_also_of_an_empty_month() -> None:
    document = build_report(MONTH, [], PRICE).as_json()
    assert document == {
        "month": "2026-11",
        "currency": "CNY",
        "price_per_hour": 1.75,
        "price_is_confirmed": False,
        "recordings": 0,
        "seconds": 0,
        "minutes": 0.0,
        "cost": 0.0,
        "folders": [],
        "monthly_minutes": None,
        "minutes_left": None,
    }
