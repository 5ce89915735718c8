"""Timer expressions with seconds and years."""

from datetime import datetime, timezone

import pytest

from localcloud.runtime.cron import Cron


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("* * * * * * *", "2026-11-21T10:00:00.500", "2026-11-21T10:00:01"),
        ("*/10 * * * * * *", "2026-11-21T10:00:50", "2026-11-21T10:01:00"),
        ("0 */15 * * * * *", "2026-11-21T10:07:00", "2026-11-21T10:15:00"),
        ("0 */15 * * * * *", "2026-11-21T23:45:00", "2026-11-22T00:00:00"),
        ("30 5,35 9-17/4 * * * *", "2026-11-21T09:36:00", "2026-11-21T13:05:30"),
        ("0 0 0 1 JAN * *", "2026-11-21T00:00:00", "2027-01-01T00:00:00"),
        ("0 0 2 * * MON-FRI *", "2026-11-21T00:00:00", "2026-11-23T02:00:00"),  # a Saturday
        ("0 0 2 * * 0 *", "2026-11-21T03:00:00", "2026-11-22T02:00:00"),
        ("0 0 2 24 * SUN *", "2026-11-22T03:00:00", "2026-11-24T02:00:00"),  # day or weekday
        ("0 0 0 29 2 ? *", "2026-11-21T00:00:00", "2028-02-29T00:00:00"),
        ("59 59 23 31 12 * 2027", "2026-11-21T00:00:00", "2027-12-31T23:59:59"),
    ],
)
def test_cron_finds_next_time(expression: str, after: str, expected: str) -> None:
    assert Cron.parse(expression).next_after(moment(after)) == moment(expected)


def test_cron_of_past_year_never_fires() -> None:
    assert Cron.parse("0 0 0 1 1 * 2020").next_after(moment("2026-11-21T00:00:00")) is None


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("* * * * *", "5 fields"),
        ("60 * * * * * *", "'60' is not a second"),
        ("* * * 0 * * *", "'0' is not a day"),
        ("* * * * XXX * *", "'XXX' is not a month"),
        ("* * * * * 7 *", "'7' is not a weekday"),
        ("*/0 * * * * * *", "no step"),
        ("5-1 * * * * * *", "is a reversed range"),
        (", * * * * * *", "'' is not a second"),
        ("* * * L * * *", "'L' is not a day"),
    ],
)
def test_invalid_cron_expression_is_explained(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cron.parse(expression)
