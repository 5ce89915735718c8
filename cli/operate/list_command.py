"""`scribe list`: recordings with their states."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from cli.config import CliContext
from cli.errors import OperatorError
from cli.language import N_, _
from cli.operate.names import show_name
from cli.operate.row import add_code
from cli.operate.rows import DONE, OPEN, STATES, WAITING, Listing, Query, Row, RowReader
from cli.operate.text import (
    INDENT,
    end_sentence,
    join_sentences,
    pad,
    print_indented,
    print_line,
)
from cli.operate.times import format_time
from cli.operate.workspace import Workspace, open_workspace
from cli.output import create_console, escape_line, print_json, print_json_line
from shared.errors import CloudError

POLL_S = 3.0
MAX_JOB_AGE_S = 600.0  # of a job that ended, when its transcripts are written
INTERRUPTED = 130  # the exit status of shells after Ctrl-C
GONE = "gone"  # with --watch: its receipt is not there any more
_MINUTES_WIDTH, _TIME_WIDTH = 6, 16
_COUNTS = {
    "open": N_("{number} open"),
    "waiting": N_("{number} waiting"),
    "failed": N_("{number} failed"),
    "done": N_("{number} done"),
}
_MAX_KEY_COLUMN = 48  # a longer key moves its note to the right
_STYLES = {"open": "cyan", "waiting": "yellow", "failed": "red", "done": "green"}


@dataclass(frozen=True, slots=True)
class ListOptions:
    """The arguments. `state` is "" for all; `since_s` Unix seconds, 0 for all; `bucket` "" for all."""

    prefix: str = ""
    state: str = ""
    since_s: float = 0.0
    limit: int = 100
    bucket: str = ""
    watch: bool = False
    as_json: bool = False

    def build_query(self) -> Query:
        """Return which rows to read. With `watch` all states, because what leaves one is a change too."""
        states = (self.state,) if self.state and not self.watch else STATES
        return Query(states, self.bucket, self.prefix, self.since_s, self.limit, with_details=self.as_json)


def list_recordings(console: Console, context: CliContext, options: ListOptions) -> bool:
    """Print the recordings; with `watch` also each change, until Ctrl-C. True unless a bucket could not be read.

    With `as_json` an array of objects; with `watch` too, one object a line. Raises OperatorError if nothing can be
    read.
    """
    command = ListCommand(console, create_console(stderr=True), open_workspace(context), options)
    if not options.watch:
        return command.run()
    try:
        command.run()
        command.watch(time.sleep)
    except KeyboardInterrupt:
        if not options.as_json:
            raise
        raise SystemExit(INTERRUPTED) from None  # nothing but JSON on standard output


class ListCommand:
    """Reads and prints rows, on consoles for the output and for problems."""

    def __init__(self, console: Console, stderr: Console, workspace: Workspace, options: ListOptions) -> None:
        self._console = console
        self._stderr = stderr
        self._workspace = workspace
        self._options = options
        self._reader = RowReader(workspace)
        self._rows: dict[tuple[str, str], Row] = {}
        if options.bucket:
            workspace.choose_bucket(options.bucket)
        self._has_bucket_column = len(workspace.settings.input_buckets) > 1 and not options.bucket

    def run(self) -> bool:
        """Print the recordings once. True unless a bucket could not be read. Raises OperatorError if none could be."""
        listing = self._reader.read(self._options.build_query())
        if listing.problems and len(listing.problems) == self._count_state_buckets():
            problem = end_sentence(str(self._workspace.advise(listing.problems[0][1])))
            raise OperatorError(join_sentences(problem, _("Nothing was listed")))
        self._rows = {row.name: row for row in listing.rows}
        rows = [row for row in listing.rows if self._is_shown(row)]
        if self._options.as_json and self._options.watch:
            for row in rows:
                print_json_line(self._console, row.as_json())
        elif self._options.as_json:
            print_json(self._console, [row.as_json() for row in rows])
        else:
            self._print_table(rows)
            end = join_sentences(*self._describe_end(rows, listing))
            if self._console.is_terminal:
                print_indented(self._console, end, 0)
            else:
                print_line(self._console, end)
        for bucket, error in listing.problems:
            text = _(
                "scribe: {bucket} is not in this list: {error}",
                bucket=bucket,
                error=self._workspace.advise(error),
            )
            self._stderr.print(Text(escape_line(text)), soft_wrap=True)
        return not listing.problems

    def watch(self, sleep: Callable[[float], None]) -> NoReturn:
        """Print one line for each change, for ever. An error of the cloud is reported once; then it goes on."""
        done_since_s = self._workspace.ctx.now() - MAX_JOB_AGE_S
        query = replace(self._options.build_query(), done_since_s=done_since_s)
        has_problem = False
        while True:
            sleep(POLL_S)
            listing = self._reader.read(query)
            problems = [problem[1] for problem in listing.problems]
            try:
                rows = [] if problems else self._add_closed(listing.rows)
            except CloudError as error:
                problems = [error]
            if problems:
                if not has_problem:
                    text = _("scribe: {error}. It is tried again", error=self._workspace.advise(problems[0]))
                    self._stderr.print(Text(escape_line(text)), soft_wrap=True)
                has_problem = True
                continue
            has_problem = False
            for row in self._take_changes(rows):
                self._print_change(row)

    def _add_closed(self, rows: list[Row]) -> list[Row]:
        """Add what became of recordings that were open or waiting, and are not any more."""
        names = {row.name for row in rows}
        left = [row for row in self._rows.values() if row.state in {OPEN, WAITING} and row.name not in names]
        gone = _("its receipt is not there any more")
        return rows + [self._reader.read_closed(row) or row._replace(state=GONE, note=gone) for row in left]

    def _take_changes(self, rows: list[Row]) -> Iterator[Row]:
        """Yield the rows that changed since the last time, in the order in which that happened."""
        for row in sorted(rows, key=lambda row: row.since_s):
            before = self._rows.get(row.name)
            self._rows[row.name] = row
            is_same = before is not None and _get_visible(before) == _get_visible(row)
            if not is_same and (self._is_shown(row) or (before and self._is_shown(before))):
                yield row

    def _is_shown(self, row: Row) -> bool:
        return self._options.state in {"", row.state}

    def _count_state_buckets(self) -> int:
        settings = self._workspace.settings
        buckets = [self._options.bucket] if self._options.bucket else settings.input_buckets
        return len(set(map(settings.output_bucket_for, buckets)))

    def _print_table(self, rows: list[Row]) -> None:
        if not rows:
            return
        bucket_width = max(cell_len(row.bucket) for row in rows) if self._has_bucket_column else 0
        minutes = _("MIN")
        headings = [
            pad(_("STATE"), self._state_width - INDENT),
            pad(_("SINCE (UTC)"), _TIME_WIDTH),
            " " * (_MINUTES_WIDTH - cell_len(minutes)) + minutes,
            *([pad(_("BUCKET"), bucket_width)] if self._has_bucket_column else []),
            _("KEY"),
        ]
        print_line(self._console, "  ".join(headings), "bold")
        key_width = max((cell_len(escape_line(row.key)) for row in rows if row.note), default=0)
        for row in rows:
            self._print_row(row, bucket_width, min(key_width, _MAX_KEY_COLUMN))

    def _print_row(self, row: Row, bucket_width: int = 0, key_width: int = 0) -> None:
        """Print a row; on a terminal its note in lines below it, else in the same line."""
        note = describe(row)
        minutes = "" if row.state != DONE else "-" if row.seconds is None else f"{row.seconds / 60:.1f}"
        state = show_name(row.state)
        line = Text(pad(state, self._state_width), _STYLES.get(row.state, ""))
        since = pad(format_minute(row.since_s), _TIME_WIDTH)
        line.append(f"{since}  {minutes:>{_MINUTES_WIDTH}}  ", "default")
        if self._has_bucket_column:
            line.append(pad(row.bucket, bucket_width) + "  ", "default")
        key = escape_line(row.key)
        line.append(key, "default")
        if note and not self._console.is_terminal:
            line.append(" " * max(key_width - cell_len(key), 0) + f"  {escape_line(note)}")
        self._console.print(line, soft_wrap=True)
        if note and self._console.is_terminal:
            print_indented(self._console, note, self._state_width, "dim")

    @property
    def _state_width(self) -> int:
        return max(cell_len(show_name(state)) for state in STATES) + INDENT

    def _print_change(self, row: Row) -> None:
        if self._options.as_json:
            print_json_line(self._console, row.as_json())
        else:
            self._print_row(row)

    def _describe_end(self, rows: list[Row], listing: Listing) -> Iterator[str]:
        """Yield the sentences of the last line: how many there are, and what was left out."""
        commands = self._workspace.commands
        counts = Counter(row.state for row in rows)
        if rows:
            shown = [_(_COUNTS[state], number=counts[state]) for state in STATES if counts[state]]
            yield end_sentence(_(", ").join(shown))
        else:
            words = _(", ").join(self._describe_filter())
            nothing = _("Scribe knows no recording yet.")
            yield _("Scribe knows no recording {words}.", words=words) if words else nothing
            if not self._options.state:
                line = commands.line("backfill", *([self._options.prefix] if self._options.prefix else []))
                yield _("`{command}` looks into the bucket, and changes nothing.", command=line)
        if listing.has_more_done and counts[DONE]:
            limit = 10 * self._options.limit
            yield _("Older ones that are done were left out: --limit {limit} shows more.", limit=limit)
        if listing.unread:
            yield _(
                "{number:,} older closed ones were not looked at: a longer PREFIX says what failed of them.",
                number=listing.unread,
            )
        if listing.is_partial:
            yield _(
                "Only what failed or was done since this version is in the index: a PREFIX or --bucket finds what was "
                "before."
            )
        if any(row.note and row.state != OPEN for row in rows):
            yield _("`{command}` says more about one.", command=commands.line("why", "KEY"))

    def _describe_filter(self) -> Iterator[str]:
        options = self._options
        if options.state:
            yield _("with the state {state}", state=show_name(options.state))
        if options.prefix:
            yield _("with a key that begins with {prefix}", prefix=options.prefix)
        if options.bucket:
            yield _("in {bucket}", bucket=options.bucket)
        if options.since_s:
            yield _("since {time}", time=format_time(options.since_s))


def describe(row: Row) -> str:
    """Return in one sentence why a recording is not done; "" if it is."""
    if not row.note:
        return ""
    reason = add_code(row.note, row.code, row.cloud_message)
    if not row.next_at_s:
        return reason
    return _("{reason}; next try at {time}", reason=reason, time=format_minute(row.next_at_s))


def format_minute(time_s: float) -> str:
    """Format Unix seconds for a column: `2026-11-26 08:00`, in UTC; "" for 0."""
    return format_time(time_s)[:16].replace("T", " ")


def _get_visible(row: Row) -> tuple[str, str, float, str]:
    """Return what is worth a line when it changes. The time of a job's end and of its receipt's differ a little."""
    return row.state, describe(row), 0.0 if row.state == DONE else row.since_s, row.receipt_id
