"""`scribe cost`: minutes and money of a month, for each bucket and first folder.

The index has an entry for each job that gave a transcript, with the seconds that it was billed for: 100,000 of them are
read with 100 requests. Sums are of whole seconds, and only what is shown is rounded: each figure of a column differs by
less than a cent (or a tenth of a minute) from the exact one, so that the column adds up to its total.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.config import CliContext
from cli.language import _, ngettext
from cli.operate.prices import CENT, Price, load_price
from cli.operate.text import join_sentences
from cli.operate.workspace import Workspace, open_workspace
from cli.output import CleanText, clean, escape_line, print_json
from shared.errors import CloudError
from shared.recordings.index import (
    FinishedEntry,
    RecordingIndex,
    get_month_start_s,
    get_next_month,
    read_receipt_id,
    select_longest,
)
from shared.transcript.formats.csv_table import guard_cell

CSV_HEADER = ("bucket", "folder", "recordings", "minutes", "cost", "currency", "month")  # new ones at the end
FORGOTTEN_FOLDER = "(forgotten)"
FORGOTTEN_KEY = "\0"  # in place of the key of a recording that `scribe forget` removed the name of
_TENTH = Decimal("0.1")
_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class CostOptions:
    """The arguments. `month` such as `2026-11`."""

    month: str
    as_csv: bool = False
    as_json: bool = False


class CostRow(NamedTuple):
    """What one folder cost. `folder` is the first of the key, without its slash; "" is the top of the bucket."""

    bucket: str
    folder: str
    recordings: int
    seconds: int
    minutes: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)


class CostReport(NamedTuple):
    """The rows of a month, by bucket and folder, and their total. `budget` is in minutes, None without one."""

    month: str
    rows: tuple[CostRow, ...]
    total: CostRow
    price: Price
    budget: int | None

    @property
    def minutes_left(self) -> Decimal | None:
        """What is left of the budget, at least 0; None without one."""
        return None if self.budget is None else max(self.budget - self.total.minutes, Decimal("0.0"))

    def as_json(self) -> dict[str, Any]:
        """Return the answer for programs."""
        return {
            "month": self.month,
            "currency": self.price.currency,
            "price_per_hour": float(self.price.per_hour),
            "price_is_confirmed": not self.price.is_default,
            **_format_sums(self.total),
            "folders": [
                {"bucket": row.bucket, "folder": row.folder, **_format_sums(row)} for row in self.rows
            ],
            "monthly_minutes": self.budget,
            "minutes_left": None if self.minutes_left is None else float(self.minutes_left),
        }


def _format_sums(row: CostRow) -> dict[str, Any]:
    return {
        "recordings": row.recordings,
        "seconds": row.seconds,
        "minutes": float(row.minutes),
        "cost": float(row.cost),
    }


def cost(console: Console, context: CliContext, options: CostOptions) -> bool:
    """Print minutes and cost for each folder. True. Raises OperatorError."""
    workspace = open_workspace(context)
    report = read_costs(workspace, options.month)
    print_costs(console, report, as_csv=options.as_csv, as_json=options.as_json)
    return True


def print_costs(console: Console, report: CostReport, *, as_csv: bool = False, as_json: bool = False) -> None:
    """Print the costs of a month as text, as CSV or as JSON."""
    if as_json:
        print_json(console, report.as_json())
    elif as_csv:
        # Excel needs the mark to read Chinese names; what is no UTF-8 cannot have it.
        mark = "\ufeff" if "utf" in console.encoding.lower() else ""
        console.file.write(CleanText(mark + clean(format_csv(report))))
    else:
        _print_report(console, report)


def read_costs(workspace: Workspace, month: str) -> CostReport:
    """Read what a month cost. One request for each 1,000 jobs and bucket. Raises OperatorError."""
    price = load_price(workspace.config)
    start_s, end_s = get_month_start_s(month), get_month_start_s(get_next_month(month))
    entries: list[FinishedEntry] = []
    for state_bucket in workspace.state_buckets:
        index = RecordingIndex(workspace.ctx.output_cos, workspace.settings, state_bucket)
        try:
            entries += select_longest(index.iter_finished(from_s=start_s, before_s=end_s))
        except CloudError as error:
            raise workspace.advise(error) from None
    return build_report(month, entries, price, workspace.settings.monthly_minutes or None)


def build_report(
    month: str, entries: Iterable[FinishedEntry], price: Price, budget: int | None = None
) -> CostReport:
    """Sum up jobs by bucket and first folder."""
    counts: defaultdict[tuple[str, str], int] = defaultdict(int)
    seconds: defaultdict[tuple[str, str], int] = defaultdict(int)
    for entry in entries:
        try:
            name = _read_place(entry.receipt_id)
        except ValueError:
            continue  # not written by Scribe
        counts[name] += 1
        seconds[name] += entry.seconds
    names = sorted(counts)
    total_s = sum(seconds.values())
    minutes = round_together([Decimal(seconds[name]) / _MINUTE_S for name in names], _TENTH)
    costs = round_together([price.cost_exactly(seconds[name]) for name in names], CENT)
    rows = tuple(
        CostRow(*name, counts[name], seconds[name], *sums)
        for name, *sums in zip(names, minutes, costs, strict=True)
    )
    total = CostRow("", "", sum(counts.values()), total_s, sum(minutes, Decimal(0)), sum(costs, Decimal(0)))
    return CostReport(month, rows, total, price, budget)


def _read_place(receipt_id: str) -> tuple[str, str]:
    bucket, key, _ = read_receipt_id(receipt_id)
    if key == FORGOTTEN_KEY:
        return bucket, FORGOTTEN_FOLDER
    return bucket, key.partition("/")[0] if "/" in key else ""


def round_together(values: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """Round values to multiples of `step`, so that the results add up to the rounded sum of the values.

    Each is rounded down; those that lose most get one step back, until the sum is right.
    """
    rounded = [value.quantize(step, ROUND_FLOOR) for value in values]
    left = sum(values, Decimal(0)).quantize(step, ROUND_HALF_UP) - sum(rounded, Decimal(0))
    by_loss = sorted(range(len(values)), key=lambda number: rounded[number] - values[number])
    for number in by_loss[: int(left / step)]:
        rounded[number] += step
    return rounded


def format_csv(report: CostReport) -> str:
    """Return the table for a spreadsheet, without a total. The name of a folder is never taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for row in report.rows:
        folder = guard_cell(escape_line(row.folder))
        sums = (row.recordings, row.minutes, row.cost)
        writer.writerow((row.bucket, folder, *sums, report.price.currency, report.month))
    return text.getvalue()


def _print_report(console: Console, report: CostReport) -> None:
    total, price = report.total, report.price
    if report.rows:
        console.print(_build_table(report))
    sums = ngettext(
        "{month}: {count} recording, {minutes:,} minutes, {cost}",
        "{month}: {count} recordings, {minutes:,} minutes, {cost}",
        total.recordings,
        month=report.month,
        minutes=total.minutes,
        cost=price.format(total.cost),
    )
    console.print(sums, markup=False)
    if report.budget is not None:
        budget = _(
            "Budget: {used:,} of {budget:,} minutes are used, {left:,} are left. That is MONTHLY_MINUTES in .env; a "
            "change is in force after `scribe deploy`",
            used=total.minutes,
            budget=report.budget,
            left=report.minutes_left,
        )
        console.print(budget, markup=False, soft_wrap=True)
    note = join_sentences(_("Months are in UTC+8."), price.note)
    console.print(note, markup=False, soft_wrap=True)


def _build_table(report: CostReport) -> Table:
    has_buckets = len({row.bucket for row in report.rows}) > 1
    table = Table(box=None, pad_edge=False, header_style="")
    for heading in (*((_("bucket"),) if has_buckets else ()), _("folder")):
        table.add_column(heading, overflow="fold")
    cost_heading = _("cost {currency}", currency=report.price.unit)
    for heading in (_("recordings"), _("minutes"), cost_heading):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in report.rows:
        place = ((row.bucket,) if has_buckets else ()) + (_describe_folder(row.folder),)
        cells = (*map(escape_line, place), f"{row.recordings:,}", f"{row.minutes:,}", f"{row.cost:,}")
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _describe_folder(folder: str) -> str:
    """Return the name of a folder for the screen."""
    if folder == FORGOTTEN_FOLDER:
        return _("(forgotten)/")
    return f"{folder}/" if folder else _("(top)")
